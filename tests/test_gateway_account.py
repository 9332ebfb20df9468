"""The account's other doors: balance, hanging up, webhook subscriptions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import GatewayUnavailable, Reason
from bridge.gateway import Dialect, Operation
from tests.gateway_company import HANG, KEY, RESET, Line, Say, open_line

RECORDINGS = Path(__file__).parent / "data" / "gateway"


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as opened:
        yield opened


@pytest.mark.parametrize(
    ("body", "amount"),
    [
        ("54.218", 54.218),
        ('{"amount":12.35,"currency":"EUR"}', 12.35),
        ('"3.5"', 3.5),
        ("100", 100.0),
        ("0", 0.0),
        ("-1.5", -1.5),
    ],
)
async def test_balance(line: Line, body: str, amount: float) -> None:
    """The balance is read in both forms, with the key in the header alone."""
    assert await line.gateway(Dialect.SEVEN, Say(body)).balance() == amount
    (asked,) = line.asked
    assert (asked.method, asked.path, asked.query, asked.headers["x-api-key"]) == ("GET", "/api/balance", {}, KEY)
    assert line.observed == [(Operation.BALANCE, None)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Say("900"), Reason.AUTHENTICATION),
        (Say('"902"'), Reason.AUTHENTICATION),
        (Say("<html>"), Reason.UNREADABLE),
        (Say(""), Reason.UNREADABLE),
        (Say('{"amount":null}'), Reason.UNREADABLE),
        (Say("NaN"), Reason.UNREADABLE),
        (Say("54.2", 502), Reason.GATEWAY_ERROR),
        (HANG, Reason.TIMEOUT),
        (RESET, Reason.CONNECTION),
    ],
)
async def test_asking_is_never_uncertain(line: Line, answer: Say | str, reason: Reason) -> None:
    """A lost answer to a question rang nobody: it may be asked again."""
    with pytest.raises(GatewayUnavailable) as raised:
        await line.gateway(Dialect.SEVEN, answer, timeout=timedelta(seconds=0.3 if answer == HANG else 10)).balance()
    assert raised.value.reason is reason


@pytest.mark.parametrize(
    ("body", "done"), [('{"success":true,"error":null}', True), ('{"success":false,"error":"x"}', False)]
)
async def test_hanging_up(line: Line, body: str, *, done: bool) -> None:
    """A call in progress is ended by its id; one that is not says False."""
    assert await line.gateway(Dialect.SEVEN, Say(body)).hang_up("1038704") is done
    (asked,) = line.asked
    assert (asked.method, asked.path, asked.form) == ("POST", "/api/voice/1038704/hangup", {})


@pytest.mark.parametrize(
    ("dialect", "call"), [(Dialect.SMS77, "1"), (Dialect.SEVEN, "../balance"), (Dialect.SEVEN, "")]
)
async def test_what_cannot_be_hung_up_is_not_asked_for(line: Line, dialect: Dialect, call: str) -> None:
    """The original dialect has no way to hang up, and an id that is none leads to no other address."""
    assert await line.gateway(dialect).hang_up(call) is False
    assert line.asked == []


def recorded(year: int, name: str) -> Say:
    entries = json.loads((RECORDINGS / f"{year}.json").read_text())
    return Say(next(str(entry["response"]["body"]) for entry in entries if entry["name"] == name))


@pytest.mark.parametrize(
    ("dialect", "year", "query", "ids"),
    [(Dialect.SEVEN, 2023, {}, ["2043", "2044"]), (Dialect.SMS77, 2021, {"action": "read"}, ["847"])],
)
async def test_hooks_are_listed(line: Line, dialect: Dialect, year: int, query: dict[str, str], ids: list[str]) -> None:
    """The recorded lists of subscriptions are read, each dialect with its verb; an address stays out of the repr."""
    hooks = await line.gateway(dialect, recorded(year, "hooks_read")).hooks()
    assert [hook.id for hook in hooks] == ids
    assert all(
        hook.enabled and hook.event_type == "all" and hook.target_url.startswith("https://my.tld/") for hook in hooks
    )
    assert "my.tld" not in repr(hooks)
    assert line.asked[0].query == query


async def test_subscribing_in_both_dialects(line: Line) -> None:
    """A subscription is requested with the verb of the dialect and gives its id, custom headers one per line."""
    hook = await line.gateway(Dialect.SEVEN, recorded(2023, "hooks_subscribe")).subscribe(
        "https://my.tld/x", "voice_status", "JSON", {"Authorization": "Basic x", "X-Y": "z"}
    )
    assert hook == "2045"
    form = {"target_url": "https://my.tld/x", "event_type": "voice_status", "request_method": "JSON"}
    assert line.asked[0].form == form | {"headers": "Authorization: Basic x\nX-Y: z"}
    assert await line.gateway(Dialect.SMS77, recorded(2021, "hooks_subscribe")).subscribe("https://my.tld/x") == "849"
    assert line.asked[1].form["action"] == "subscribe"


@pytest.mark.parametrize("year", [2021, 2023])
async def test_a_subscription_that_is_refused_says_why(line: Line, year: int) -> None:
    """The gateway's own words reach the operator."""
    with pytest.raises(GatewayUnavailable, match=r"Invalid (URL|event type)"):
        await line.gateway(Dialect.SMS77, recorded(year, "hooks_subscribe_fail")).subscribe("x")


@pytest.mark.parametrize("no", [Say("", 405), Say('{"success":false,"error_message":"Invalid action"}')])
async def test_unsubscribing_falls_back_to_the_old_verb(line: Line, no: Say) -> None:
    """A gateway without DELETE gets the old form."""
    assert await line.gateway(Dialect.SEVEN, no, Say('{"success":true}')).unsubscribe("7") is True
    assert [(asked.method, asked.query, asked.form) for asked in line.asked] == [
        ("DELETE", {"id": "7"}, {}),
        ("POST", {}, {"action": "unsubscribe", "id": "7"}),
    ]
    assert line.observed == [(Operation.HOOKS, Reason.GATEWAY_ERROR), (Operation.HOOKS, None)]


async def test_unsubscribing_what_is_not_there(line: Line) -> None:
    """A no without words says that there was no such subscription."""
    assert await line.gateway(Dialect.SEVEN, Say('{"success":false}')).unsubscribe("7") is False


async def test_unsubscribing_with_a_wrong_key_is_asked_once(line: Line) -> None:
    """A no is not taken for a misunderstanding."""
    with pytest.raises(GatewayUnavailable):
        await line.gateway(Dialect.SEVEN, Say("900")).unsubscribe("7")
    assert len(line.asked) == 1


async def test_a_header_cannot_smuggle_another(line: Line) -> None:
    """Custom headers with line breaks are a mistake of the caller's."""
    with pytest.raises(ValueError, match="header"):
        await line.gateway(Dialect.SEVEN).subscribe("https://my.tld/x", headers={"A": "b\nC: d"})
