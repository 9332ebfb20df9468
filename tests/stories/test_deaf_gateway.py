"""Stories of a gateway that is gone for long: nobody is forgotten or called for nothing, and no storm follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import ManualClock
from bridge.simulator import Era, PhoneCall, Simulator, answers, sleeps
from tests.stories.night import ALICE, CONFIG, DUSK, Night, alert, body, night, running, with_policies

UP = "callbridge_gateway_up"
CROWD = [f"p{number:02}" for number in range(12)]
NUMBERS = {name: f"+4917112345{number:02}" for number, name in enumerate(CROWD)}
TAKEN = "acknowledgement: {answer: 5s}\n"
LIMITS = "limits: {calls_per_minute: 6}\n"
ALONE = with_policies("policies:\n  default: {steps: [{call: [alice], wait: 4h, attempts: 3}]}\n")


def crowd() -> str:
    """The stories' config with a dozen people who are all called side by side, over three lines."""
    head, _, rest = CONFIG.partition("people:")
    people = "".join(f'  {name}: {{{{phone: "{number}"}}}}\n' for name, number in NUMBERS.items())
    policy = f"policies:\n  default: {{{{steps: [{{{{call: [{', '.join(CROWD)}], wait: 4h}}}}]}}}}\n"
    head = head.replace("timeout: 2s", "timeout: 200ms\n  max_concurrent_calls: 3")
    return head + "people:\n" + people + policy + rest[rest.index("route:") :]


@asynccontextmanager
async def a_dozen(folder: Path, **more: Any) -> AsyncIterator[Night]:
    """A dozen people who all sleep, so that each of them is called."""
    async with night(folder, LIMITS, text=crowd(), **more) as it:
        yield it


def most_at_once(calls: list[PhoneCall]) -> int:
    """How many calls there were at the same time, at most."""
    spans = [(call.requested_at, call.statuses[-1][1]) for call in calls]
    return max(sum(began <= at < ended for began, ended in spans) for at, _ in spans)


def most_in_a_minute(calls: list[PhoneCall]) -> int:
    """How many calls were requested within one minute, at most."""
    times = [call.requested_at for call in calls]
    return max(sum(at <= one < at + timedelta(minutes=1) for one in times) for at in times)


def requests_for_calls(it: Night) -> int:
    """How often a call was asked for, whatever became of it."""
    return sum(one.path == "/api/voice" for one in it.phones.requests)


FAULTS: dict[str, dict[str, Any]] = {
    "hangs": {"hang_before": True},
    "only calls hang": {"hang_before": True, "on": "voice"},
    "resets": {"reset_before": True},
    "a proxy's page": {"reply_502": True},
    "says 600": {"code": 600},
    "key refused": {"code": 900},
    "no credit": {"code": 500},
}


@pytest.mark.parametrize(
    ("fault", "era", "dialect"),
    [
        *((name, Era.SEVEN_2024, "seven") for name in FAULTS if name != "resets"),
        ("resets", Era.SMS77_2021, "sms77"),
    ],
)
async def test_ten_minutes_without_a_gateway(tmp_path: Path, fault: str, era: Era, dialect: str) -> None:
    """Whatever it did: all twelve are called once when it is back, within the limits, and not for what is over."""
    async with a_dozen(tmp_path, era=era, dialect=dialect) as it:
        it.phones.faults.set(**{"on": "any", **FAULTS[fault]})
        await it.fires("Alpha", group="a")
        await it.passes(minutes=3)
        await it.fires("Bravo", group="b")
        await it.fires("Charlie", group="c")
        await it.passes(minutes=3)
        await it.resolves("Bravo", group="b")
        await it.passes(minutes=4)
        assert it.calls() == []
        assert await it.metric(UP, gateway="gateway") == 0
        # Where the balance is told all the same, only a call shows that none is taken.
        assert 1 <= requests_for_calls(it) <= (16 if fault in ("no credit", "only calls hang") else 8)

        it.phones.faults.clear()
        await it.passes(minutes=6)

        told = {call.to: call for call in it.calls()}
        assert set(told) == {number.lstrip("+") for number in NUMBERS.values()}
        assert len(it.calls()) == len(CROWD)
        assert not any("Bravo" in call.text for call in it.calls())
        assert all("Alpha" in call.text and "Charlie" in call.text for call in it.calls())
        assert most_at_once(it.calls()) <= 3
        assert most_in_a_minute(it.calls()) <= 6
        back = DUSK + timedelta(minutes=10)
        assert min(call.requested_at for call in it.calls()) <= back + timedelta(seconds=62)
        assert await it.metric(UP, gateway="gateway") == 1
        assert {one["state"] for one in await it.incidents()} == {"exhausted", "resolved"}


