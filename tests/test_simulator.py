"""Calls live, people act, the story is told: the telephone company on an advanced clock."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import timedelta

import aiohttp
import pytest

from bridge.clock import SystemClock
from bridge.simulator import (
    Answer,
    Era,
    Simulator,
    answers,
    barred,
    busy,
    hangs_up,
    mailbox,
    presses,
    refused,
    replies,
    run,
    silent,
    sleeps,
)
from tests.simulating import ALICE, BOB, KEY, START, receiving, simulated

TWENTY_SECONDS = "x" * 300


@pytest.mark.parametrize(
    ("answer", "life", "cost"),
    [
        (sleeps(), "initiated@0 ringing@1 no-answer@31", 0),
        (answers(), "initiated@0 ringing@1 in-progress@5 completed@25", 0.045),
        (answers(listens=61), "initiated@0 ringing@1 in-progress@5 completed@66", 0.09),
        (hangs_up(2), "initiated@0 ringing@1 in-progress@5 completed@7", 0.045),
        (mailbox(), "initiated@0 ringing@1 in-progress@21 completed@41", 0.045),
        (busy(), "initiated@0 ringing@1 failed@2", 0),
    ],
)
@pytest.mark.parametrize("step", [1, 70])
async def test_a_call_lives_as_its_person_is_scripted(answer: Answer, life: str, cost: float, step: int) -> None:
    """Each status comes at its second, however far the clock jumps; started minutes are charged at the end."""
    async with simulated() as line:
        line.simulator.script(ALICE, answer)
        call = await line.call(text=TWENTY_SECONDS)
        for _ in range(70 // step):
            await line.advance(step)

    seen = " ".join(f"{what}@{(when - START).total_seconds():g}" for what, when in call.statuses)
    assert seen == life
    assert line.simulator.balance == pytest.approx(50 - cost)


async def test_a_silent_call_is_never_heard_of_again() -> None:
    """Accepted, no report, and the journal knows no end."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.script(ALICE, silent())
        await line.call()
        await line.advance(86400)
        (row,) = json.loads((await line.ask("GET", "/journal/voice")).body)

    assert receiver.letters == []
    assert row["status"] == "initiated"


