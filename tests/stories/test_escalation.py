"""Stories of one incident: who is called, when, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.simulator import answers, presses, replies, sleeps
from tests.stories.night import ALICE, BOB, DUSK, both, night, with_policies


@both
async def test_the_first_sleeps_the_second_takes_it(tmp_path: Path) -> None:
    """Alice does not hear the phone, twice; Bob is called at once, presses a key, and nobody is called again."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, presses("4"))
        assert await it.fires("DiskFull") == 200
        await it.passes(minutes=10)

        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [2, 1]
        story = await it.story()
        assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "bob")
        assert await it.metric("callbridge_calls_total", outcome="no_answer") == 2
        assert await it.metric("callbridge_calls_total", outcome="answered") == 1
        assert await it.metric("callbridge_acknowledgements_total", by="keypress") == 1

        await it.resolves("DiskFull")
        assert (await it.story())["state"] == "resolved"
        assert await it.metric("callbridge_incidents_closed_total", reason="resolved") == 1
        await it.passes(hours=2)
        assert len(it.calls()) == 3


async def test_the_clock_of_a_chain(tmp_path: Path) -> None:
    """Ring time, the pause before the second try, and the next step at once: to the second."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, sleeps())
        await it.fires("DiskFull")
        await it.passes(minutes=10)

        first, second, third = [(call.requested_at - DUSK).total_seconds() for call in it.calls()]
        assert first < 1
        assert 85 <= second - first <= 95
        assert 28 <= third - second <= 35
        assert (await it.story())["state"] == "exhausted"
        assert await it.metric("callbridge_incidents_exhausted_total") == 1


async def test_answered_but_not_taken_goes_on_after_the_wait(tmp_path: Path) -> None:
    """A mailbox answers too: being answered takes nothing, and the next person is called after the wait."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers())
        it.phones.script(BOB, answers())
        await it.fires("DiskFull")
        await it.passes(minutes=4, seconds=50)
        assert len(it.calls(BOB)) == 0
        await it.passes(seconds=20)

        assert len(it.calls(ALICE)) == 1
        assert len(it.calls(BOB)) == 1


async def test_exhausted_rings_again_with_the_next_notification(tmp_path: Path) -> None:
    """Nobody was reached; the next notification that it still fires starts the chain again."""
    async with night(tmp_path) as it:
        await it.fires("DiskFull")
        await it.passes(minutes=30)
        assert (await it.story())["state"] == "exhausted"
        before = len(it.calls())

        await it.fires("DiskFull")
        await it.passes(minutes=1)

        assert len(it.calls()) == before + 1
        assert len(await it.incidents()) == 1


async def test_an_answer_takes_it_where_that_is_configured(tmp_path: Path) -> None:
    """`answer: 10s`: ten seconds on the phone are an acknowledgement, five are none."""
    async with night(tmp_path, "acknowledgement: {answer: 10s}\n") as it:
        it.phones.script(ALICE, answers(listens=5), answers(listens=12))
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        assert (await it.story())["state"] == "triggered"
        await it.resolves("DiskFull")

        await it.fires("DiskFull", starts="2026-11-23T22:05:00Z")
        await it.passes(minutes=1)

        assert (await it.story())["acknowledged_by"] == "alice"
        assert await it.metric("callbridge_acknowledgements_total", by="answer") == 1


async def test_a_reply_by_sms_takes_it(tmp_path: Path) -> None:
    """An SMS from the number that was called acknowledges what was told there."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, replies("OK"))
        await it.fires("DiskFull")
        await it.passes(minutes=2)

        assert (await it.story())["acknowledged_by"] == "alice"
        assert await it.metric("callbridge_acknowledgements_total", by="reply") == 1


@both
async def test_taking_it_over_the_api_cancels_what_waits(tmp_path: Path) -> None:
    """An acknowledgement over the API ends the chain, hangs up what is in progress, and names who has it."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=120))
        await it.fires("DiskFull")
        await it.passes(seconds=10)

        assert await it.act("acknowledge", by="bob") == 200
        await it.passes(minutes=20)

        story = await it.story()
        assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "bob")
        assert len(it.calls()) == 1
        assert story["calls"][0]["duration"] < 60


async def test_an_acknowledgement_that_runs_out_rings_again(tmp_path: Path) -> None:
    """`acknowledged_for`: if it still fires then, the chain starts again."""
    policy = "policies:\n  default: {steps: [{call: [alice]}], acknowledged_for: 30m}\n"
    async with night(tmp_path, text=with_policies(policy)) as it:
        await it.fires("DiskFull")
        await it.act("acknowledge", by="alice")
        await it.passes(minutes=29)
        assert len(it.calls()) == 1
        await it.passes(minutes=2)

        assert len(it.calls()) == 2
        assert "rang_again" in await it.words()


async def test_nobody_there_goes_on_at_once(tmp_path: Path) -> None:
    """A person without a number is passed over at once, and the journal says so."""
    policy = "policies:\n  default: {steps: [{call: [dave], wait: 10m}, {call: [bob]}]}\n"
    async with night(tmp_path, text=with_policies(policy)) as it:
        await it.fires("DiskFull")
        await it.passes(seconds=5)

        assert len(it.calls(BOB)) == 1
        assert "nobody_there" in await it.words()
        assert await it.metric("callbridge_nobody_there_total") == 1


async def test_a_policy_without_steps_only_records(tmp_path: Path) -> None:
    """`steps: []`: there is an incident to look at, and no call."""
    async with night(tmp_path, text=with_policies("policies:\n  default: {steps: []}\n")) as it:
        await it.fires("DiskFull")
        await it.passes(minutes=30)
        assert it.calls() == []
        assert (await it.story())["state"] == "triggered"

        await it.resolves("DiskFull")
        assert (await it.story())["state"] == "resolved"


@both
async def test_escalating_by_hand_calls_the_next_at_once(tmp_path: Path) -> None:
    """Whoever presses escalate does not wait for the step to end."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers())
        await it.fires("DiskFull")
        await it.passes(seconds=5)
        assert await it.act("escalate", by="alice") == 200
        await it.passes(seconds=5)

        assert len(it.calls(BOB)) == 1


async def test_nothing_heard_for_a_day_is_over(tmp_path: Path) -> None:
    """No news for 24 hours: the incident is resolved, with that reason."""
    async with night(tmp_path) as it:
        await it.fires("DiskFull")
        await it.act("acknowledge", by="bob")
        it.clock.advance(timedelta(hours=23, minutes=30))
        await it.passes(minutes=25)
        assert (await it.story())["state"] == "acknowledged"

        await it.passes(minutes=10)
        assert (await it.story())["state"] == "resolved"
        assert await it.metric("callbridge_incidents_closed_total", reason="no_news") == 1


@pytest.mark.parametrize("times", [1, 3])
async def test_both_of_a_step_are_called_side_by_side(tmp_path: Path, times: int) -> None:
    """All of one step ring at once, however often the notification came."""
    async with night(tmp_path, "", text=with_policies("policies:\n  default: {steps: [{call: [alice, bob]}]}\n")) as it:
        for _ in range(times):
            await it.fires("DiskFull")
        await it.passes(seconds=10)

        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [1, 1]
