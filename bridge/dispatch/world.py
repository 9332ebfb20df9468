"""The world a decision is made in: everything of the config that dispatch needs, swapped as one at a reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from bridge.call import Rate, Rules
from bridge.escalation import Policy, Roster
from bridge.intervals import TimeInterval
from bridge.route import Route
from bridge.schedule import Person
from bridge.speech import Speaker


@dataclass(frozen=True, slots=True)
class World:
    """One config, resolved. `link` makes the signed acknowledge URL of a call's id ("" where none can be reached)."""

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
    request_timeout: timedelta = timedelta(seconds=15)
    report_timeout: timedelta = timedelta(minutes=3)
    max_concurrent_calls: int = 10
    calls_per_person: tuple[Rate, ...] = ()
    calls_per_minute: int | None = None
    retention: timedelta = timedelta(days=90)
    link: Callable[[str], str] = lambda _call: ""
