"""Stories of two accounts at the gateway: the second takes over while the first is out, and the first comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import ManualClock
from bridge.simulator import Era, Simulator, answers, refused, sleeps
from tests.stories.night import ALICE, BOB, CONFIG, DUSK, TOKEN, Night, running

UP = "callbridge_gateway_up"
HEAD, _, REST = CONFIG.partition("gateway:\n")
TAKEN = "acknowledgement: {answer: 5s}\n"


def two(spare: str, **more: str) -> str:
    """The stories' config with two accounts, the second at `spare`; `more` for both."""
    said = "".join(f", {key}: {value}" for key, value in more.items())
    rows = [
        f"  - {{{{name: {name}, api_url: '{url}', dialect: {{dialect}}, api_key_file: key, timeout: 300ms{said}}}}}\n"
        for name, url in (("main", "{api}"), ("spare", spare))
    ]
    return HEAD + "gateways:\n" + "".join(rows) + "webhooks:" + REST.partition("webhooks:")[2]


@asynccontextmanager
async def accounts(
    folder: Path, extra: str = TAKEN, *, era: Era = Era.SEVEN_2024, dialect: str = "seven", **more: str
) -> AsyncIterator[tuple[Night, Simulator]]:
    """The program with two accounts, each at a telephone company of its own, both of which report."""
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock, era=era) as main,
        Simulator(clock, era=era) as spare,
        running(folder, main, clock, extra, dialect=dialect, text=two(spare.url, **more)) as it,
    ):
        spare.subscribe(f"{it.url}/webhook/sms77/{TOKEN}")
        for phones in (main, spare):
            phones.script(ALICE, answers(listens=20))
        yield it, spare


def asked(phones: Simulator, path: str = "/voice") -> int:
    """How often the company was asked for something."""
    return sum(one.path.endswith(path) for one in phones.requests)


OUT: list[dict[str, Any]] = [
    {"code": 900, "on": "any"},
    {"code": 500},
    {"code": 600, "on": "any"},
    {"reset_before": True, "on": "any"},
]


@pytest.mark.parametrize(("era", "dialect"), [(Era.SEVEN_2024, "seven"), (Era.SMS77_2021, "sms77")])
@pytest.mark.parametrize("fault", OUT[:3], ids=str)
async def test_the_second_takes_over_at_once(tmp_path: Path, era: Era, dialect: str, fault: dict[str, Any]) -> None:
    """The first says that it called nobody (key, credit, carrier): the second is asked in the same second."""
    async with accounts(tmp_path, era=era, dialect=dialect) as (it, spare):
        it.phones.faults.set(**fault)
        await it.fires("DiskFull")
        await it.passes(seconds=30)

        assert it.calls() == []
        (call,) = spare.calls
        assert (call.requested_at - DUSK).total_seconds() < 1
        story = await it.story()
        assert story["acknowledged_by"] == "alice"
        assert [one["account"] for one in story["calls"]] == ["spare"]
        notes = {line["word"]: line["note"] for line in story["journal"]}
        assert notes["gateway_unavailable"].startswith("main: ")
        assert notes["placed"] == "by spare"
        assert await it.metric(UP, gateway="spare") == 1


async def test_the_first_is_passed_over_while_it_is_out_and_used_when_it_is_back(tmp_path: Path) -> None:
    """With a refused key no call is asked of it; it is probed; once it is back the next call goes there again."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.faults.set(code=900, on="any")
        await it.fires("Alpha", group="a")
        await it.passes(minutes=1)
        assert await it.metric(UP, gateway="main") == 0
        before = asked(it.phones)
        await it.fires("Bravo", group="b")
        await it.passes(minutes=1)
        assert (asked(it.phones), len(spare.calls)) == (before, 2)
        assert asked(it.phones, "/balance") >= 4

        it.phones.faults.clear()
        await it.passes(minutes=1)
        assert await it.metric(UP, gateway="main") == 1
        await it.fires("Charlie", group="c")
        await it.passes(minutes=1)
        assert (len(it.calls()), len(spare.calls)) == (1, 2)
        assert (await it.story())["calls"][0]["account"] == "main"


async def test_an_account_whose_balance_answers_and_whose_calls_fail(tmp_path: Path) -> None:
    """It is tried with one call now and then, which the other account places in the same second when it fails."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.faults.set(code=500)
        for number in range(6):
            await it.fires(f"Alert{number}", group=str(number))
            await it.passes(minutes=2)

        assert len(spare.calls) == 6
        assert it.calls() == []
        assert 2 <= asked(it.phones) <= 6
        assert all(call.overlap is False for call in spare.calls)


@pytest.mark.parametrize("fault", ["hang_after", "reset_after", "empty_body", "reply_502_after"])
async def test_a_lost_reply_is_looked_up_where_it_was_asked(tmp_path: Path, fault: str) -> None:
    """The first may have taken it: its own journal says so, and the second is not asked."""
    async with accounts(tmp_path) as (it, spare):
        knob: dict[str, Any] = {fault: True}
        it.phones.faults.set(times=1, **knob)
        await it.fires("DiskFull")
        await it.passes(minutes=2)

        assert (len(it.calls(ALICE)), asked(spare)) == (1, 0)
        assert asked(spare, "/journal/voice") == 0
        assert (await it.story())["acknowledged_by"] == "alice"


