"""The control API: what a rehearsal or another program asks of the simulator over HTTP."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from bridge.simulator import Era
from tests.simulating import ALICE, BOB, KEY, Line, receiving, simulated

Answer = tuple[int, Any]


async def control(line: Line, method: str, path: str, said: object = None, **more: Any) -> Answer:
    """The HTTP status and the JSON of an order or a view."""
    url = line.simulator.url.replace("/api", f"/control/{path}")
    body = said if isinstance(said, bytes) else json.dumps(said).encode() if said is not None else b""
    async with line.session.request(method, url, data=body, **more) as response:
        return response.status, await response.json()


async def test_a_rehearsal_is_set_up_and_looked_at_over_http() -> None:
    """People, hooks and an SMS by POST; calls, requests, deliveries and the story by GET; no key is in any of it."""
    async with simulated() as line, receiving() as receiver:
        people = {"number": "+49 171 1234567", "answers": ["sleeps", {"kind": "presses", "digit": 5}]}
        assert await control(line, "POST", "people", people) == (
            200,
            {"number": ALICE, "answers": ["sleeps", "presses"]},
        )
        assert (await control(line, "POST", "hooks", {"url": receiver.url, "method": "JSON"}))[0] == 200
        for _ in range(2):
            await line.call(foreign_id="ours")
            await line.advance(60)
        assert await control(line, "POST", "sms", {"from": f"+{ALICE}", "text": "OK"}) == (200, {"from": ALICE})
        await line.simulator.settled()
        views = {name: (await control(line, "GET", name))[1] for name in ("calls", "requests", "deliveries", "events")}

    first, second = views["calls"]
    assert (first["status"], second["digits"], second["foreign_id"]) == ("no-answer", "5", "ours")
    assert [entry["status"] for entry in second["statuses"]] == ["initiated", "ringing", "in-progress", "completed"]
    assert views["requests"][0]["form"] == {"to": ALICE, "text": "Disk full on db1.", "foreign_id": "ours"}
    assert [delivery["answer"] for delivery in views["deliveries"]] == [200] * len(receiver.letters)
    assert views["events"][-1]["what"] == "sms"
    assert KEY not in str(views)


async def test_faults_are_set_and_taken_off_over_http() -> None:
    """A fault is set with its count; an empty object takes all off; what is set is answered."""
    async with simulated() as line:
        fault = {"code": 600, "times": 2, "on": "balance"}
        assert await control(line, "POST", "faults", fault) == (
            200,
            {"code": {"value": 600, "on": "balance", "times": 2}},
        )
        assert (await line.ask("GET", "/balance")).body == "600"
        assert await control(line, "POST", "faults", {}) == (200, {})
        assert (await line.ask("GET", "/balance")).body == "50.0"


async def test_keys_and_inbound_calls_come_from_anybody() -> None:
    """Somebody presses a key or calls the account, without any call of ours."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        await control(line, "POST", "keypress", {"from": ALICE, "digit": "#"})
        await control(line, "POST", "inbound", {"from": ALICE})
        await line.simulator.settled()

    events = {letter.form["webhook_event"]: letter.form for letter in receiver.letters}
    assert events["voice_dtmf"]["dtmf_digit"] == "#"
    assert events["voice_call"]["caller"] == ALICE


async def test_the_account_can_be_changed() -> None:
    """Era, balance and the account's habits can be set while it runs."""
    async with simulated() as line:
        said = {"era": "sms77-2021", "balance": 1, "sandbox": True}
        assert await control(line, "POST", "account", said) == (200, said)
        assert line.simulator.era is Era.SMS77_2021
        assert (await line.ask("POST", "/voice", {"to": ALICE, "text": "x"})).body == "100\n123456789\n0"


async def test_a_reset_forgets_everything() -> None:
    """People, calls, hooks, faults and the story are gone, and calls that lived are ended."""
    async with simulated() as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.faults.set(drop_reports=True)
        call = await line.call()
        assert await control(line, "POST", "reset") == (200, {})
        await line.advance(60)
        views = [(await control(line, "GET", name))[1] for name in ("calls", "requests", "deliveries", "events")]

    assert views == [[]] * 4
    assert not line.simulator.hooks
    assert line.simulator.faults.as_json() == {}
    assert (call.status, receiver.letters) == ("initiated", [])


