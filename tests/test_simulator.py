"""Calls live, reports arrive, things go wrong: the telephone company on an advanced clock."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import timedelta
from typing import Any

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
from bridge.simulator.reports import signature
from tests.simulating import ALICE, BOB, KEY, START, Letter, receiving, simulated

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
    """Each status comes at its second, however far the clock jumps; the charge is made at the end, per started minute."""
    async with simulated() as line:
        line.simulator.script(ALICE, answer)
        call = await line.call(text=TWENTY_SECONDS)
        for _ in range(70 // step):
            await line.advance(step)

    seen = " ".join(f"{what}@{(when - START).total_seconds():g}" for what, when in call.statuses)
    assert seen == life
    assert line.simulator.balance == pytest.approx(50 - cost)


async def test_reports_reach_every_hook_that_listens_and_in_order() -> None:
    """A hook for all and one for voice_status hear every status once, one for another event hears nothing."""
    async with simulated() as line, receiving() as all_events, receiving() as voice, receiving() as other:
        line.simulator.subscribe(all_events.url)
        line.simulator.subscribe(voice.url, event="voice_status")
        line.simulator.subscribe(other.url, event="dlr")
        line.simulator.script(ALICE, answers())
        await line.call()
        await line.advance(60)

    assert all_events.statuses() == ["initiated", "ringing", "in-progress", "completed"]
    assert voice.statuses() == all_events.statuses()
    assert other.letters == []


BARE = {"callerId": "491771783130", "duration": "10", "id": "1001", "pricePerMinute": "0.045", "recipient": ALICE}
BARE |= {"status": "completed"}
LATER = {**BARE, "timestamp": "1767600015", "foreign_id": "ours"}
STAMP = "2026-01-05T09:00:15+01:00"
ENVELOPE = {"webhook_event": "voice_status", "webhook_timestamp": STAMP}
JSON_DATA: dict[str, Any] = {**LATER, "pricePerMinute": 0.045, "timestamp": 1767600015}


@pytest.mark.parametrize(
    ("era", "method", "knobs", "expected"),
    [
        (Era.SMS77_2021, "POST", {}, {"form": BARE}),
        (Era.SMS77_2021, "GET", {}, {"query": BARE}),
        (Era.SEVEN_2024, "POST", {}, {"form": LATER | ENVELOPE}),
        (Era.SEVEN_2024, "GET", {}, {"query": LATER | ENVELOPE}),
        (Era.SEVEN_2024, "JSON", {}, {"json": {"data": JSON_DATA, **ENVELOPE}}),
        (Era.SEVEN_2024, "POST", {"report_shape": "json-flat"}, {"json": JSON_DATA | ENVELOPE}),
        (
            Era.SEVEN_2024,
            "JSON",
            {"report_shape": "form-data"},
            {"form": {f"data[{key}]": value for key, value in LATER.items()} | ENVELOPE},
        ),
        (
            Era.SEVEN_2024,
            "JSON",
            {"number_ids": True, "omit_foreign_id": True, "report_shape": "json-flat"},
            {
                "json": {key: value for key, value in JSON_DATA.items() if key != "foreign_id"}
                | ENVELOPE
                | {"id": 1001, "duration": 10}
            },
        ),
    ],
)
async def test_a_report_has_the_shape_of_its_era_and_hook(
    era: Era, method: str, knobs: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Form, query and JSON, nested or flat, with the types of the samples; in 2021 the page's six parameters alone."""
    async with simulated(era) as line, receiving() as receiver:
        line.simulator.subscribe(f"{receiver.url}", method=method)
        line.simulator.faults.set(**knobs)
        line.simulator.script(ALICE, answers(listens=10))
        await line.call(foreign_id="ours")
        await line.advance(60)

    letter = receiver.letters[-1]
    assert {name: getattr(letter, name) for name in expected} == expected
    assert len(receiver.letters) == 4


async def test_the_end_alone_has_a_duration() -> None:
    """Before a call is completed there is no duration: an empty parameter in 2021, none later."""
    for era, durations in ((Era.SMS77_2021, ["", "", "", "3"]), (Era.SEVEN_2023, [None, None, None, "3"])):
        async with simulated(era) as line, receiving() as receiver:
            line.simulator.subscribe(receiver.url)
            line.simulator.script(ALICE, hangs_up(3))
            await line.call(text=TWENTY_SECONDS)
            await line.advance(60)
        assert receiver.statuses(lambda letter: letter.form.get("duration")) == durations


