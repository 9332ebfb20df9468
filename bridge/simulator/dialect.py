"""What the gateway answers, byte for byte as recorded, in each of its three eras. Pure.

Evidence: the vendor's public Elixir client's recordings of 2021 (sandbox key, gateway.sms77.io) and 2023 (live key,
gateway.seven.io), and the documentation of docs.seven.io for what came after.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from bridge.simulator.records import Hook, PhoneCall, TextMessage

BERLIN = ZoneInfo("Europe/Berlin")  # the gateway writes local German time without an offset
DEBUG_ID = "123456789"  # the id of every call that was not placed


class Era(StrEnum):
    """What the gateway was, when.

    sms77-2021: text unless json=1, JSON sent as text/plain. seven-2023: json=1 as application/json. seven-2024:
    `Accept` decides, several recipients, foreign_id.
    """

    SMS77_2021 = "sms77-2021"
    SEVEN_2023 = "seven-2023"
    SEVEN_2024 = "seven-2024"


_PAGE = frozenset({"to", "text", "xml", "from", "json", "debug", "p", "u"})
PARAMETERS: Mapping[Era, frozenset[str]] = {
    Era.SMS77_2021: _PAGE,
    Era.SEVEN_2023: _PAGE | {"ringtime", "language", "sentWith"},
    Era.SEVEN_2024: frozenset({"to", "text", "from", "ringtime", "foreign_id", "p", "u", "sentWith"}),
}


_SMS_PAGE = frozenset({
    *("to", "text", "from", "json", "debug", "p", "u", "delay", "flash", "ttl", "label", "no_reload", "foreign_id"),
    *("get_replies", "details", "return_msg_id", "unicode", "udh", "utf8", "performance_tracking"),
})  # fmt: skip
SMS_PARAMETERS: Mapping[Era, frozenset[str]] = {
    Era.SMS77_2021: _SMS_PAGE,
    Era.SEVEN_2023: _SMS_PAGE | {"sentWith"},
    Era.SEVEN_2024: _SMS_PAGE - {"json", "debug", "no_reload", "details"} | {"sentWith"},
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A body and its content type; the HTTP status is 200 whatever it says."""

    body: str
    content_type: str = "text/plain; charset=utf-8"


def as_json(era: Era, value: object) -> Reply:
    """JSON as PHP writes it: no spaces, slashes escaped; in 2021 sent as text/plain."""
    body = json.dumps(value, separators=(",", ":")).replace("/", "\\/")
    return Reply(body) if era is Era.SMS77_2021 else Reply(body, "application/json")


def refusal(era: Era, code: int, wants_json: bool, form: str | None = None) -> Reply:
    """A bare code; where JSON is asked for, a number until 2023 and a string since, or as `form` says."""
    if not wants_json:
        return Reply(str(code))
    form = form or ("string" if era is Era.SEVEN_2024 else "number")
    if form == "object":
        return as_json(era, {"success": False, "code": code, "error_message": f"error {code}"})
    return as_json(era, code if form == "number" else str(code))


@dataclass(frozen=True, slots=True)
class Recipient:
    """What one recipient of a voice request came to: an id, or a code."""

    number: str
    id: int | None
    code: int | None = None


def voice(
    era: Era,
    recipients: Sequence[Recipient],
    *,
    sender: str,
    text: str,
    price: float,
    balance: float,
    debug: bool,
    wants_json: bool,
    string_ids: bool = False,
) -> Reply:
    """The answer to an accepted voice request. `price` is the estimate for one recipient, in euro."""
    code = "101" if any(recipient.code for recipient in recipients) else "100"
    shown_price: float = 0 if debug else price
    if not wants_json:
        number = DEBUG_ID if debug else recipients[0].id
        return Reply(f"{code}\n{number or ''}\n{shown_price:g}")
    placed = sum(recipient.code is None for recipient in recipients)
    messages = [_message(recipient, sender, text, shown_price, debug, string_ids) for recipient in recipients]
    total = round(shown_price * placed, 3)
    fields = {"success": code, "total_price": total, "balance": round(balance, 3), "debug": debug, "messages": messages}
    return as_json(era, fields)


def _message(
    recipient: Recipient, sender: str, text: str, price: float, debug: bool, string_ids: bool
) -> dict[str, object]:
    number: int | str | None = DEBUG_ID if debug else recipient.id
    failed = recipient.code is not None
    return {
        "id": None if failed else str(number) if string_ids else number,
        "sender": sender,
        "recipient": recipient.number,
        "text": text,
        "price": 0 if failed else price,
        "success": not failed,
        "error": str(recipient.code) if failed else None,
        "error_text": f"error {recipient.code}" if failed else None,
    }


