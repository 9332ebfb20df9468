"""Stories of who has the night: rosters that change while an incident is under way."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.clock import ManualClock
from bridge.simulator import Simulator, presses, sleeps
from tests.hosting import PRIVATE, hosted, ics
from tests.stories.night import ALICE, BOB, CAROL, DUSK, Night, both, night, running, with_policies

STEPS = """policies:
  default:
    steps:
      - {call: [alice], attempts: 1}
      - {call: [night]}
      - {call: [bob]}
"""
DUTY = """
schedules:
  night: {rotations: [{name: late, people: [carol], every: 1w, start: 2026-01-05 09:00}]}
"""
ON_CALL = with_policies("policies: {default: {steps: [{call: [night], attempts: 1}]}}\n")


CALENDAR = "\nschedules: {night: {ical: {file: night.ics, refresh: 15m}}}\n"
WEEK = ("1121T0900", "1128T0900")


async def override(it: Night, person: str, **length: float) -> dict[str, Any]:
    """Put `person` on call from now on, over the API."""
    asked = {
        "schedule": "night",
        "person": person,
        "from": it.clock.now().isoformat(),
        "until": (it.clock.now() + timedelta(**length)).isoformat(),
        "by": "carol",
    }
    async with it.session.post(it.url + "/api/v1/overrides", data=json.dumps(asked)) as response:
        answer = await response.json()
        assert response.status == 200, answer
    await it.settle()
    return dict(answer)


async def on_duty(it: Night) -> list[str]:
    told = await it.get("/api/v1/oncall")
    return list(told["oncall"][0]["people"])


async def test_a_schedule_that_empties_rings_the_next_step_at_once(tmp_path: Path) -> None:
    """Carol's shift ends while Alice is being called: Bob is called at once, and the journal says who was not there."""
    (tmp_path / "night.ics").write_bytes(ics(("carol", "1123T1800", "1123T2200")).replace(b"T220000Z", b"T220020Z"))
    async with night(tmp_path, CALENDAR, text=with_policies(STEPS)) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, presses("1"))
        assert await on_duty(it) == ["carol"]
        await it.fires("DiskFull")
        await it.passes(minutes=3)

        assert [len(it.calls(number)) for number in (ALICE, CAROL, BOB)] == [1, 0, 1]
        (alice,), (bob,) = it.calls(ALICE), it.calls(BOB)
        assert 30 <= (bob.requested_at - alice.requested_at).total_seconds() <= 40
        journal = (await it.story())["journal"]
        assert [(line["step"], line["who"]) for line in journal if line["word"] == "nobody_there"] == [(2, "night")]
        assert await it.metric("callbridge_nobody_there_total") == 1
        assert await it.metric("callbridge_oncall_people", schedule="night") == 0


async def test_a_shift_that_lasts_is_called(tmp_path: Path) -> None:
    """The same chain with a shift that does not end: Carol is called, Bob is not."""
    (tmp_path / "night.ics").write_bytes(ics(("carol", *WEEK)))
    async with night(tmp_path, CALENDAR, text=with_policies(STEPS)) as it:
        it.phones.script(CAROL, presses("1"))
        await it.fires("DiskFull")
        await it.passes(minutes=3)

        assert [len(it.calls(number)) for number in (ALICE, CAROL, BOB)] == [1, 1, 0]


async def test_an_override_sends_the_next_call_to_another(tmp_path: Path) -> None:
    """Bob takes over for an hour: the next call is his; when it is over, or taken back, Carol has it again."""
    async with night(tmp_path, DUTY, text=ON_CALL) as it:
        await override(it, "bob", hours=1)
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        assert [len(it.calls(number)) for number in (CAROL, BOB)] == [0, 1]

        await it.passes(hours=1)
        await it.fires("DiskFuller", group="h")
        await it.passes(minutes=1)
        assert [len(it.calls(number)) for number in (CAROL, BOB)] == [1, 1]

        made = await override(it, "bob", hours=1)
        async with it.session.delete(f"{it.url}/api/v1/overrides/{made['id']}") as response:
            assert response.status == 200
        assert await on_duty(it) == ["carol"]