async def test_a_key_is_reported_before_the_end() -> None:
    """voice_dtmf comes with the digit, the number and our number; it has no foreign_id, as in the only sample."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url, method="JSON")
        line.simulator.script(ALICE, presses("5", listens=2.76))
        call = await line.call(**{"from": "+49 30 1234567", "foreign_id": "ours"})
        await line.advance(60)

    events = [letter.json["webhook_event"] for letter in receiver.letters]
    pressed = receiver.letters[3].json["data"]
    assert events == ["voice_status"] * 3 + ["voice_dtmf", "voice_status"]
    assert (pressed["dtmf_digit"], pressed["recipient"], pressed["system"]) == (5, ALICE, "49301234567")
    assert (pressed["id"], pressed["duration"]) == (0, 2.76)
    assert "foreign_id" not in pressed
    assert call.digits == "5"


async def test_the_old_gateway_reports_no_keys() -> None:
    """voice_dtmf is an event of 2024; before, a pressed key is heard by nobody."""
    async with simulated(Era.SEVEN_2023) as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.script(ALICE, presses("5"))
        await line.call()
        await line.advance(60)

    assert receiver.statuses() == ["initiated", "ringing", "in-progress", "completed"]


async def test_a_key_in_xml_is_brought_to_the_address_of_gather() -> None:
    """Where XML is understood, a pressed key is posted to the action of its Gather, entities read."""
    async with simulated(Era.SEVEN_2023) as line, receiving() as receiver:
        text = (
            f'<Response><Gather numDigits="1" action="{receiver.url}?a=1&amp;b=2"><Say>Fire</Say></Gather></Response>'
        )
        line.simulator.script(ALICE, presses("7"))
        await line.call(text=text, xml="1")
        await line.advance(60)

    (letter,) = receiver.letters
    assert (letter.form["Digits"], letter.form["To"], letter.query) == ("7", f"+{ALICE}", {"a": "1", "b": "2"})


async def test_a_reply_comes_as_an_sms_after_the_call() -> None:
    """sms_mo carries the sender, our number and the text, a few seconds after the end of the call."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url, event="sms_mo")
        line.simulator.script(ALICE, replies("on my way"))
        call = await line.call(text="x" * 30)
        await line.advance(60)

    form = receiver.letters[0].form
    ended = call.at("completed")
    assert ended is not None
    assert (form["sender"], form["system"], form["text"]) == (ALICE, "491771783130", "on my way")
    assert form["time"] == str(int((ended + timedelta(seconds=5)).timestamp()))


