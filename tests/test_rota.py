"""The rota: calendars from files and URLs, what is made of them, what stands in for them, and what is told of gaps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from bridge import config
from bridge.config import Config
from bridge.errors import ConfigError
from bridge.rota import AHEAD, BEHIND, doubts, not_read, with_file_calendars
from bridge.rota.calendars import Calendar, failed, in_force, listed
from bridge.rota.sources import MOST_BYTES, Fetched, SourceUnreadable, fetch, read_file
from bridge.schedule import Ical, Override, Rotation, Schedule, on_call, parse_period, present, shifts
from bridge.store import calendars as copies
from bridge.store import overrides as store
from bridge.store.overrides import KeptOverride
from tests.configuring import write
from tests.hosting import EMPTY, hosted, ics
from tests.storing import in_memory

NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONFIG = """
gateway: {api_key_file: key}
people: {alice: {phone: +49 171 1234567}, bob: {phone: +49 171 1234568}, dave: }
policies: {default: {steps: [{call: [night]}]}}
route: {policy: default}
"""


def loaded(folder: Path, schedules: str, text: str = CONFIG) -> Config:
    return config.load(write(folder, f"{text}schedules: {{{schedules}}}\n"))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- files


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """A calendar of just the greatest size is read to its last byte."""
    file = tmp_path / "a.ics"
    file.write_bytes(b"x" * MOST_BYTES)
    assert len(read_file(file)) == MOST_BYTES


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """What is missing, too long, a folder or a pipe is refused at once, with the remedy."""
    (tmp_path / "long.ics").write_bytes(b"x" * (MOST_BYTES + 1))
    os.mkfifo(tmp_path / "pipe.ics")
    cases = {
        "missing.ics": "No such file or directory; put the calendar there",
        "long.ics": "is longer than 5 MiB",
        "pipe.ics": "is no file; name one in ical.file",
        ".": "is no file; name one in ical.file",
    }
    for name, said in cases.items():
        with pytest.raises(SourceUnreadable) as raised:
            read_file(tmp_path / name)
        assert said in str(raised.value)


# --- URLs


async def get(url: str, known: Fetched | None = None, patience: float = 5) -> Fetched:
    async with aiohttp.ClientSession() as session:
        return await fetch(session, Ical(None, url, HOUR), known, timedelta(seconds=patience))


async def test_a_url_is_asked_whether_it_has_changed() -> None:
    """The second time only a change is sent: what is known comes back as it is."""
    async with hosted() as host:
        host.headers = {"ETag": '"1"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
        first = await get(host.url)
        assert first.body == host.body
        assert await get(host.url, first) is first
        assert host.asked[1]["If-None-Match"] == '"1"'
        assert host.asked[1]["If-Modified-Since"] == "Mon, 23 Nov 2026 10:00:00 GMT"
        host.headers, host.body = {"ETag": '"2"'}, EMPTY
        assert (await get(host.url, first)) == Fetched(EMPTY, '"2"', "")


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (404, {}, b"", "answers 404; look whether its private address was reset"),
        (500, {}, b"", "answers 500; it is asked again"),
        (304, {}, b"", "answers 304"),
        (204, {}, b"", "answers 204"),
        (302, {"Location": "ftp://127.0.0.1/x"}, b"", "to what is not http(s)"),
        (302, {"Location": "file:///etc/passwd"}, b"", "to what is not http(s)"),
        (302, {"Location": "/private-token-4711/basic.ics"}, b"", "redirects too often"),
        (200, {}, b"x" * (MOST_BYTES + 1), "is longer than 5 MiB"),
    ],
)
async def test_answers_that_are_no_calendar(status: int, headers: dict[str, str], body: bytes, said: str) -> None:
    """Whatever a server answers instead of a calendar is told with a remedy, and never with the address."""
    async with hosted() as host:
        host.status, host.headers, host.body = status, headers, body
        with pytest.raises(SourceUnreadable) as raised:
            await get(host.url)
        assert said in str(raised.value)
        assert "4711" not in str(raised.value)
        assert len(host.asked) <= 6


async def test_a_server_that_hangs_or_is_gone() -> None:
    """A server that says nothing is waited for within bounds; one that is gone is told."""
    async with hosted() as host:
        host.hangs.clear()
        with pytest.raises(SourceUnreadable, match=r"does not come within 0 s"):
            await get(host.url, patience=0.2)
    with pytest.raises(SourceUnreadable, match="its server cannot be reached") as raised:
        await get(host.url)
    assert "4711" not in str(raised.value)


# --- what is made of them


def test_file_calendars_for_the_commands(tmp_path: Path) -> None:
    """The commands know who is on call by a file's calendar, and say whom it names in vain."""
    (tmp_path / "a.ics").write_bytes(ics(("Alice", "1123T0000", "1124T0000"), ("Zoe", "1125T0000", "1126T0000")))
    plain = loaded(tmp_path, "night: {ical: {file: a.ics}}")
    filled = with_file_calendars(plain, NOW)
    assert on_call(plain.schedules["night"], NOW) == ()
    assert on_call(filled.schedules["night"], NOW) == ("alice",)
    (told,) = filled.warnings[len(plain.warnings) :]
    assert (told.where, told.warning) == ("schedules.night.ical", True)
    assert told.what.startswith('names nobody known: "Zoe"; write a key, name or e-mail')
    # What is over cannot be mended, and need not be.
    assert len(with_file_calendars(plain, NOW + 9 * DAY).warnings) == len(plain.warnings)


