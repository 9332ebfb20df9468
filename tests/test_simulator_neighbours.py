"""The doors beside calls: SMS, hooks, validation of a caller id."""

from __future__ import annotations

import json

import pytest

from bridge.simulator import Era
from tests.simulating import ALICE, BOB, simulated

HELLO = {"to": ALICE, "text": "HI2U!"}


async def test_the_same_sms_within_three_minutes_is_locked() -> None:
    """The reload lock: 402 for the same text to the same number within 180 s; another text or later is accepted."""
    async with simulated() as line:
        first = await line.ask("POST", "/sms", HELLO)
        again = await line.ask("POST", "/sms", HELLO)
        other = await line.ask("POST", "/sms", {**HELLO, "text": "other"})
        await line.advance(180)
        later = await line.ask("POST", "/sms", HELLO)

    assert [reply.body for reply in (first, again, other, later)] == ["100", "402", "100", "100"]
    assert [message.text for message in line.simulator.messages] == ["HI2U!", "other", "HI2U!"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"text": "x"}, "301"),
        ({"to": ALICE}, "305"),
        ({"to": "Peter", "text": "x"}, "202"),
        ({"to": ALICE, "text": "x" * 1521}, "401"),
    ],
)
async def test_an_sms_that_cannot_be_has_its_code(form: dict[str, str], code: str) -> None:
    """What is missing, wrong or too long is refused by its code."""
    async with simulated() as line:
        assert (await line.ask("POST", "/sms", form)).body == code


async def test_hooks_by_the_newer_verbs() -> None:
    """GET reads, POST subscribes, DELETE removes; ids are strings in the list and a number when made."""
    async with simulated() as line:
        form = {"target_url": "https://my.tld/x", "event_type": "voice_status", "headers": "X-Secret: 1"}
        made = json.loads((await line.ask("POST", "/hooks", form)).body)
        (row,) = json.loads((await line.ask("GET", "/hooks")).body)["hooks"]
        gone = await line.ask("DELETE", f"/hooks?id={made['id']}")
        again = await line.ask("DELETE", f"/hooks?id={made['id']}")

    assert (row["id"], row["headers"], row["request_method"]) == (str(made["id"]), "X-Secret: 1", "POST")
    assert [json.loads(reply.body)["success"] for reply in (gone, again)] == [True, False]


@pytest.mark.parametrize(
    ("era", "form", "why"),
    [
        (Era.SEVEN_2024, {"event_type": "all", "target_url": "nowhere"}, "Invalid URL"),
        (Era.SEVEN_2024, {"event_type": "all", "target_url": "https://[x/"}, "Invalid URL"),
        (Era.SEVEN_2024, {"event_type": "all", "target_url": "ftp://my.tld/x"}, "Invalid URL"),
        (Era.SEVEN_2024, {"event_type": "moon", "target_url": "https://my.tld/x"}, "Invalid event type (moon)"),
        (
            Era.SEVEN_2024,
            {"event_type": "all", "target_url": "https://my.tld/x", "request_method": "PUT"},
            "Invalid request method (PUT)",
        ),
        (
            Era.SEVEN_2023,
            {"action": "subscribe", "event_type": "voice_dtmf", "target_url": "https://my.tld/x"},
            "Invalid event type (voice_dtmf)",
        ),
        (Era.SEVEN_2023, {"event_type": "all", "target_url": "https://my.tld/x"}, "Invalid action"),
    ],
)
async def test_a_subscription_that_cannot_be_says_why(era: Era, form: dict[str, str], why: str) -> None:
    """A wrong URL, event, method or verb of another era is refused in words, with HTTP 200."""
    async with simulated(era) as line:
        answered = json.loads((await line.ask("POST", "/hooks", form)).body)

    assert answered == {"success": False, "code": None, "error_message": why}


async def test_an_old_subscription_is_found_by_what_it_says() -> None:
    """action=unsubscribe takes an id, or the same URL, event and method."""
    async with simulated(Era.SMS77_2021) as line:
        line.simulator.subscribe("https://my.tld/x", event="dlr", method="GET")
        hook = {"target_url": "https://my.tld/x", "event_type": "dlr"}
        other = await line.ask("POST", "/hooks", {"action": "unsubscribe", **hook})
        same = await line.ask("POST", "/hooks", {"action": "unsubscribe", **hook, "request_method": "GET"})

    assert [json.loads(reply.body)["success"] for reply in (other, same)] == [False, True]
    assert not line.simulator.hooks


async def test_validating_a_caller_id_calls_nobody() -> None:
    """The three answers of the real one, without its call."""
    async with simulated(verified=[BOB]) as line:
        bodies = [(await line.ask("POST", "/validate_for_voice", {"number": n})).body for n in (ALICE, BOB, "Peter")]

    assert [json.loads(body)["success"] for body in bodies] == [True, True, False]
    assert [json.loads(body)["error"] for body in bodies][1:] == [
        "The sender ID is already saved.",
        "The number is invalid.",
    ]
    assert line.simulator.calls == []
