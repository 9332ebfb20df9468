"""Wall clocks and instants: the rule for the nights when clocks change, decided before the code, and nowhere else.

* A shift starts at its local wall-clock time. Turns are counted on the naive local time line (start + n periods) and
  only then made instants: "every day at 09:00" is 09:00 in winter and in summer, though one of those days has 23 hours
  and another 25.
* A wall time that does not exist (clocks go forward over it) is the first instant after the gap.
* A wall time that exists twice (clocks go back over it) is the first of the two.
* A turn both ends of which fall into one gap has no length and vanishes.
* Before its start a rotation has nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of the naive wall clock `local` in `zone`, by the rule at the head of this module.

    The overrides of the file and floating times in calendars follow it too: there is one rule.
    """
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before >= after:
        return first.astimezone(UTC)
    # Clocks change on whole seconds, whatever fraction was asked for.
    return change_between(second.astimezone(UTC).replace(microsecond=0), first.astimezone(UTC), zone)


def change_between(low: datetime, high: datetime, zone: tzinfo | None) -> datetime:
    """The first second in (`low`, `high`], both in UTC, at which `zone` no longer has the offset it has at `low`."""
    offset = low.astimezone(zone).utcoffset()
    late = int((high - low).total_seconds())
    early = 0
    while late - early > 1:
        middle = (early + late) // 2
        if (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return low + timedelta(seconds=late)