def test_file_calendars_that_cannot_be_read(tmp_path: Path) -> None:
    """A broken calendar is one warning, a missing one is not told twice, and one at a URL is said not to be read."""
    (tmp_path / "broken.ics").write_text("BEGIN:VCALENDAR\nnonsense")
    files = "night: {ical: {file: broken.ics}}, gone: {ical: {file: gone.ics}}"
    plain = loaded(tmp_path, f'{files}, net: {{ical: {{url: "https://c.test/4711"}}}}')
    filled = with_file_calendars(plain, NOW)
    (told,) = filled.warnings[len(plain.warnings) :]
    assert told.where == "schedules.night.ical"
    assert "cannot be read, nobody is on call by it" in told.what
    assert [one.where for one in plain.warnings if "gone" in one.where] == ["schedules.gone.ical.file"]
    ((where, what),) = not_read(filled)
    assert where == "schedules.net.ical"
    assert "4711" not in what


def test_how_far_a_calendar_is_read(tmp_path: Path) -> None:
    """A series without an end is unfolded from a month ago on, and as far ahead as is asked for."""
    series = ics(("alice", "0101T0800", "0101T0900")).replace(b"SUMMARY", b"RRULE:FREQ=DAILY\r\nSUMMARY")
    (tmp_path / "a.ics").write_bytes(series)
    plain = loaded(tmp_path, "night: {ical: {file: a.ics}}")
    usual = with_file_calendars(plain, NOW).schedules["night"].calendar
    assert usual[0].ends > NOW - BEHIND >= usual[0].starts - DAY
    assert NOW + AHEAD - DAY <= usual[-1].starts < NOW + AHEAD
    further = with_file_calendars(plain, NOW, 900 * DAY).schedules["night"].calendar
    assert NOW + 899 * DAY <= further[-1].starts < NOW + 900 * DAY


def test_the_layers_in_force(tmp_path: Path) -> None:
    """What people put down covers the file's overrides; one of a person or schedule that is gone covers nothing."""
    file = "night: {timezone: UTC, overrides: [{person: alice, from: 2026-11-23 00:00, until: 2026-11-25 00:00}]}"
    plain = loaded(tmp_path, file)

    def kept(person: str, schedule: str = "night", hours: int = 1) -> KeptOverride:
        return KeptOverride(schedule, Override(person, NOW, NOW + hours * HOUR, "id", "bob"), NOW)

    def who(*overrides: KeptOverride) -> tuple[str, ...]:
        return on_call(in_force(plain, {}, overrides)["night"], NOW)

    assert who() == ("alice",)
    assert who(kept("bob")) == ("bob",)
    assert who(kept("bob"), kept("alice")) == ("alice",)
    assert who(kept("bob"), kept("erin"), kept("alice", schedule="gone")) == ("bob",)
    assert on_call(in_force(plain, {}, [kept("bob")])["night"], NOW + HOUR) == ("alice",)


def test_a_failing_source_is_asked_ever_less_often() -> None:
    """After a minute, two, four; in the end at its own pace."""
    one = Calendar(Ical(None, "http://c.test", timedelta(minutes=15)), NOW)
    pauses = []
    for _ in range(40):
        one = failed(one, "gone", NOW)
        pauses.append((one.due - NOW) / timedelta(minutes=1))
    assert pauses[:6] == [1, 2, 4, 8, 15, 15]
    assert set(pauses[6:]) == {15}


def test_many_names_are_told_in_few_words() -> None:
    """Five names, and how many more."""
    assert listed(["a", "b"]) == '"a", "b"'
    assert listed(list("abcdefg")) == '"a", "b", "c", "d", "e" and 2 more'


# --- gaps


WORK = """time_intervals: [{name: work, time_intervals: [{weekdays: [monday:friday],
  times: [{start_time: "08:00", end_time: "18:00"}], location: Europe/Berlin}]}]
"""


