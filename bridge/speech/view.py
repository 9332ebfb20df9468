"""Incidents and alerts as templates see them: read-only, bounded, with the names an Alertmanager user knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from bridge.alert import Alert, common, severity_rank
from bridge.speech.pairs import LONGEST_VALUE, Pairs
from bridge.speech.say import host_of
from bridge.speech.values import PLACES, Subject, written

MOST_SUBJECTS = 50
MOST_ALERTS = 20


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert: `starts_at` and `ends_at` (None while it fires) are aware times."""

    status: str
    labels: Pairs
    annotations: Pairs
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    fingerprint: str
    name: str
    summary: str
    place: str


@dataclass(frozen=True, slots=True)
class SubjectView:
    """One incident. `alerts` holds the worst ones only; `total` counts all of them, also those the sender cut off.

    `name` is the alert's name (of the worst), `places` where it happens (hosts without port, each once, worst first),
    `since` when the oldest alert that is news began, `hidden` how many alerts are not in `alerts`.
    """

    incident: str
    policy: str
    opened_at: datetime
    receiver: str
    external_url: str
    status: str
    severity: str
    summary: str
    name: str
    places: tuple[str, ...]
    since: datetime
    group_labels: Pairs
    common_labels: Pairs
    common_annotations: Pairs
    alerts: tuple[AlertView, ...]
    firing: tuple[AlertView, ...]
    resolved: tuple[AlertView, ...]
    truncated: int
    total: int
    total_firing: int
    hidden: int


def view_of(subject: Subject, most_alerts: int = MOST_ALERTS) -> SubjectView:
    """The view of one incident, with its `most_alerts` worst alerts (those that fire before those that do not)."""
    told = subject.telling
    alerts = tuple(map(_alert, sorted(subject.alerts, key=_order)[:most_alerts]))
    worst = subject.worst
    return SubjectView(
        incident=subject.incident,
        policy=subject.policy,
        opened_at=subject.opened_at,
        receiver=subject.receiver,
        external_url=subject.external_url,
        status=subject.status,
        severity=subject.severity,
        summary=subject.summary[:LONGEST_VALUE],
        name=_name(worst, subject.group_labels),
        places=tuple(dict.fromkeys(filter(None, (_place(alert.labels) for alert in sorted(told, key=_order))))),
        since=min(map(attrgetter("starts_at"), told), default=subject.opened_at),
        group_labels=_pairs(subject.group_labels),
        common_labels=_pairs(common(alert.labels for alert in subject.alerts)),
        common_annotations=_pairs(common(alert.annotations for alert in subject.alerts)),
        alerts=alerts,
        firing=tuple(alert for alert in alerts if alert.status == "firing"),
        resolved=tuple(alert for alert in alerts if alert.status == "resolved"),
        truncated=subject.truncated,
        total=len(subject.alerts) + subject.truncated,
        total_firing=len(subject.firing),
        hidden=len(subject.alerts) + subject.truncated - len(alerts),
    )


def _alert(alert: Alert) -> AlertView:
    return AlertView(
        status=alert.status.value,
        labels=_pairs(alert.labels),
        annotations=_pairs(alert.annotations),
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        generator_url=alert.generator_url[:LONGEST_VALUE],
        fingerprint=alert.fingerprint,
        name=alert.name[:LONGEST_VALUE],
        summary=written(alert.annotations)[:LONGEST_VALUE],
        place=_place(alert.labels),
    )


def _pairs(pairs: Mapping[str, str]) -> Pairs:
    return Pairs(pairs.items())


def _order(alert: Alert) -> tuple[bool, int, datetime]:
    return not alert.firing, severity_rank(alert.labels), alert.starts_at


def _name(worst: Alert | None, group_labels: Mapping[str, str]) -> str:
    named = (worst.name if worst else "") or group_labels.get("alertname", "")
    return named[:LONGEST_VALUE]


def _place(labels: Mapping[str, str]) -> str:
    """The most telling label that says where, without its port; "" if there is none."""
    return host_of(next((labels[name] for name in PLACES if labels.get(name)), "")[:LONGEST_VALUE])
