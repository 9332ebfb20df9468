"""What the simulator answers, held against what the real gateway was recorded to answer in 2021 and 2023."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest

from bridge.clock import ManualClock
from bridge.errors import CallbridgeError
from bridge.simulator import Auth, Era, Simulator, presses, refused
from tests.simulating import ACCEPT_JSON, ALICE, BOB, ERAS, KEY, START, recorded, shape, simulated

VOICE = {"to": ALICE, "text": "HI2U!"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("name", "method", "path", "form"),
    [
        ("voice_json", "POST", "/voice", {**VOICE, "json": "1"}),
        ("sms_json", "POST", "/sms", {**VOICE, "json": "1", "from": "Elixir"}),
        ("hooks_read", "GET", "/hooks?action=read", None),
        (
            "hooks_subscribe",
            "POST",
            "/hooks",
            {
                "action": "subscribe",
                "event_type": "all",
                "request_method": "POST",
                "target_url": "https://my.tld/x",
            },
        ),
        (
            "hooks_subscribe_fail",
            "POST",
            "/hooks",
            {"action": "subscribe", "event_type": "all", "target_url": "ThisShouldBeAUrl"},
        ),
        ("validate_for_voice", "POST", "/validate_for_voice", {"number": ALICE}),
        ("lookup_format", "POST", "/lookup", {"type": "format", "number": ALICE}),
    ],
)
async def test_json_is_as_recorded(era: Era, name: str, method: str, path: str, form: dict[str, str] | None) -> None:
    """Names, types, order and content type are those of the recording of the era, escaped slashes included."""
    name = "lookup_formatt" if (era, name) == (Era.SMS77_2021, "lookup_format") else name
    async with simulated(era) as line:
        line.simulator.account.sandbox = era is Era.SMS77_2021  # the key of that recording was a sandbox one
        line.simulator.subscribe("https://my.tld/webhook", method="GET")
        answered = await line.ask(method, path, form)

    expected = recorded(era, name)
    assert answered.status == 200
    assert answered.content_type == expected["content_type"]
    assert shape(json.loads(answered.body)) == shape(json.loads(expected["body"]))
    assert " " not in re.sub(r'"[^"]*"', '""', answered.body)
    assert "/" not in answered.body.replace("\\/", "")


@pytest.mark.parametrize("era", ERAS)
async def test_a_failed_subscription_is_answered_word_for_word(era: Era) -> None:
    """The gateway says why a subscription cannot be, with HTTP 200."""
    async with simulated(era) as line:
        form = {"action": "subscribe", "event_type": "all", "target_url": "ThisShouldBeAUrl"}
        answered = await line.ask("POST", "/hooks", form)

    assert answered.body == recorded(era, "hooks_subscribe_fail")["body"]


@pytest.mark.parametrize(
    ("era", "sandbox", "body"),
    [
        (Era.SMS77_2021, True, recorded(Era.SMS77_2021, "voice_text")["body"]),
        (Era.SEVEN_2023, False, "100\n1001\n0.1"),
        (Era.SEVEN_2024, False, "100\n1001\n0.1"),
    ],
)
async def test_the_text_reply_has_three_lines(era: Era, sandbox: bool, body: str) -> None:
    """Without json=1 or Accept the answer is code, id and price, as text and without a line end."""
    async with simulated(era) as line:
        line.simulator.account.sandbox = sandbox
        answered = await line.ask("POST", "/voice", VOICE)

    assert (answered.body, answered.content_type) == (body, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("era", "headers", "form", "expected"),
    [
        (Era.SMS77_2021, {}, {}, ("900", "text/plain; charset=utf-8")),
        (Era.SMS77_2021, {}, {"json": "1"}, ("900", "text/plain; charset=utf-8")),
        (Era.SEVEN_2023, {}, {}, ("900", "text/plain; charset=utf-8")),
        (Era.SEVEN_2023, {}, {"json": "1"}, ("900", "application/json")),
        (Era.SEVEN_2023, ACCEPT_JSON, {}, ("900", "text/plain; charset=utf-8")),
        (Era.SEVEN_2024, {}, {}, ("900", "text/plain; charset=utf-8")),
        (Era.SEVEN_2024, ACCEPT_JSON, {}, ('"900"', "application/json")),
    ],
)
async def test_a_wrong_key_is_answered_in_the_form_of_the_era(
    era: Era, headers: dict[str, str], form: dict[str, str], expected: tuple[str, str]
) -> None:
    """HTTP 200 and 900: bare, as a JSON number or as a JSON string; nobody is called."""
    async with simulated(era) as line:
        answered = await line.ask("POST", "/voice", {**VOICE, **form}, key="wrong", headers=headers)

    assert (answered.status, answered.body, answered.content_type) == (200, *expected)
    assert line.simulator.calls == []


@pytest.mark.parametrize(
    ("form", "body"), [("number", "900"), ("string", '"900"'), ("object", '{"success":false,"code":900')]
)
async def test_a_code_can_come_in_any_form(form: str, body: str) -> None:
    """The forms of an error changed more than once; each can be asked for."""
    async with simulated() as line:
        line.simulator.faults.set(error_form=form)
        answered = await line.ask("GET", "/balance", key=None, headers=ACCEPT_JSON)

    assert answered.body.startswith(body)


@pytest.mark.parametrize(
    ("options", "auth", "in_url"),
    [
        ({"headers": {"X-Api-Key": KEY}}, Auth.HEADER, False),
        ({"headers": {"Authorization": f"Basic {KEY}"}}, Auth.BASIC, False),
        ({"form": {**VOICE, "p": KEY}}, Auth.BODY, False),
        ({"params": {"p": KEY}}, Auth.QUERY, True),
    ],
)
async def test_the_key_may_come_in_four_ways_and_is_not_kept(options: dict[str, Any], auth: Auth, in_url: bool) -> None:
    """The record says where the key came from, and whether it stood in the URL, but not what it is."""
    async with simulated() as line:
        answered = await line.ask("POST", "/voice", options.pop("form", VOICE), key=None, **options)

    (received,) = line.simulator.requests
    assert answered.body.startswith("100")
    assert (received.auth, received.key_in_url) == (auth, in_url)
    assert KEY not in repr(received)
    assert KEY not in repr(line.simulator.calls)


@pytest.mark.parametrize(
    "options",
    [
        {"params": VOICE},
        {"form": VOICE},
        {"json": VOICE},
        {"params": {"to": ALICE}, "json": {"text": "HI2U!"}},
        {"params": {**VOICE, "text": "the body wins"}, "form": {"text": "HI2U!"}},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_parameters_may_come_from_anywhere(method: str, options: dict[str, Any]) -> None:
    """Query, form and JSON are read and merged, by GET as by POST."""
    async with simulated() as line:
        await line.ask(method, "/voice", options.get("form"), **{k: v for k, v in options.items() if k != "form"})

    (call,) = line.simulator.calls
    assert (call.to, call.text, call.sender) == (ALICE, "HI2U!", "491771783130")
    assert call.request is line.simulator.requests[0]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"text": "x"}, "301"),
        ({"to": ALICE}, "305"),
        ({"to": ALICE, "text": " "}, "305"),
        ({"to": "Peter", "text": "x"}, "202"),
        ({"to": ALICE, "text": "x" * 10_001}, "401"),
        ({"to": ALICE, "text": "x", "from": "Peter"}, "201"),
        ({"to": ALICE, "text": "x", "from": "491700000000"}, "201"),
        ({"to": ALICE, "text": "x", "ringtime": "4"}, "308"),
        ({"to": ALICE, "text": "x", "ringtime": "61"}, "308"),
        ({"to": ALICE, "text": "x" * 10_000, "from": "+49 30 1234567", "ringtime": "60"}, "100"),
        ({"to": "0171 1234567", "text": "x", "from": ""}, "100"),
    ],
)
async def test_a_request_that_cannot_be_is_answered_with_its_code(form: dict[str, str], code: str) -> None:
    """Each fault of a request has the code of the gateway's list, and nobody is called."""
    async with simulated(verified=["+49 30 1234567"]) as line:
        answered = await line.ask("POST", "/voice", form)

    assert answered.body.partition("\n")[0] == code
    assert len(line.simulator.calls) == (code == "100")


