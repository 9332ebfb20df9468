"""What a call about a notification would tell of, as to a person whom all of its policies call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.alert import Alert, Group, common
from bridge.config import Config
from bridge.route import Route, match, muted
from bridge.speech import Subject


def subjects_of(loaded: Config | None, group: Group, now: datetime) -> list[Subject]:
    """What a call that tells of this notification at `now` would be about.

    One per policy that calls somebody for the firing alerts; the opening is the first alert's start. Without a config
    there is one policy for all.
    """
    by_policy: dict[str, list[Alert]] = {}
    for alert in group.alerts:
        policies = [route.policy for route in _routes(loaded, alert, now)] if loaded else ["call"]
        for policy in dict.fromkeys(policies):
            if alert.firing:
                by_policy.setdefault(policy, []).append(alert)
    return [
        Subject(
            incident="",
            policy=policy,
            opened_at=min(min(alert.starts_at for alert in alerts), now),
            receiver=group.stream.receiver,
            external_url=group.external_url,
            group_labels=group.group_labels or common(alert.labels for alert in alerts),
            alerts=tuple(alerts),
            truncated=group.truncated,
        )
        for policy, alerts in by_policy.items()
    ]


def worst_of(subjects: Sequence[Subject]) -> Subject:
    """The one whose policy gives the template."""
    return min(subjects, key=lambda subject: (subject.rank, subject.opened_at))


def _routes(loaded: Config, alert: Alert, now: datetime) -> list[Route]:
    """The routes by which `alert` would ring somebody's phone at `now`."""
    taken = match(loaded.route, alert.labels)
    return [
        route for route in taken if loaded.policies[route.policy].steps and not muted(route, loaded.time_intervals, now)
    ]
