"""What the tests of speech share: incidents to tell, and what holds for everything that is said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from bridge.alert import Alert, AlertStatus, Source, parse_group
from bridge.speech import Kind, Limits, Speaker, Speech, Subject

PAYLOADS = sorted((Path(__file__).parent / "data" / "payloads").glob("*.json"))
NOW = datetime(2026, 11, 23, 6, 15, tzinfo=UTC)
LINK = "https://callbridge.example.com/webhook/keypress/abc?x=1&y=2"
KINDS = {"call": Kind.TEXT, "call.xml": Kind.XML, "call.ssml": Kind.SSML}
SHIPPED = Speaker([])


def firing(labels: Mapping[str, str], annotations: Mapping[str, str] | None = None, minutes: float = 5) -> Alert:
    """One alert that began some minutes ago."""
    began = NOW - timedelta(minutes=minutes)
    return Alert("f" * 16, AlertStatus.FIRING, labels, annotations or {}, began, None)


def subject(*alerts: Alert, truncated: int = 0, minutes: float = 5, status: str = "firing") -> Subject:
    """One incident of these alerts."""
    opened = NOW - timedelta(minutes=minutes)
    return Subject("01J", "default", opened, "team", "http://am.example.com", {}, alerts, truncated, status)


def real(path: Path) -> Subject:
    """The incident of a captured webhook."""
    group = parse_group(path.read_bytes(), Source.ALERTMANAGER)
    status = "firing" if any(alert.firing for alert in group.alerts) else "resolved"
    receiver, url = group.stream.receiver, group.external_url
    return Subject("01J", "default", NOW, receiver, url, group.group_labels, group.alerts, group.truncated, status)


def say(
    subjects: Sequence[Subject],
    *,
    speaker: Speaker = SHIPPED,
    template: str = "call",
    language: str = "en-US",
    total: int = 0,
    keypress: bool = True,
    acknowledge_url: str = LINK,
    person: str = "Alice",
) -> Speech:
    """What Alice in Berlin hears."""
    return speaker.speak(
        template=template,
        language=language,
        timezone=ZoneInfo("Europe/Berlin"),
        person=person,
        subjects=subjects,
        total=total or len(subjects),
        now=NOW,
        acknowledge_url=acknowledge_url,
        keypress=keypress,
    )


def words_of(speech: Speech) -> str:
    """What is heard: of markup the text alone. Raises ParseError if that is not well-formed."""
    if speech.kind is Kind.TEXT:
        return speech.text
    return "".join(ElementTree.fromstring(speech.text.encode()).itertext())


def assert_fit_for_a_phone(speech: Speech, limits: Limits) -> None:
    """What holds for everything that is ever said."""
    assert len(speech.text) <= limits.characters
    assert len(speech.text.encode()) <= limits.characters
    assert speech.seconds <= limits.seconds
    words = words_of(speech)
    assert words.strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in words if character != "\n")
    if speech.kind is Kind.TEXT:
        assert not re.search(r"[<>&\n]|  ", words)


DISK = firing(
    {"alertname": "DiskFull", "severity": "critical", "instance": "db1:9100"},
    {"summary": "Disk /var is 95% full on db1", "runbook_url": "https://runbooks.example.com/DiskFull"},
)
SLOW = firing(
    {"alertname": "HighLatency", "severity": "warning", "instance": "web01:9100", "cluster": "eu-1"}, minutes=90
)
