"""The roster: everybody who can be called for a name that stands in a policy's step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.schedule.people import Person
from bridge.schedule.shifts import Schedule


class Roster:
    """People and schedules of one config; what `escalation.decide` asks."""

    def __init__(self, people: Mapping[str, Person], schedules: Mapping[str, Schedule]) -> None:
        self._people = people
        self._schedules = schedules

    def on_call(self, target: str, now: datetime) -> tuple[str, ...]:
        raise NotImplementedError
