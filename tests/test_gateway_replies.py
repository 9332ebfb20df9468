"""Every form in which the gateway answers to a request for a call, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import Placed
from bridge.gateway.codes import VERDICTS, fault
from bridge.gateway.replies import Answer, read_placed

RECORDINGS = Path(__file__).parent / "data" / "gateway"


def recorded(year: int, name: str) -> str:
    entries = json.loads((RECORDINGS / f"{year}.json").read_text())
    return next(str(entry["response"]["body"]) for entry in entries if entry["name"] == name)


def entry(**changes: object) -> dict[str, object]:
    """One entry of messages[] as the gateway sends it, with changes."""
    return {"id": 1038703, "price": 0.1, "success": True, "error": None, "error_text": None} | changes


def reply(success: object = "100", *messages: object, **more: object) -> str:
    return json.dumps({"success": success, "balance": 54.013, "debug": False, "messages": list(messages)} | more)


@pytest.mark.parametrize(
    ("year", "name", "placed"),
    [
        (2021, "voice_json", Placed("123456789", 0.0, 123.875, debug=True)),
        (2021, "voice_text", Placed("123456789", 0.0, None, debug=True)),
        (2023, "voice_json", Placed("1038703", 0.1, 54.013, debug=False)),
        (2023, "voice_text", Placed("1038704", 0.1, None, debug=False)),
    ],
)
def test_recorded_answers_are_read(year: int, name: str, placed: Placed) -> None:
    """What the real gateway answered in 2021 and 2023 reads as the call that it placed."""
    assert read_placed(Answer(200, recorded(year, name))) == placed


@pytest.mark.parametrize(
    ("body", "placed"),
    [
        ("100\n1038704\n0.1\n", Placed("1038704", 0.1)),
        ("100\r\n1038704\r\n0.1\r\n", Placed("1038704", 0.1)),
        ("100\n\n0.1\n", Placed(None, 0.1)),
        ("100\n0\n0.1", Placed(None, 0.1)),
        ("100\n1038704", Placed("1038704")),
        ("100\n1038704\nfree", Placed("1038704")),
        ("100", Placed(None)),
        ('"100"', Placed(None)),
        ('"100\\n1038704\\n0.1"', Placed("1038704", 0.1)),
        (reply("100", entry(id="1038703")), Placed("1038703", 0.1, 54.013)),
        (reply("100", entry(id=1038703.0)), Placed("1038703", 0.1, 54.013)),
        (reply("100", entry(id=None)), Placed(None, 0.1, 54.013)),
        (reply("100", entry(price="0.1", success="true")), Placed("1038703", 0.1, 54.013)),
        (reply("100", entry(price=None, success=None)), Placed("1038703", None, 54.013)),
        (reply(100, entry()), Placed("1038703", 0.1, 54.013)),
        (reply(True, entry()), Placed("1038703", 0.1, 54.013)),
        (reply("101", entry()), Placed("1038703", 0.1, 54.013)),
        (reply("100"), Placed(None, None, 54.013)),
        (reply("100", "nonsense"), Placed(None, None, 54.013)),
        (reply("100", entry(), debug="true"), Placed("1038703", 0.1, 54.013, debug=True)),
        (reply("100", entry(), debug="false", unheard_of=[1]), Placed("1038703", 0.1, 54.013)),
        (reply("100", entry(), balance=None), Placed("1038703", 0.1)),
        ('{"code": 100, "id": 7}', Placed("7")),
        ('{"success": "100", "messages": null}', Placed(None)),
    ],
)
def test_accepted_calls_in_every_form(body: str, placed: Placed) -> None:
    """An accepted call is read from text and JSON of every era, also where its id or price is missing."""
    assert read_placed(Answer(200, body)) == placed


@pytest.mark.parametrize(
    ("status", "body", "error", "reason", "code"),
    [
        (200, "900", GatewayUnavailable, Reason.AUTHENTICATION, 900),
        (200, '"900"', GatewayUnavailable, Reason.AUTHENTICATION, 900),
        (200, " 900 \r\n", GatewayUnavailable, Reason.AUTHENTICATION, 900),
        (200, '{"success": "900"}', GatewayUnavailable, Reason.AUTHENTICATION, 900),
        (200, '{"success": 902}', GatewayUnavailable, Reason.AUTHENTICATION, 902),
        (200, '{"code": "903"}', GatewayUnavailable, Reason.AUTHENTICATION, 903),
        (200, '{"success": false, "error": "900"}', GatewayUnavailable, Reason.AUTHENTICATION, 900),
        (200, '{"success": false, "error": 202}', GatewayRefused, Reason.NUMBER_INVALID, 202),
        (200, '{"success": false, "error_message": "No."}', GatewayUnavailable, Reason.GATEWAY_ERROR, None),
        (200, '{"success": false}', GatewayUnavailable, Reason.GATEWAY_ERROR, None),
        (200, "202", GatewayRefused, Reason.NUMBER_INVALID, 202),
        (200, "201\n\n", GatewayRefused, Reason.SENDER_INVALID, 201),
        (200, "305", GatewayRefused, Reason.TEXT_INVALID, 305),
        (200, "308", GatewayRefused, Reason.PARAMETER_UNKNOWN, 308),
        (200, "402", GatewayUncertain, Reason.DUPLICATE, 402),
        (200, "403", GatewayRefused, Reason.RECIPIENT_LIMIT, 403),
        (200, "500", GatewayUnavailable, Reason.NO_CREDIT, 500),
        (200, "600", GatewayUnavailable, Reason.CARRIER, 600),
        (200, "11", GatewayUnavailable, Reason.CARRIER, 11),
        (200, "700", GatewayUnavailable, Reason.GATEWAY_ERROR, 700),
        (200, "200", GatewayUncertain, Reason.UNREADABLE, 200),
        (200, "777", GatewayUncertain, Reason.UNREADABLE, 777),
        (200, "101", GatewayUnavailable, Reason.GATEWAY_ERROR, 101),
        (200, "101\n1038704\n0.1", GatewayUncertain, Reason.GATEWAY_ERROR, 101),
        (200, reply("101"), GatewayUnavailable, Reason.GATEWAY_ERROR, 101),
        (200, reply("101", entry(success=False, error="202")), GatewayRefused, Reason.NUMBER_INVALID, 202),
        (200, reply("100", entry(success=False, error=202)), GatewayRefused, Reason.NUMBER_INVALID, 202),
        (200, reply("100", entry(success="false", error="403")), GatewayRefused, Reason.RECIPIENT_LIMIT, 403),
        (200, reply("100", entry(success=False, error_text="no")), GatewayUnavailable, Reason.GATEWAY_ERROR, 100),
        (200, reply("500", entry(success=False)), GatewayUnavailable, Reason.NO_CREDIT, 500),
        (200, "", GatewayUncertain, Reason.UNREADABLE, None),
        (200, "<html><h1>Welcome</h1></html>", GatewayUncertain, Reason.UNREADABLE, None),
        (200, '{"success":"100","total_pr', GatewayUncertain, Reason.UNREADABLE, None),
        (200, "{}", GatewayUncertain, Reason.UNREADABLE, None),
        (200, "[]", GatewayUncertain, Reason.UNREADABLE, None),
        (200, "null", GatewayUncertain, Reason.UNREADABLE, None),
        (200, "true", GatewayUncertain, Reason.UNREADABLE, None),
        (200, "0.1", GatewayUncertain, Reason.UNREADABLE, None),
        (200, '{"error": "internal"}', GatewayUncertain, Reason.UNREADABLE, None),
        (200, '{"messages": [{"id": 5}]}', GatewayUncertain, Reason.UNREADABLE, None),
        (200, "[" * 100_000, GatewayUncertain, Reason.UNREADABLE, None),
        (200, "9" * 5000, GatewayUncertain, Reason.UNREADABLE, None),
        (302, "", GatewayUnavailable, Reason.GATEWAY_ERROR, None),
        (400, "Bad Request", GatewayUnavailable, Reason.PARAMETER_UNKNOWN, None),
        (401, "<html>", GatewayUnavailable, Reason.AUTHENTICATION, None),
        (401, "900", GatewayUnavailable, Reason.AUTHENTICATION, 900),
        (403, "", GatewayUnavailable, Reason.AUTHENTICATION, None),
        (403, "403", GatewayUnavailable, Reason.AUTHENTICATION, None),
        (401, '{"code": 401, "error": "x"}', GatewayUnavailable, Reason.AUTHENTICATION, None),
        (400, '{"code": 202}', GatewayRefused, Reason.NUMBER_INVALID, 202),
        (404, "not found", GatewayUnavailable, Reason.PARAMETER_UNKNOWN, None),
        (429, "", GatewayUnavailable, Reason.GATEWAY_ERROR, None),
        (500, "", GatewayUncertain, Reason.GATEWAY_ERROR, None),
        (500, "500", GatewayUncertain, Reason.GATEWAY_ERROR, None),
        (500, "600", GatewayUnavailable, Reason.CARRIER, 600),
        (502, "<html>Bad Gateway</html>", GatewayUncertain, Reason.GATEWAY_ERROR, None),
        (503, "", GatewayUncertain, Reason.GATEWAY_ERROR, None),
        (504, '{"success": false, "error": "upstream"}', GatewayUncertain, Reason.GATEWAY_ERROR, None),
        (504, '{"error": "upstream"}', GatewayUncertain, Reason.GATEWAY_ERROR, None),
    ],
)
def test_every_other_form_is_one_of_three_errors(
    status: int, body: str, error: type[GatewayError], reason: Reason, code: int | None
) -> None:
    """A code decides; without one, what may have rung is uncertain, and only what surely has not may be tried again."""
    with pytest.raises(error) as raised:
        read_placed(Answer(status, body))
    assert (raised.value.reason, raised.value.code) == (reason, code)


def test_accepted_in_an_odd_status_is_accepted() -> None:
    """A body that says 100 with an id counts whatever the HTTP status around it."""
    assert read_placed(Answer(500, "100\n5\n0.1")) == Placed("5", 0.1)


def test_words_of_the_gateway_come_without_numbers() -> None:
    """A telephone number in the gateway's error text stays out of ours."""
    text = "Account not authorized to call +911999999004. Perhaps\nyou need permissions \u2028 +49 (171) 123-45 67"
    with pytest.raises(GatewayUnavailable, match="Account not authorized to call") as raised:
        read_placed(Answer(200, reply("100", entry(success=False, error_text=text))))
    said = str(raised.value)
    assert "1999999004" not in said
    assert "171" not in said
    assert "\n" not in said


