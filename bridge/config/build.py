"""The checked shape of the file → the program's own frozen types. Nothing is wrong any more when this is reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from bridge.config import outward, schema
from bridge.config.files import database_url, resolved
from bridge.config.numbers import read_number
from bridge.config.settings import (
    ONLY_ACCOUNT,
    Acknowledgement,
    AlertmanagerSettings,
    Config,
    GatewaySettings,
    HeartbeatSettings,
    Limits,
    Secret,
    Storage,
    Watchdog,
    Webhooks,
)
from bridge.escalation import Policy, SmsWhen, Step
from bridge.intervals import TimeInterval, parse_interval
from bridge.route import Matcher, MatchOp, Route, parse_matchers
from bridge.schedule import Ical, Override, Person, Rotation, Schedule, instant

T = TypeVar("T")
Intervals = Mapping[str, TimeInterval]


def build(file: schema.File, path: Path, digest: int) -> Config:
    """The Config of a file in which nothing is wrong; `digest` is its hash. The warnings are still to be put in."""
    folder = path.parent
    intervals = _frozen({one.name: _interval(one) for one in file.time_intervals})
    return Config(
        path=path,
        hash=digest,
        warnings=(),
        timezone=file.global_.timezone,
        region=file.global_.region,
        language=file.global_.language,
        storage=Storage(database_url(folder, file.storage.url, file.storage.url_file), file.storage.retention),
        gateways=_gateways(file, folder),
        webhooks=_webhooks(file.webhooks, folder),
        people=_frozen({key: _person(key, one, file.global_) for key, one in file.people.items()}),
        schedules=_frozen(
            {key: _schedule(key, one, file.global_.timezone, folder, intervals) for key, one in file.schedules.items()}
        ),
        policies=_frozen({key: _policy(key, one) for key, one in file.policies.items()}),
        acknowledgement=Acknowledgement(**dict(file.acknowledgement)),
        route=_route(file.route, ""),
        time_intervals=intervals,
        limits=_limits(file.limits),
        watchdogs=tuple(_watchdog(one) for one in file.watchdogs),
        alertmanagers=tuple(_alertmanager(one, folder) for one in file.alertmanagers),
        heartbeat=_heartbeat(file.heartbeat, folder) if file.heartbeat else None,
        templates=tuple(resolved(folder, one) for one in file.templates),
    )


def _frozen(rows: dict[str, T]) -> Mapping[str, T]:
    return MappingProxyType(rows)


def _secret(folder: Path, text: str | None) -> Secret | None:
    return Secret(resolved(folder, text)) if text is not None else None


def _gateways(file: schema.File, folder: Path) -> tuple[GatewaySettings, ...]:
    region = file.global_.region
    if file.gateway is not None:
        return (_gateway(file.gateway, ONLY_ACCOUNT, folder, region),)
    return tuple(_gateway(one, one.name, folder, region) for one in file.gateways)


def _gateway(one: schema.Gateway, name: str, folder: Path, region: str) -> GatewaySettings:
    return GatewaySettings(
        name=name,
        api_url=one.api_url,
        dialect=one.dialect,
        api_key=_secret(folder, one.api_key_file),
        sender=read_number(one.from_, region).removeprefix("+") if one.from_ is not None else None,
        ring_time=one.ring_time,
        timeout=one.timeout,
        report_timeout=one.report_timeout,
        reports=one.reports,
        max_concurrent_calls=one.max_concurrent_calls,
        debug=one.debug,
        min_balance=one.min_balance,
    )


def _webhooks(one: schema.Webhooks, folder: Path) -> Webhooks:
    sms77 = one.sms77 or schema.GatewayWebhook()
    return Webhooks(
        alertmanager=_secret(folder, one.alertmanager.credentials_file if one.alertmanager else None),
        grafana=_secret(folder, one.grafana.hmac_secret_file if one.grafana else None),
        report_token=_secret(folder, sms77.token_file),
        signing_key=_secret(folder, sms77.signing_key_file),
    )


def _person(key: str, one: schema.Person, common: schema.Global) -> Person:
    phone = read_number(one.phone, common.region) if one.phone is not None else None
    return Person(key, one.name or key, phone, one.language or common.language, one.email or "")


def _schedule(key: str, one: schema.Schedule, zone: ZoneInfo, folder: Path, intervals: Intervals) -> Schedule:
    zone = one.timezone or zone
    return Schedule(
        name=key,
        timezone=zone,
        rotations=tuple(_rotation(row, number, intervals) for number, row in enumerate(one.rotations, 1)),
        overrides=tuple(
            Override(row.person, instant(row.from_, zone), instant(row.until, zone)) for row in one.overrides
        ),
        ical=Ical(resolved(folder, one.ical.file) if one.ical.file else None, one.ical.url, one.ical.refresh)
        if one.ical
        else None,
    )


def _rotation(one: schema.Rotation, number: int, intervals: Intervals) -> Rotation:
    return Rotation(
        name=one.name or str(number),
        people=tuple(one.people),
        every=one.every,
        start=one.start,
        active=tuple(intervals[name] for name in one.active_time_intervals),
    )


def _policy(key: str, one: schema.Policy) -> Policy:
    return Policy(key, tuple(map(_step, one.steps)), one.rounds, one.acknowledged_for, one.template, one.urgent)


def _step(one: schema.Step) -> Step:
    return Step(
        targets=tuple(one.call),
        wait=one.wait,
        attempts=one.attempts,
        retry_after=one.retry_after,
        sms=tuple(one.sms),
        sms_when=SmsWhen(one.sms_when),
    )


def _route(one: schema.Route, inherited: str) -> Route:
    policy = one.policy if one.policy is not None else inherited
    return Route(
        policy=policy,
        matchers=_matchers(one),
        continue_=one.continue_,
        mute=tuple(one.mute_time_intervals),
        active=tuple(one.active_time_intervals),
        routes=tuple(_route(child, policy) for child in one.routes),
    )


def _matchers(one: schema.Route) -> tuple[Matcher, ...]:
    return (
        *(Matcher(name, MatchOp.EQUAL, value) for name, value in one.match.items()),
        *(Matcher(name, MatchOp.REGEX, value) for name, value in one.match_re.items()),
        *_parsed(one.matchers),
    )


def _parsed(texts: list[str]) -> tuple[Matcher, ...]:
    return tuple(matcher for text in texts for matcher in parse_matchers(text).matchers)


def _interval(one: schema.NamedInterval) -> TimeInterval:
    return parse_interval([spec.model_dump(exclude_none=True) for spec in one.time_intervals])


def _limits(one: schema.Limits) -> Limits:
    return Limits(
        calls_per_person=tuple(one.calls_per_person),
        calls_per_minute=one.calls_per_minute,
        sms_per_person=tuple(one.sms_per_person),
        sms_parts=one.sms_parts,
        budget_per_day=one.budget_per_day,
    )


def _watchdog(one: schema.Watchdog) -> Watchdog:
    return Watchdog(one.name, _parsed(one.matchers), one.every, one.policy)


def _alertmanager(one: outward.Alertmanager, folder: Path) -> AlertmanagerSettings:
    return AlertmanagerSettings(
        url=one.url,
        silence_on_acknowledge=one.silence_on_acknowledge,
        timeout=one.timeout,
        receivers=one.receivers,
        credentials=_secret(folder, one.authorization.credentials_file if one.authorization else None),
        username=one.basic_auth.username if one.basic_auth else "",
        password=_secret(folder, one.basic_auth.password_file if one.basic_auth else None),
        ca_file=resolved(folder, one.tls_config.ca_file) if one.tls_config else None,
    )


def _heartbeat(one: outward.Heartbeat, folder: Path) -> HeartbeatSettings:
    return HeartbeatSettings(_secret(folder, one.url_file) or one.url or "", one.every)
