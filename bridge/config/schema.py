"""The file's shape: what may stand where. It lives at the edge only; `build` makes the program's own types of it.

Scalars come as text and are converted here; what is out of bounds says what would be right. What needs more than one
place of the file (names, matchers, phone numbers) is looked at in `checks`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from bridge.config.outward import Alertmanager, Heartbeat
from bridge.config.section import Section, at
from bridge.config.words import (
    SMS_PER_PERSON,
    Address,
    Amount,
    Any_,
    Boolean,
    CallsAtOnce,
    CallsPerMinute,
    DialectWord,
    Duration,
    FilePath,
    Language,
    LocalTime,
    Name,
    PerPerson,
    Phone,
    Positive,
    Refresh,
    Region,
    ReportsWord,
    RequestTime,
    Retention,
    RingTime,
    SecretAddress,
    SmsParts,
    SmsWhenWord,
    Some,
    TargetName,
    TemplateName,
    Times,
    Turn,
    Zone,
)


class Global(Section):
    """What holds where nothing else is said."""

    timezone: Zone = Field(default_factory=lambda: ZoneInfo("UTC"))
    """For schedules and speech that name no other (default UTC)."""
    region: Region = ""
    """The country that national phone numbers such as 0171 1234567 belong to; without it every number begins with +."""
    language: Language = "en-US"
    """The language of people who name no other (default en-US)."""


class Storage(Section):
    """Where incidents are remembered."""

    url: Some | None = None
    """sqlite:///callbridge.db (default), or postgresql://host/database."""
    url_file: FilePath | None = None
    """A file that holds the URL, for one with a password; instead of url."""
    retention: Retention = timedelta(days=90)
    """How long closed incidents and their journal are kept (default 90d)."""

    @model_validator(mode="after")
    def _one(self) -> Storage:
        if self.url is not None and self.url_file is not None:
            raise at("url_file", "url is given too; write one of url and url_file")
        return self


class Gateway(Section):
    """The account at sms77/seven, and how its gateway is used."""

    api_url: Address = "https://gateway.seven.io/api"
    """Where the gateway's API is (default https://gateway.seven.io/api)."""
    dialect: DialectWord = "seven"
    """seven (2024 and later), or sms77 (the original API)."""
    api_key_file: FilePath
    """The file that holds the API key."""
    from_: Phone | None = Field(default=None, alias="from")
    """The number that the phone shows; one that the account may use."""
    ring_time: RingTime = timedelta(seconds=30)
    """How long a phone rings, 5s to 60s (default 30s); the sms77 dialect does not send it."""
    timeout: RequestTime = timedelta(seconds=15)
    """The longest that one HTTP request may take (default 15s)."""
    report_timeout: Positive = timedelta(minutes=3)
    """An accepted call without a final report by then is looked up, then counts as unconfirmed (default 3m)."""
    reports: ReportsWord = "webhook"
    """webhook (default), poll (without a public address the gateway is asked while calls run), or both."""
    max_concurrent_calls: CallsAtOnce = 10
    """How many calls may be under way at once (default 10)."""
    debug: Boolean = False
    """true: the gateway answers and calls nobody."""
    min_balance: Amount | None = None
    """Euro; below it the log says so, and the balance metric's alert fires."""


class Account(Gateway):
    """One of several accounts; all of it is the account's own."""

    name: Name
    """What log, metrics and story call the account."""


class AlertmanagerWebhook(Section):
    """Who may knock at /webhook/alertmanager."""

    credentials_file: FilePath
    """The file that holds the bearer token."""


class GrafanaWebhook(Section):
    """Who may knock at /webhook/grafana; without it, whoever may at /webhook/alertmanager."""

    hmac_secret_file: FilePath
    """The file that holds the HMAC secret."""


class GatewayWebhook(Section):
    """Who may knock at /webhook/sms77/…"""

    token_file: FilePath | None = None
    """The file that holds the last part of that address."""
    signing_key_file: FilePath | None = None
    """The file that holds the account's signing key, where its reports are signed."""


class Webhooks(Section):
    """What those who knock at the doors must know."""

    alertmanager: AlertmanagerWebhook | None = None
    grafana: GrafanaWebhook | None = None
    sms77: GatewayWebhook | None = None


