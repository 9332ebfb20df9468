"""Stories of too much at once: what is held back is told later, in one call, and never dropped."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from bridge.clock import ManualClock
from bridge.simulator import Simulator, answers, presses, sleeps
from tests.stories.night import ALICE, BOB, DUSK, Night, alert, body, both, night, running, with_policies

ALONE = with_policies("policies:\n  default: {steps: [{call: [alice], wait: 4h}]}\n")
LADDER = 'limits: {calls_per_person: ["3 per 15m"]}\n'
LADDERS = 'limits: {calls_per_person: ["3 per 15m", "7 per 1h", "15 per 3h"], calls_per_minute: 30}\n'
# Berlin's midnight comes one hour after dusk.
MIDNIGHT = DUSK + timedelta(hours=1)
HELD = "callbridge_calls_held_back_total"


async def one_by_one(it: Night, *names: str) -> None:
    """Alerts of streams of their own, each a minute after the one before."""
    for name in names:
        await it.fires(name, group=name)
        await it.passes(minutes=1)


async def storm(it: Night, count: int) -> None:
    """So many incidents at once."""

    async def one(number: int) -> int:
        text = json.dumps(body([alert(f"Down{number}")], group=str(number)))
        async with it.session.post(it.url + "/webhook/alertmanager", data=text) as response:
            return response.status

    assert set(await asyncio.gather(*(one(number) for number in range(count)))) == {200}
    await it.settle()


@both
async def test_the_fourth_call_waits_and_tells_everything(tmp_path: Path) -> None:
    """Three per quarter of an hour: the fourth call comes when the first is old enough, with all that waits by then."""
    async with night(tmp_path, LADDER, text=ALONE) as it:
        it.phones.script(ALICE, answers())
        await one_by_one(it, "Alpha", "Bravo", "Charlie", "Delta", "Echo")
        assert len(it.calls(ALICE)) == 3
        assert await it.metric(HELD, reason="person") == 1
        held = [line for line in (await it.story())["journal"] if line["word"] == "held_back"]
        assert [line["who"] for line in held] == ["alice"]
        assert held[0]["note"].startswith("limits.calls_per_person: ")
        assert held[0]["note"].endswith("; until 2026-11-23 23:15:00 CET")

        await it.passes(minutes=15)

        assert len(it.calls(ALICE)) == 4
        fourth = it.calls(ALICE)[3]
        assert timedelta(0) <= fourth.requested_at - (DUSK + timedelta(minutes=15)) < timedelta(seconds=1)
        assert "Delta" in fourth.text
        assert "Echo" in fourth.text
        assert "Charlie" not in fourth.text
        assert await it.metric(HELD, reason="person") == 1
        assert [(await it.words(index)).count("held_back") for index in range(5)] == [1, 1, 0, 0, 0]


async def test_three_hundred_at_once(tmp_path: Path) -> None:
    """300 incidents at once for one person: a handful of calls tells them, and all are acknowledged by these."""
    async with night(tmp_path, LADDERS) as it:
        it.phones.script(ALICE, presses("1"))
        await storm(it, 300)
        await it.passes(hours=1)

        assert 1 <= len(it.calls()) <= 6
        assert len(it.calls(BOB)) == 0
        listed = await it.incidents(state="acknowledged", limit="1000")
        assert len(listed) == 300
        assert await it.metric("callbridge_acknowledgements_total", by="keypress") == 300


async def test_three_hundred_that_nobody_hears(tmp_path: Path) -> None:
    """A storm while both sleep stays within the ladder of each phone, and every page is told in the end."""
    async with night(tmp_path, LADDERS) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, sleeps())
        await storm(it, 300)
        await it.passes(hours=1)

        assert len(it.calls(ALICE)) <= 6
        assert len(it.calls(BOB)) <= 6
        assert await it.metric("callbridge_incidents", state="exhausted") == 300


async def test_too_many_calls_in_a_minute(tmp_path: Path) -> None:
    """One call per minute for all: the second person is called a minute later, and the hold is counted as such."""
    policies = with_policies("policies:\n  default: {steps: [{call: [alice, bob], wait: 4h}]}\n")
    async with night(tmp_path, "limits: {calls_per_minute: 1}\n", text=policies) as it:
        await it.fires("DiskFull")
        await it.passes(seconds=59)
        assert len(it.calls()) == 1
        await it.passes(seconds=2)
        assert len(it.calls()) == 2
        assert await it.metric(HELD, reason="minute") == 1


# --- the budget


async def test_a_spent_budget_holds_back_until_midnight(tmp_path: Path) -> None:
    """Two calls of 4.5 cents spend five cents: what comes then waits for midnight, and is told in one call."""
    async with night(tmp_path, "limits: {budget_per_day: 0.05}\n", text=ALONE) as it:
        it.phones.script(ALICE, answers())
        await one_by_one(it, "Alpha", "Bravo", "Charlie", "Delta")
        assert len(it.calls()) == 2
        assert await it.metric("callbridge_budget_spent_euros") == 0.09
        assert await it.metric(HELD, reason="budget") == 1
        line = next(line for line in (await it.story())["journal"] if line["word"] == "held_back")
        assert line["note"] == "limits.budget_per_day: 0.09 of 0.05 euro are spent; until 2026-11-24 00:00:00 CET"
        assert [page["state"] for page in (await it.story())["pages"]] == ["queued"]

        await it.passes(minutes=55, seconds=59)
        assert len(it.calls()) == 2
        await it.passes(minutes=1)

        assert len(it.calls()) == 3
        third = it.calls()[2]
        assert timedelta(0) <= third.requested_at - MIDNIGHT < timedelta(seconds=1)
        assert "Charlie" in third.text
        assert "Delta" in third.text
        assert await it.metric("callbridge_budget_spent_euros") == 0.045
        assert await it.metric(HELD, reason="budget") == 1


async def test_urgent_rings_and_takes_along_what_waits(tmp_path: Path) -> None:
    """The budget is spent: an urgent incident rings at once all the same, and its call tells what was held back."""
    policies = with_policies(
        "policies:\n"
        "  default: {steps: [{call: [alice], wait: 4h}]}\n"
        "  urgent: {urgent: true, steps: [{call: [alice], wait: 4h}]}\n"
    ).replace(
        "route: {{policy: default}}", "route: {{policy: default, routes: [{{matchers: ['a=b'], policy: urgent}}]}}"
    )
    async with night(tmp_path, "limits: {budget_per_day: 0}\n", text=policies) as it:
        it.phones.script(ALICE, answers())
        await one_by_one(it, "Alpha", "Bravo")
        assert it.calls() == []

        await it.fires("Burning", group="u", a="b")
        await it.passes(seconds=1)

        assert len(it.calls()) == 1
        assert all(name in it.calls()[0].text for name in ("Burning", "Alpha", "Bravo"))
        await it.passes(minutes=20)
        await it.fires("Charlie", group="c")
        await it.passes(minutes=1)
        assert len(it.calls()) == 1
        assert await it.metric(HELD, reason="budget") == 2


async def test_what_is_held_back_and_resolves_is_not_told(tmp_path: Path) -> None:
    """An incident that is over by midnight rings nobody then."""
    async with night(tmp_path, "limits: {budget_per_day: 0}\n", text=ALONE) as it:
        await one_by_one(it, "Alpha")
        await it.resolves("Alpha", group="Alpha")
        await it.passes(hours=2)
        assert it.calls() == []
        assert (await it.story())["state"] == "resolved"


@both
async def test_a_call_that_cost_less_makes_room(tmp_path: Path) -> None:
    """A call under way counts with what it may cost; once that is known, the next need not wait for midnight."""
    policies = with_policies("policies:\n  default: {steps: [{call: [alice, bob], wait: 4h}]}\n")
    async with night(tmp_path, "limits: {budget_per_day: 0.05}\n", text=policies) as it:
        it.phones.script(ALICE, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(seconds=10)
        assert len(it.calls()) == 1
        assert await it.metric("callbridge_budget_spent_euros") == 0.1
        assert await it.metric(HELD, reason="budget") == 1

        await it.passes(minutes=1)

        assert len(it.calls()) == 2
        assert await it.metric(HELD, reason="budget") == 1


@both
async def test_a_restart_while_it_is_held_back(tmp_path: Path) -> None:
    """A restart in the middle of a hold says nothing twice, forgets nobody, and midnight still lets it through."""
    clock = ManualClock(DUSK)
    extra = "limits: {budget_per_day: 0}\n"
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, extra, text=ALONE) as it:
            await it.fires("DiskFull")
            assert await it.metric(HELD, reason="budget") == 1
        async with running(tmp_path, phones, clock, extra, text=ALONE) as it:
            await it.passes(minutes=10)
            assert (await it.words()).count("held_back") == 1
            assert await it.metric(HELD, reason="budget") == 0
        async with running(tmp_path, phones, clock, "limits: {budget_per_day: 1}\n", text=ALONE) as it:
            await it.passes(seconds=1)
            assert len(it.calls()) == 1
            assert "Disk Full" in it.calls()[0].text