@pytest.mark.parametrize(
    ("era", "parameter", "code"),
    [
        (Era.SMS77_2021, "json", "{"),
        (Era.SMS77_2021, "xml", "100"),
        (Era.SMS77_2021, "ringtime", "308"),
        (Era.SMS77_2021, "foreign_id", "308"),
        (Era.SEVEN_2023, "foreign_id", "308"),
        (Era.SEVEN_2024, "foreign_id", "100"),
        (Era.SEVEN_2024, "json", "308"),
        (Era.SEVEN_2024, "debug", "308"),
    ],
)
async def test_a_strict_gateway_knows_its_own_parameters_only(era: Era, parameter: str, code: str) -> None:
    """With `strict_parameters` what the era does not know is answered 308; otherwise it is ignored."""
    async with simulated(era) as line:
        lenient = await line.ask("POST", "/voice", {**VOICE, parameter: "1"} if parameter != "ringtime" else VOICE)
        line.simulator.account.strict_parameters = True
        strict = await line.ask("POST", "/voice", {**VOICE, parameter: "1"})

    assert lenient.body.startswith(("100", "{"))
    assert strict.body.strip('"').startswith(code)


async def test_too_little_credit_is_code_500() -> None:
    """A balance below the price of the call refuses it; at the price it is placed."""
    async with simulated(balance=0.1) as line:
        enough = await line.ask("POST", "/voice", VOICE)
        line.simulator.balance = 0.09
        too_little = await line.ask("POST", "/voice", VOICE)

    assert (enough.body[:3], too_little.body) == ("100", "500")