async def test_people_can_act_by_themselves() -> None:
    """A test may let somebody press a key or send an SMS at any time, in a call or out of the blue."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.press("+49 171 1234567", "*")
        line.simulator.send_sms(BOB, "OK")
        await line.simulator.settled()

    assert sorted(receiver.statuses(lambda letter: letter.form["webhook_event"])) == ["sms_mo", "voice_dtmf"]


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
    assert [letter.form["timestamp"] for letter in receiver.letters] == ["1767600000", "1767600001", "1767600002"]


@pytest.mark.parametrize(
    ("era", "status", "attempts"),
    [
        (Era.SEVEN_2024, 200, 1),
        (Era.SEVEN_2024, 302, 1),
        (Era.SEVEN_2024, 404, 1),
        (Era.SEVEN_2024, 429, 14),
        (Era.SEVEN_2024, 503, 14),
        (Era.SEVEN_2023, 500, 6),
        (Era.SEVEN_2023, 503, 1),
    ],
)
async def test_a_report_is_tried_again_as_the_vendor_does(era: Era, status: int, attempts: int) -> None:
    """Now 429 and 5xx up to fourteen times in three and a half days, once 500 six times by the hour; 4xx is final."""
    async with simulated(era) as line, receiving() as receiver:
        receiver.answers = [status] * 100
        line.simulator.subscribe(receiver.url, event="dlr")
        await line.ask("POST", "/sms", {"to": ALICE, "text": "x"})
        for _ in range(100):
            await line.advance(3600)

    assert len(receiver.letters) == attempts
    assert [delivery.attempt for delivery in line.simulator.deliveries] == list(range(1, attempts + 1))


async def test_the_second_try_comes_after_a_minute_and_then_five() -> None:
    """A receiver that was away for a moment has the report when it is back, and is not asked again then."""
    async with simulated() as line, receiving() as receiver:
        receiver.answers = [500, 500]
        line.simulator.subscribe(receiver.url, event="dlr")
        await line.ask("POST", "/sms", {"to": ALICE, "text": "x"})
        counts = []
        for seconds in (3, 59, 1, 299, 1, 86400):
            await line.advance(seconds)
            counts.append(len(receiver.letters))

    assert counts == [1, 1, 2, 2, 3, 3]
    assert [delivery.kept for delivery in line.simulator.deliveries] == [False, False, True]


async def test_a_receiver_that_is_not_there_is_tried_again_and_its_address_told_nowhere() -> None:
    """A refused connection counts as no answer; the token in the address is in no record and no line."""
    told: list[str] = []
    async with simulated(tell=told.append) as line:
        line.simulator.subscribe("http://127.0.0.1:1/secret-token")
        line.simulator.script(ALICE, sleeps())
        await line.call()
        await line.advance(90)

    assert line.simulator.deliveries[0].answer is None
    assert any(delivery.attempt == 2 for delivery in line.simulator.deliveries)
    assert "secret-token" not in f"{told} {line.simulator.deliveries} {line.simulator.hooks} {line.simulator.events}"


@pytest.mark.parametrize("method", ["POST", "GET", "JSON"])
async def test_reports_are_signed_and_carry_the_headers_of_their_hook(method: str) -> None:
    """With a signing key each attempt has a signature over its full URL and body, and a nonce of its own."""
    async with simulated(signing_key="sign") as line, receiving() as receiver:
        receiver.answers = [500]
        headers = "Authorization: Basic abc\r\nX-Tag: 1\nnonsense"
        line.simulator.subscribe(f"{receiver.url}?t=%2F", method=method, event="sms_mo", headers=headers)
        line.simulator.send_sms(ALICE, "Grüße & mehr")
        await line.advance(60)

    first, again = receiver.letters
    for letter in (first, again):
        stamp, nonce = letter.headers["X-Timestamp"], letter.headers["X-Nonce"]
        verb = "GET" if method == "GET" else "POST"
        made = signature(
            "sign", timestamp=stamp, nonce=nonce, method=verb, url=_raw(letter, receiver.url), body=letter.body
        )
        assert letter.headers["X-Signature"] == made
        assert (letter.headers["Authorization"], letter.headers["X-Tag"]) == ("Basic abc", "1")
    assert int(again.headers["X-Timestamp"]) - int(first.headers["X-Timestamp"]) == 60
    assert first.headers["X-Nonce"] != again.headers["X-Nonce"]


def _raw(letter: Letter, base: str) -> str:
    """The URL exactly as it went over the wire."""
    return base.partition("/reports")[0] + letter.raw_path


async def test_a_signature_is_that_of_the_documented_recipe() -> None:
    """HMAC-SHA256 over timestamp, nonce, method, URL and the MD5 of the body; for GET the MD5 of nothing."""
    made = signature("key", timestamp="1700000000", nonce="n" * 32, method="GET", url="https://a.tld/x?y=1", body=b"")

    assert made == "f48f9b624e57832883357c2f17bc30a7a6d4ba8cc9db44b6e8a8d6d2a0a9fcfc"


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
        line.simulator.faults.set(times=1, **{fault: True})
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
        line.simulator.faults.set(**{knob: True})
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
    """With scale 0.01 half a minute of ringing takes 0.3 s of the machine's clock, and reports still say real seconds."""
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
    """It tells its address, plays the scripted people for whoever rings, reports to its hook, and leaves when told to."""
    told: list[str] = []
    async with receiving() as hook, aiohttp.ClientSession() as session:
        people = {f"+{ALICE}": [busy()]}
        command = run("localhost", 0, Era.SEVEN_2024, KEY, people, hook.url, told.append, scale=0.01)
        task = asyncio.create_task(command)
        while not told:
            await asyncio.sleep(0.01)
        url = told[0].split()[-1]
        await session.post(f"{url}/voice", data={"to": ALICE, "text": "x"}, headers={"X-Api-Key": KEY})
        while len(hook.letters) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{url}/balance")

    assert hook.statuses() == ["initiated", "ringing", "failed"]
    assert any("fail" in row for row in told)
