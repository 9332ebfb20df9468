"""Stories of a gateway that does not do what it should, and of reports that come as they please."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.clock import ManualClock
from bridge.simulator import Era, Simulator, answers, presses, refused, silent, sleeps
from tests.stories.night import ALICE, BOB, CAROL, DUSK, TOKEN, both, night, running


@pytest.mark.parametrize(
    ("era", "dialect"),
    [(Era.SMS77_2021, "sms77"), (Era.SEVEN_2023, "sms77"), (Era.SEVEN_2024, "seven"), (Era.SEVEN_2023, "seven")],
)
async def test_every_era_and_dialect(tmp_path: Path, era: Era, dialect: str) -> None:
    """The same story on each era of the gateway: one sleeps, the next takes it."""
    async with night(tmp_path, "acknowledgement: {answer: 5s}\n", era=era, dialect=dialect) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=6)

        assert (await it.story())["acknowledged_by"] == "bob"
        assert not any(request.key_in_url for request in it.phones.requests)


@both
@pytest.mark.parametrize("fault", ["hang_after", "reset_after", "empty_body", "truncated_body", "reply_502_after"])
async def test_a_lost_reply_rings_once(tmp_path: Path, fault: str) -> None:
    """The gateway took the call and its answer was lost: it is found in the journal, and nobody is called twice."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=20))
        knob: dict[str, Any] = {fault: True}
        it.phones.faults.set(times=1, **knob)
        await it.fires("DiskFull")
        await it.passes(minutes=2)

        assert len(it.calls(ALICE)) == 1
        assert len(it.calls(BOB)) == 0
        assert (await it.story())["calls"][0]["outcome"] == "answered"


@both
async def test_a_gateway_that_is_away_is_tried_again(tmp_path: Path) -> None:
    """Out of order for a minute: the call waits, is placed once when it is back, and nobody is forgotten."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1"))
        it.phones.faults.set(code=600)
        await it.fires("DiskFull")
        await it.passes(seconds=70)
        assert it.calls(ALICE) == []
        it.phones.faults.clear()
        await it.passes(minutes=2)

        assert len(it.calls(ALICE)) == 1
        assert (await it.story())["state"] == "acknowledged"
        assert await it.metric("callbridge_gateway_requests_failed_total", operation="voice", reason="carrier") > 1


async def test_a_number_that_the_gateway_refuses_goes_to_the_next(tmp_path: Path) -> None:
    """Never tried again: the next person is called at once."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, refused(202))
        await it.fires("DiskFull")
        await it.passes(seconds=5)

        assert len(it.calls(BOB)) == 1
        assert await it.metric("callbridge_calls_total", outcome="refused") == 1


async def test_no_report_ever_counts_as_unconfirmed(tmp_path: Path) -> None:
    """Accepted, and silence: after report_timeout it is looked up, counts as unconfirmed, and is tried again."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, silent())
        await it.fires("DiskFull")
        await it.passes(minutes=3, seconds=10)

        assert await it.metric("callbridge_calls_total", outcome="unconfirmed") == 1
        await it.passes(minutes=1)
        assert len(it.calls(ALICE)) == 2


@both
@pytest.mark.parametrize(
    "fault", ["duplicate_reports", "reverse_reports", "omit_foreign_id", "number_ids", "unknown_status", "report_shape"]
)
async def test_reports_in_any_order_and_number(tmp_path: Path, fault: str) -> None:
    """Doubled, reversed or maimed reports: each call is counted once, with what became of it."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=10))
        knob: dict[str, Any] = {fault: {"unknown_status": "dialling", "report_shape": "form-data"}.get(fault, True)}
        it.phones.faults.set(**knob)
        await it.fires("DiskFull")
        await it.passes(minutes=4)

        assert await it.metric("callbridge_calls_total", outcome="answered") == 1


@both
async def test_dropped_reports_are_asked_for(tmp_path: Path) -> None:
    """No report arrives at all: the gateway's journal knows that she answered."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=10))
        it.phones.faults.set(drop_reports=True)
        await it.fires("DiskFull")
        await it.passes(minutes=4)

        assert await it.metric("callbridge_calls_total", outcome="answered") == 1


async def test_reports_of_strangers_change_nothing(tmp_path: Path) -> None:
    """A report of a call of another installation is answered 200 and counted; a wrong token is 404."""
    async with night(tmp_path) as it:
        stranger = {"id": "4711", "status": "completed", "duration": "5"}
        assert await it.post(f"/webhook/sms77/{TOKEN}", stranger) == 200
        assert await it.post("/webhook/sms77/wrong", stranger) == 404
        assert await it.metric("callbridge_reports_unmatched_total") == 1


@both
async def test_the_story_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Stopped between two attempts, started an hour later: it goes on where it was."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        phones.script(ALICE, sleeps())
        phones.script(BOB, presses("1"))
        async with running(tmp_path, phones, clock) as it:
            await it.fires("DiskFull")
            await it.passes(seconds=45)
            assert len(it.calls(ALICE)) == 1
        async with running(tmp_path, phones, clock) as it:
            await it.passes(minutes=5)
            assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [2, 1]
            assert (await it.story())["state"] == "acknowledged"


async def test_the_signed_link_takes_it(tmp_path: Path) -> None:
    """Whoever has the link of a call takes what it told; a forged one is 404."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        phones.script(ALICE, answers(listens=60))
        async with running(tmp_path, phones, clock, external_url="http://pager.example.test") as it:
            await it.fires("DiskFull")
            await it.passes(seconds=8)
            call = (await it.story())["calls"][0]["id"]
            link = it.app._link(call)
            assert link.startswith("http://pager.example.test/webhook/keypress/")
            path = link.removeprefix("http://pager.example.test")
            assert await it.post(path[:-1] + ("0" if path[-1] != "0" else "1"), {}) == 404
            assert await it.post(path, {}) == 200
            assert (await it.story())["acknowledged_by"] == "alice"


async def test_nobody_takes_an_incident_by_a_call_that_is_not_theirs(tmp_path: Path) -> None:
    """Keys and replies of numbers that were not called, of calls that nobody knows or that are long over: nothing."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, sleeps())
        await it.fires("DiskFull")
        await it.passes(seconds=40)
        for told in (
            {"webhook_event": "voice_dtmf", "data": {"id": "999", "foreign_id": "01JD", "dtmf_digit": "1"}},
            {"webhook_event": "voice_dtmf", "data": {"recipient": CAROL[1:], "dtmf_digit": "1"}},
            {"webhook_event": "voice_dtmf", "data": {"dtmf_digit": "1"}},
            {"webhook_event": "sms_mo", "data": {"sender": BOB[1:], "text": "OK"}},
            {"webhook_event": "sms_mo", "data": {"sender": CAROL[1:], "text": "OK"}},
            {"webhook_event": "sms_mo", "data": {"sender": "Alice", "text": "OK"}},
            {"webhook_event": "sms_mo", "data": {"text": "OK"}},
        ):
            assert await it.post(f"/webhook/sms77/{TOKEN}", told) == 200
            assert (await it.story())["state"] == "triggered", told
        # Nobody took it; two hours later a key without a call's id belongs to no call any more, and a reply to none.
        await it.passes(hours=2)
        for told in (
            {"webhook_event": "voice_dtmf", "data": {"recipient": ALICE[1:], "dtmf_digit": "1"}},
            {"webhook_event": "sms_mo", "data": {"sender": ALICE[1:], "text": "OK"}},
        ):
            assert await it.post(f"/webhook/sms77/{TOKEN}", told) == 200
            assert (await it.story())["state"] == "exhausted", told
