"""The roster: everybody who can be called for a name that stands in a policy's step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.schedule.people import Person
from bridge.schedule.shifts import Schedule, on_call


class Roster:
    """The people and schedules of one config, by their names; what `escalation.decide` asks."""

    def __init__(self, people: Mapping[str, Person], schedules: Mapping[str, Schedule]) -> None:
        self._people = people
        self._schedules = schedules

    def on_call(self, target: str, now: datetime) -> tuple[str, ...]:
        """The keys of those behind `target`, a person or a schedule, who have a number; nobody for an unknown name."""
        if target in self._people:
            return self._callable((target,))
        schedule = self._schedules.get(target)
        return () if schedule is None else self._callable(on_call(schedule, now))

    def _callable(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(key for key in keys if (person := self._people.get(key)) is not None and person.phone)
