"""Alerts, groups and silences as Alertmanager's API v2 tells them: parsed once, into frozen values.

Source: Alertmanager's api/v2/openapi.yaml, 0.25 to 0.34. Unknown keys are ignored; what a version leaves out is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec

from bridge.alert import fingerprint, parse_time
from bridge.alertmanager.words import AlertmanagerUnavailable, Why

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert that it knows. `silenced_by`: ids of silences; `inhibited_by`: fingerprints; `muted_by`: intervals.

    `ended`: its sender has said that it is over, though it is still listed.
    """

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    generator_url: str = ""
    receivers: tuple[str, ...] = ()
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()
    ended: bool = False

    @property
    def tells(self) -> bool:
        """Whether Alertmanager would notify somebody of it."""
        return not (self.ended or self.silenced_by or self.inhibited_by or self.muted_by)


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """The alerts of one receiver that have these labels in common."""

    receiver: str
    labels: Mapping[str, str]
    alerts: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence. `labels`: what its equality matchers ask for; `exact`: it has no other matchers."""

    id: str
    state: str
    labels: Mapping[str, str]
    exact: bool
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str

    @property
    def lasts(self) -> bool:
        return self.state != "expired"


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when a member runs (None: it does not say), and its config as it tells it, without secrets."""

    started_at: datetime | None
    config: str = field(default="", repr=False)


class _Status(msgspec.Struct):
    state: str = "active"
    silenced_by: list[str] | None = msgspec.field(default=None, name="silencedBy")
    inhibited_by: list[str] | None = msgspec.field(default=None, name="inhibitedBy")
    muted_by: list[str] | None = msgspec.field(default=None, name="mutedBy")


class _Receiver(msgspec.Struct):
    name: str = ""


class _Alert(msgspec.Struct):
    labels: dict[str, str]
    fingerprint: str = ""
    annotations: dict[str, str] | None = None
    starts_at: str = msgspec.field(default="", name="startsAt")
    ends_at: str = msgspec.field(default="", name="endsAt")
    updated_at: str = msgspec.field(default="", name="updatedAt")
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")
    receivers: list[_Receiver] | None = None
    status: _Status = msgspec.field(default_factory=_Status)


class _Group(msgspec.Struct):
    alerts: list[_Alert] | None = None
    labels: dict[str, str] | None = None
    receiver: _Receiver = msgspec.field(default_factory=_Receiver)


class _Matcher(msgspec.Struct):
    name: str
    value: str
    is_regex: bool = msgspec.field(default=False, name="isRegex")
    is_equal: bool = msgspec.field(default=True, name="isEqual")


class _Silence(msgspec.Struct):
    id: str
    matchers: list[_Matcher]
    starts_at: str = msgspec.field(name="startsAt")
    ends_at: str = msgspec.field(name="endsAt")
    status: _Status = msgspec.field(default_factory=_Status)
    created_by: str = msgspec.field(default="", name="createdBy")
    comment: str = ""


class _Config(msgspec.Struct):
    original: str = ""


class _Standing(msgspec.Struct):
    uptime: str = ""
    config: _Config | None = None


class _Made(msgspec.Struct):
    silence_id: str = msgspec.field(name="silenceID")


_ALERTS = msgspec.json.Decoder(list[_Alert])
_GROUPS = msgspec.json.Decoder(list[_Group])
_SILENCES = msgspec.json.Decoder(list[_Silence])
_STANDING = msgspec.json.Decoder(_Standing)
_MADE = msgspec.json.Decoder(_Made)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _unreadable(what) from None


def _unreadable(what: str) -> AlertmanagerUnavailable:
    return AlertmanagerUnavailable(
        Why.UNREADABLE, f"its answer is not that of Alertmanager's API v2 ({what[:200]}); look at its url"
    )


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise _unreadable(str(error)) from None


def read_alerts(body: bytes) -> tuple[Shown, ...]:
    """GET /alerts. Raises AlertmanagerUnavailable."""
    return tuple(_shown(one) for one in _decoded(_ALERTS, body))


def _shown(one: _Alert) -> Shown:
    return Shown(
        fingerprint=one.fingerprint or fingerprint(one.labels),
        labels=one.labels,
        annotations=one.annotations or {},
        starts_at=_time(one.starts_at),
        generator_url=one.generator_url or "",
        receivers=tuple(receiver.name for receiver in one.receivers or ()),
        silenced_by=tuple(one.status.silenced_by or ()),
        inhibited_by=tuple(one.status.inhibited_by or ()),
        muted_by=tuple(one.status.muted_by or ()),
        ended=_ended(one),
    )


def _ended(one: _Alert) -> bool:
    """Told as over by its sender: by its own two times, for our clock may be off from Alertmanager's."""
    if not one.ends_at or not one.updated_at:
        return False
    begins, ends = _time(one.starts_at), _time(one.ends_at)
    return begins < ends <= _time(one.updated_at)


def read_groups(body: bytes) -> tuple[ShownGroup, ...]:
    """GET /alerts/groups. Raises AlertmanagerUnavailable."""
    return tuple(
        ShownGroup(one.receiver.name, one.labels or {}, tuple(_shown(alert) for alert in one.alerts or ()))
        for one in _decoded(_GROUPS, body)
    )


def read_silences(body: bytes) -> tuple[Silence, ...]:
    """GET /silences. Raises AlertmanagerUnavailable."""
    return tuple(_silence(one) for one in _decoded(_SILENCES, body))


def _silence(one: _Silence) -> Silence:
    plain = [matcher for matcher in one.matchers if matcher.is_equal and not matcher.is_regex]
    return Silence(
        id=one.id,
        state=one.status.state,
        labels={matcher.name: matcher.value for matcher in plain},
        exact=len(plain) == len(one.matchers),
        starts_at=_time(one.starts_at),
        ends_at=_time(one.ends_at),
        created_by=one.created_by,
        comment=one.comment,
    )


def read_standing(body: bytes) -> Standing:
    """GET /status. Raises AlertmanagerUnavailable."""
    told = _decoded(_STANDING, body)
    return Standing(_time(told.uptime) if told.uptime else None, told.config.original if told.config else "")


def read_made(body: bytes) -> str:
    """The id that POST /silences answers with. Raises AlertmanagerUnavailable."""
    return _decoded(_MADE, body).silence_id