@pytest.mark.parametrize("code", sorted(VERDICTS))
def test_every_code_has_a_sentence_for_the_operator(code: int) -> None:
    """Each known code becomes an error that names itself and says what it means."""
    error = fault(code)
    assert error.code == code
    assert error.detail.startswith(f"code {code}: ")
    assert len(error.detail) > 25


@given(st.integers(100, 599), st.text() | st.from_regex(r'(\{"success":.{0,20}\}|[0-9]{1,4}(\n.{0,9}){0,2})'))
def test_any_body_is_placed_or_one_of_the_errors(status: int, body: str) -> None:
    """Nothing that a stranger can answer raises anything but a GatewayError."""
    try:
        placed = read_placed(Answer(status, body))
    except GatewayError as error:
        assert error.reason in Reason
    else:
        assert placed.gateway_id is None or placed.gateway_id.strip("0")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("100"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["success", "messages", "id", "price", "balance", "debug", "error", "error_text", "code"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_placed_or_one_of_the_errors(body: object) -> None:
    """Whatever types the known keys have, it is a call or a GatewayError; no call is made up from silence."""
    text = json.dumps(body)
    try:
        read_placed(Answer(200, text))
    except GatewayError:
        return
    assert "1" in text or "true" in text.lower() or '"1"' in text or "1" in text
