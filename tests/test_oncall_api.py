"""The API's questions about who is on call, the overrides, the calendar that goes out; and the command beside them."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.cli import main
from bridge.schedule import Person, on_call, read_calendar, resolve
from tests.configuring import write
from tests.hosting import hosted, ics
from tests.serving import app_running, write_files
from tests.stories.night import DUSK, Night, night, with_policies
from tests.test_api import described, faults

SCHEDULES = """
schedules:
  night:
    timezone: UTC
    rotations: [{name: late, people: [carol, bob], every: 1d, start: 2026-01-01 12:00}]
    overrides: [{person: alice, from: 2026-11-24 08:00, until: 2026-11-24 10:00}]
  book: {timezone: UTC, ical: {file: book.ics}}
  empty: {}
"""
POLICIES = with_policies("policies: {default: {steps: [{call: [night]}]}}\n")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Night]:
    """The program at dusk; Alice and Dave are in the book side by side."""
    rows = ("Alice", "1123T2000", "1124T0200"), ("dave", "1123T2100", "1124T0100"), ("bob", "1124T2000", "1124T2200")
    series = ics(*rows).replace(b"SUMMARY:bob", b"RRULE:FREQ=WEEKLY\r\nSUMMARY:bob")
    (tmp_path / "book.ics").write_bytes(series)
    async with night(tmp_path, SCHEDULES, text=POLICIES) as one:
        yield one


async def ask(it: Night, method: str, path: str, sent: object = None) -> tuple[int, Any]:
    """Status and JSON of one answer; a string is sent as it is."""
    it.baseline |= {task for task in [asyncio.current_task()] if task}  # that of the fixture is another
    content = sent if sent is None or isinstance(sent, str) else json.dumps(sent)
    async with it.session.request(method, f"{it.url}/api/v1/{path}", data=content) as response:
        return response.status, await response.json()


def asked(**changes: object) -> dict[str, object]:
    """What somebody sends for an override of two hours from dusk on."""
    plain = {"schedule": "night", "person": "bob", "from": "2026-11-23T22:00:00Z", "until": "2026-11-24T00:00:00Z"}
    return plain | {"by": "carol"} | changes


# --- who


async def test_who_is_on_call_now(it: Night) -> None:
    """Each schedule with its people, side by side where they are, with the true bounds and the reason."""
    status, told = await ask(it, "GET", "oncall")
    assert status == 200
    assert list(faults(told, described("/api/v1/oncall"))) == []
    assert told["at"] == "2026-11-23T22:00:00Z"
    carol = {"schedule": "night", "people": ["carol"], "because": "rotation late"}
    both = {"schedule": "book", "people": ["alice", "dave"], "because": "calendar"}
    assert told["oncall"][:2] == [
        carol | {"from": "2026-11-23T12:00:00Z", "until": "2026-11-24T08:00:00Z"},
        both | {"from": "2026-11-23T21:00:00Z", "until": "2026-11-24T01:00:00Z"},
    ]
    assert (told["oncall"][2]["people"], told["oncall"][2]["because"]) == ([], "nobody is on call")


TIMES = [
    ("2026-11-24T08:00:00Z", ["alice"], []),
    ("2026-11-24T10:59:59.5%2B01:00", ["alice"], []),
    ("2026-11-24T10:59:59+01:00", ["alice"], []),
    ("2026-11-24 09:00Z", ["alice"], []),
    ("2026-11-24T10:00:00Z", ["carol"], []),
    ("2026-11-24T21:00:00Z", ["bob"], ["bob"]),
    ("2025-11-24T12:00:00Z", [], []),
    # Far beyond what calendars are kept unfolded for.
    ("2029-11-20T21:00:00Z", ["bob"], ["bob"]),
    ("2029-11-20T22:00:00Z", ["bob"], []),
]


async def test_who_is_on_call_then(it: Night) -> None:
    """Any time can be asked for, in any zone."""
    for at, first, second in TIMES:
        _, told = await ask(it, "GET", f"oncall?at={at}")
        assert [one["people"] for one in told["oncall"][:2]] == [first, second], at


QUESTIONS = [
    ("oncall?at=tomorrow", 400, "at: "),
    ("oncall?at=2026-11-24T10:00:00", 400, "has no time zone; write 2026-12-24T17:00:00Z"),
    ("oncall?at=0001-01-01T00:00:00Z", 400, "write a time from 1900 to 9900"),
    ("oncall?at=9999-12-31T23:59:59-12:00", 400, "write a time from 1900 to 9900"),
    ("oncall?at=2090-01-01T00:00:00Z", 400, "recurs since 2026"),
    ("schedules/none/shifts", 404, "there is no 'none'; there is night, book, empty"),
    ("schedules/night/shifts?from=x", 400, "from: "),
    ("schedules/night/shifts?until=2026-11-23T22:00:00Z", 400, "until: write a time after `from`"),
    ("schedules/night/shifts?until=2028-11-23T22:00:00Z", 400, "at most 420 days"),
    ("overrides?limit=0", 400, "limit: "),
    ("overrides?cursor=x", 400, "cursor: "),
]


async def test_questions_that_cannot_be_answered(it: Night) -> None:
    """What is wrong is told with what would be right."""
    for path, status, said in QUESTIONS:
        code, told = await ask(it, "GET", path)
        assert code == status, path
        assert said in told["message"]


# --- shifts


async def test_shifts_and_gaps(it: Night) -> None:
    """A span without a hole, cut where it was asked for; a gap is a shift of nobody."""
    span = "from=2026-11-24T00:00:00Z&until=2026-11-25T00:00:00Z"
    _, told = await ask(it, "GET", f"schedules/night/shifts?{span}")
    assert list(faults(told, described("/api/v1/schedules/{name}/shifts"))) == []
    rows = [(one["person"], one["from"][8:16], one["until"][8:16], one["because"]) for one in told["shifts"]]
    assert rows == [
        ("carol", "24T00:00", "24T08:00", "rotation late"),
        ("alice", "24T08:00", "24T10:00", "override"),
        ("carol", "24T10:00", "24T12:00", "rotation late"),
        ("bob", "24T12:00", "25T00:00", "rotation late"),
    ]
    _, told = await ask(it, "GET", f"schedules/book/shifts?{span}")
    assert [one["person"] for one in told["shifts"]] == ["dave", "alice", None, "bob", None]


async def test_the_longest_span(it: Night) -> None:
    """420 days are answered, of a calendar too, and quickly."""
    began = time.perf_counter()
    _, told = await ask(it, "GET", "schedules/book/shifts?until=2028-01-17T22:00:00Z")
    assert told["shifts"][-1]["until"] == "2028-01-17T22:00:00Z"
    assert sum(one["person"] == "bob" for one in told["shifts"]) == 60
    assert time.perf_counter() - began < 5


# --- overrides


async def test_an_override_is_made_listed_and_taken_back(it: Night) -> None:
    """It is in force at once, told with who made it and when; taken back it is kept, and what it covered is back."""
    status, made = await ask(it, "POST", "overrides", asked())
    assert status == 200
    assert list(faults(made, described("/api/v1/overrides", "post"))) == []
    plain = asked() | {"created_at": "2026-11-23T22:00:00Z", "deleted_at": None, "warnings": [], "id": made["id"]}
    assert made == plain
    _, told = await ask(it, "GET", "oncall")
    assert told["oncall"][0]["people"] == ["bob"]
    assert told["oncall"][0]["because"] == "override by carol"
    assert await it.metric("callbridge_oncall_people", schedule="night") == 1
    _, listed = await ask(it, "GET", "overrides?schedule=night")
    assert listed == {"overrides": [made], "next": None}
    assert list(faults(listed, described("/api/v1/overrides"))) == []
    assert (await ask(it, "GET", "overrides?schedule=book"))[1]["overrides"] == []

    await it.passes(minutes=10)
    gone = made | {"deleted_at": "2026-11-23T22:10:00Z"}
    assert await ask(it, "DELETE", f"overrides/{made['id']}") == (200, gone)
    await it.passes(minutes=1)
    assert await ask(it, "DELETE", f"overrides/{made['id']}") == (200, gone)
    assert (await ask(it, "GET", "oncall"))[1]["oncall"][0]["people"] == ["carol"]
    assert (await ask(it, "GET", "overrides"))[1]["overrides"] == []
    assert (await ask(it, "GET", "overrides?all=true"))[1]["overrides"] == [gone]


async def test_the_later_override_wins(it: Night) -> None:
    """Over the file's and over an earlier one; taken back, the earlier one holds again."""
    over = {"from": "2026-11-24T08:00:00Z", "until": "2026-11-24T09:00:00Z"}
    at = "oncall?at=2026-11-24T08:30:00Z"
    made = []
    for person in ("bob", "carol"):
        made.append((await ask(it, "POST", "overrides", asked(person=person, **over)))[1])
        assert (await ask(it, "GET", at))[1]["oncall"][0]["people"] == [person]
    await ask(it, "DELETE", f"overrides/{made[1]['id']}")
    assert (await ask(it, "GET", at))[1]["oncall"][0]["people"] == ["bob"]


