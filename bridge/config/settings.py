"""What the program knows of its file: one frozen Config. The file's own shape is in `schema`, and goes no further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from bridge.call import Rate
from bridge.errors import CallbridgeError, Fault
from bridge.escalation import Policy
from bridge.intervals import TimeInterval
from bridge.route import Matcher, Route
from bridge.schedule import Person, Schedule

LONGEST_SECRET = 16_384

Dialect = Literal["seven", "sms77"]
Reports = Literal["webhook", "poll", "both"]

# The account of a file that has only one, and gives it no name.
ONLY_ACCOUNT = "gateway"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a file of its own; read when it is used, so that it can be changed without a reload."""

    path: Path

    def read(self) -> str:
        """The secret without surrounding white space. Raises CallbridgeError that names the file, never its content."""
        try:
            with self.path.open(encoding="utf-8") as file:
                text = file.read(LONGEST_SECRET + 1).strip()
        except OSError as error:
            raise CallbridgeError(f"{self.path}: cannot read the secret: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise CallbridgeError(f"{self.path}: the secret is not UTF-8 text") from None
        if not text:
            raise CallbridgeError(f"{self.path}: the file is empty, a secret is expected in it")
        if len(text) > LONGEST_SECRET or not text.isprintable():
            # It would go into a header or an address, where a line break is the start of something else.
            raise CallbridgeError(f"{self.path}: the secret is more than one line of text")
        return text


@dataclass(frozen=True, slots=True)
class Storage:
    """Where incidents are remembered: `sqlite:////absolute/path` or `postgresql://…`; the URL may hold a password."""

    url: str = field(repr=False)
    retention: timedelta

    def __repr__(self) -> str:
        return f"Storage(url={redacted(self.url)!r}, retention={self.retention!r})"


def redacted(url: str) -> str:
    """The URL fit for a log: neither its password nor its query, where drivers take passwords too."""
    parts = urlsplit(url)
    user, at, address = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}:<secret>@{address}" if at and ":" in user else parts.netloc
    return f"{parts.scheme}://{netloc}{parts.path}"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How to speak to one account's gateway. `sender` is E.164 without the plus; `min_balance` in euro."""

    name: str
    api_url: str
    dialect: Dialect
    api_key: Secret | None
    sender: str | None
    ring_time: timedelta
    timeout: timedelta
    report_timeout: timedelta
    reports: Reports
    max_concurrent_calls: int
    debug: bool
    min_balance: float | None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What those who knock must know; None: that door asks for nothing (or, without a report token, is shut)."""

    alertmanager: Secret | None
    grafana: Secret | None
    report_token: Secret | None
    signing_key: Secret | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What counts as taking an incident; `answer` zero: being answered alone never does."""

    answer: timedelta
    hang_up: bool
    keypress: bool
    reply: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How much ringing is too much; None: no limit. `budget_per_day` in euro, `sms_parts` of one SMS at most."""

    calls_per_person: tuple[Rate, ...]
    calls_per_minute: int | None
    sms_per_person: tuple[Rate, ...]
    sms_parts: int
    budget_per_day: float | None


@dataclass(frozen=True, slots=True)
class Watchdog:
    """An alert that must keep coming: silence of `every` is an incident of its own."""

    name: str
    matchers: tuple[Matcher, ...]
    every: timedelta
    policy: str


@dataclass(frozen=True, slots=True)
class AlertmanagerSettings:
    """One Alertmanager whose API may be asked, and how it is let in: by a bearer token, or a user's password.

    `receivers` is a regular expression for the whole name of those that send to us; "": those that have sent.
    `silence_on_acknowledge` zero: none is made.
    """

    url: str
    silence_on_acknowledge: timedelta
    timeout: timedelta = timedelta(seconds=3)
    receivers: str = ""
    credentials: Secret | None = None
    username: str = ""
    password: Secret | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """Who is told every so often that callbridge can call; the address may be what lets one in."""

    url: str | Secret = field(repr=False)
    every: timedelta

    def address(self) -> str:
        """Where to tell it. Raises CallbridgeError that names the file it cannot be read from."""
        return self.url.read() if isinstance(self.url, Secret) else self.url


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file, checked. `hash`: the first six bytes of its MD5, little-endian, as Alertmanager's metric."""

    path: Path
    hash: int
    warnings: tuple[Fault, ...]
    timezone: ZoneInfo
    region: str
    language: str
    storage: Storage
    gateways: tuple[GatewaySettings, ...]
    webhooks: Webhooks
    people: Mapping[str, Person]
    schedules: Mapping[str, Schedule]
    policies: Mapping[str, Policy]
    acknowledgement: Acknowledgement
    route: Route
    time_intervals: Mapping[str, TimeInterval]
    limits: Limits
    watchdogs: tuple[Watchdog, ...]
    alertmanagers: tuple[AlertmanagerSettings, ...]
    heartbeat: HeartbeatSettings | None
    templates: tuple[Path, ...]
    # The file as it was read, fit to be shown: secrets are `<secret>`, numbers are not masked.
    shown: str = field(default="", repr=False)

    @property
    def gateway(self) -> GatewaySettings:
        """The account that is used as long as it is in order."""
        return self.gateways[0]