async def test_what_the_first_never_took_is_asked_of_the_second_when_the_first_is_out(tmp_path: Path) -> None:
    """Three lost requests in a row: the first is out, its journal knows of none, and the second places all of them."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.faults.set(reset_before=True)
        for number in range(3):
            await it.fires(f"Alert{number}", group=str(number))
            await it.passes(seconds=20)
        await it.passes(minutes=2)

        assert it.calls() == []
        assert 1 <= len(spare.calls) <= 3
        assert len(await it.incidents(state="acknowledged")) == 3
        assert asked(spare, "/journal/voice") == 0


async def test_a_first_account_that_hangs_costs_one_call_a_minute(tmp_path: Path) -> None:
    """Nothing comes back from it for ten minutes: one call is looked up in vain, all others are placed at once."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.faults.set(hang_before=True, on="any")
        for number in range(4):
            await it.fires(f"Alert{number}", group=str(number))
            await it.passes(minutes=2, seconds=30)

        first, *others = spare.calls
        assert 60 <= (first.requested_at - DUSK).total_seconds() <= 80
        assert [(call.requested_at - DUSK).total_seconds() // 150 for call in others] == [1, 2, 3]
        assert all((call.requested_at - DUSK).total_seconds() % 150 < 2 for call in others)
        assert it.calls() == []


async def test_a_daily_limit_at_one_account_is_none_at_the_other(tmp_path: Path) -> None:
    """403 for her number: the second calls her, and the first stays in order for everybody else."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.script(ALICE, refused(403))
        await it.fires("DiskFull")
        await it.passes(seconds=30)

        assert (len(it.calls()), len(spare.calls_to(ALICE))) == (0, 1)
        assert await it.metric(UP, gateway="main") == 1
        assert await it.metric("callbridge_calls_total", outcome="refused") == 0


async def test_a_daily_limit_at_both_goes_to_the_next_person(tmp_path: Path) -> None:
    """Nobody can call her today: the next person is called at once."""
    async with accounts(tmp_path) as (it, spare):
        for phones in (it.phones, spare):
            phones.script(ALICE, refused(403))
        await it.fires("DiskFull")
        await it.passes(seconds=5)

        assert len(it.calls(BOB)) == 1
        assert spare.calls == []


async def test_a_number_that_is_wrong_is_wrong_everywhere(tmp_path: Path) -> None:
    """202 is no matter of the account: the second is not asked, the next person is called."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.script(ALICE, refused(202))
        await it.fires("DiskFull")
        await it.passes(seconds=5)

        assert len(it.calls(BOB)) == 1
        assert asked(spare) == 0


async def test_hanging_up_and_polling_go_to_the_account_of_the_call(tmp_path: Path) -> None:
    """Each journal is asked of its own calls, and a call is cut off where it was placed."""
    async with accounts(tmp_path, "acknowledgement: {keypress: false}\n", reports="poll") as (it, spare):
        spare.hooks.clear()  # type: ignore[attr-defined]  # a list, told as a sequence
        it.phones.hooks.clear()  # type: ignore[attr-defined]  # a list, told as a sequence
        it.phones.faults.set(code=500)
        spare.script(ALICE, answers(after=3, listens=300))
        await it.fires("DiskFull")
        await it.passes(seconds=30)
        assert asked(spare, "/journal/voice") >= 3
        assert asked(it.phones, "/journal/voice") == 0

        await it.act("resolve")
        await it.passes(seconds=30)
        assert asked(spare, "/hangup") == 1
        assert asked(it.phones, "/hangup") == 0


async def test_a_restart_remembers_the_account(tmp_path: Path) -> None:
    """Uncertain at the second, and the program is started anew: it is looked up there."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as main, Simulator(clock) as spare:
        main.faults.set(code=900, on="any")
        spare.faults.set(hang_after=True, times=1)
        spare.script(ALICE, sleeps())
        text = two(spare.url)
        async with running(tmp_path, main, clock, text=text) as it:
            await it.fires("DiskFull")
            await it.passes(seconds=1)
        async with running(tmp_path, main, clock, text=text) as it:
            spare.subscribe(f"{it.url}/webhook/sms77/{TOKEN}")
            await it.passes(seconds=20)
            assert [call["gateway_id"] is not None for call in (await it.story())["calls"]] == [True]
            assert len(spare.calls) == 1
            assert asked(spare, "/journal/voice") >= 1


async def test_reports_come_from_any_account(tmp_path: Path) -> None:
    """Both companies number their calls alike, and know no id of ours: each report is taken for the right call."""
    async with accounts(tmp_path, era=Era.SMS77_2021, dialect="sms77") as (it, spare):
        it.phones.script(ALICE, refused(403))
        it.phones.script(BOB, answers(listens=3))
        spare.script(ALICE, sleeps())
        await it.fires("DiskFull")
        await it.passes(minutes=10)

        assert spare.calls[0].id == it.calls(BOB)[0].id
        calls = (await it.story())["calls"]
        assert [(one["person"], one["outcome"]) for one in calls if one["person"] == "bob"][:1] == [("bob", "answered")]
        assert {one["outcome"] for one in calls if one["person"] == "alice"} == {"no_answer"}


async def test_a_reload_takes_the_accounts_anew(tmp_path: Path) -> None:
    """The second account is taken out of the file: it is shown no more, and the first is trusted again."""
    async with accounts(tmp_path) as (it, spare):
        it.phones.faults.set(code=900, on="any", times=2)
        await it.fires("Alpha", group="a")
        await it.passes(seconds=3)
        assert len(spare.calls) == 1
        path = it.folder / "callbridge.yaml"
        lines = [line for line in path.read_text().splitlines() if "name: spare" not in line]
        path.write_text("\n".join(lines))
        await it.app.reload()
        await it.fires("Bravo", group="b")
        await it.passes(seconds=60)

        assert len(it.calls()) == 1
        assert await it.metric(UP, gateway="main") == 1
        with pytest.raises(LookupError):
            await it.metric(UP, gateway="spare")