async def test_an_hour_without_a_gateway(tmp_path: Path) -> None:
    """Nothing listens there any more: it is asked once a minute, not for calls; she is called when it is back."""
    clock = ManualClock(DUSK)
    phones = Simulator(clock)
    async with phones, running(tmp_path, phones, clock, TAKEN, text=ALONE) as it:
        phones.script(ALICE, answers(listens=20))
        port = int(phones.url.rsplit(":", 1)[1].partition("/")[0])
        await phones.stop()
        await it.fires("DiskFull")
        await it.passes(hours=1)
        failed = [
            await it.metric("callbridge_gateway_requests_failed_total", operation=operation, reason="connection")
            for operation in ("voice", "balance")
        ]
        # The three that opened the circuit, and one every five minutes, lest it be only the balance that fails.
        assert failed[0] <= 3 + 12
        assert 50 <= failed[1] <= 75
        assert await it.metric("callbridge_oldest_due_seconds") > 0

        await phones.start(port=port)
        await it.passes(minutes=3)
        assert len(it.calls()) == 1
        assert (await it.story())["acknowledged_by"] == "alice"


async def test_the_story_says_why_nobody_is_called(tmp_path: Path) -> None:
    """While the gateway is out the incident's story tells so, once, and it is counted."""
    async with night(tmp_path, text=ALONE) as it:
        it.phones.faults.set(code=900, on="any")
        await it.passes(minutes=1)
        await it.fires("Alpha", group="a")
        await it.passes(seconds=3)
        await it.act("resolve")
        await it.fires("Bravo", group="b")
        await it.passes(minutes=5)
        held = [line for line in (await it.story())["journal"] if line["word"] == "held_back"]
        assert [line["who"] for line in held] == ["alice"]
        assert held[0]["note"].startswith("no account at the gateway takes calls now")
        assert await it.metric("callbridge_calls_held_back_total", reason="gateway") == 1


async def test_what_was_taken_while_its_answers_were_lost(tmp_path: Path) -> None:
    """Every answer is lost for ten minutes and calls are placed all the same: each person's phone rings once."""
    async with a_dozen(tmp_path) as it:
        it.phones.faults.set(on="any", hang_after=True)
        await it.fires("Alpha")
        await it.passes(minutes=10)
        it.phones.faults.clear()
        await it.passes(minutes=6)

        assert len(it.calls()) == len(CROWD)
        assert len({call.to for call in it.calls()}) == len(CROWD)
        assert await it.metric("callbridge_calls_total", outcome="unconfirmed") == 0


@pytest.mark.parametrize("fault", ["hang_after", "reset_after", "empty_body", "truncated_body", "reply_502_after"])
@pytest.mark.parametrize(("era", "dialect"), [(Era.SEVEN_2023, "sms77"), (Era.SMS77_2021, "sms77")])
async def test_a_lost_reply_in_the_old_dialect_rings_once(tmp_path: Path, fault: str, era: Era, dialect: str) -> None:
    """Without an id of ours in the gateway's books the text tells that it is the same call."""
    text = ALONE.replace("timeout: 2s", "timeout: 200ms")
    async with night(tmp_path, TAKEN, era=era, dialect=dialect, text=text) as it:
        it.phones.script(ALICE, answers(listens=20))
        knob: dict[str, Any] = {fault: True}
        it.phones.faults.set(times=1, **knob)
        await it.fires("DiskFull")
        await it.passes(minutes=5)

        assert len(it.calls(ALICE)) == 1
        assert (await it.story())["acknowledged_by"] == "alice"