def rotations(*active: str) -> str:
    rows = [f"{{people: [alice], every: 1w, start: 2026-01-05 09:00{one}}}" for one in active or ("",)]
    return f"{{timezone: Europe/Berlin, rotations: [{', '.join(rows)}]}}"


def test_gaps_are_told_with_their_place(tmp_path: Path) -> None:
    """Five gaps of a schedule that is called, and how many more; of one that nobody calls one line; else none."""
    day = rotations(", active_time_intervals: [work]")
    plain = loaded(tmp_path, f"night: {day}, spare: {day}, full: {rotations()}", CONFIG + WORK)
    told = list(doubts(plain, NOW))
    assert [where for where, _ in told] == ["schedules.night"] * 6 + ["schedules.spare"]
    assert told[0][1] == (
        "nobody is on call from Mon 2026-11-23 23:00 to Tue 2026-11-24 08:00 Europe/Berlin;"
        " the next step is called at once"
    )
    assert told[4][1].startswith("nobody is on call from Fri 2026-11-27 18:00 to Mon 2026-11-30 08:00")
    # A working day each between them: as many gaps as there are working days in the span, and the first night.
    days = sum((NOW + number * DAY).weekday() < 5 for number in range(1, 91))
    assert told[5][1] == f"nobody is on call, and {days + 1 - 5} more such gaps within 90 days"
    assert told[6][1].startswith(f"nobody is on call {days + 1} times within 90 days, first from Mon 2026-11-23 23:00")


def test_gaps_that_touch_are_one(tmp_path: Path) -> None:
    """Nobody for two reasons one after the other is one gap, and it is told why."""
    (tmp_path / "a.ics").write_bytes(ics(("Zoe", "1123T0000", "1124T0000"), ("alice", "1125T0000", "1231T0000")))
    filled = with_file_calendars(loaded(tmp_path, "night: {timezone: UTC, ical: {file: a.ics}}"), NOW)
    first = next(doubts(filled, NOW))
    assert first == (
        "schedules.night",
        'nobody is on call from Mon 2026-11-23 22:00 to Wed 2026-11-25 00:00 UTC (calendar: "Zoe" names nobody known);'
        " the next step is called at once",
    )


def test_no_gap_is_told_of_what_cannot_be_read_here(tmp_path: Path) -> None:
    """A calendar at a URL may fill what looks like a gap: nothing is told of it."""
    assert list(doubts(loaded(tmp_path, 'night: {ical: {url: "https://c.test/x"}}'), NOW)) == []


# --- the present shift


def test_the_present_shift_is_whole() -> None:
    """The bounds are the true ones, near or far; what never ends stands ten years off, where it is still a date."""
    week = Rotation("week", ("alice", "bob"), parse_period("1w"), datetime(2026, 1, 5, 9))  # noqa: DTZ001 - wall-clock time
    alone = replace(week, people=("alice",), every=parse_period("1h"))
    far = replace(week, every=parse_period("100w"))
    one, two = Schedule("s", BERLIN, (week,)), Schedule("s", BERLIN, (alone,))
    assert [(s.person, s.starts, s.ends) for s in present(one, NOW)] == [
        ("alice", utc("2026-11-23 08:00"), utc("2026-11-30 08:00"))
    ]
    assert present(one, utc("2026-11-30 08:00"))[0].starts == utc("2026-11-30 08:00")
    assert present(one, utc("2025-11-30 08:00"))[0].ends == utc("2026-01-05 08:00")
    began = time.perf_counter()
    (shift,) = present(two, NOW)
    assert time.perf_counter() - began < 0.5, "ten years of hours are not gone through"
    assert (shift.starts, shift.ends) == (utc("2026-01-05 08:00"), NOW + 3660 * DAY)
    (shift,) = present(Schedule("s", BERLIN, (far,)), NOW)
    assert (shift.starts, shift.ends) == (utc("2026-01-05 08:00"), utc("2027-12-06 08:00"))


OVERRIDES = st.tuples(st.integers(-90, 90), st.integers(1, 60), st.sampled_from(["alice", "dave"]))


@settings(max_examples=25)
@given(
    people=st.lists(st.sampled_from(["alice", "bob", "carol"]), min_size=1, max_size=4),
    every=st.sampled_from(["5h", "1d", "3d", "1w", "9w"]),
    overrides=st.lists(OVERRIDES, max_size=4),
    hours=st.integers(-2000, 2000),
)
def test_the_present_shift_is_the_one_of_a_long_span(
    people: list[str], every: str, overrides: list[tuple[int, int, str]], hours: int
) -> None:
    """At any instant it is what the shifts of a span that is long enough show there, and who is on call."""
    rotation = Rotation("r", tuple(people), parse_period(every), datetime(2026, 9, 1, 2, 30))  # noqa: DTZ001 - wall-clock time
    made = tuple(Override(who, NOW + at * HOUR, NOW + (at + long) * HOUR) for at, long, who in overrides)
    schedule, now = Schedule("s", BERLIN, (rotation,), made), NOW + hours * HOUR
    span = NOW - 200 * DAY, NOW + 400 * DAY
    there = [one for one in shifts(schedule, *span) if one.starts <= now < one.ends]
    assert tuple(one.person for one in present(schedule, now) if one.person) == on_call(schedule, now)
    for found, expected in zip(present(schedule, now), there, strict=True):
        assert found.person == expected.person
        assert found.starts == expected.starts or expected.starts == span[0] >= found.starts
        assert found.ends == expected.ends or expected.ends == span[1] <= found.ends