async def test_many_overrides_at_once(it: Night) -> None:
    """Each is kept, comes in pages, and the one that was kept last is in force."""
    made = await asyncio.gather(*(ask(it, "POST", "overrides", asked()) for _ in range(20)))
    ids = sorted((one["id"] for _, one in made), reverse=True)
    first = (await ask(it, "GET", "overrides?limit=15"))[1]
    rest = (await ask(it, "GET", f"overrides?limit=15&cursor={first['next']}"))[1]
    assert [one["id"] for one in first["overrides"] + rest["overrides"]] == ids
    assert rest["next"] is None
    assert len(it.app.rota.schedules["night"].overrides) == 21


NEVER = [
    (asked(schedule="none"), "schedule: there is no 'none'; there is night, book, empty"),
    (asked(person="erin"), "person: there is no 'erin'; there is alice, bob, carol, dave"),
    (asked(until="2026-11-23T22:00:00Z"), "until: write a time after `from`"),
    (asked(until="2027-11-25T22:00:00Z"), "until: an override lasts a year at most"),
    (asked(**{"from": "2026-11-23T20:00:00Z", "until": "2026-11-23T22:00:00Z"}), "until: that is over already"),
    (asked(until="tonight"), "until: "),
    (asked(until="9999-12-31T23:59:59Z"), "until: write a time from 1900 to 9900"),
    (asked(until=5), "Expected `str`, got `int`"),
    ({"schedule": "night"}, "missing required field `person`"),
    ([], "Expected `object`"),
    ("", "send {"),
    ("{", "send {"),
    ("[" * 100_000, "send {"),
    ('{"schedule": "\ud800"}'.encode("utf-8", "surrogatepass").decode("latin-1"), "send {"),
]


