"""Stories of people who hang up: when asked to, before that, never; and of a mailbox that hears it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.simulator import Answer, hangs_up, mailbox, sleeps
from tests.stories.night import ALICE, BOB, Night, both, night, with_policies

HANG_UP = "acknowledgement: {hang_up: true}\n"
ASKS = {"en-US": "To take this alert, hang up now.", "de-DE": "Um diesen Alarm zu übernehmen, jetzt auflegen."}


async def newest(it: Night) -> dict[str, Any]:
    """The newest call, as the API shows it."""
    return dict((await it.get("/api/v1/calls"))["calls"][0])


async def window_of(it: Night) -> tuple[float, float]:
    """When hanging up takes the newest call."""
    call = await newest(it)
    assert call["window_from"] is not None
    assert 0 < call["window_from"] < call["window_until"] < call["speech_seconds"]
    return call["window_from"], call["window_until"]


async def rings_alice(it: Night, *answers: Answer) -> tuple[float, float]:
    """Alice does not hear the first call, and answers the second like that; returns the window of the first."""
    it.phones.script(ALICE, sleeps(), *answers)
    await it.fires("DiskFull")
    await it.passes(seconds=20)
    return await window_of(it)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.8])
async def test_who_hangs_up_when_asked_takes_it(tmp_path: Path, part: float) -> None:
    """A call that ends inside the window was ended by a human: nobody else is called, and the journal says why."""
    async with night(tmp_path, HANG_UP) as it:
        begins, ends = await rings_alice(it)
        # Whole seconds are reported, and the second text is a little longer: "for 2 minutes" instead of "seconds".
        listens = round(begins + 1 + part * (ends - begins))
        it.phones.script(ALICE, hangs_up(listens=listens))
        await it.passes(minutes=10)

        story = await it.story()
        assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "alice")
        assert len(it.calls(BOB)) == 0
        assert await it.metric("callbridge_acknowledgements_total", by="hang_up") == 1
        begins, ends = await window_of(it)
        (note,) = [line["note"] for line in story["journal"] if line["word"] == "acknowledged"]
        assert note == f"hung up after {listens} s, the window was {begins:.0f} to {ends:.0f} s"


@pytest.mark.parametrize("language", ["en-US", "de-DE"])
async def test_at_the_simulators_own_pace(tmp_path: Path, language: str) -> None:
    """Who hears the words that ask, at 15 characters a second, and hangs up three seconds later, takes it."""
    policy = "policies:\n  default: {steps: [{call: [PERSON], attempts: 2, retry_after: 1m}]}\n"
    person, number = ("alice", ALICE) if language == "en-US" else ("bob", BOB)
    async with night(tmp_path, HANG_UP, text=with_policies(policy.replace("PERSON", person))) as it:
        it.phones.script(number, sleeps())
        await it.fires("DiskFull")
        text = it.calls(number)[0].text
        asked = (text.index(ASKS[language]) + len(ASKS[language])) / 15
        it.phones.script(number, hangs_up(listens=asked + 3))
        await it.passes(minutes=5)

        assert (await it.story())["acknowledged_by"] == person


async def test_a_mailbox_takes_nothing(tmp_path: Path) -> None:
    """A mailbox hears it all: the chain goes on, and the journal says when hanging up would have taken it."""
    async with night(tmp_path, HANG_UP) as it:
        it.phones.script(ALICE, mailbox())
        it.phones.script(BOB, sleeps())
        await it.fires("DiskFull")
        await it.passes(minutes=10)

        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [1, 1]
        story = await it.story()
        assert (story["state"], story["acknowledged_by"]) == ("exhausted", None)
        assert await it.metric("callbridge_acknowledgements_total", by="hang_up") == 0
        (answered,) = [call for call in story["calls"] if call["outcome"] == "answered"]
        assert answered["duration"] > answered["window_until"]
        (note,) = [line["note"] for line in story["journal"] if line["word"] == "answered"]
        begins, ends = answered["window_from"], answered["window_until"]
        window = f"{begins:.0f} to {ends:.0f} s"
        assert note == f"{answered['duration']:.0f} s on the phone, hanging up after {window} would have taken it"


@pytest.mark.parametrize("early", [0.0, 1.0, 4.0, 8.0])
async def test_who_hangs_up_before_the_message_is_over_takes_nothing(tmp_path: Path, early: float) -> None:
    """Half asleep it was put down: the next person is called after the wait."""
    async with night(tmp_path, HANG_UP) as it:
        it.phones.script(ALICE, hangs_up(listens=early))
        it.phones.script(BOB, hangs_up(listens=early))
        await it.fires("DiskFull")
        await it.passes(minutes=10)

        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [1, 1]
        assert (await it.story())["acknowledged_by"] is None
        assert (await it.story())["state"] == "exhausted"
        assert early < (await window_of(it))[0]


async def test_nothing_is_taken_where_it_is_off(tmp_path: Path) -> None:
    """With `hang_up: false` nothing of it is said, no call has a window, and hanging up at any time takes nothing."""
    async with night(tmp_path, "acknowledgement: {hang_up: false}\n") as it:
        it.phones.script(ALICE, hangs_up(listens=14))
        it.phones.script(BOB, hangs_up(listens=17))
        await it.fires("DiskFull")
        await it.passes(minutes=10)

        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [1, 1]
        assert not any(words in call.text for call in it.calls() for words in ("hang up", "auflegen"))
        call = await newest(it)
        assert (call["window_from"], call["window_until"]) == (None, None)
        assert (await it.story())["acknowledged_by"] is None


@both
async def test_one_hanging_up_takes_all_of_the_call(tmp_path: Path) -> None:
    """What came while her phone rang is told in the next call, asked for together, and taken together."""
    async with night(tmp_path, HANG_UP) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("DiskFull")
        for group in ("links", "power"):
            await it.fires(f"{group} down", group=group)
        await it.passes(seconds=45)
        first, together = it.calls(ALICE)
        assert "To take this alert, hang up now." in first.text
        assert "To take them all, hang up now." in together.text
        begins, ends = await window_of(it)

        it.phones.script(ALICE, sleeps(), hangs_up(listens=round((begins + ends) / 2)))
        await it.passes(minutes=4)

        states = sorted((one["group_key"], one["state"], one["acknowledged_by"]) for one in await it.incidents())
        assert [one[1:] for one in states] == [
            ("exhausted", None),
            ("acknowledged", "alice"),
            ("acknowledged", "alice"),
        ]
        assert await it.metric("callbridge_acknowledgements_total", by="hang_up") == 2


async def test_the_voice_is_learned(tmp_path: Path) -> None:
    """After three calls that ran to their end the window is that of the voice as it was heard."""
    async with night(tmp_path, HANG_UP, text=with_policies("policies:\n  default: {steps: [{call: [alice]}]}\n")) as it:
        it.phones.script(ALICE, mailbox())
        windows, ratios = [], []
        for _ in range(4):
            await it.fires("DiskFull", starts=it.clock.now().isoformat())
            await it.passes(minutes=3)
            call = await newest(it)
            windows.append((call["window_from"], call["window_until"]))
            ratios.append(call["duration"] / call["speech_seconds"])
            assert (await it.story())["acknowledged_by"] is None
            await it.resolves("DiskFull")
            await it.passes(minutes=30)

        assert windows[0] == windows[1] == windows[2]
        factor = max(0.7, sorted(ratios[:3])[1])
        assert windows[3] == pytest.approx([edge * factor for edge in windows[0]])


async def test_a_call_that_we_end_ourselves_is_nobody_s_word(tmp_path: Path) -> None:
    """What is resolved while it is told is hung up from our side: that acknowledges nothing, and nothing new."""
    async with night(tmp_path, HANG_UP) as it:
        it.phones.script(ALICE, mailbox(after=2))
        await it.fires("DiskFull")
        begins, ends = await window_of(it)
        await it.passes(seconds=3 + (begins + ends) / 2)
        await it.resolves("DiskFull")
        await it.passes(seconds=5)

        call = await newest(it)
        assert begins <= call["duration"] <= ends
        assert (await it.story())["state"] == "resolved"
        assert await it.metric("callbridge_acknowledgements_total", by="hang_up") == 0