@pytest.mark.parametrize(
    "fault", [{"reply_502": True}, {"code": 600}, {"hang_before": True}, {"reset_before": True}], ids=str
)
@pytest.mark.parametrize(("era", "dialect"), [(Era.SEVEN_2024, "seven"), (Era.SMS77_2021, "sms77")])
async def test_a_request_that_was_not_taken_is_made_once_more(
    tmp_path: Path, fault: dict[str, Any], era: Era, dialect: str
) -> None:
    """One failure: the phone rings once, within seconds, and at most one more request is made."""
    text = ALONE.replace("timeout: 2s", "timeout: 200ms")
    async with night(tmp_path, TAKEN, era=era, dialect=dialect, text=text) as it:
        it.phones.script(ALICE, answers(listens=20))
        it.phones.faults.set(times=1, **fault)
        await it.fires("DiskFull")
        await it.passes(minutes=5)

        (call,) = it.calls(ALICE)
        assert (call.requested_at - DUSK).total_seconds() <= 10
        assert requests_for_calls(it) == 2
        assert await it.metric(UP, gateway="gateway") == 1


async def test_a_slow_gateway_rings_once(tmp_path: Path) -> None:
    """Its answer takes longer than a look-up waits, and comes within the timeout: nothing is asked again."""
    async with night(tmp_path, TAKEN, text=ALONE.replace("timeout: 2s", "timeout: 20s")) as it:
        it.phones.script(ALICE, answers(listens=20))
        it.phones.faults.set(slow=35, times=1)
        async with it.session.post(f"{it.url}/webhook/alertmanager", data=json.dumps(body([alert("DiskFull")]))):
            await it.phones.until(lambda: it.calls(ALICE))
        for _ in range(36):
            it.clock.advance(timedelta(seconds=1))
            await asyncio.sleep(0.005)
        await it.passes(minutes=5)

        assert (len(it.calls(ALICE)), requests_for_calls(it)) == (1, 1)
        assert (await it.story())["acknowledged_by"] == "alice"


async def test_reports_that_come_three_days_late(tmp_path: Path) -> None:
    """The call is long unconfirmed: what the reports say is noted, and rings and acknowledges nothing any more."""
    async with night(tmp_path, TAKEN, text=ALONE) as it:
        it.phones.script(ALICE, answers(listens=20))
        it.phones.faults.set(delay_reports=3 * 86_400)
        it.phones.faults.set(on="journal", code=700)
        await it.fires("DiskFull")
        await it.passes(minutes=30)
        rung = len(it.calls())
        assert rung == 3
        assert (await it.story())["state"] == "exhausted"
        await it.resolves("DiskFull")
        await it.fires("DiskFull")
        await it.passes(minutes=30)
        # At once: step by step it would ask for the balance a thousand times.
        it.clock.advance(timedelta(days=3))
        await it.passes(minutes=1)

        assert len(it.calls()) == 2 * rung
        first = await it.story(1)
        assert (first["state"], first["acknowledged_by"]) == ("resolved", None)
        assert {call["outcome"] for call in first["calls"]} == {"answered"}


async def test_reports_of_another_installation(tmp_path: Path) -> None:
    """Two installations share an account, and its webhook tells each of all calls: nothing of ours changes."""
    async with night(tmp_path, TAKEN, text=ALONE) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("DiskFull")
        await it.passes(seconds=5)
        form = {"to": "4917000000000", "text": "Somebody else's alert", "foreign_id": "their-own"}
        it.phones.script("4917000000000", answers(listens=20))
        headers = {"X-Api-Key": "simulator-key"}
        async with it.session.post(f"{it.phones.url}/voice", data=form, headers=headers) as response:
            assert response.status == 200
        await it.passes(seconds=40)

        assert await it.metric("callbridge_reports_unmatched_total") >= 3
        story = await it.story()
        assert story["acknowledged_by"] is None
        assert len(story["calls"]) == 1
