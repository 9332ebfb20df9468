"""Alerts and groups exactly as Alertmanager (v4) and Grafana (v1) send them.

Source of the format: Alertmanager's template.Data and notify/webhook. Unknown keys are ignored, for the format grows
inside version "4"; the top-level `status` is never believed, for `max_alerts` falsifies it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from bridge.errors import NotAWebhook

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
U64 = 0xFFFFFFFFFFFFFFFF

# The order in which a phone tells things: the earlier, the worse. Names as the common rule sets use them.
SEVERITIES = (
    ("disaster", "emergency", "page"),
    ("critical", "fatal"),
    ("error", "major", "high"),
    ("warning", "warn", "minor", "average"),
    ("info", "information", "notice", "none", "low"),
)
SEVERITY_RANKS = {name: rank for rank, names in enumerate(SEVERITIES) for name in names}
UNKNOWN_SEVERITY = 2


class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Source(StrEnum):
    """Who sends alerts."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `ends_at` is None while it fires. Times are aware, in UTC, cut to microseconds."""

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str = ""

    @property
    def firing(self) -> bool:
        return self.status is AlertStatus.FIRING

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


@dataclass(frozen=True, slots=True)
class Stream:
    """Where notifications come from: one group of one receiver of one source."""

    source: Source
    receiver: str
    group_key: str


@dataclass(frozen=True, slots=True)
class Group:
    """One webhook body; `truncated` alerts were cut off by the sender and are not listed."""

    stream: Stream
    alerts: tuple[Alert, ...]
    group_labels: Mapping[str, str]
    external_url: str
    truncated: int = 0
    notification_reason: str = ""


class _WireAlert(msgspec.Struct):
    labels: dict[str, str]
    status: str = ""
    annotations: dict[str, str] | None = None
    starts_at: str = msgspec.field(default="", name="startsAt")
    ends_at: str = msgspec.field(default="", name="endsAt")
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")
    fingerprint: str = ""


class _WireGroup(msgspec.Struct):
    alerts: list[_WireAlert]
    group_key: str = msgspec.field(name="groupKey")
    receiver: str = ""
    version: str = ""
    group_labels: dict[str, str] | None = msgspec.field(default=None, name="groupLabels")
    external_url: str | None = msgspec.field(default=None, name="externalURL")
    truncated: int = msgspec.field(default=0, name="truncatedAlerts")
    notification_reason: str | None = None


_DECODER = msgspec.json.Decoder(_WireGroup)
_QUOTED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_NOT_ONE = {
    Source.ALERTMANAGER: "not an Alertmanager webhook",
    Source.GRAFANA: "not a Grafana webhook",
}

# A year away from the ends of datetime's range, so that no later conversion to a zone can overflow.
EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
MOST_TRUNCATED = 2**31 - 1


def check_body(body: bytes, source: Source = Source.ALERTMANAGER) -> None:
    """Raise NotAWebhook, in one line that names the fault, if `body` can never be a webhook of `source`."""
    with _named(source):
        for index, alert in enumerate(_read(body, source).alerts):
            _read_alert(alert, index)


def parse_group(body: bytes, source: Source) -> Group:
    """Read one webhook body. Raises NotAWebhook in one line that names the place."""
    with _named(source):
        wire = _read(body, source)
        alerts = tuple(_alert(alert, index) for index, alert in enumerate(wire.alerts))
    return Group(
        stream=Stream(source, unquote_receiver(wire.receiver), wire.group_key),
        alerts=alerts,
        group_labels=wire.group_labels or {},
        external_url=wire.external_url or "",
        truncated=min(max(wire.truncated, 0), MOST_TRUNCATED),
        notification_reason=wire.notification_reason or "",
    )


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Whatever is wrong with a body is told as one error, under the name of what it should have been."""
    try:
        yield
    except (ValueError, msgspec.DecodeError) as error:
        raise NotAWebhook(f"{_NOT_ONE[source]}: {error}") from None
    except RecursionError:
        raise NotAWebhook(f"{_NOT_ONE[source]}: the JSON is nested too deeply") from None


def _read(body: bytes, source: Source) -> _WireGroup:
    wire = _DECODER.decode(body)
    if source is Source.ALERTMANAGER and wire.version not in ("4", ""):
        raise ValueError(f'version is {_quoted(wire.version)}, this door takes "4"')
    return wire


def _read_alert(wire: _WireAlert, index: int) -> tuple[AlertStatus, datetime, datetime | None]:
    """Its status, start and end."""
    try:
        status = _status(wire.status)
        ends_at = parse_time(wire.ends_at) if status is AlertStatus.RESOLVED and wire.ends_at else None
        return status, parse_time(wire.starts_at), ends_at
    except ValueError as error:
        raise ValueError(f"alerts[{index}]: {error}") from None


def _alert(wire: _WireAlert, index: int) -> Alert:
    status, starts_at, ends_at = _read_alert(wire, index)
    return Alert(
        fingerprint=wire.fingerprint or fingerprint(wire.labels),
        status=status,
        labels=wire.labels,
        annotations=wire.annotations or {},
        starts_at=starts_at,
        ends_at=ends_at,
        generator_url=wire.generator_url or "",
    )


def _status(text: str) -> AlertStatus:
    try:
        return AlertStatus(text)
    except ValueError:
        raise ValueError(f'status is {_quoted(text)}, neither "firing" nor "resolved"') from None


def _quoted(text: str) -> str:
    """A stranger's text as an error may show it: short, on one line, without control characters."""
    return json.dumps(text[:40])


def parse_time(text: str) -> datetime:
    """An RFC 3339 time with 0 to 9 digits of fraction, as an aware UTC datetime cut to microseconds.

    Raises ValueError with a sentence. Times before EARLIEST (Go's zero time) come back as EARLIEST, those after LATEST
    as LATEST.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{_quoted(text)} is not an RFC 3339 time") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{_quoted(text)} has no time zone")
    if not EARLIEST.year <= parsed.year <= LATEST.year:
        return EARLIEST if parsed.year < EARLIEST.year else LATEST
    return min(max(parsed.astimezone(UTC), EARLIEST), LATEST)


def unquote_receiver(receiver: str) -> str:
    r"""The receiver's name as it was written: Alertmanager sends it regexp-quoted (`team\.x`)."""
    return _QUOTED.sub(r"\1", receiver)


def quote_receiver(receiver: str) -> str:
    r"""The receiver's name as Alertmanager sends it, and takes it for exactly this one (`team\.x`)."""
    return _SPECIAL.sub(r"\\\g<0>", receiver)


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's own fingerprint: FNV-1a 64 over sorted name, 0xFF, value, 0xFF, as 16 hex digits."""
    value = FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = ((value ^ byte) * FNV_PRIME) & U64
    return f"{value:016x}"


def common(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all of `pairs` (labels or annotations) have in common; {} of nothing."""
    rows = iter(pairs)
    shared = dict(next(rows, {}))
    for row in rows:
        shared = {name: value for name, value in shared.items() if row.get(name) == value}
    return shared


def severity_rank(labels: Mapping[str, str]) -> int:
    """How bad it is by its `severity` label, 0 the worst; an unknown or missing one stands beside `error`."""
    return SEVERITY_RANKS.get(labels.get("severity", "").lower(), UNKNOWN_SEVERITY)
