"""Stories without a public address: nobody reports, and the gateway's journal is asked while calls run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import ManualClock
from bridge.simulator import Era, Simulator, answers, hangs_up, sleeps
from tests.stories.night import ALICE, BOB, CONFIG, DUSK, Night, both, running, with_policies

HEAD, _, REST = CONFIG.partition("webhooks:")
POLL = HEAD + "  reports: poll\n" + REST.partition("\n")[2]
BOTH = CONFIG.replace("report_timeout: 3m", "report_timeout: 3m\n  reports: both")
TAKEN = "acknowledgement: {answer: 5s, keypress: false}\n"
STATUSES = ("initiated", "ringing", "in-progress", "completed", "no-answer", "failed", "unknown")


@asynccontextmanager
async def deaf(folder: Path, text: str = POLL, *, era: Era = Era.SEVEN_2024, **more: Any) -> AsyncIterator[Night]:
    """The program and a telephone company that reports to nobody."""
    clock = ManualClock(DUSK)
    async with Simulator(clock, era=era) as phones, running(folder, phones, clock, TAKEN, text=text, **more) as it:
        for hook in list(phones.hooks):
            del phones.hooks[hook]  # type: ignore[attr-defined]  # a list, told as a sequence
        yield it


def asked(it: Night) -> list[float]:
    """At how many seconds after dusk the journal was asked."""
    return [(one.at - DUSK).total_seconds() for one in it.phones.requests if "journal" in one.path]


async def reported(it: Night) -> float:
    """How many reports were counted."""
    return sum([await it.metric("callbridge_reports_total", status=status) for status in STATUSES])


@pytest.mark.parametrize(
    ("era", "dialect"), [(Era.SEVEN_2024, "seven"), (Era.SEVEN_2023, "sms77"), (Era.SMS77_2021, "sms77")]
)
@pytest.mark.parametrize("at_end", [False, True])
async def test_nobody_answers_and_the_next_person_takes_it(
    tmp_path: Path, era: Era, dialect: str, at_end: bool
) -> None:
    """Without a report and without a token: it is known within seconds that she sleeps, and that he answered."""
    async with deaf(tmp_path, era=era, dialect=dialect) as it:
        it.phones.account.journal_at_end = at_end
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=4)

        assert it.phones.deliveries == []
        assert (len(it.calls(ALICE)), len(it.calls(BOB))) == (2, 1)
        story = await it.story()
        assert story["acknowledged_by"] == "bob"
        assert [call["outcome"] for call in story["calls"]] == ["no_answer", "no_answer", "answered"]
        assert await it.metric("callbridge_calls_total", outcome="no_answer") == 2
        assert await it.metric("callbridge_calls_total", outcome="answered") == 1
        assert await reported(it) == 0


async def test_an_end_is_known_within_five_seconds(tmp_path: Path) -> None:
    """What the webhook would bring at once comes with the next look."""
    async with deaf(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=2)
        over = it.calls(ALICE)[0].at("completed")
        assert over is not None
        known = (await it.story())["calls"][0]["ended_at"]
        assert over.isoformat()[:19] <= known[:19] <= (over + timedelta(seconds=6)).isoformat()[:19]


async def test_the_journal_is_asked_only_while_calls_run(tmp_path: Path) -> None:
    """Every five seconds from the call to its end, and then not at all."""
    async with deaf(tmp_path) as it:
        await it.passes(minutes=1)
        assert asked(it) == []
        it.phones.script(ALICE, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=5)
        times = asked(it)
        assert 4 <= len(times) <= 8
        gaps = [round(later - sooner, 1) for sooner, later in pairwise(times)]
        assert set(gaps) == {5.0}


async def test_one_question_for_all_calls(tmp_path: Path) -> None:
    """Two phones ring: one request per look, and both are known."""
    text = POLL.replace("route: {{policy: default}}", "route: {{policy: both}}")
    async with deaf(tmp_path, text) as it:
        for number in (ALICE, BOB):
            it.phones.script(number, sleeps())
        await it.fires("DiskFull")
        await it.passes(seconds=58)
        times = asked(it)
        assert len(times) == len(set(times)) <= 10
        assert await it.metric("callbridge_calls_total", outcome="no_answer") == 2


async def test_a_journal_that_fails_is_asked_less_often(tmp_path: Path) -> None:
    """15 seconds apart as long as it does not answer, and what it says at last counts."""
    async with deaf(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=20))
        it.phones.faults.set(on="journal", code=600)
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        first = [round(time) for time in asked(it)]
        assert sorted(set(first)) == [5, 20, 35, 50]
        assert await it.metric("callbridge_calls_total", outcome="answered") == 0
        it.phones.faults.clear()
        await it.passes(seconds=20)
        assert await it.metric("callbridge_calls_total", outcome="answered") == 1
        assert (await it.story())["acknowledged_by"] == "alice"


async def test_a_journal_that_never_answers_costs_the_report_timeout(tmp_path: Path) -> None:
    """Nothing is ever known: after report_timeout the call is unconfirmed, and the next attempt is made."""
    async with deaf(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.faults.set(on="journal", code=600)
        await it.fires("DiskFull")
        await it.passes(minutes=3, seconds=10)
        assert await it.metric("callbridge_calls_total", outcome="unconfirmed") == 1
        await it.passes(minutes=1, seconds=10)
        assert len(it.calls(ALICE)) == 2


async def test_what_both_say_counts_once(tmp_path: Path) -> None:
    """Webhook and journal tell the same: one outcome, one line each, and no duplicate where we asked twice."""
    async with deaf(tmp_path, BOTH) as it:
        it.phones.subscribe(f"{it.url}/webhook/sms77/report-token-of-the-stories")
        it.phones.script(ALICE, sleeps(), answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=3)

        assert await it.metric("callbridge_calls_total", outcome="no_answer") == 1
        assert await it.metric("callbridge_calls_total", outcome="answered") == 1
        words = await it.words()
        assert [words.count(word) for word in ("no_answer", "answered", "acknowledged")] == [1, 1, 1]
        sent = [one for one in it.phones.deliveries if one.event == "voice_status"]
        assert await reported(it) == len(sent)
        assert (await it.story())["acknowledged_by"] == "alice"
        assert asked(it)


async def test_both_hears_what_the_webhook_loses(tmp_path: Path) -> None:
    """No report arrives: the journal says it, long before report_timeout."""
    async with deaf(tmp_path, BOTH) as it:
        it.phones.script(ALICE, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        assert (await it.story())["acknowledged_by"] == "alice"


async def test_intermediate_words_are_told_once(tmp_path: Path) -> None:
    """However often the gateway says that it rings, the story says it once, and nothing counts as a duplicate."""
    async with deaf(tmp_path) as it:
        it.phones.script(ALICE, answers(after=20, listens=30))
        await it.fires("DiskFull")
        await it.passes(minutes=2)
        lines = [line["word"] for line in (await it.story())["journal"]]
        assert lines.count("ringing") <= 1
        assert lines.count("in-progress") <= 1
        assert await it.metric("callbridge_duplicates_suppressed_total", kind="report") == 0


async def test_webhook_does_not_ask(tmp_path: Path) -> None:
    """`reports: webhook` stays as it was: the journal is asked once, after report_timeout."""
    async with deaf(tmp_path, CONFIG) as it:
        it.phones.script(ALICE, answers(listens=20))
        await it.fires("DiskFull")
        await it.passes(minutes=2, seconds=50)
        assert asked(it) == []
        await it.passes(seconds=30)
        assert len(asked(it)) == 1


async def test_hanging_up_in_time_takes_it(tmp_path: Path) -> None:
    """The journal tells the length of the call to the second: enough to know that she hung up when asked to."""
    clock = ManualClock(DUSK)
    taken = "acknowledgement: {hang_up: true, keypress: false}\n"
    async with Simulator(clock) as phones, running(tmp_path, phones, clock, taken, text=POLL) as it:
        phones.hooks.clear()  # type: ignore[attr-defined]  # a list, told as a sequence
        phones.script(ALICE, sleeps())
        await it.fires("DiskFull")
        await it.passes(seconds=50)
        (call,) = (await it.get("/api/v1/calls"))["calls"]
        phones.script(ALICE, hangs_up(listens=round((call["window_from"] + call["window_until"]) / 2)))
        await it.passes(minutes=5)

        assert (await it.story())["acknowledged_by"] == "alice"
        assert it.calls(BOB) == []
        assert "any key" not in it.calls(ALICE)[0].spoken


@both
async def test_a_restart_goes_on_asking(tmp_path: Path) -> None:
    """Stopped while it rings: the next start asks of that call too."""
    clock = ManualClock(DUSK)
    text = with_policies("policies: {default: {steps: [{call: [alice]}, {call: [bob]}]}}\n")
    text = text.partition("webhooks:")[0] + "  reports: poll\n" + text.partition("webhooks:")[2].partition("\n")[2]
    async with Simulator(clock) as phones:
        phones.script(ALICE, answers(listens=60))
        async with running(tmp_path, phones, clock, TAKEN, text=text) as it:
            phones.hooks.clear()  # type: ignore[attr-defined]  # a list, told as a sequence
            await it.fires("DiskFull")
            await it.passes(seconds=12)
        async with running(tmp_path, phones, clock, TAKEN, text=text) as it:
            phones.hooks.clear()  # type: ignore[attr-defined]  # a list, told as a sequence
            await it.passes(minutes=2)
            assert len(it.calls()) == 1
            assert (await it.story())["acknowledged_by"] == "alice"
