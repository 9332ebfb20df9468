"""Reports reach those who listen, in every shape, signed, and again when they were not taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bridge.simulator import (
    Era,
    answers,
    hangs_up,
    presses,
    replies,
    sleeps,
)
from bridge.simulator.reports import signature
from tests.simulating import ALICE, BOB, START, Letter, Line, receiving, simulated

TWENTY_SECONDS = "x" * 300


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


async def sign(line: Line, *, age: int = 0, nonce: str = "n1", key: str = "sign") -> str:
    """The answer to a signed question for the balance."""
    stamp = str(int(START.timestamp()) - age)
    url = f"{line.simulator.url}/balance"
    made = signature(key, timestamp=stamp, nonce=nonce, method="GET", url=url, body=b"")
    headers = {"X-Signature": made, "X-Timestamp": stamp, "X-Nonce": nonce}
    return (await line.ask("GET", "/balance", headers=headers)).body


async def test_a_signature_is_optional_but_must_be_right() -> None:
    """A wrong, old or repeated signature is code 901; none at all is let in by the key alone."""
    async with simulated(signing_key="sign") as line:
        right = [await sign(line), await sign(line, nonce="n2", age=30), (await line.ask("GET", "/balance")).body]
        wrong = [await sign(line), await sign(line, nonce="n3", age=31), await sign(line, nonce="n4", key="other")]

    assert right == ["50.0"] * 3
    assert wrong == ["901"] * 3