async def test_overrides_that_cannot_be(it: Night) -> None:
    """What makes no sense is refused with what would be right, and nothing is kept."""
    for sent, said in NEVER:
        status, told = await ask(it, "POST", "overrides", sent)
        assert (status, told["code"]) == (400, 400)
        assert said in told["message"]
        assert (await ask(it, "GET", "overrides?all=true"))[1]["overrides"] == []


async def test_the_bounds_of_an_override(it: Night) -> None:
    """A whole leap year is a year; one that began already is taken; the author is one short line, or the API."""
    whole = asked(**{"from": "2027-10-01T00:00:00Z", "until": "2028-10-01T00:00:00Z"}, by=" x\n" * 500)
    status, made = await ask(it, "POST", "overrides", whole)
    assert (status, made["by"]) == (200, ("x " * 100).strip() + " ")
    status, made = await ask(it, "POST", "overrides", asked(**{"from": "2026-11-20T00:00:00Z"}, by=""))
    assert (status, made["by"]) == (200, "api")


async def test_an_override_to_somebody_without_a_phone(it: Night) -> None:
    """It is kept, for it may be meant; the answer says aloud that nobody will be called."""
    _, made = await ask(it, "POST", "overrides", asked(person="dave"))
    assert made["warnings"] == ["dave has no phone: while this lasts nobody is called by this schedule"]
    assert await it.metric("callbridge_oncall_people", schedule="night") == 0


