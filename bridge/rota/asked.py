"""An override as somebody asks for it, by the API or on the page: what may be, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bridge.config import Config
from bridge.errors import CallbridgeError
from bridge.schedule import Override
from bridge.schedule.calendars import plain

LONGEST_OVERRIDE = timedelta(days=366)


class WrongOverride(CallbridgeError):
    """It cannot be made; the text says which part is wrong, and what would be right."""


def asked_override(
    config: Config, schedule: str, person: str, starts: datetime, ends: datetime, author: str, now: datetime
) -> Override:
    """The override that is asked for at `now` by `author`, one plain line. Raises WrongOverride."""
    if schedule not in config.schedules:
        raise WrongOverride(f"schedule: {there_is_none(schedule, config.schedules)}")
    if person not in config.people:
        raise WrongOverride(f"person: {there_is_none(person, config.people)}")
    if starts >= ends:
        raise WrongOverride("until: write a time after `from`")
    if ends - starts > LONGEST_OVERRIDE:
        raise WrongOverride("until: an override lasts a year at most; write a nearer time, or change the config")
    if ends <= now:
        raise WrongOverride("until: that is over already; write a time to come")
    return Override(person, starts, ends, author=author)


def there_is_none(name: str, names: Iterable[str]) -> str:
    """Says so, with the names that there are."""
    some = ", ".join(list(names)[:20])
    return f"there is no {plain(name)[:40]!r}; there is {some or 'none at all'}"