@pytest.mark.parametrize(
    ("path", "said", "why"),
    [
        ("people", b"{", "the body is not JSON"),
        ("people", b"\xff", "the body is not JSON"),
        ("sms", b'{"from": "491711234567", "text": "\\ud800"}', "the body is not JSON"),
        ("people", b"[" * 100_000, "the body is not JSON"),
        ("people", [], "the body must be a JSON object"),
        ("people", {}, "number is missing"),
        ("people", {"number": "Peter", "answers": ["sleeps"]}, "no telephone number"),
        ("people", {"number": 171, "answers": ["sleeps"]}, "number is 171"),
        ("people", {"number": ALICE}, "answers must be a list"),
        ("people", {"number": ALICE, "answers": []}, "answers must be a list"),
        ("people", {"number": ALICE, "answers": ["snores"]}, "nobody behaves like 'snores'"),
        ("people", {"number": ALICE, "answers": [7]}, "an answer is a word"),
        ("people", {"number": ALICE, "answers": [{"kind": "answers", "after": []}]}, "not a number"),
        ("faults", {"explode": True}, "no fault 'explode'"),
        ("faults", {"code": 600, "times": "two"}, "times is 'two'"),
        ("faults", {"code": 600, "times": 0}, "counts from 1"),
        ("faults", {"code": 600, "on": []}, "no endpoint"),
        ("hooks", {}, "url is missing"),
        ("hooks", {"url": "nowhere"}, "Invalid URL"),
        ("hooks", {"url": 1}, "url is 1"),
        ("sms", {"from": ALICE}, "text is missing"),
        ("keypress", {"from": ALICE, "digit": "55"}, "is not a key"),
        ("account", {"era": "moon"}, "no era 'moon'"),
        ("account", {"balance": True}, "balance cannot be set to True"),
        ("account", b'{"balance": NaN}', "balance cannot be set to nan"),
        ("account", {"balance": 1, "era": "moon"}, "no era 'moon'"),
        ("account", {"key": "x"}, "key cannot be set"),
    ],
)
async def test_an_order_that_cannot_be_carried_out_says_why_in_one_line(path: str, said: object, why: str) -> None:
    """Bad input is answered 400 with one line, and changes nothing."""
    async with simulated() as line:
        status, answered = await control(line, "POST", path, said)

    assert status == 400
    assert why in answered["error"]
    assert "\n" not in answered["error"]
    assert (line.simulator.people, line.simulator.hooks, line.simulator.faults.as_json()) == ({}, {}, {})
    assert (line.simulator.era, line.simulator.balance) == (Era.SEVEN_2024, 50.0)


async def test_an_era_without_keys_takes_no_keypress() -> None:
    """What the gateway of that era could not report is refused instead of lost."""
    async with simulated(Era.SMS77_2021) as line:
        status, answered = await control(line, "POST", "keypress", {"from": ALICE, "digit": "5"})

    assert (status, answered["error"]) == (400, "the era sms77-2021 has no event voice_dtmf")


@pytest.mark.parametrize("path", ["people", "hooks", "reset"])
async def test_no_web_page_gives_orders(path: str) -> None:
    """A page in the operator's browser can reach loopback; a request that comes from one is refused."""
    async with simulated() as line:
        said = {"number": ALICE, "answers": ["sleeps"], "url": "http://127.0.0.1:9/"}
        status, answered = await control(line, "POST", path, said, headers={"Origin": "https://evil.example"})

    assert status == 400
    assert "web pages" in answered["error"]
    assert (line.simulator.people, line.simulator.hooks) == ({}, {})


async def test_it_needs_no_key_and_knows_no_other_path() -> None:
    """What there is not is 404, as anywhere."""
    async with simulated() as line, aiohttp.ClientSession() as stranger:
        async with stranger.get(line.simulator.url.replace("/api", "/control/calls")) as response:
            assert response.status == 200
        async with stranger.get(line.simulator.url.replace("/api", "/control/moon")) as response:
            assert response.status == 404


async def test_readers_of_sms_are_scripted_and_their_sms_are_seen() -> None:
    """`sms` scripts whoever gets one; what the account sent is listed with its parts and its receipt."""
    async with simulated() as line:
        told = await control(line, "POST", "people", {"number": ALICE, "sms": ["replies:OK"]})
        await line.ask("POST", "/sms", {"to": ALICE, "text": "HI2U!", "foreign_id": "mine"})
        await line.advance(4)
        _, (message,) = await control(line, "GET", "messages")
        again = await control(line, "POST", "people", {"number": ALICE, "answers": ["answers"], "sms": ["silent"]})

    assert told == (200, {"number": ALICE, "answers": [], "sms": ["replies"]})
    assert (message["foreign_id"], message["parts"], message["status"]) == ("mine", 1, "DELIVERED")
    assert again == (200, {"number": ALICE, "answers": ["answers"], "sms": ["silent"]})


async def test_an_sms_must_have_a_sender_that_is_allowed_and_known_parameters() -> None:
    """A strange number is 201, a short name is fine; an unknown parameter is 308 where that is set."""
    async with simulated(verified=[BOB]) as line:
        bodies = [
            (await line.ask("POST", "/sms", {"to": ALICE, "text": text, "from": sender})).body
            for text, sender in (("a", "4930999999"), ("b", "callbridge"), ("c", BOB))
        ]
        line.simulator.account.strict_parameters = True
        strict = (await line.ask("POST", "/sms", {"to": ALICE, "text": "d", "xml": "1"})).body

    assert [*bodies, strict] == ["201", "100", "100", "308"]