async def test_unknown_overrides(it: Night) -> None:
    """There is nothing to end: 404."""
    for id_ in ("x", "0" * 22, "0" * 5000, "%00"):
        status, told = await ask(it, "DELETE", f"overrides/{id_}")
        assert (status, told["code"]) == (404, 404)


async def test_an_override_of_somebody_who_left(it: Night) -> None:
    """After a reload without that person it has no effect, and says so, instead of silencing the schedule."""
    await ask(it, "POST", "overrides", asked(person="dave"))
    file = it.app.options.config
    file.write_text(file.read_text().replace("  dave: {name: Dave}\n", ""))
    assert await it.post("/-/reload", {}) == 200
    assert (await ask(it, "GET", "oncall"))[1]["oncall"][0]["people"] == ["carol"]
    (one,) = (await ask(it, "GET", "overrides"))[1]["overrides"]
    assert one["warnings"] == ["without effect: the config has no such person any more"]


async def test_nothing_is_kept_while_stopping(it: Night) -> None:
    """Before the end and before the beginning an override is asked to come again."""
    it.app.doors.ready = False
    assert (await ask(it, "POST", "overrides", asked()))[0] == 503
    assert (await ask(it, "DELETE", f"overrides/{'0' * 22}"))[0] == 503


# --- the calendar that goes out


async def calendar(it: Night, name: str) -> tuple[int, str, bytes]:
    async with it.session.get(f"{it.url}/oncall/{name}.ics") as response:
        return response.status, response.headers["Content-Type"], await response.read()


async def test_the_calendar_of_a_schedule(it: Night) -> None:
    """What others read in it is who is on call; the next day the same shifts are the same events."""
    status, kind, first = await calendar(it, "night")
    assert (status, kind) == (200, "text/calendar; charset=utf-8")
    assert (await ask(it, "GET", "status"))[0] == 200
    people = {key: Person(key, key.title(), None, "en-US") for key in ("alice", "bob", "carol")}
    read = resolve(read_calendar(first, DUSK - 30 * DAY, DUSK + 90 * DAY, ZoneInfo("UTC")), people)
    for hour in range(-30 * 24, 90 * 24, 7):
        (there,) = [one for one in read if one.starts <= DUSK + hour * HOUR < one.ends]
        assert (there.person,) == tuple(await people_at(it, DUSK + hour * HOUR)), hour
    it.clock.advance(DAY)
    await it.settle()
    second = (await calendar(it, "night"))[2]
    before, after = uids(first), uids(second)
    assert len(before) == len(set(before)) > 120
    assert len(set(before) & set(after)) == len(before) - 1
    assert (await calendar(it, "none"))[0] == 404


async def people_at(it: Night, at: datetime) -> list[str]:
    schedule = it.app.rota.schedules["night"]
    return list(on_call(schedule, at))


def uids(body: bytes) -> list[bytes]:
    return [line for line in body.splitlines() if line.startswith(b"UID:")]


async def test_a_calendar_of_nobody(it: Night) -> None:
    """An empty schedule has a calendar too, in which the gap is seen."""
    assert b"SUMMARY:Nobody on call" in (await calendar(it, "empty"))[2]


# --- a server of calendars that hangs


