"""The world a decision is made in: everything of the config that dispatch needs, swapped as one at a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from bridge.call import Rate, Rules
from bridge.config import Config, Watchdog
from bridge.errors import ConfigError, Fault
from bridge.escalation import Policy, Roster
from bridge.intervals import TimeInterval
from bridge.route import Route
from bridge.schedule import Person
from bridge.schedule import Roster as ScheduleRoster
from bridge.sms import TEMPLATE
from bridge.speech import Limits, Speaker


@dataclass(frozen=True, slots=True)
class Terms:
    """What an account of that name allows a call: how long a request and its reports may take; how many run at once."""

    name: str = ""
    request_timeout: timedelta = timedelta(seconds=15)
    report_timeout: timedelta = timedelta(minutes=3)
    max_concurrent_calls: int = 10


@dataclass(frozen=True, slots=True)
class World:
    """One config, resolved. `link` makes the signed acknowledge URL of a call's id ("" where none can be reached).

    `searches`: Alertmanager is asked for what no webhook brought. `answerable`: a reply to an SMS would come in, so
    that it may be asked for.
    """

    route: Route
    intervals: Mapping[str, TimeInterval]
    policies: Mapping[str, Policy]
    people: Mapping[str, Person]
    roster: Roster
    speaker: Speaker
    timezone: ZoneInfo
    language: str = "en-US"
    rules: Rules = field(default_factory=Rules)
    keypress: bool = True
    reply: bool = True
    accounts: tuple[Terms, ...] = (Terms(),)
    calls_per_person: tuple[Rate, ...] = ()
    calls_per_minute: int | None = None
    sms_per_person: tuple[Rate, ...] = ()
    sms_parts: int = 2
    answerable: bool = False
    budget_per_day: float | None = None
    watchdogs: tuple[Watchdog, ...] = ()
    searches: bool = False
    retention: timedelta = timedelta(days=90)
    link: Callable[[str], str] = lambda _call: ""

    def terms(self, account: str = "") -> Terms:
        """Those of the account; of the first, where none has that name (any more)."""
        return next((one for one in self.accounts if one.name == account), self.accounts[0])

    @property
    def sms_speaker(self) -> Speaker:
        """The same templates within the length of an SMS."""
        return self.speaker.within(Limits(parts=self.sms_parts))


def world_of(config: Config, link: Callable[[str], str] = lambda _call: "") -> World:
    """The world of a config: the server's, and that of a rehearsal. Raises ConfigError for a broken template."""
    speaker = Speaker(config.templates)
    faults = list(template_faults(config, speaker))
    if faults:
        raise ConfigError(faults)
    acknowledgement = config.acknowledgement
    return World(
        route=config.route,
        intervals=config.time_intervals,
        policies=config.policies,
        people=config.people,
        roster=ScheduleRoster(config.people, config.schedules),
        speaker=speaker,
        sms_parts=config.limits.sms_parts,
        timezone=config.timezone,
        language=config.language,
        rules=Rules(acknowledgement.answer, acknowledgement.hang_up),
        keypress=acknowledgement.keypress,
        reply=acknowledgement.reply,
        accounts=tuple(
            Terms(one.name, one.timeout, one.report_timeout, one.max_concurrent_calls) for one in config.gateways
        ),
        calls_per_person=config.limits.calls_per_person,
        calls_per_minute=config.limits.calls_per_minute,
        sms_per_person=config.limits.sms_per_person,
        answerable=answerable(config),
        budget_per_day=config.limits.budget_per_day,
        watchdogs=config.watchdogs,
        searches=bool(config.alertmanagers),
        retention=config.storage.retention,
        link=link,
    )


def template_faults(config: Config, speaker: Speaker) -> Iterator[Fault]:
    """What is wrong with the templates that the policies use: for calls, and for SMS where a step sends any."""
    for policy in config.policies.values():
        for fault in speaker.check(policy.template):
            yield Fault(str(config.path), 1, 1, f"policies.{policy.name}.template", fault)
        if any(step.sms for step in policy.steps):
            for fault in speaker.within(Limits(parts=config.limits.sms_parts)).check(TEMPLATE):
                yield Fault(str(config.path), 1, 1, f"policies.{policy.name}.steps", fault)


def answerable(config: Config) -> bool:
    """Whether an SMS has a number to be replied to, and the reply would come in by the webhook."""
    hears = config.webhooks.report_token is not None and all(one.reports != "poll" for one in config.gateways)
    return config.acknowledgement.reply and hears and all(one.sender is not None for one in config.gateways)
