"""Things go wrong as they are told to, and only so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from bridge.simulator import (
    answers,
    busy,
)
from tests.simulating import ALICE, receiving, simulated


@pytest.mark.parametrize(
    ("knobs", "statuses"),
    [
        ({"drop_reports": True}, []),
        ({"drop_reports": True, "times": 2}, ["in-progress", "completed"]),
        ({"duplicate_reports": True, "times": 1}, ["initiated", "initiated", "ringing", "in-progress", "completed"]),
        ({"reverse_reports": True}, ["completed", "in-progress", "ringing", "initiated"]),
        ({"unknown_status": "teleported"}, ["initiated", "ringing", "teleported", "completed"]),
    ],
)
async def test_reports_can_go_astray(knobs: dict[str, Any], statuses: list[str]) -> None:
    """Dropped, doubled, reversed or in words nobody knows; the call itself is not changed by it."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.faults.set(**knobs)
        line.simulator.script(ALICE, answers())
        call = await line.call()
        await line.advance(60)

    assert receiver.statuses() == statuses
    assert [what for what, _ in call.statuses] == ["initiated", "ringing", "in-progress", "completed"]


async def test_reports_can_be_late() -> None:
    """A delayed report arrives so many seconds after what it tells of, and still says when that was."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.faults.set(delay_reports=3600)
        line.simulator.script(ALICE, busy())
        await line.call()
        await line.advance(3599)
        early = len(receiver.letters)
        await line.advance(60)

    assert early == 0
    assert sorted(receiver.statuses(lambda letter: letter.form["timestamp"])) == [
        "1767600000",
        "1767600001",
        "1767600002",
    ]


@pytest.mark.parametrize(
    ("fault", "placed"),
    [
        ("hang_before", False),
        ("reset_before", False),
        ("reply_502", False),
        ("hang_after", True),
        ("reset_after", True),
        ("reply_502_after", True),
        ("empty_body", True),
        ("truncated_body", True),
    ],
)
async def test_a_reply_can_be_lost(fault: str, placed: bool) -> None:
    """Whatever becomes of the reply, the call is placed or not as the fault says; the next request is well again."""
    async with simulated() as line:
        once: dict[str, Any] = {fault: True, "times": 1}
        line.simulator.faults.set(**once)
        try:
            timeout = aiohttp.ClientTimeout(total=0.3)
            answered = await line.ask("POST", "/voice", {"to": ALICE, "text": "x"}, timeout=timeout)
            seen = f"{answered.status} {answered.body[:6]}"
        except (aiohttp.ClientError, TimeoutError) as error:
            seen = type(error).__name__
        assert len(line.simulator.calls) == placed
        await line.call()

    expected = {
        "hang": "TimeoutError",
        "reset": "ServerDisconnectedError",
        "reply": "502 <html>",
        "empty": "200 ",
        "truncated": "ClientPayloadError",
    }
    assert seen == expected[fault.partition("_")[0]]


async def test_a_code_may_hit_the_next_requests_of_one_endpoint() -> None:
    """A scripted code is answered so many times, to that endpoint only, and nobody is called."""
    async with simulated() as line:
        line.simulator.faults.set(code=700, times=2)
        bodies = [(await line.ask("GET", "/balance")).body]
        bodies += [(await line.ask("POST", "/voice", {"to": ALICE, "text": "x"})).body for _ in range(3)]

    assert bodies == ["50.0", "700", "700", "100\n1001\n0.1"]
    assert len(line.simulator.calls) == 1


async def test_a_slow_reply_waits_for_the_clock() -> None:
    """The reply comes after so many seconds of the clock, while the phone rings already."""
    async with simulated() as line:
        line.simulator.faults.set(slow=12)
        asked = asyncio.create_task(line.ask("POST", "/voice", {"to": ALICE, "text": "x"}))
        await line.simulator.until(lambda: line.simulator.calls)
        await line.advance(11)
        early = asked.done()
        await line.advance(1)
        answered = await asked

    assert (early, answered.body[:3]) == (False, "100")


@pytest.mark.parametrize(
    ("knob", "content_type", "body"),
    [
        ("trailing_newline", "text/plain; charset=utf-8", "100\n1001\n0.1\n"),
        ("wrong_content_type", "application/json", "100\n1001\n0.1"),
    ],
)
async def test_a_reply_can_be_dressed_wrongly(knob: str, content_type: str, body: str) -> None:
    """A line end behind it, or the wrong content type before it."""
    async with simulated() as line:
        knobs: dict[str, Any] = {knob: True}
        line.simulator.faults.set(**knobs)
        answered = await line.ask("POST", "/voice", {"to": ALICE, "text": "x"})

    assert (answered.content_type, answered.body) == (content_type, body)


async def test_ids_of_the_reply_can_be_strings() -> None:
    """The id of a call is a number in a live reply; with the knob it is a string."""
    async with simulated() as line:
        form = {"to": ALICE, "text": "x", "json": "1"}
        number = await line.ask("POST", "/voice", form)
        line.simulator.faults.set(string_ids=True)
        string = await line.ask("POST", "/voice", form)

    assert [json.loads(reply.body)["messages"][0]["id"] for reply in (number, string)] == [1001, "1002"]


async def test_a_fault_of_its_own_is_not_swallowed() -> None:
    """An error inside a call's life reaches whoever waits, instead of a silence that looks like a sleeper."""
    async with simulated() as line:

        class Broken(list[Any]):
            def append(self, _: Any) -> None:
                raise RuntimeError("broken inside")

        call = await line.call()
        call.statuses = Broken()
        with pytest.raises(RuntimeError, match="broken inside"):
            await line.advance(60)