async def test_a_hanging_server_delays_nothing(tmp_path: Path) -> None:
    """With a copy from before, a start does not wait for the calendar's server, and an end does not either."""
    async with hosted() as host:
        host.body = ics(("alice", "0101T0000", "1231T0000")).replace(b"DTEND:2026", b"DTEND:2990")
        host.body = host.body.replace(b"DTSTART:2026", b"DTSTART:2000")
        extra = f"schedules: {{night: {{ical: {{url: {host.url}}}}}}}\n"
        path = write_files(tmp_path, first="night", extra=extra)
        async with app_running(path) as (_, session), session.get("api/v1/oncall") as response:
            assert (await response.json())["oncall"][0]["people"] == ["alice"]
        host.hangs.clear()
        began = time.perf_counter()
        async with app_running(path) as (_, session), session.get("api/v1/oncall") as response:
            assert (await response.json())["oncall"][0]["people"] == ["alice"]
        assert time.perf_counter() - began < 5


# --- the commands


FOUR = """
gateway: {api_key_file: key}
people: {alice: {phone: +49 171 1234567}, bob: {phone: +49 171 1234568}, carol: {phone: +49 171 1234569}}
policies: {default: {steps: [{call: [berlin, york, howe, utc]}]}}
route: {policy: default}
schedules:
  berlin: {timezone: Europe/Berlin, overrides: [{person: carol, from: 2026-10-24 20:00, until: 2026-10-25 09:30}],
    rotations: [{people: [alice, bob, carol], every: 1w, start: 2026-01-05 09:00}]}
  york: {timezone: America/New_York, rotations: [{people: [alice, bob, carol], every: 1d, start: 2026-01-05 02:30}]}
  howe: {timezone: Australia/Lord_Howe, rotations: [{people: [bob, alice, carol], every: 12h, start: 2026-01-05 00:15}]}
  utc: {timezone: UTC, rotations: [{people: [carol, bob], every: 2w, start: 2026-01-05 12:00}]}
"""
THREE = ["alice", "bob", "carol"]
TURNS = {
    "berlin": ("Europe/Berlin", THREE, 7 * DAY, datetime(2026, 1, 5, 9)),  # noqa: DTZ001 - wall-clock time
    "york": ("America/New_York", THREE, DAY, datetime(2026, 1, 5, 2, 30)),  # noqa: DTZ001 - wall-clock time
    "howe": ("Australia/Lord_Howe", ["bob", "alice", "carol"], 12 * HOUR, datetime(2026, 1, 5, 0, 15)),  # noqa: DTZ001 - wall-clock time
    "utc": ("UTC", ["carol", "bob"], 14 * DAY, datetime(2026, 1, 5, 12)),  # noqa: DTZ001 - wall-clock time
}


