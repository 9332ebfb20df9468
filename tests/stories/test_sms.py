"""SMS as the second channel: beside the calls, after them, and never in their way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import ManualClock
from bridge.simulator import Era, Simulator, answers, fails, refused, replies, silent, sleeps
from bridge.sms import parts
from bridge.web.story import SENTENCES
from tests.stories.night import ALICE, BOB, DUSK, TOKEN, Night, alert, body, both, night, running, with_policies

BESIDE = with_policies("policies: {default: {steps: [{call: [alice], sms: [alice], wait: 5m}, {call: [bob]}]}}\n")
UNREACHED = with_policies(
    "policies: {default: {steps: [{call: [alice], sms: [alice], sms_when: unreached}, {call: [bob]}]}}\n"
)
ALONE = with_policies("policies: {default: {steps: [{sms: [alice], wait: 3m}, {call: [bob]}]}}\n")
LIMITS = "limits: {{sms_per_person: [{rates}]{more}}}\n"


def sent(one: Night, number: str = ALICE) -> list[str]:
    return [message.text for message in one.phones.messages_to(number)]


def channels(story: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(page["channel"], page["person"], page["outcome"]) for page in story["pages"]]


# --- beside the call


@both
async def test_a_reply_takes_it_and_stops_the_ringing(tmp_path: Path) -> None:
    """The SMS goes out with the call; its reader replies while the phone rings, and nobody else is called."""
    async with night(tmp_path, text=BESIDE) as one:
        one.phones.script(ALICE, sleeps())
        one.phones.script_sms(ALICE, replies("Ok, on my way", after=4))
        await one.fires("DiskFull", instance="db1:9100")
        await one.passes(minutes=20)
        story = await one.story()
        acknowledged = await one.metric("callbridge_acknowledgements_total", by="reply")

    assert sent(one) == [
        "callbridge: CRITICAL DiskFull on db1: DiskFull is wrong, since 10:59 PM. Reply OK to take it."
    ]
    assert len(one.calls(ALICE)) == 1
    assert one.calls(BOB) == []
    assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "alice")
    assert channels(story) == [("sms", "alice", "delivered"), ("voice", "alice", "cancelled")]
    (shown,) = story["sms"]
    assert (shown["state"], shown["outcome"], shown["parts"], shown["cost"]) == ("ended", "delivered", 1, 0.075)
    assert (shown["acknowledged"], shown["number"]) == (True, "+4917*****67")
    assert [line["word"] for line in story["journal"] if line["call"] == shown["id"]] == [
        "texting",
        "sms_sent",
        "sms_delivered",
    ]
    assert {line["word"] for line in story["journal"]} <= SENTENCES.keys()
    assert acknowledged == 1


async def test_only_a_yes_takes_it(tmp_path: Path) -> None:
    """A phone that answers by itself takes nothing: the story says so, and the chain goes on."""
    async with night(tmp_path, text=BESIDE) as one:
        one.phones.script_sms(ALICE, replies("I'm driving. I'll see your message later."))
        await one.fires("DiskFull")
        await one.passes(minutes=6)
        story = await one.story()
        unclear = await one.metric("callbridge_sms_replies_unclear_total")

    assert (story["acknowledged_by"], len(one.calls(BOB))) == (None, 1)
    assert "reply_unclear" in [line["word"] for line in story["journal"]]
    assert unclear == 1


async def test_a_late_yes_still_takes_it(tmp_path: Path) -> None:
    """Hours later, with nobody else in charge, the reply to the SMS takes what still fires."""
    async with night(tmp_path, text=BESIDE) as one:
        await one.fires("DiskFull")
        await one.passes(hours=5)
        one.phones.send_sms(ALICE, "ja")
        await one.settle()
        state, who = (await one.story())["state"], (await one.story())["acknowledged_by"]

    assert (state, who) == ("acknowledged", "alice")


async def test_the_link_of_an_sms_asks_first(tmp_path: Path) -> None:
    """A phone that fetches the link to show it takes nothing; the button behind it does."""
    async with night(tmp_path, text=BESIDE) as one:
        one.app.options = type(one.app.options)(
            config=one.app.options.config, listen=one.app.options.listen, external_url=one.url
        )
        await one.fires("DiskFull")
        await one.settle()
        (text,) = sent(one)
        link = text.rpartition(" ")[2]
        async with one.session.get(link) as response:
            page = await response.text()
        await one.settle()
        untaken = (await one.story())["state"]
        async with one.session.post(link) as response:
            status = response.status
        await one.settle()
        story = await one.story()

    assert "<button" in page
    assert link.endswith("?ask")
    assert parts(text) <= 2
    assert (untaken, status) == ("triggered", 200)
    assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "alice")


# --- where calls fail


async def test_whose_call_is_refused_gets_an_sms(tmp_path: Path) -> None:
    """`unreached`: the call is refused for good, the SMS goes out and the next is called, both at once."""
    async with night(tmp_path, text=UNREACHED) as one:
        one.phones.script(ALICE, refused(403))
        await one.fires("DiskFull")
        await one.settle()
        now = one.clock.now()
        story = await one.story()

    assert len(sent(one)) == 1
    assert [call.requested_at for call in one.calls(BOB)] == [now]
    assert ("sms", "alice", "sent") in channels(story)


async def test_whose_call_works_gets_none(tmp_path: Path) -> None:
    """`unreached`: who answers the phone is not told by SMS as well."""
    async with night(tmp_path, text=UNREACHED) as one:
        one.phones.script(ALICE, answers())
        await one.fires("DiskFull")
        await one.passes(minutes=4)

    assert sent(one) == []


async def test_a_step_of_sms_alone(tmp_path: Path) -> None:
    """It tells, waits, and goes on to those who are called; no call is made before."""
    async with night(tmp_path, text=ALONE) as one:
        await one.fires("DiskFull")
        await one.passes(minutes=2)
        quiet = list(one.calls())
        await one.passes(minutes=2)
        words = await one.words()

    assert (len(sent(one)), quiet, len(one.calls(BOB))) == (1, [], 1)
    assert words[:2] == ["opened", "texting"]


# --- where SMS fail


@pytest.mark.parametrize("fault", ["hang_before", "reply_502", "code"])
async def test_a_gateway_that_sends_no_sms_holds_up_no_call(tmp_path: Path, fault: str) -> None:
    """SMS hang, are answered 502 or refused: the calls go out as if nothing was."""
    async with night(tmp_path, text=BESIDE) as one:
        one.phones.faults.set(on="sms", **{fault: 600 if fault == "code" else True})
        started = one.clock.now()
        await one.fires("DiskFull")
        first = [call.requested_at for call in one.calls(ALICE)]
        await one.passes(minutes=6)
        bob = one.calls(BOB)

    assert first == [started]
    assert len(bob) == 1
    assert sent(one) == []


async def test_it_is_sent_once_the_gateway_takes_it_again(tmp_path: Path) -> None:
    """What could not be sent waits and is told when the gateway is back, with what came meanwhile, in one SMS."""
    async with night(tmp_path, text=BESIDE) as one:
        one.phones.faults.set(on="sms", code=700, times=3)
        await one.fires("DiskFull")
        await one.fires("DiskSlow", group="h")
        await one.passes(minutes=2)
        words = await one.words(1)

    assert len(sent(one)) == 1
    assert "DiskFull" in sent(one)[0]
    assert "DiskSlow" in sent(one)[0]
    assert words.count("sms_unavailable") == 1


async def test_what_is_over_is_not_told(tmp_path: Path) -> None:
    """An SMS that could not be sent is dropped with its incident, and counted."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.faults.set(on="sms", code=700)
        await one.fires("DiskFull")
        await one.passes(seconds=30)
        await one.resolves("DiskFull")
        one.phones.faults.clear()
        await one.passes(minutes=5)
        cancelled = await one.metric("callbridge_sms_total", outcome="cancelled")

    assert (sent(one), cancelled) == ([], 1)


