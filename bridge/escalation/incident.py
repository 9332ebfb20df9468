"""What the table speaks of: policies, incidents, pages, the events that happen to them, and decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bridge.alert import Stream
from bridge.call import By, Outcome

# Alertmanager repeats what fires every few hours (repeat_interval, 4h by default): silence this long means it is gone.
NEWS_TIMEOUT = timedelta(hours=24)


class Channel(StrEnum):
    """How a page reaches its person. Only calls move a chain on; an SMS is told beside them."""

    VOICE = "voice"
    SMS = "sms"


class SmsWhen(StrEnum):
    """When a step's SMS go out: at its begin, or only to whom no call of it reached, as soon as that is sure."""

    BEGIN = "begin"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to call side by side (people or schedules), whom to send an SMS, and how long to wait before the next step.

    One of `targets` and `sms` may be empty.
    """

    targets: tuple[str, ...]
    wait: timedelta = timedelta(minutes=5)
    attempts: int = 1
    retry_after: timedelta = timedelta(minutes=1)
    sms: tuple[str, ...] = ()
    sms_when: SmsWhen = SmsWhen.BEGIN


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is called, in which order. No steps: recorded, nobody is called."""

    name: str
    steps: tuple[Step, ...]
    rounds: int = 1
    acknowledged_for: timedelta = timedelta(0)
    template: str = "call"
    urgent: bool = False


class State(StrEnum):
    """What an operator sees of an incident.

    triggered: it fires and nobody has taken it yet; people are being called (or the policy calls nobody).
    acknowledged: somebody said "I have it"; nobody is called.
    exhausted: the whole chain was gone through and nobody took it; the next notification starts it again.
    resolved: over, for good; a later alert opens another incident.
    """

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    EXHAUSTED = "exhausted"
    RESOLVED = "resolved"


class Reach(StrEnum):
    """How far a step has come with one person.

    earlier: not of this step; a page of an earlier one is still on its way to them, and nobody waits for it.
    """

    EARLIER = "earlier"
    CALLING = "calling"
    RETRYING = "retrying"
    ANSWERED = "answered"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Target:
    """One person of the present step, or one whom an earlier page is still on its way to; `page` is the last one."""

    person: str
    page: str
    attempt: int = 1
    reach: Reach = Reach.CALLING
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """What is wrong: one per stream and policy. `round` counts from 1, `step` from 0; `serial` counts its pages."""

    id: str
    stream: Stream
    policy: Policy
    opened_at: datetime
    news_at: datetime
    state: State = State.TRIGGERED
    round: int = 1
    step: int = 0
    targets: tuple[Target, ...] = ()
    step_ends_at: datetime | None = None
    due_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    closed_at: datetime | None = None
    serial: int = 0
    version: int = 0

    @property
    def open(self) -> bool:
        return self.state is not State.RESOLVED


@dataclass(frozen=True, slots=True)
class Page:
    """One incident to be told to one person: one attempt. `urgent`: even when the budget of the day is spent."""

    id: str
    incident: str
    person: str
    round: int
    step: int
    attempt: int
    urgent: bool = False
    channel: Channel = Channel.VOICE


class Verdict(StrEnum):
    """Why a decision was made: a closed list; the journal's word, the log's word and the metric's label."""

    OPENED = "opened"
    RECORDED = "recorded"
    REFRESHED = "refreshed"
    RANG_AGAIN = "rang_again"
    RETRIED = "retried"
    RETRY_PLANNED = "retry_planned"
    NEXT_STEP = "next_step"
    NOBODY_THERE = "nobody_there"
    WAITING = "waiting"
    EXHAUSTED = "exhausted"
    ACKNOWLEDGED = "acknowledged"
    EXTENDED = "extended"
    RESOLVED = "resolved"
    RESOLVED_BY_HAND = "resolved_by_hand"
    NO_NEWS = "no_news"
    IGNORED = "ignored"


# What closes an incident: the label of callbridge_incidents_closed_total.
CLOSING = (Verdict.RESOLVED, Verdict.RESOLVED_BY_HAND, Verdict.NO_NEWS)


@dataclass(frozen=True, slots=True)
class Fired:
    """A notification says that at least one alert of the incident fires.

    `anew`: what had acknowledged it holds no longer, and it fires still.
    """

    anew: bool = False


@dataclass(frozen=True, slots=True)
class Cleared:
    """Every alert that the incident knows has resolved, or a human closed it (`by_hand`)."""

    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """Its due time has come."""


@dataclass(frozen=True, slots=True)
class PageEnded:
    """The call that carried `page` is over; `taken` says by what it acknowledged, if it did."""

    page: str
    person: str
    outcome: Outcome
    taken: By | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody took it, other than by a call's own end; `who` is a person's key or a free name."""

    by: By
    who: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """Somebody asked for the next step now; `again`: for the present one once more."""

    who: str
    again: bool = False


Event = Fired | Cleared | Due | PageEnded | Acknowledged | Escalated


class Roster(Protocol):
    """Who can be called for a target now; nobody, for an empty schedule or a person without a number."""

    def on_call(self, target: str, now: datetime) -> Sequence[str]:
        """The keys of the people behind `target` (a person or a schedule) who have a number, at `now`."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story: what was decided, about whom, and where in the chain."""

    verdict: Verdict
    who: str = ""
    round: int = 0
    step: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What should be done: the incident as it shall be, pages to queue, whether to drop all that are under way."""

    incident: Incident
    verdict: Verdict
    pages: tuple[Page, ...] = ()
    cancel: bool = False
    lines: tuple[Line, ...] = ()