def sms(era: Era, message: TextMessage, *, balance: float, debug: bool, wants_json: bool) -> Reply:
    """The answer to an accepted SMS; its `debug` is a string, unlike that of a call [recorded 2021, 2023]."""
    if not wants_json:
        return Reply("100")
    shown: float = 0 if debug else message.price
    entry: dict[str, object] = {
        "id": None if debug else message.id,
        "sender": message.sender,
        "recipient": message.to,
        "text": message.text,
        "encoding": "ucs2" if message.unicode else "gsm",
        "label": None,
        "parts": message.parts,
    }
    if era is not Era.SMS77_2021:
        entry |= {"udh": None, "is_binary": False}
    entry |= {"price": shown, "success": True, "error": None, "error_text": None}
    head = {"success": "100", "total_price": shown, "balance": round(balance, 3), "debug": str(debug).lower()}
    return as_json(era, head | {"sms_type": "direct", "messages": [entry]})


def outbound(era: Era, messages: Iterable[TextMessage]) -> Reply:
    """The SMS of the journal, in the order given; its keys are those of the vendor's clients, none is recorded."""
    return as_json(era, [_sent(message) for message in messages])


def _sent(message: TextMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "from": message.sender,
        "to": message.to,
        "text": message.text,
        "timestamp": berlin(message.at),
        "price": f"{message.price:g}",
        "dlr": message.status or "TRANSMITTED",
        "dlr_timestamp": None if message.status_at is None else berlin(message.status_at),
        "connection": "http",
        "foreign_id": message.foreign_id,
        "label": None,
        "latency": None,
        "mccmnc": None,
        "type": "direct",
    }


def balance(era: Era, amount: float, wants_json: bool) -> Reply:
    """`54.218`, or an object where `Accept` asks for JSON (2024 and later)."""
    if era is Era.SEVEN_2024 and wants_json:
        return as_json(era, {"amount": round(amount, 3), "currency": "EUR"})
    return Reply(str(round(float(amount), 3)))


def berlin(at: datetime) -> str:
    """`2023-08-31 13:07:52`: local German time without an offset."""
    return at.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M:%S")


def journal(era: Era, calls: Iterable[PhoneCall]) -> Reply:
    """The rows of the journal, in the order given."""
    return as_json(era, [_row(era, call) for call in calls])


def _row(era: Era, call: PhoneCall) -> dict[str, object]:
    nothing = "" if era is Era.SMS77_2021 else None
    return {
        "id": str(call.id),
        "from": call.sender,
        "to": call.to,
        "xml": call.xml,
        "text": call.text,
        "duration": None if call.duration is None else str(round(call.duration)),
        "status": call.status,
        "error": call.error or nothing,
        "timestamp": berlin(call.requested_at),
        "price": None if call.price is None else f"{call.price:g}",
    }


def hooks(era: Era, found: Iterable[Hook]) -> Reply:
    """The list of subscriptions: ids are strings here, and a number in the answer to a subscription [recorded]."""
    return as_json(era, {"success": True, "code": None, "hooks": [_hook(era, hook) for hook in found]})


def _hook(era: Era, hook: Hook) -> dict[str, object]:
    row: dict[str, object] = {"id": str(hook.id), "target_url": hook.url, "event_type": hook.event}
    if era is not Era.SMS77_2021:
        row["event_filter"] = hook.filter
    row["request_method"] = hook.method
    if era is not Era.SMS77_2021:
        row["enabled"] = hook.enabled
    row["created"] = berlin(hook.created)
    if era is Era.SEVEN_2024:
        row["headers"] = hook.headers
    return row


def subscribed(era: Era, number: int) -> Reply:
    """The answer to a subscription."""
    return as_json(era, {"success": True, "code": None, "id": number})


def not_subscribed(era: Era, why: str) -> Reply:
    """A subscription that cannot be."""
    return as_json(era, {"success": False, "code": None, "error_message": why})


def with_newline(reply: Reply) -> Reply:
    """The same with a line end behind it, as some answers are documented."""
    return replace(reply, body=reply.body + "\n")


def mislabelled(reply: Reply) -> Reply:
    """The same under the wrong content type."""
    wrong = "text/html; charset=UTF-8" if "json" in reply.content_type else "application/json"
    return replace(reply, content_type=wrong)