class Person(Section):
    """Somebody who can be called."""

    name: Some | None = None
    """The name that is spoken (default: the key)."""
    phone: Phone | None = None
    """+49 171 1234567, or as it is dialled within global.region; without it nobody can call them."""
    language: Language | None = None
    """What the phone speaks to them (default: global.language)."""
    email: Some | None = None
    """How calendars may name them."""


class Rotation(Section):
    """People who take turns."""

    name: Name | None = None
    """What the shifts are said to come from (default: its number)."""
    people: Annotated[list[Any_], Field(min_length=1)]
    """Their keys, in the order of their turns."""
    every: Turn
    """How long a turn is: whole hours, days or weeks."""
    start: LocalTime
    """When the first turn begins, in the schedule's time zone."""
    active_time_intervals: list[Any_] = Field(default_factory=list)
    """Only then is this rotation on duty; empty: always."""


class Override(Section):
    """One person instead of everybody else, for a time."""

    person: Any_
    """The key of whoever is on call then."""
    from_: LocalTime = Field(alias="from")
    """The beginning, in the schedule's time zone."""
    until: LocalTime
    """The end, in the schedule's time zone."""

    @model_validator(mode="after")
    def _forward(self) -> Override:
        if self.until <= self.from_:
            raise at("until", "is not after from; write a later time")
        return self


class Ical(Section):
    """A calendar whose events name the people on call."""

    file: FilePath | None = None
    """A file of iCalendar; write this or url."""
    url: SecretAddress | None = None
    """Where a server has it, such as https://calendar.example/basic.ics."""
    refresh: Refresh = timedelta(minutes=15)
    """How often it is read again (default 15m)."""

    @model_validator(mode="after")
    def _one(self) -> Ical:
        if (self.file is None) == (self.url is None):
            raise at("url" if self.url else "", "write one of file and url")
        return self


class Schedule(Section):
    """Who is on call when."""

    timezone: Zone | None = None
    """Where its wall clock hangs (default: global.timezone)."""
    rotations: list[Rotation] = Field(default_factory=list)
    """Layers: a later one covers the earlier where it is active."""
    overrides: list[Override] = Field(default_factory=list)
    """They cover everything."""
    ical: Ical | None = None


class Step(Section):
    """People who are called, or told by SMS, side by side."""

    call: Annotated[list[Any_], Field(min_length=1)] = Field(default_factory=list)
    """Keys of people or schedules who are called."""
    sms: Annotated[list[Any_], Field(min_length=1)] = Field(default_factory=list)
    """Keys of people or schedules who get an SMS; a step has call, sms or both."""
    sms_when: SmsWhenWord = "begin"
    """begin (default): as the step begins; unreached: to whom of them no call of the step reached, at once then."""
    wait: Duration = timedelta(minutes=5)
    """Until the next step, unless somebody acknowledges (default 5m)."""
    attempts: Times = 1
    """Calls per person who does not answer (default 1)."""
    retry_after: Duration = timedelta(minutes=1)
    """Between two calls to a person who does not answer (default 1m)."""

    @model_validator(mode="after")
    def _someone(self) -> Step:
        if not self.call and not self.sms:
            raise at("", "calls nobody; write call: [alice], sms: [alice] or both")
        if self.sms_when == "unreached" and not (self.call and self.sms):
            raise at("sms_when", "needs call and sms: whoever no call reached gets the SMS; write both, or begin")
        return self


class Policy(Section):
    """Who is called, in which order."""

    steps: list[Step]
    """One after the other; []: the incident is recorded, nobody is called."""
    rounds: Times = 1
    """How often the whole chain is gone through (default 1)."""
    acknowledged_for: Duration = timedelta(0)
    """How long an acknowledgement holds; 0 (default): until resolved."""
    template: TemplateName = "call"
    """What is said: templates/NAME.txt.j2, .xml.j2 or .ssml.j2 (default call)."""
    urgent: Boolean = False
    """true: rings even when limits.budget_per_day is spent."""


class Acknowledgement(Section):
    """What counts as taking an incident."""

    answer: Duration = timedelta(0)
    """A call answered that long acknowledges; 0 (default): answering does not, for a mailbox answers too."""
    hang_up: Boolean = False
    """true: hanging up when the text asks for it acknowledges."""
    keypress: Boolean = True
    """A key pressed during the call acknowledges, where the account reports keys."""
    reply: Boolean = True
    """An SMS reply acknowledges."""


