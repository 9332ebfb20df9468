"""Time intervals hold when Alertmanager's would."""

from __future__ import annotations

import calendar
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intervals import IntervalError, TimeInterval, parse_interval

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data/vectors/time_intervals.jsonl").read_text("utf-8").splitlines()
]
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - by `timezones`


def times(start: object, end: object) -> dict[str, object]:
    return {"times": [{"start_time": start, "end_time": end}]}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: json.dumps(vector["spec"]))
def test_vectors_of_alertmanager(vector: dict[str, Any]) -> None:
    """Each spec is refused, or holds, exactly where Alertmanager's own code says so."""
    if "error" in vector:
        with pytest.raises(IntervalError):
            parse_interval([vector["spec"]])
        return
    interval = parse_interval([vector["spec"]])
    for case in vector["at"]:
        assert interval.contains(datetime.fromisoformat(case["at"])) is case["active"], case


@pytest.mark.parametrize(
    ("spec", "path", "part"),
    [
        (times("9:00", "17:00"), (0, "times", 0, "start_time"), '"9:00" is no time: write HH:MM'),
        (times("09:00", "24:01"), (0, "times", 0, "end_time"), "24:01"),
        (times("09:00", "17:00:00"), (0, "times", 0, "end_time"), "17:00:00"),
        (times("09:00", "17:00\n"), (0, "times", 0, "end_time"), "17:00"),
        (times("09:00", "1\u0667:00"), (0, "times", 0, "end_time"), "no time"),
        (times("22:00", "06:00"), (0, "times", 0), "until 24:00"),
        (times("09:00", ""), (0, "times", 0), "both needed"),
        ({"times": [{"start_time": "09:00"}]}, (0, "times", 0), "both needed"),
        ({"times": ["09:00"]}, (0, "times", 0), "mapping with any of start_time, end_time"),
        ({"times": [{"start": "1", **times("01:00", "02:00")}]}, (0, "times", 0, "start"), "unknown key"),
        ({"times": {"start_time": "09:00"}}, (0, "times"), "expected a list"),
        ({"weekdays": "monday"}, (0, "weekdays"), "expected a list"),
        ({"weekdays": ["monday:friday", "mon"]}, (0, "weekdays", 1), '"mon" is no weekday'),
        ({"weekdays": ["1"]}, (0, "weekdays", 0), "no weekday"),
        ({"weekdays": ["monday :friday"]}, (0, "weekdays", 0), "no weekday"),
        ({"weekdays": ["saturday:sunday"]}, (0, "weekdays", 0), "list two ranges"),
        ({"weekdays": ["monday:tuesday:friday"]}, (0, "weekdays", 0), "no range"),
        ({"weekdays": [["monday"]]}, (0, "weekdays", 0), "expected text"),
        ({"weekdays": [True]}, (0, "weekdays", 0), "expected text"),
        ({"days_of_month": ["0"]}, (0, "days_of_month", 0), "0 is no day"),
        ({"days_of_month": ["1:32"]}, (0, "days_of_month", 0), "32 is no day"),
        ({"days_of_month": ["-32"]}, (0, "days_of_month", 0), "-32 is no day"),
        ({"days_of_month": ["-5:5"]}, (0, "days_of_month", 0), "negative end"),
        ({"days_of_month": ["28:-1"]}, (0, "days_of_month", 0), "ends before it begins"),
        ({"days_of_month": ["1_0"]}, (0, "days_of_month", 0), "no whole number"),
        ({"days_of_month": [" 1"]}, (0, "days_of_month", 0), "no whole number"),
        ({"days_of_month": ["1:"]}, (0, "days_of_month", 0), "no whole number"),
        ({"days_of_month": ["\u0663"]}, (0, "days_of_month", 0), "no whole number"),
        ({"months": ["jan"]}, (0, "months", 0), "no month"),
        ({"months": ["november:february"]}, (0, "months", 0), "until december"),
        ({"months": ["9223372036854775808"]}, (0, "months", 0), "no whole number"),
        ({"years": ["2027:2026"]}, (0, "years", 0), "ends before it begins"),
        ({"years": ["9" * 5000]}, (0, "years", 0), "no whole number"),
        ({"location": "europe/berlin"}, (0, "location"), "such as Europe/Berlin"),
        ({"location": "Europe"}, (0, "location"), "unknown time zone"),
        ({"location": "../UTC"}, (0, "location"), "unknown time zone"),
        ({"location": "/etc/localtime"}, (0, "location"), "unknown time zone"),
        ({"location": "x" * 5000}, (0, "location"), "unknown time zone"),
        ({"location": "a\x00b"}, (0, "location"), "unknown time zone"),
        ({"location": ["UTC"]}, (0, "location"), "expected text"),
        ({"weekday": ["monday"]}, (0, "weekday"), "known are times, weekdays"),
        ("monday", (0,), "expected a mapping"),
    ],
)
def test_faults_name_place_and_remedy(spec: Any, path: tuple[str | int, ...], part: str) -> None:
    """What Alertmanager refuses is refused, with the way to the value and what would be right."""
    with pytest.raises(IntervalError) as caught:
        parse_interval([spec])
    fault = caught.value.faults[0]
    assert fault.path == path
    assert part in fault.what
    assert len(fault.what) < 200