@pytest.mark.parametrize(
    ("fault", "dialect"),
    [("hang_after", "seven"), ("empty_body", "seven"), ("reset_after", "sms77"), ("reply_502_after", "sms77")],
)
async def test_a_lost_answer_sends_no_second_sms(tmp_path: Path, fault: str, dialect: str) -> None:
    """The gateway took it and its answer is lost: it is found in the journal, and the phone has it once."""
    era = Era.SEVEN_2024 if dialect == "seven" else Era.SMS77_2021
    async with night(tmp_path, text=ALONE, dialect=dialect, era=era) as one:
        one.phones.faults.set(on="sms", times=1, **{fault: True})
        await one.fires("DiskFull")
        if fault == "hang_after":
            await asyncio.sleep(2.2)
        await one.passes(minutes=2)
        story = await one.story()

    assert len(sent(one)) == 1
    assert (story["sms"][0]["outcome"], story["sms"][0]["gateway_id"]) == ("delivered", one.phones.messages[0].id)


async def test_what_nobody_knows_of_is_asked_once_more(tmp_path: Path) -> None:
    """Neither the answer nor the journal says anything: it is requested again, and then no more."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.faults.set(on="sms", reply_502=True)
        await one.fires("DiskFull")
        await one.passes(minutes=2)
        story = await one.story()
        asked = [request for request in one.phones.requests if request.path == "/api/sms"]

    assert {line["word"] for line in story["journal"]} <= SENTENCES.keys()
    assert len(asked) == 2
    assert story["sms"][0]["outcome"] == "unconfirmed"
    assert [line["word"] for line in story["journal"] if line["word"].startswith("sms_")] == [
        *("sms_uncertain", "sms_asked_again", "sms_uncertain", "sms_unconfirmed"),
    ]


async def test_a_journal_that_is_down_is_asked_again(tmp_path: Path) -> None:
    """The lost answer is looked up until the journal answers; within three minutes a second one would be a 402."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.faults.set(on="sms", reset_after=True, times=1)
        one.phones.faults.set(on="journal", code=600, times=2)
        await one.fires("DiskFull")
        await one.passes(minutes=2)
        story = await one.story()

    assert len(sent(one)) == 1
    assert story["sms"][0]["outcome"] == "delivered"