async def test_a_barred_call_is_seen_in_the_journal_only() -> None:
    """Accepted with 100, refused at set-up: no report, status empty, and why."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.script(ALICE, barred())
        await line.call()
        await line.advance(60)
        (row,) = json.loads((await line.ask("GET", "/journal/voice")).body)

    assert receiver.letters == []
    assert (row["status"], row["duration"], row["price"]) == ("", None, None)
    assert "not authorized to call" in row["error"]


async def test_a_refused_person_is_not_called() -> None:
    """The request is answered with the scripted code; the next one, scripted otherwise, is placed."""
    async with simulated() as line:
        line.simulator.script(ALICE, refused(403), answers())
        refusal = await line.ask("POST", "/voice", {"to": ALICE, "text": "x"})
        await line.call()

    assert refusal.body == "403"
    assert len(line.simulator.calls) == 1


async def test_only_a_call_in_progress_can_be_ended() -> None:
    """A ringing call goes on ringing; one that somebody listens to ends at once and costs its time."""
    async with simulated() as line:
        line.simulator.script(ALICE, answers())
        call = await line.call(text=TWENTY_SECONDS)
        await line.advance(2)
        ringing = await line.ask("POST", f"/voice/{call.id}/hangup")
        await line.advance(6)
        talking = await line.ask("POST", f"/voice/{call.id}/hangup")
        await line.simulator.settled()
        over = await line.ask("POST", f"/voice/{call.id}/hangup")
        unknown = await line.ask("POST", "/voice/99/hangup")

    assert [json.loads(reply.body)["success"] for reply in (ringing, talking, over, unknown)] == [
        False,
        True,
        False,
        False,
    ]
    assert "in-progress" in json.loads(ringing.body)["error"]
    assert (call.status, call.duration) == ("completed", 3)


async def test_a_second_call_to_somebody_in_a_call_is_marked() -> None:
    """The gateway does not hinder it, so the record says that calls overlapped; after the end they do not."""
    async with simulated() as line:
        first, second, other = await line.call(), await line.call(), await line.call(BOB)
        await line.advance(60)
        later = await line.call()

    assert [call.overlap for call in (first, second, other, later)] == [False, True, False, False]


@pytest.mark.parametrize(
    ("era", "form", "ring_time"),
    [
        (Era.SEVEN_2024, {"ringtime": "45"}, 45),
        (Era.SEVEN_2023, {"ringtime": "10"}, 10),
        (Era.SMS77_2021, {"ringtime": "10"}, 30),
        (Era.SEVEN_2024, {}, 30),
    ],
)
async def test_a_phone_rings_for_the_ring_time(era: Era, form: dict[str, str], ring_time: float) -> None:
    """As long as the request says, where the era listens to it; else for 30 s."""
    async with simulated(era) as line:
        call = await line.call(**form)
        await line.advance(100)

    rung, silent_at = call.at("ringing"), call.at("no-answer")
    assert rung is not None
    assert silent_at is not None
    assert (silent_at - rung).total_seconds() == ring_time


async def test_it_stops_within_a_bound_whatever_hangs_and_starts_again() -> None:
    """A hanging request, a live call and a waiting retry do not keep it; afterwards it can be started again."""
    async with simulated() as line:
        simulator = line.simulator
        simulator.subscribe("http://127.0.0.1:1/x")
        await line.call()
        await simulator.settled()
        simulator.faults.set(hang_before=True, on="balance")
        hanging = asyncio.create_task(line.ask("GET", "/balance"))
        await simulator.until(lambda: len(simulator.requests) == 2)
        started = time.monotonic()
        await simulator.stop()
        took = time.monotonic() - started
        with pytest.raises(aiohttp.ClientError):
            await hanging
        simulator.faults.clear()
        await simulator.start()
        assert (await line.ask("GET", "/balance")).body == "50.0"

    assert took < 3


async def test_waiting_in_vain_tells_the_story_so_far() -> None:
    """What a test waited for and did not see comes with the lines of what did happen."""
    async with simulated() as line:
        await line.call()
        with pytest.raises(TimeoutError, match="accept"):
            await line.simulator.until(lambda: False, 0.05)


async def test_the_story_is_told_line_by_line_without_numbers() -> None:
    """Each line has a time, a word, the masked number and the call; the key and full numbers are nowhere."""
    told: list[str] = []
    async with simulated(tell=told.append) as line:
        line.simulator.script(ALICE, presses("5"), replies("OK"))
        for _ in range(2):
            await line.call()
            await line.advance(60)
        await line.ask("GET", "/balance", key="wrong-key")

    words = [
        re.fullmatch(r"\d\d:\d\d:\d\d  (\w+) +(\+49 171 …67  call 100\d.*|GET /api/balance: .*)", row) for row in told
    ]
    assert all(words), told
    assert " ".join(word[1] for word in words if word) == (
        "accept ring answer press end accept ring answer end sms refuse"
    )
    assert ALICE not in str(told)
    assert KEY not in str(told)
    assert "wrong-key" not in str(told)


async def test_the_world_can_run_faster_than_the_clock() -> None:
    """With scale 0.01 half a minute takes 0.3 s of the machine's clock, and reports still say half a minute."""
    async with (
        Simulator(SystemClock(), scale=0.01) as simulator,
        aiohttp.ClientSession() as session,
        receiving() as hook,
    ):
        simulator.subscribe(hook.url)
        simulator.script(ALICE, answers(after=10, listens=30))
        await session.post(f"{simulator.url}/voice", data={"to": ALICE, "text": "x", "p": KEY})
        await simulator.until(lambda: len(hook.letters) == 4 and len(simulator.deliveries) == 4)
        (call,) = simulator.calls

    assert hook.letters[-1].form["duration"] == "30"
    lasted = call.statuses[-1][1] - call.requested_at
    assert lasted == timedelta(seconds=0.41)


async def test_the_command_runs_until_it_is_cancelled() -> None:
    """It tells its address, plays the scripted people, reports to its hook, and leaves when it is told to."""
    told: asyncio.Queue[str] = asyncio.Queue()
    async with receiving() as hook, aiohttp.ClientSession() as session, asyncio.timeout(5):
        people = {f"+{ALICE}": [busy()]}
        command = run("localhost", 0, Era.SEVEN_2024, KEY, people, hook.url, told.put_nowait, scale=0.01)
        task = asyncio.create_task(command)
        url = (await told.get()).split()[-1]
        await session.post(f"{url}/voice", data={"to": ALICE, "text": "x"}, headers={"X-Api-Key": KEY})
        for _ in range(3):
            await hook.arrivals.get()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{url}/balance")

    assert hook.statuses() == ["initiated", "ringing", "failed"]
    assert "fail " in str([told.get_nowait() for _ in range(told.qsize())])