def test_every_fault_is_told_at_once() -> None:
    """An operator sees all that is wrong with an interval in one go, each with its place."""
    with pytest.raises(IntervalError) as caught:
        parse_interval([{"years": ["x"]}, {**times("1", "2"), "location": "Mars/Base"}])
    assert [str(fault).split(": ")[0] for fault in caught.value.faults] == [
        "time_intervals[0].years[0]",
        "time_intervals[1].times[0].start_time",
        "time_intervals[1].times[0].end_time",
        "time_intervals[1].location",
    ]
    assert str(caught.value).count("; ") >= 3


@pytest.mark.parametrize(
    ("spec", "at", "expected"),
    [
        ({}, "2026-01-01T00:00:00Z", True),
        ({"times": None, "weekdays": "", "months": "~", "location": ""}, "2026-01-01T00:00:00Z", True),
        ({"months": []}, "2026-01-01T00:00:00Z", False),
        ({"weekdays": ["SUNDAY"]}, "2026-01-04T12:00:00Z", True),
        ({"weekdays": ["sunday:monday"]}, "2026-01-05T12:00:00Z", True),
        ({"weekdays": ["saturday"]}, "2026-01-04T12:00:00Z", False),
        ({"days_of_month": ["-31"]}, "2026-01-01T00:00:00Z", True),
        ({"days_of_month": ["-31"]}, "2026-02-01T00:00:00Z", False),
        ({"days_of_month": ["-31:-28"]}, "2026-02-01T00:00:00Z", True),
        ({"days_of_month": ["29:31"]}, "2026-02-28T00:00:00Z", False),
        ({"days_of_month": ["29:31"]}, "2028-02-29T00:00:00Z", True),
        ({"days_of_month": [5]}, "2026-02-05T00:00:00Z", True),
        ({"months": ["+02", "december"]}, "2026-02-05T00:00:00Z", True),
        ({"months": ["January:3"]}, "2026-03-31T23:59:59Z", True),
        ({"months": ["-5:1"]}, "2026-01-01T00:00:00Z", True),
        ({"years": ["-9223372036854775808:9223372036854775807"]}, "2026-01-01T00:00:00Z", True),
        ({"years": ["0" * 5000 + "2026"]}, "2026-01-01T00:00:00Z", True),
        ({"location": "UTC", "years": ["2026"]}, "2026-12-31T23:59:59.999999Z", True),
        ({"location": "Pacific/Kiritimati", "years": ["2027"]}, "2026-12-31T10:00:00Z", True),
        (times("00:00", "24:00"), "2026-12-31T23:59:59.999999Z", True),
        (times("09:00", "09:01"), "2026-01-01T09:00:59.999999Z", True),
        ({**times("09:00", "17:00"), "weekdays": ["monday"]}, "2026-01-04T12:00:00Z", False),
    ],
)
def test_contains(spec: dict[str, object], at: str, expected: bool) -> None:
    """All fields must hold; a field with no value is no field, an empty list never holds."""
    assert parse_interval([spec]).contains(datetime.fromisoformat(at)) is expected


def test_several_specs_are_alternatives() -> None:
    """An interval holds where any of its specs does, and one without specs never."""
    either = parse_interval([{"months": ["1"]}, {"months": ["3"]}])
    assert [month for month in range(1, 13) if either.contains(datetime(2026, month, 5, tzinfo=UTC))] == [1, 3]
    assert not parse_interval([]).contains(datetime(2026, 1, 1, tzinfo=UTC))


def test_local_is_the_zone_of_the_machine() -> None:
    """The location `Local` is the machine's own zone, as in Alertmanager."""
    at = datetime(2026, 1, 1, 12, 34, tzinfo=UTC)
    local = at.astimezone()
    start = f"{local:%H:%M}"
    end = f"{local + timedelta(minutes=1):%H:%M}"
    assert parse_interval([{**times(start, "24:00" if end == "00:00" else end), "location": "Local"}]).contains(at)


def test_a_time_without_zone_is_refused() -> None:
    """A naive time is a mistake of the caller, not a guess at the machine's zone."""
    with pytest.raises(ValueError, match="without a zone"):
        parse_interval([{}]).contains(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake


@given(TIMES, st.integers(-31, -1))
def test_negative_days_count_from_the_end(at: datetime, day: int) -> None:
    """Day -1 is the month's last, whatever its length."""
    length = calendar.monthrange(at.year, at.month)[1]
    assert parse_interval([{"days_of_month": [str(day)]}]).contains(at) is (at.day - length - 1 == day)


@given(TIMES, st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_an_instant(at: datetime, offset: int) -> None:
    """It does not matter in which zone the time is given, only which instant it is."""
    interval = parse_interval([{**times("08:00", "20:00"), "weekdays": ["monday:friday"], "location": "Asia/Kolkata"}])
    elsewhere = at.astimezone(timezone(timedelta(minutes=offset)))
    assert interval.contains(elsewhere) is interval.contains(at)


def splits(minute: int) -> list[TimeInterval]:
    """The day of Berlin before `minute`, and from it on."""
    text = f"{minute // 60:02d}:{minute % 60:02d}"
    halves = [times("00:00", text), times(text, "24:00")]
    return [parse_interval([{**half, "location": "Europe/Berlin"}]) for half in halves]


@given(TIMES, st.integers(1, 24 * 60 - 1))
def test_two_halves_make_a_day(at: datetime, minute: int) -> None:
    """Of two ranges that meet exactly one holds at any instant, also where the clocks change."""
    before, after = splits(minute)
    local = at.astimezone(ZoneInfo("Europe/Berlin"))
    assert before.contains(at) is not after.contains(at)
    assert after.contains(at) is (local.hour * 60 + local.minute >= minute)