async def test_the_same_words_a_moment_ago_count_as_sent(tmp_path: Path) -> None:
    """A journal that stays down, and the repeated request says 402: the phone has it, and the SMS counts as sent."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.faults.set(on="sms", reset_after=True, times=1)
        one.phones.faults.set(on="journal", code=600)
        await one.fires("DiskFull")
        await one.passes(minutes=2)
        story = await one.story()

    assert len(sent(one)) == 1
    assert "a moment ago" in next(line["note"] for line in story["journal"] if line["word"] == "sms_sent")


async def test_who_has_no_number_any_more_is_not_written_to(tmp_path: Path) -> None:
    """A person who left the config while their SMS waited: it is refused, and said."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.faults.set(on="sms", code=700)
        await one.fires("DiskFull")
        path = one.app.options.config
        path.write_text(
            path.read_text()
            .replace('alice: {name: Alice, phone: "+49 171 1234567"}', "alina: {name: A}")
            .replace("sms: [alice]", "sms: [bob]")
        )
        await one.post("/-/reload", {})
        one.phones.faults.clear()
        await one.passes(minutes=1)
        outcome = (await one.story())["sms"][0]["outcome"]

    assert (sent(one), outcome) == ([], "refused")


# --- what becomes of it


async def test_receipts_are_facts(tmp_path: Path) -> None:
    """Not delivered is told and counted; without any receipt it counts as sent, until a late one says more."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.script_sms(ALICE, fails(), silent())
        await one.fires("DiskFull")
        await one.passes(minutes=2)
        await one.fires("DiskSlow", group="h")
        await one.passes(minutes=4)
        counted = {
            outcome: await one.metric("callbridge_sms_total", outcome=outcome)
            for outcome in ("failed", "sent", "delivered")
        }
        before = (await one.story())["sms"][0]["outcome"]
        late = one.phones.messages[1].id
        await one.post(f"/webhook/sms77/{TOKEN}?webhook_event=dlr&msg_id={late}&status=DELIVERED", {})
        after = (await one.story())["sms"][0]["outcome"]
        pages = channels(await one.story())

    assert (before, after, pages[0]) == ("sent", "delivered", ("sms", "alice", "delivered"))
    assert counted == {"failed": 1, "sent": 1, "delivered": 0}


async def test_a_lost_receipt_is_asked_for(tmp_path: Path) -> None:
    """No receipt comes in time: the journal has it."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.faults.set(drop_reports=True)
        await one.fires("DiskFull")
        await one.passes(minutes=4)
        story = await one.story()

    assert story["sms"][0]["outcome"] == "delivered"