@pytest.mark.parametrize("era", Era)
async def test_debug_calls_nobody(era: Era) -> None:
    """debug=1 and a sandbox key are answered with id 123456789 and price 0; no call, no charge."""
    async with simulated(era) as line:
        debug = await line.ask("POST", "/voice", {**VOICE, "debug": "1", "json": "1"})
        line.simulator.account.sandbox = True
        sandbox = await line.ask("POST", "/voice", {**VOICE, "json": "1"})

    assert debug.body == sandbox.body
    reply = json.loads(debug.body)
    assert (reply["messages"][0]["id"], reply["total_price"], reply["debug"]) == ("123456789", 0, True)
    assert line.simulator.calls == []


@pytest.mark.parametrize(
    ("era", "headers", "body"),
    [
        (Era.SMS77_2021, ACCEPT_JSON, "54.218"),
        (Era.SEVEN_2023, ACCEPT_JSON, "54.218"),
        (Era.SEVEN_2024, {}, "54.218"),
        (Era.SEVEN_2024, ACCEPT_JSON, '{"amount":54.218,"currency":"EUR"}'),
    ],
)
async def test_the_balance_has_two_forms(era: Era, headers: dict[str, str], body: str) -> None:
    """A bare number, and since 2024 an object where JSON is asked for."""
    async with simulated(era, balance=54.218) as line:
        answered = await line.ask("GET", "/balance", headers=headers)

    assert answered.body == body


async def test_a_round_balance_is_no_code() -> None:
    """500 euro are written 500.0, for three bare digits are an error."""
    async with simulated(balance=500) as line:
        assert (await line.ask("GET", "/balance")).body == "500.0"


async def test_several_recipients_have_a_call_each() -> None:
    """Since 2024 `to` takes several, also from the address book; one that fails makes it code 101."""
    async with simulated() as line:
        line.simulator.account.contacts["Team"] = f"+{ALICE},+{BOB}"
        line.simulator.script(BOB, refused(403))
        answered = await line.ask("POST", "/voice", {"to": "Team, Peter", "text": "x"}, headers=ACCEPT_JSON)

    reply = json.loads(answered.body)
    assert (reply["success"], reply["total_price"]) == ("101", 0.1)
    assert [(message["success"], message["error"]) for message in reply["messages"]] == [
        (True, None),
        (False, "403"),
        (False, "202"),
    ]
    assert [call.to for call in line.simulator.calls] == [ALICE]


