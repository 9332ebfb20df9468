"""Calls: their states, the gateway's reports, what became of them, and how often is too often.

queued -> placing -> placed -> ended. A call is written down (placing) before it is requested; `settle` applies a report
to it: idempotent and monotone, so that reports may come in any order, any number of times and days late. A final state
stays.
"""

from __future__ import annotations

import hashlib
import hmac
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum


class By(StrEnum):
    """By what an incident was acknowledged: the label of callbridge_acknowledgements_total."""

    KEYPRESS = "keypress"
    REPLY = "reply"
    ANSWER = "answer"
    HANG_UP = "hang_up"
    WEB = "web"
    API = "api"
    SILENCE = "silence"


class Outcome(StrEnum):
    """What became of a call, as the human experienced it: the label of callbridge_calls_total.

    answered: somebody (or a mailbox) picked up. no_answer: it rang and nobody did. failed: the network could not
    connect it. refused: the gateway would not place it. unconfirmed: placed, and nothing was ever heard of it again.
    cancelled: it was not needed any more before it rang.
    """

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    CANCELLED = "cancelled"


class CallState(StrEnum):
    """queued: to be (re)tried at its due time. placing: requested, answer not known. placed: accepted. ended: final."""

    QUEUED = "queued"
    PLACING = "placing"
    PLACED = "placed"
    ENDED = "ended"


class CallStatus(StrEnum):
    """The gateway's words for a call, and `unknown` for any that it may invent."""

    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    UNKNOWN = "unknown"


# In place of a template's name: a call that tells of no incident. No file can be called so.
TEST = "(test)"

# More seconds or euro than any call: whatever the gateway reports beyond it is taken for not told.
MOST = 1_000_000