class Route(Section):
    """A node of Alertmanager's routing tree."""

    policy: Any_ | None = None
    """Where its alerts go (default: its parent's)."""
    matchers: list[Any_] = Field(default_factory=list)
    """All of them must match: severity="critical", team=~"db|storage"."""
    match: dict[Some, Any_] = Field(default_factory=dict)
    """Deprecated: labels and their values; write matchers."""
    match_re: dict[Some, Any_] = Field(default_factory=dict)
    """Deprecated: labels and regular expressions; write matchers."""
    continue_: Boolean = Field(default=False, alias="continue")
    """true: the following siblings are looked at too."""
    mute_time_intervals: list[Any_] = Field(default_factory=list)
    """Nobody is called while any of these is."""
    active_time_intervals: list[Any_] = Field(default_factory=list)
    """Somebody is called only while any of these is; empty: always."""
    routes: list[Route] = Field(default_factory=list)
    """The branches below, in their order; the first that matches takes the alert."""


class TimeRange(Section):
    """From start_time up to end_time."""

    start_time: Any_
    """The first minute, such as 09:00."""
    end_time: Any_
    """The minute that is no longer in it, up to 24:00; not over midnight: write two."""


class TimeSpec(Section):
    """Whatever is given must hold, all of it at once."""

    times: list[TimeRange] | None = None
    """Any of these spans of the day."""
    weekdays: list[Any_] | None = None
    """monday:friday, sunday"""
    days_of_month: list[Any_] | None = None
    """1:5, -3:-1 (from the end)"""
    months: list[Any_] | None = None
    """january:march, 12"""
    years: list[Any_] | None = None
    """2026:2028"""
    location: Any_ | None = None
    """The time zone (default UTC)."""


class NamedInterval(Section):
    """A named time interval: any of its specifications."""

    name: Name
    """What routes and rotations call it."""
    time_intervals: list[TimeSpec] = Field(default_factory=list)
    """Any of these; within one, everything given must hold."""


class Limits(Section):
    """How much ringing is too much."""

    calls_per_person: list[PerPerson] = Field(default_factory=list)
    """Beyond it pages wait and are told together in one call."""
    calls_per_minute: CallsPerMinute | None = None
    """All calls of this server together."""
    sms_per_person: list[PerPerson] = Field(default_factory=lambda: list(SMS_PER_PERSON))
    """Beyond it what waits is told later, in one; default 1 per 1m, 5 per 15m, 11 per 1h, 21 per 3h; []: no limit."""
    sms_parts: SmsParts = 2
    """How long an SMS may get: 160 characters in one part (70 in Unicode), 153 (67) in each of several (default 2)."""
    budget_per_day: Amount | None = None
    """Euro, for calls and SMS; beyond it only urgent policies are told."""


class Watchdog(Section):
    """An alert that must keep coming."""

    name: Name
    """What its incident and its metric call it."""
    matchers: Annotated[list[Any_], Field(min_length=1)]
    """Which alert it is: all of them must match."""
    every: Positive
    """No such alert for that long: an incident of its own."""
    policy: Any_
    """Who is called then."""


class File(Section):
    """The one file of callbridge."""

    global_: Global = Field(default_factory=Global, alias="global")
    storage: Storage = Field(default_factory=Storage)
    gateway: Gateway | None = None
    """The account at sms77/seven, where there is one; needed, or gateways."""
    gateways: list[Account] = Field(default_factory=list)
    """Several accounts, instead of gateway: the first that is in order is used."""
    webhooks: Webhooks = Field(default_factory=Webhooks)
    people: dict[TargetName, Person]
    schedules: dict[TargetName, Schedule] = Field(default_factory=dict)
    policies: dict[Name, Policy]
    acknowledgement: Acknowledgement = Field(default_factory=Acknowledgement)
    route: Route
    time_intervals: list[NamedInterval] = Field(default_factory=list)
    limits: Limits = Field(default_factory=Limits)
    watchdogs: list[Watchdog] = Field(default_factory=list)
    alertmanagers: list[Alertmanager] = Field(default_factory=list)
    heartbeat: Heartbeat | None = None
    templates: list[FilePath] = Field(default_factory=list)
    """Folders; the first that has the template wins, the shipped ones come last."""
