"""Phrases of speech: durations, clock times, counts and lists, in the listener's language and zone. All pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.alert import SEVERITY_RANKS, Alert
from bridge.speech.languages import base_of, words_of
from bridge.speech.values import Subject
from bridge.speech.words import Pair, Words

SHORTEST = timedelta(seconds=10)
UNKNOWN_ROW = 3
MINUTE = 60


def duration(length: timedelta, language: str, dative: bool = False) -> str:
    """The largest unit and the one below it: "3 hours 5 minutes"; `dative` for German after "seit" and "vor".

    Less than ten seconds, and a clock that runs ahead of ours, are "a few seconds".
    """
    words = words_of(language)
    if length < SHORTEST:
        return words.moment_dative if dative else words.moment
    seconds = int(length.total_seconds())
    units = words.durations_dative if dative else words.durations
    largest = next(at for at, (size, _) in enumerate(units) if seconds >= size)
    size, pair = units[largest]
    parts = [_pair(seconds // size, pair)]
    if size > MINUTE:
        next_size, next_pair = units[largest + 1]
        parts += [_pair(seconds % size // next_size, next_pair)] if seconds % size >= next_size else []
    return " ".join(parts)


def clock(moment: datetime, now: datetime, zone: ZoneInfo, language: str) -> str:
    """The time of day in the listener's zone: "3:05 AM", "3 Uhr 5"; of another day with that day in front."""
    words = words_of(language)
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    time = _time(local, language)
    if local.date() == today:
        return time
    if local.date() == today - timedelta(days=1):
        return words.phrases["yesterday"].format(time=time)
    return words.phrases["day"].format(day=local.day, month=words.months[local.month - 1], time=time)


def _time(local: datetime, language: str) -> str:
    if base_of(language) == "de":
        return f"{local.hour} Uhr {local.minute}" if local.minute else f"{local.hour} Uhr"
    return f"{local.hour % 12 or 12}:{local.minute:02} {'AM' if local.hour < 12 else 'PM'}"


def count(number: int, singular: str, plural: str, language: str) -> str:
    """ "3 alerts", "one alert": a singular that brings no article of its own gets the language's word for one."""
    if number != 1:
        return f"{number} {plural}"
    words = words_of(language)
    return singular if singular.partition(" ")[0].lower() in words.articles else f"{words.one} {singular}"


def listing(parts: Sequence[str], language: str, total: int = 0, most: int = 3) -> str:
    """ "a, b and c"; beyond `most` (or up to `total`, if that is more) "a, b, c and 4 more"."""
    words = words_of(language)
    shown = list(parts[:most])
    hidden = max(total, len(parts)) - len(shown)
    if hidden > 0:
        shown.append(words.more.format(count=hidden))
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {words.last_and} {shown[-1]}"


def tally(subjects: Sequence[Subject], total: int, language: str) -> str:
    """What a call is about, in one breath: "one critical alert", or "3 incidents: 2 critical and one warning"."""
    words = words_of(language)
    if total == 1 and len(subjects) == 1:
        return _alerts(subjects[0], words)
    rows = Counter(_row(subject.worst) for subject in subjects)
    incidents = _pair(total, words.incidents)
    if not rows.keys() - {UNKNOWN_ROW}:
        return incidents
    kinds = _kinds(rows, words.severities_alone, words, total - len(subjects))
    return words.phrases["incidents"].format(incidents=incidents, kinds=kinds)


def _alerts(subject: Subject, words: Words) -> str:
    rows = Counter(_row(alert) for alert in subject.telling)
    if not rows:
        return _pair(max(subject.truncated, 1), words.alerts)
    return _kinds(rows, words.severities, words, subject.truncated)


def _kinds(rows: Counter[int], names: tuple[Pair, ...], words: Words, others: int) -> str:
    parts = [_pair(rows[row], names[row]) for row in sorted(rows)]
    if others > 0:
        parts.append(words.more.format(count=others))
    return listing(parts, words.tag, most=len(parts))


def _row(alert: Alert | None) -> int:
    """The row of the tables of severities: the ranks of bridge.alert, and one more for a severity nobody knows."""
    rank = SEVERITY_RANKS.get(alert.labels.get("severity", "").lower()) if alert else None
    if rank is None:
        return UNKNOWN_ROW
    return rank if rank < UNKNOWN_ROW else rank + 1


def _pair(number: int, pair: Pair) -> str:
    return pair[0] if number == 1 else f"{number} {pair[1]}"