@pytest.mark.parametrize("era", Era)
@pytest.mark.parametrize("path", ["/journal/voice", "/voice/1/hangup", "/lookup/format?number=49171123456"])
async def test_newer_paths_are_not_found_in_older_eras(era: Era, path: str) -> None:
    """What came in 2024 is 404 before it, with the request on record."""
    async with simulated(era) as line:
        answered = await line.ask("POST" if "hangup" in path else "GET", path)

    assert answered.status == (200 if era is Era.SEVEN_2024 else 404)
    assert len(line.simulator.requests) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_the_old_gateway_takes_one_recipient(era: Era) -> None:
    """Before 2024 several recipients in one request are no number."""
    async with simulated(era) as line:
        assert (await line.ask("POST", "/voice", {"to": f"{ALICE},{BOB}", "text": "x"})).body == "202"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
async def test_only_loopback_is_listened_on(host: str) -> None:
    """A simulator that others could reach is refused, and the error says what to use."""
    with pytest.raises(CallbridgeError, match=r"use 127\.0\.0\.1"):
        await Simulator(ManualClock(START)).start(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.2"])
async def test_any_name_of_loopback_will_do(host: str) -> None:
    """The address that is returned is the one to ask, in either protocol; a port that is taken is said to be."""
    async with Simulator(ManualClock(START)) as other, aiohttp.ClientSession() as session:
        try:
            url = await (simulator := Simulator(ManualClock(START))).start(host)
        except CallbridgeError:
            pytest.skip("this machine has no IPv6")
        async with simulator, session.get(f"{url}/balance", params={"p": KEY}) as response:
            assert await response.text() == "50.0"
        port = int(other.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(CallbridgeError, match=f"cannot listen on 127.0.0.1:{port}"):
            await Simulator(ManualClock(START)).start(port=port)


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"to": null}', b"\xff\xfe", b""])
async def test_a_body_that_says_nothing_is_a_request_without_parameters(body: bytes) -> None:
    """Broken JSON, a list, no text at all: the answer is that `to` is missing."""
    async with simulated() as line, aiohttp.ClientSession() as session:
        headers = {"X-Api-Key": KEY, "Content-Type": "application/json"}
        async with session.post(f"{line.simulator.url}/voice", data=body, headers=headers) as response:
            assert await response.text() == "301"


@pytest.mark.parametrize(
    "form",
    [
        {"text": "<" * 10_000},
        {"text": "<Pause " * 1_400},
        {"text": "x", "foreign_id": "\ud800"},
        {"text": "x", "ringtime": "9" * 5_000},
        {"text": '<Response><Gather action="http://[/">', "xml": "1"},
        {"text": '<Response><Gather action="http://a:99999/">', "xml": "1"},
        {"text": "x", "from": "9" * 5_000},
        {"text": "x", "to": "9" * 5_000},
    ],
)
@pytest.mark.parametrize("era", Era)
async def test_odd_input_breaks_nothing(era: Era, form: dict[str, str]) -> None:
    """Whatever a client sends is answered with HTTP 200 in good time, and no call's life fails of it."""
    async with simulated(era) as line:
        line.simulator.subscribe("http://127.0.0.1:1/x")
        line.simulator.script(ALICE, presses("1"))
        answered = await line.ask("POST", "/voice", json={"to": ALICE, **form}, timeout=aiohttp.ClientTimeout(total=2))
        for _ in range(60):
            await line.advance(10)

    assert answered.status == 200


@pytest.mark.parametrize("query", ["limit=" + "9" * 5_000, "offset=-1", "limit=0", "id=%00", "date_from=2026-99-99"])
async def test_odd_questions_to_the_journal_are_answered(query: str) -> None:
    """A limit, offset, id or day that is none is answered with a list."""
    async with simulated() as line:
        await line.call()
        answered = await line.ask("GET", f"/journal/voice?{query}")

    assert answered.body.startswith("[")


async def test_a_list_of_recipients_in_json_is_several() -> None:
    """JSON may say `to` as a list, and a flag as true."""
    async with simulated() as line:
        await line.ask("POST", "/voice", json={"to": [ALICE, BOB], "text": "x", "xml": True})

    assert [(call.to, call.xml) for call in line.simulator.calls] == [(ALICE, True), (BOB, True)]