@both
async def test_an_override_holds_over_reload_and_restart(tmp_path: Path) -> None:
    """What somebody put down at night is still so after a reload, and after the server was started again."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, DUTY, text=ON_CALL) as it:
            await override(it, "bob", hours=8)
            assert await it.post("/-/reload", {}) == 200
            assert await on_duty(it) == ["bob"]
        async with running(tmp_path, phones, clock, DUTY, text=ON_CALL) as it:
            assert await on_duty(it) == ["bob"]
            await it.fires("DiskFull")
            await it.passes(minutes=1)
            assert [len(it.calls(number)) for number in (CAROL, BOB)] == [0, 1]


async def test_a_calendar_that_changes_is_taken_after_its_refresh(tmp_path: Path) -> None:
    """The file names Bob instead of Carol: within a quarter of an hour the next call goes to Bob."""
    file = tmp_path / "night.ics"
    file.write_bytes(ics(("carol", *WEEK)))
    async with night(tmp_path, CALENDAR, text=ON_CALL) as it:
        file.write_bytes(ics(("bob", *WEEK)))
        await it.passes(minutes=14)
        assert await on_duty(it) == ["carol"]
        await it.passes(minutes=2)
        assert await on_duty(it) == ["bob"]
        await it.fires("DiskFull")
        await it.passes(minutes=1)

        assert [len(it.calls(number)) for number in (CAROL, BOB)] == [0, 1]


async def test_a_calendar_that_breaks_leaves_the_last_good_one(tmp_path: Path) -> None:
    """Gone, then half written: Carol keeps the night, over a restart too; the metric shows since when."""
    file, clock = tmp_path / "night.ics", ManualClock(DUSK)
    file.write_bytes(ics(("carol", *WEEK)))
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, CALENDAR, text=ON_CALL) as it:
            await it.passes(minutes=16)
            file.unlink()
            await it.passes(minutes=20)
            assert await on_duty(it) == ["carol"]
            file.write_bytes(ics(("bob", *WEEK))[:150])
            await it.passes(minutes=20)
            assert await on_duty(it) == ["carol"]
            read_at = "callbridge_calendar_last_success_timestamp_seconds"
            confirmed = (DUSK + timedelta(minutes=15)).timestamp()
            assert await it.metric(read_at, schedule="night") == confirmed
        async with running(tmp_path, phones, clock, CALENDAR, text=ON_CALL) as it:
            assert await on_duty(it) == ["carol"]
            assert await it.metric(read_at, schedule="night") == confirmed
            file.write_bytes(ics(("bob", *WEEK)))
            await it.passes(minutes=16)
            assert await on_duty(it) == ["bob"]
            assert await it.metric(read_at, schedule="night") > confirmed + 40 * 60


async def test_a_reload_takes_new_people_and_new_calendars(tmp_path: Path) -> None:
    """A name that nobody had is somebody's after a reload; a schedule that is gone leaves the metrics."""
    (tmp_path / "night.ics").write_bytes(ics(("Erin", *WEEK)))
    async with night(tmp_path, CALENDAR, text=ON_CALL) as it:
        assert await on_duty(it) == []
        assert await it.metric("callbridge_calendar_unknown_names", schedule="night") == 1
        file = it.app.options.config
        text = file.read_text()
        file.write_text(text.replace("  dave: {name: Dave}\n", '  erin: {name: Erin, phone: "+49 171 5555555"}\n'))
        assert await it.post("/-/reload", {}) == 200
        assert await on_duty(it) == ["erin"]
        assert await it.metric("callbridge_calendar_unknown_names", schedule="night") == 0

        moved = text.replace("{night: {ical:", "{day: {ical:").replace("call: [night]", "call: [day]")
        file.write_text(moved)
        assert await it.post("/-/reload", {}) == 200
        async with it.session.get(it.url + "/metrics") as response:
            told = await response.text()
        assert 'callbridge_calendar_unknown_names{schedule="day"} 1.0' in told
        assert 'schedule="night"' not in told