FINAL = {
    CallStatus.COMPLETED: Outcome.ANSWERED,
    CallStatus.NO_ANSWER: Outcome.NO_ANSWER,
    CallStatus.FAILED: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What the gateway says of a call. `duration` in seconds, `price` in euro per minute, `cost` in euro for it all."""

    status: CallStatus
    gateway_id: str | None = None
    foreign_id: str | None = None
    recipient: str | None = field(default=None, repr=False)
    duration: float | None = None
    price: float | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One phone call to one person; it carries every page that waited for them when it was requested.

    `id` is ours (sent as foreign_id where the dialect has it), `gateway_id` the gateway's. `account` took it, or may
    have. `tries` counts requests whose answer said that nobody was called, `asked_again` whether it was requested again
    after an uncertain answer.
    Durations in seconds, `cost` in euro. Hanging up takes it from `window_from` to `window_until` seconds after it was
    answered; None: never.
    """

    id: str
    person: str
    number: str
    created_at: datetime
    state: CallState = CallState.PLACING
    gateway_id: str | None = None
    language: str = ""
    template: str = ""
    text: str = ""
    speech_seconds: float = 0.0
    window_from: float | None = None
    window_until: float | None = None
    requested_at: datetime | None = None
    placed_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    outcome: Outcome | None = None
    reason: str = ""
    duration: float | None = None
    cost: float | None = None
    account: str = ""
    tries: int = 0
    asked_again: bool = False
    acknowledged: bool = False
    version: int = 0

    @property
    def live(self) -> bool:
        return self.state is not CallState.ENDED


@dataclass(frozen=True, slots=True)
class Rules:
    """When a call by itself acknowledges: answered for `answer` (zero: never); `hang_up`: ended within its window."""

    answer: timedelta = timedelta(0)
    hang_up: bool = False


def settle(call: Call, report: Report, now: datetime) -> Call:
    """The call after `report`; the same call object if the report says nothing new."""
    if call.state is CallState.ENDED and call.outcome is not Outcome.UNCONFIRMED:
        return _costed(call, report)
    if report.status in FINAL:
        return _ended(call, report, now)
    if call.state is CallState.ENDED:
        return call
    return _under_way(call, report, now)


def end(call: Call, outcome: Outcome, now: datetime, reason: str = "") -> Call:
    """The call ended by other means than a report; an ended one stays as it is."""
    if call.state is CallState.ENDED:
        return call
    return replace(call, state=CallState.ENDED, outcome=outcome, ended_at=now, due_at=None, reason=reason)


def taken(call: Call, rules: Rules) -> By | None:
    """By what the ended call acknowledged by itself, if it did: by being answered for long, or by its end."""
    if call.outcome is not Outcome.ANSWERED:
        return None
    if rules.answer and (call.duration or 0.0) >= rules.answer.total_seconds():
        return By.ANSWER
    return By.HANG_UP if rules.hang_up and _in_window(call) else None


def _in_window(call: Call) -> bool:
    if call.duration is None or call.window_from is None or call.window_until is None:
        return False
    return call.window_from <= call.duration <= call.window_until


def _ended(call: Call, report: Report, now: datetime) -> Call:
    outcome = FINAL[report.status]
    talk = _talked(call, report, now) if outcome is Outcome.ANSWERED else None
    # Reports may be late: the time between them says how long it was, but not to the second.
    to_the_second = _possible(report.duration) is not None
    answered_at = call.answered_at
    if outcome is Outcome.ANSWERED and answered_at is None:
        answered_at = now - timedelta(seconds=talk or 0.0)
    return replace(
        call,
        state=CallState.ENDED,
        outcome=outcome,
        gateway_id=call.gateway_id or report.gateway_id,
        answered_at=answered_at if outcome is Outcome.ANSWERED else None,
        ended_at=now,
        due_at=None,
        window_from=call.window_from if to_the_second else None,
        window_until=call.window_until if to_the_second else None,
        duration=talk,
        cost=cost(report),
        reason="",
    )


def _talked(call: Call, report: Report, now: datetime) -> float | None:
    """Seconds on the phone: as told, else from the report that somebody picked up; None if neither came."""
    told = _possible(report.duration)
    if told is not None or call.answered_at is None:
        return told
    return max((now - call.answered_at).total_seconds(), 0.0)


def _under_way(call: Call, report: Report, now: datetime) -> Call:
    """An intermediate report can only add what is not known yet: never take anything back."""
    ringing = report.status in (CallStatus.RINGING, CallStatus.IN_PROGRESS)
    moved = replace(
        call,
        state=CallState.PLACED,
        gateway_id=call.gateway_id or report.gateway_id,
        placed_at=call.placed_at or now,
        ringing_at=call.ringing_at or (now if ringing else None),
        answered_at=call.answered_at or (now if report.status is CallStatus.IN_PROGRESS else None),
    )
    return call if moved == call else moved


def _costed(call: Call, report: Report) -> Call:
    """A price that comes with a later copy of the final report is taken; nothing else is."""
    price = cost(report)
    if call.cost is not None or price is None or FINAL.get(report.status) is not call.outcome:
        return call
    return replace(call, cost=price)


def cost(report: Report) -> float | None:
    """What the call cost, in euro: as told, or its started minutes at the price per minute; None if not known."""
    told, price, duration = _possible(report.cost), _possible(report.price), _possible(report.duration)
    if told is not None:
        return told
    if price is None or duration is None:
        return None
    return round(-(-duration // 60) * price, 4)


def _possible(number: float | None) -> float | None:
    """A stranger's number of seconds or euro if it can be true, else None: an infinite one would break the counters."""
    return number if number is not None and 0 <= number <= MOST else None


# What real/estimated can be of a call that ran to its end: more is no voice, less was ended by a human.
PLAUSIBLE = (0.65, 1.6)
PACES = (0.7, 1.4)
FEWEST_MEASURED = 3
# As many calls as are looked back upon, and how alike those are that ran to their end.
MOST_MEASURED = 50
ALIKE = 0.9


def pace(measured: Sequence[tuple[float, float]]) -> float:
    """How slow the gateway's voice is against the estimate, 0.7 to 1.4; 1.0 as long as too little is known.

    `measured`: estimated and real seconds of calls that were answered. Nobody stays longer than the text, so the
    longest that are alike (three at least, within a tenth) ran to their end; the median of these is the pace.
    """
    least, most = PLAUSIBLE
    ratios = sorted((real / estimated for estimated, real in measured if estimated > 0), reverse=True)
    known = [ratio for ratio in ratios if least <= ratio <= most]
    for first, longest in enumerate(known):
        alike = [ratio for ratio in known[first:] if ratio >= longest * ALIKE]
        if len(alike) >= FEWEST_MEASURED:
            return min(max(statistics.median(alike), PACES[0]), PACES[1])
    return 1.0


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` calls in any `span`."""

    count: int
    span: timedelta


def allowed_at(placed: Sequence[datetime], rates: Sequence[Rate], now: datetime) -> datetime:
    """When the next call may be placed at the earliest: `now` or later. `placed`: when those before were, ascending."""
    free = now
    for rate in rates:
        if len(placed) >= rate.count:
            free = max(free, placed[-rate.count] + rate.span)
    return free


class Hold(StrEnum):
    """Why a call is not placed yet: the label of callbridge_calls_held_back_total.

    budget: limits.budget_per_day is spent. person: limits.calls_per_person. minute: limits.calls_per_minute. gateway:
    no account takes calls.
    """

    BUDGET = "budget"
    PERSON = "person"
    MINUTE = "minute"
    GATEWAY = "gateway"


# Euro per started minute, as long as no call has told what it cost: more than the gateway takes in most countries.
USUAL_PRICE = 0.10


@dataclass(frozen=True, slots=True)
class Spending:
    """What the calls of one day cost, in euro: `known`, as the gateway told it.

    `unknown`: the seconds (spoken, or else to be spoken) of each call whose cost is not known yet; `price`: euro per
    started minute of the newest call whose cost is known.
    """

    known: float = 0.0
    unknown: tuple[float, ...] = ()
    price: float | None = None


def started_minutes(seconds: float) -> int:
    """What a call of so many seconds is charged for: one minute at least."""
    return max(1, int(-(-seconds // 60)))


def spent(day: Spending) -> float:
    """What the calls of the day cost in euro, as far as it is known, and as can be expected of the others."""
    price = USUAL_PRICE if day.price is None else day.price
    return round(day.known + price * sum(started_minutes(seconds) for seconds in day.unknown), 4)


def within_budget(day: Spending, budget: float | None) -> bool:
    """Whether another call may be placed: as long as less than `budget` euro is spent; None: always."""
    return budget is None or spent(day) < budget


# A gateway that is down is asked again soon; one that waits for a human (key, credit) less often.
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=60)


def pause_after(tries: int) -> timedelta:
    """How long to wait after the `tries`-th request (from 1) that the gateway could not take."""
    return min(FIRST_PAUSE * (1 << min(tries - 1, 10)), LONGEST_PAUSE)


def sign(secret: str, call: str) -> str:
    """The token of the signed link that acknowledges `call`: the call's id and an HMAC-SHA256 over it."""
    mac = hmac.new(secret.encode(), b"acknowledge:" + call.encode(), hashlib.sha256)
    return f"{call}.{mac.hexdigest()[:40]}"


def signed_call(secret: str, token: str) -> str | None:
    """The call that `token` acknowledges; None for a token that `sign` did not make. In constant time."""
    if not token.isascii():
        return None
    call = token.partition(".")[0]
    return call if hmac.compare_digest(sign(secret, call), token) else None