# --- what is kept


@contextmanager
def overrides_kept() -> Iterator[tuple[Connection, list[KeptOverride]]]:
    """Five of them, an hour long each and a day apart, the first one yesterday."""
    with in_memory() as connection:
        kept = [
            KeptOverride(
                "night" if number % 2 else "day",
                Override("bob", NOW + (number - 1) * DAY, NOW + (number - 1) * DAY + HOUR, f"{number}", "alice"),
                NOW - DAY,
            )
            for number in range(5)
        ]
        for one in kept:
            store.add(connection, one)
        yield connection, kept


def test_overrides_are_kept_with_author_and_time() -> None:
    """They come back as they were, in the order they were made in; those that are over do not count."""
    with overrides_kept() as (connection, kept):
        assert store.standing(connection, NOW - 9 * DAY) == tuple(kept)
        assert store.standing(connection, NOW) == tuple(kept[1:])


def test_taking_back_marks_and_keeps() -> None:
    """The first time counts, a second changes nothing, an unknown id is none; the row stays for who asks for all."""
    with overrides_kept() as (connection, kept):
        gone = replace(kept[2], deleted_at=NOW)
        assert store.take_back(connection, "2", NOW) == gone
        assert store.take_back(connection, "2", NOW + HOUR) == gone
        assert store.take_back(connection, "9", NOW) is None
        assert gone not in store.standing(connection, NOW)
        assert [one.override.id for one in store.overrides_listed(connection, ending_after=NOW)[0]] == ["4", "3", "1"]
        assert gone in store.overrides_listed(connection)[0]


def test_overrides_come_in_pages() -> None:
    """Newest first, of one schedule or all, and the cursor goes on where the page ended."""
    with overrides_kept() as (connection, kept):
        page, cursor = store.overrides_listed(connection, limit=3)
        assert ([one.override.id for one in page], cursor) == (["4", "3", "2"], "2")
        rest, none = store.overrides_listed(connection, limit=3, cursor=cursor)
        assert ([one.override.id for one in rest], none) == (["1", "0"], None)
        assert store.overrides_listed(connection, schedule="night")[0] == [kept[3], kept[1]]


def test_a_calendar_has_one_copy() -> None:
    """The newest copy of each schedule's calendar is kept, and when its source last confirmed it."""
    with in_memory() as connection:
        copies.keep(connection, "night", copies.Copy(b"1", NOW))
        copies.keep(connection, "day", copies.Copy(b"2", NOW))
        copies.keep(connection, "night", copies.Copy(b"3", NOW + HOUR))
        copies.confirm(connection, "day", NOW + DAY)
        found = copies.copies(connection)
        assert found == {"night": copies.Copy(b"3", NOW + HOUR), "day": copies.Copy(b"2", NOW + DAY)}


def test_nothing_shows_a_calendars_content() -> None:
    """The repr of what is known of a calendar holds neither its address nor its events."""
    secret = b"4711"
    known = Calendar(Ical(None, "http://c.test/4711", HOUR), NOW, Fetched(secret))
    shown = repr((Fetched(secret), copies.Copy(secret, NOW), known))
    assert "4711" not in shown


def test_the_address_of_a_calendar(tmp_path: Path) -> None:
    """It is taken as it was exported, with the query that lets one in; credentials and fragments are refused unseen."""

    def read(url: str) -> str | None:
        ical = loaded(tmp_path, f"night: {{ical: {{url: '{url}'}}}}").schedules["night"].ical
        assert ical is not None
        return ical.url

    for url in ("https://c.test/a/basic.ics", "http://c.test/x/?export", "https://c.test/api/calendar?token=4711&x=1/"):
        assert read(url) == url
    for url in (
        "webcal://c.test/4711",
        "https://me:4711@c.test/",
        "https://c.test/4711#a",
        "https://c.test/4711?a b",
        "",
    ):
        with pytest.raises(ConfigError) as raised:
            read(url)
        assert "schedules.night.ical" in str(raised.value)
        assert "4711" not in str(raised.value)