@both
async def test_a_calendar_at_a_url_outlives_its_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Changed, then unreachable over a restart: the last good one is in force; its address is in no log."""
    clock = ManualClock(DUSK)
    with caplog.at_level(logging.DEBUG, "bridge"):
        async with Simulator(clock) as phones, hosted() as host:
            extra = f"\nschedules: {{night: {{ical: {{url: {host.url}, refresh: 30m}}}}}}\n"
            host.body, host.headers = ics(("carol", *WEEK)), {"ETag": '"1"'}
            async with running(tmp_path, phones, clock, extra, text=ON_CALL) as it:
                assert await on_duty(it) == ["carol"]
                host.body, host.headers = ics(("bob", *WEEK)), {"ETag": '"2"'}
                await it.passes(minutes=31)
                assert await on_duty(it) == ["bob"]
                host.status = 500
                await it.passes(minutes=31)
                assert await on_duty(it) == ["bob"]
                asked = len(host.asked)
                await it.passes(minutes=5)
                assert len(host.asked) == asked + 2, "soon again while it fails"
            async with running(tmp_path, phones, clock, extra, text=ON_CALL) as it:
                assert await on_duty(it) == ["bob"]
                host.status, host.body = 200, ics(("alice", *WEEK))
                await it.passes(minutes=2)
                assert await on_duty(it) == ["alice"]
    said = [record.getMessage() for record in caplog.records if record.name == "bridge.rota"]
    assert said.count("a calendar cannot be read, that of 2026-11-23 22:30:00+00:00 stays in force") == 2
    assert said.count("a calendar can be read again") == 1
    assert "a calendar is in force as it was kept, until its server answers" in said
    assert PRIVATE not in "".join(f"{record.getMessage()}{record.__dict__}" for record in caplog.records)


async def test_a_calendar_that_moves_is_fetched_anew(tmp_path: Path) -> None:
    """The new address is asked at once, without what the old one said of itself; where it fails the old one stays."""
    async with hosted() as host:
        host.body, host.headers = ics(("carol", *WEEK)), {"ETag": '"1"'}
        extra = f"\nschedules: {{night: {{ical: {{url: '{host.url}', refresh: 30m}}}}}}\n"
        async with night(tmp_path, extra, text=ON_CALL) as it:
            file = it.app.options.config
            text = file.read_text()
            host.body = ics(("bob", *WEEK))
            file.write_text(text.replace("basic.ics", "basic.ics?year=2"))
            assert await it.post("/-/reload", {}) == 200
            assert await on_duty(it) == ["bob"]
            file.write_text(text.replace(host.url, "http://127.0.0.1:9/"))
            assert await it.post("/-/reload", {}) == 200
            assert await on_duty(it) == ["bob"]


async def test_a_series_goes_on_for_ever(tmp_path: Path) -> None:
    """A year and a half later, the source long gone, the series in the copy still says who is on call."""
    series = ics(("carol", *WEEK)).replace(b"SUMMARY", b"RRULE:FREQ=WEEKLY\r\nSUMMARY")
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        (tmp_path / "night.ics").write_bytes(series)
        async with running(tmp_path, phones, clock, CALENDAR, text=ON_CALL) as it:
            (tmp_path / "night.ics").unlink()
            clock.advance(timedelta(days=550))
            await it.settle()
            assert await on_duty(it) == ["carol"]
            assert await it.metric("callbridge_oncall_people", schedule="night") == 1


async def test_unknown_names_are_said_once_per_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whom a calendar names in vain is a warning in the log, again only when that has changed."""
    (tmp_path / "night.ics").write_bytes(ics(("Zoe", *WEEK)))
    async with night(tmp_path, CALENDAR, text=ON_CALL) as it:
        await it.passes(hours=1)
        (tmp_path / "night.ics").write_bytes(ics(("Zoe", *WEEK), ("Yan", *WEEK)))
        await it.passes(hours=1)
    told = [record.__dict__["fields"]["summaries"] for record in caplog.records if "names nobody" in record.msg]
    assert [sorted(one.split(", ")) for one in told] == [['"Zoe"'], ['"Yan"', '"Zoe"']]


async def test_a_fault_of_our_own_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong while a calendar is read, the last good one stays, and people are called."""
    async with hosted() as host:
        host.body = ics(("carol", *WEEK))
        extra = f"\nschedules: {{night: {{ical: {{url: '{host.url}', refresh: 30m}}}}}}\n"
        async with night(tmp_path, extra, text=ON_CALL) as it:
            async with aiohttp.ClientSession() as closed:
                it.app.rota._session = closed
            await it.passes(minutes=35)
            assert "RuntimeError" in caplog.text
            assert await on_duty(it) == ["carol"]
            assert (await it.get("/api/v1/status"))["ready"] is True
