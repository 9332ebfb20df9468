"""One call that is to be put into words, as templates see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.alert import Alert, AlertStatus
from bridge.speech.library import File
from bridge.speech.tell import tally
from bridge.speech.values import Subject
from bridge.speech.view import SubjectView, view_of

SAMPLE_TIME = datetime(2026, 1, 1, 3, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What stays the same while one call (or SMS) is put into words; `telling` is worst first and bounded.

    `room`: so many characters of an alert's own words an SMS has room for.
    """

    file: File
    language: str
    zone: ZoneInfo
    now: datetime
    person: str
    telling: tuple[Subject, ...]
    total: int
    acknowledge_url: str
    keypress: bool
    hang_up: bool
    reply: bool
    room: int
    views: dict[tuple[int, int], SubjectView]

    def view(self, index: int, alerts: int) -> SubjectView:
        """One incident with its worst alerts, made when it is first told."""
        if (index, alerts) not in self.views:
            self.views[index, alerts] = view_of(self.telling[index], alerts)
        return self.views[index, alerts]


def context_of(occasion: Occasion, told: int, alerts: int, repeats: int, reminders: int) -> dict[str, object]:
    """Every name that a template sees (docs/templates.md)."""
    views = [occasion.view(index, alerts) for index in range(told)]
    first = views[0] if views else view_of(_nothing(occasion.now))
    return {
        "subjects": views,
        "incidents": views,
        "total": occasion.total,
        "more": occasion.total - told,
        "headline": tally(occasion.telling, occasion.total, occasion.language),
        "repeat": repeats > 0,
        "repeats": repeats,
        "reminders": reminders,
        "person": occasion.person,
        "language": occasion.language,
        "now": occasion.now.astimezone(occasion.zone),
        "acknowledge_url": occasion.acknowledge_url,
        "keypress": occasion.keypress,
        "hang_up": occasion.hang_up,
        "reply": occasion.reply,
        "room": occasion.room,
        "receiver": first.receiver,
        "status": first.status,
        "alerts": first.alerts,
        "firing": first.firing,
        "resolved": first.resolved,
        "group_labels": first.group_labels,
        "common_labels": first.common_labels,
        "common_annotations": first.common_annotations,
        "external_url": first.external_url,
    }


def _nothing(now: datetime) -> Subject:
    return Subject("", "", now, "", "", {}, ())


def sample() -> Subject:
    labels = {"alertname": "DiskFull", "severity": "critical", "instance": "db1:9100"}
    began = SAMPLE_TIME - timedelta(minutes=5)
    alert = Alert("0" * 16, AlertStatus.FIRING, labels, {"summary": "The disk is full."}, began, None)
    return Subject(
        "sample", "default", SAMPLE_TIME, "callbridge", "http://localhost:9093", {"alertname": "DiskFull"}, (alert,)
    )
