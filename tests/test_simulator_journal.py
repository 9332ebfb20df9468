"""The journal of calls, held against the recordings of 2021 and 2023."""

from __future__ import annotations

import json

import pytest

from bridge.simulator import Era, answers, barred, busy, fails, sleeps
from tests.simulating import ALICE, BOB, ERAS, recorded, shape, simulated


@pytest.mark.parametrize("era", ERAS)
async def test_the_journal_has_the_rows_of_the_recording(era: Era) -> None:
    """Completed, failed and barred calls stand in the journal as they were recorded, newest first, in Berlin time."""
    async with simulated(era, balance=54.013) as line:
        line.simulator.script(ALICE, answers(listens=8), *([fails(), barred()] if era is Era.SEVEN_2023 else []))
        for _ in range(3):
            await line.call()
            await line.advance(60)
        answered = await line.ask("GET", "/journal?type=voice")

    rows, expected = json.loads(answered.body), recorded(era, "journal_voice")
    assert answered.content_type == expected["content_type"]
    assert [row["id"] for row in rows] == ["1003", "1002", "1001"]
    shapes = [shape(row) for row in json.loads(expected["body"])]
    assert all(shape(row) in shapes for row in rows)
    assert (rows[2]["timestamp"], rows[2]["duration"], rows[2]["price"]) == ("2026-01-05 09:00:00", "8", "0.045")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "1003 1002 1001"),
        ("?id=1002", "1002"),
        ("?to=0171 7654321", "1003"),
        ("?state=failed", "1002 1001"),
        ("?limit=1&offset=1", "1002"),
        ("?date_from=2026-01-06", "1003 1002"),
        ("?date_to=2026-01-05", "1001"),
        ("?date_from=2026-01-06&date_to=2026-01-06&to=491711234567", "1002"),
        ("?date_from=2026-01-07", ""),
    ],
)
async def test_the_journal_is_filtered(query: str, ids: str) -> None:
    """By id, number in any form, state, and day as the clocks in Berlin show it."""
    async with simulated() as line:
        line.simulator.script(ALICE, busy())
        line.simulator.script(BOB, sleeps())
        await line.call(ALICE)
        await line.advance(15 * 3600 - 1)  # 23:59:59 in Berlin
        await line.advance(1)
        await line.call(ALICE)
        await line.call(BOB)
        await line.advance(60)
        answered = await line.ask("GET", f"/journal/voice{query}")

    assert " ".join(row["id"] for row in json.loads(answered.body)) == ids
    assert "foreign_id" not in answered.body


async def test_the_journal_gives_a_hundred_rows_at_most() -> None:
    """However many are asked for, one answer has a hundred; the rest is behind `offset`."""
    async with simulated(balance=1000) as line:
        for _ in range(101):
            await line.call()
        first = await line.ask("GET", "/journal/voice?limit=5000")
        rest = await line.ask("GET", "/journal/voice?offset=100")

    assert len(json.loads(first.body)) == 100
    assert [row["id"] for row in json.loads(rest.body)] == ["1001"]


async def test_a_journal_can_be_late() -> None:
    """Nobody knows when a row appears; where it is at the end, a call under way is not to be found."""
    async with simulated() as line:
        line.simulator.account.journal_at_end = True
        await line.call()
        under_way = await line.ask("GET", "/journal/voice")
        await line.advance(60)
        over = await line.ask("GET", "/journal/voice")

    assert (under_way.body, len(json.loads(over.body))) == ("[]", 1)