def oracle(name: str, at: datetime) -> str:
    """Who has it, found by another way: from what the clock on the wall has shown in the last hours."""
    zone, people, every, start = TURNS[name]
    if name == "berlin" and datetime(2026, 10, 24, 18, tzinfo=UTC) <= at < datetime(2026, 10, 25, 8, 30, tzinfo=UTC):
        return "carol"
    # The turn is the greatest one whose wall-clock start has been shown by `at`, also if the clock went back since.
    shown = [(at - back * timedelta(minutes=15)).astimezone(ZoneInfo(zone)) for back in range(16)]
    furthest = max(one.replace(tzinfo=None) for one in shown)
    return people[((furthest - start) // every) % len(people)]


def test_420_days_in_four_zones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The printed shifts agree with a clock on the wall at 2,000 instants, nights of clock changes among them."""
    path = write(tmp_path, FOUR)
    began = time.perf_counter()
    at = datetime(2026, 2, 1, tzinfo=UTC)
    assert main(["oncall", f"--config.file={path}", f"--at={at.isoformat()}", "--days=420", "--output=json"]) == 0
    assert time.perf_counter() - began < 5
    told = json.loads(capsys.readouterr().out)
    assert {tuple(one) for one in told} == {("schedule", "person", "from", "until")}
    draw = random.Random(3)
    for name in TURNS:
        mine = [(utc(one["from"]), utc(one["until"]), one["person"]) for one in told if one["schedule"] == name]
        assert (mine[0][0], mine[-1][1]) == (at, at + 420 * DAY)
        assert all(one[1] == two[0] for one, two in pairwise(mine))
        nights = ((3, 8), (3, 29), (4, 4), (10, 3), (10, 25), (11, 1))
        near = [datetime(2026, month, day, tzinfo=UTC) for month, day in nights]
        instants = [at + draw.randrange(420 * 24 * 4) * timedelta(minutes=15) for _ in range(400)]
        instants += [draw.choice(near) + draw.randrange(-96, 192) * timedelta(minutes=15) for _ in range(100)]
        for instant in instants:
            (person,) = [who for starts, ends, who in mine if starts <= instant < ends]
            assert person == oracle(name, instant), (name, instant)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_oncall_tells_the_present_shift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --days: who is on call at that time, with the true bounds of the shift; calendars of files are read."""
    (tmp_path / "a.ics").write_bytes(ics(("bob", "0201T0000", "1201T0000"), ("Zoe", "1202T0000", "1203T0000")))
    more = '  book: {ical: {file: a.ics}}\n  net: {ical: {url: "https://calendar.test/4711"}}\n'
    path = write(tmp_path, FOUR + more)
    assert main(["oncall", f"--config.file={path}", "--at=2026-10-25T00:30:00Z", "--output=json"]) == 0
    out, err = capsys.readouterr()
    told = {one.pop("schedule"): one for one in json.loads(out)}
    assert told["berlin"] == {"person": "carol", "from": "2026-10-24T18:00:00Z", "until": "2026-10-25T08:30:00Z"}
    assert told["book"] == {"person": "bob", "from": "2026-02-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    assert told["net"]["person"] is None
    assert 'schedules.book.ical: warning: names nobody known: "Zoe"' in err
    assert "schedules.net.ical: the calendar at its URL is only read by the server" in err
    assert "4711" not in out + err


def test_check_config_looks_at_the_rosters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Gaps are warnings at their place, which --strict does not forgive; an unread URL is a note."""
    (tmp_path / "key").write_text("secret-of-the-test")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "token").write_text("secret-of-the-test-too")
    (tmp_path / "token").chmod(0o600)
    good = FOUR + "webhooks: {sms77: {token_file: token}}\n"
    assert main(["check-config", "--strict", str(write(tmp_path, good))]) == 0
    assert capsys.readouterr().out.endswith(": SUCCESS\n")

    (tmp_path / "a.ics").write_bytes(ics(("Zoe", "0101T0000", "0102T0000")).replace(b":2026", b":2199"))
    more = '  book: {ical: {file: a.ics}}\n  net: {ical: {url: "https://calendar.test/4711"}}\n'
    text = good.replace("howe, utc]", "howe, book]").replace("webhooks", f"{more}webhooks")
    path = write(tmp_path, text)
    assert main(["check-config", str(path)]) == 0
    told = capsys.readouterr().out
    line = 1 + text[: text.index("  book:")].count("\n")
    assert f"{path}:{line}:3: schedules.book: warning: nobody is on call from " in told
    assert f"{path}:{line + 1}:9: schedules.net.ical: note: the calendar at its URL" in told
    assert "SUCCESS: 1 warning" in told
    assert main(["check-config", "--strict", str(path)]) == 1

    gap = "  spare: {rotations: [{people: [bob], every: 1w, start: 2199-01-01 00:00}]}\n"
    assert main(["check-config", "--strict", str(write(tmp_path, good.replace("webhooks", f"{gap}webhooks")))]) == 1
    told = capsys.readouterr().out
    assert "schedules.spare: warning: nobody is on call once within 90 days" in told
    assert "no policy calls this schedule" in told