# --- how much is too much


@both
async def test_a_storm_is_a_few_sms(tmp_path: Path) -> None:
    """Forty incidents: one SMS at once, the rest together in another, and a reply takes all that this told."""
    async with night(tmp_path, text=ALONE) as one:
        for number in range(40):
            await one.post("/webhook/alertmanager", _storm(number))
        at_once = len(sent(one))
        await one.passes(seconds=90)
        told = sent(one)
        held = await one.metric("callbridge_sms_held_back_total", reason="person")
        one.phones.send_sms(ALICE, "OK")
        await one.settle()
        states = [incident["state"] for incident in await one.incidents(limit="100")]

    assert (at_once, len(told)) == (1, 2)
    assert all(parts(text) <= 2 for text in told)
    assert "more. Reply OK to take them all." in told[1]
    assert held == 1
    assert states.count("acknowledged") == 39
    assert states.count("triggered") == 1


def _storm(number: int) -> dict[str, Any]:
    return body([alert(f"Alert{number}")], group=str(number))


async def test_the_limit_of_a_person_holds_and_tells_later(tmp_path: Path) -> None:
    """Beyond the limit pages wait, their story says why and until when, and then one SMS tells them."""
    extra = LIMITS.format(rates="1 per 10m", more="")
    async with night(tmp_path, extra, text=ALONE) as one:
        await one.fires("DiskFull")
        await one.fires("DiskSlow", group="h")
        await one.passes(minutes=9)
        before = len(sent(one))
        note = next(line["note"] for line in (await one.story())["journal"] if line["word"] == "sms_held_back")
        await one.passes(minutes=2)

    assert (before, len(sent(one))) == (1, 2)
    assert note.startswith("limits.sms_per_person: this phone has got enough SMS; until 2026-11-23 23:10")


async def test_the_budget_counts_sms(tmp_path: Path) -> None:
    """What SMS cost is spent of the day's budget: beyond it neither they nor calls go out, but for urgent policies."""
    extra = LIMITS.format(rates="", more=", budget_per_day: 0.1")
    async with night(tmp_path, extra, text=ALONE) as one:
        for number in range(3):
            await one.fires(f"Alert{number}", group=str(number))
            await one.passes(seconds=10)
        spent = await one.metric("callbridge_budget_spent_euros")
        cost = await one.metric("callbridge_sms_cost_euros_total")
        held = await one.metric("callbridge_sms_held_back_total", reason="budget")
        await one.passes(minutes=4)

    assert (len(sent(one)), one.calls()) == (2, [])
    assert (spent, cost, held) == (0.15, 0.15, 1)


# --- nothing lost


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """Stopped with SMS held back: after the start they are told, and none twice."""
    extra, clock = LIMITS.format(rates="1 per 10m", more=""), ManualClock(DUSK)
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, extra, text=ALONE) as one:
            await one.fires("DiskFull")
            await one.fires("DiskSlow", group="h")
        async with running(tmp_path, phones, clock, extra, text=ALONE) as again:
            await again.passes(minutes=11)
            told = sent(again)

    assert len(told) == 2
    assert ("DiskFull" in told[0], "DiskSlow" in told[1]) == (True, True)
