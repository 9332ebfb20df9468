"""What the account's webhook brings: reports of calls and SMS, pressed keys, replies by SMS, and others' events.

The documentation names the fields and not the envelope, and the vendor's own clients know several: JSON with a nested
`data` or flat, a form with bare keys, `data[key]` or `data` as a JSON text, the same in a query. All are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from bridge.call import Report
from bridge.errors import NotAWebhook
from bridge.gateway.values import delivery, digits, euros, identity, prose, seconds, status, word
from bridge.sms import Receipt

LARGEST_TEXT = 1600
MOST_REPORTS = 1000
MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Keypress:
    """A key pressed in a call: `digit` is one or several of 0-9, *, #; `number` the person's, digits without plus."""

    number: str | None = field(repr=False)
    gateway_id: str | None
    foreign_id: str | None
    digit: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMS that somebody sent to a number of the account; `sender` in digits without plus."""

    sender: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is not about our calls: its name, or `unknown`."""

    event: str


Told = Report | Receipt | Keypress | Reply | Ignored
Fields = Mapping[str, object]

_NESTED_KEY = re.compile(r"data\[(\w{1,64})\]")
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,31}")
_KEYS = re.compile(r"[0-9*#]{1,16}")


def read_reports(*, content_type: str, query: str, body: bytes) -> tuple[Told, ...]:
    """Everything that one delivery tells, usually one; raises NotAWebhook for what can never be one.

    `query` is the raw query string, `body` the raw body. `content_type` decides only where the body itself leaves
    doubt.
    """
    envelopes = _envelopes(content_type, query, body)
    return tuple(_told(fields) for envelope in envelopes for fields in _flattened(envelope))


def _envelopes(content_type: str, query: str, body: bytes) -> list[dict[str, object]]:
    asked = _form(query)
    text = body.decode("utf-8-sig", "replace").strip()
    if text[:1] not in ("{", "["):
        return [asked | _form(text)]
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        if "form" in content_type.lower():
            return [asked | _form(text)]
        raise NotAWebhook("the body starts like JSON and is none: cut off on its way?") from None
    several = parsed if isinstance(parsed, list) else [parsed]
    objects = [asked | entry for entry in several[:MOST_REPORTS] if isinstance(entry, dict)]
    if not objects:
        raise NotAWebhook("the body is a list without a report")
    return objects


def _form(text: str) -> dict[str, object]:
    """Bare and `data[key]` fields; the latter are gathered under `data`."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise NotAWebhook(f"the form has more than {MOST_FIELDS} fields") from None
    nested = {match[1]: value for key, value in pairs if (match := _NESTED_KEY.fullmatch(key))}
    bare: dict[str, object] = {key: value for key, value in pairs if not _NESTED_KEY.fullmatch(key)}
    return bare | {"data": nested} if nested else bare


def _flattened(envelope: Fields) -> Iterator[dict[str, object]]:
    """The envelope and its data as one; data that is a list holds several reports."""
    data = _parsed(envelope.get("data"))
    around = {key: value for key, value in envelope.items() if key != "data"}
    inside = [entry for entry in data[:MOST_REPORTS] if isinstance(entry, dict)] if isinstance(data, list) else [data]
    for entry in inside or [None]:
        yield around | entry if isinstance(entry, dict) else around


def _parsed(data: object) -> object:
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _told(fields: Fields) -> Told:
    event = _event(fields)
    if event == "voice_status":
        return _report(fields)
    if event == "voice_dtmf":
        return _keypress(fields)
    if event == "sms_mo":
        return _reply(fields)
    if event == "dlr":
        return _receipt(fields)
    return Ignored(event if _EVENT.fullmatch(event) else "unknown")


def _event(fields: Fields) -> str:
    """The event's name, or what its fields show it to be; the original API sends a call's fields and no name."""
    named = word(fields.get("webhook_event"))
    if named:
        return named.lower()
    for event, needed in _SIGNS:
        if needed <= fields.keys():
            return event
    raise NotAWebhook("neither webhook_event nor the fields of any report")


_SIGNS: tuple[tuple[str, frozenset[str]], ...] = (
    ("dlr", frozenset({"msg_id"})),
    ("voice_dtmf", frozenset({"dtmf_digit"})),
    ("sms_mo", frozenset({"sender", "text"})),
    ("voice_status", frozenset({"status", "id"})),
    ("voice_status", frozenset({"status", "recipient"})),
    ("voice_status", frozenset({"status", "foreign_id"})),
    ("voice_call", frozenset({"caller", "system"})),
)


def _report(fields: Fields) -> Report:
    return Report(
        status=status(fields.get("status")),
        gateway_id=identity(fields.get("id")),
        foreign_id=identity(fields.get("foreign_id")),
        recipient=digits(fields.get("recipient")),
        duration=seconds(fields.get("duration")),
        price=euros(fields.get("pricePerMinute")),
        cost=euros(fields.get("total_price")),
    )


def _receipt(fields: Fields) -> Receipt:
    gateway_id = identity(fields.get("msg_id")) or identity(fields.get("id"))
    return Receipt(delivery(fields.get("status")), gateway_id, identity(fields.get("foreign_id")))


def _keypress(fields: Fields) -> Keypress | Ignored:
    pressed = word(fields.get("dtmf_digit")) or ""
    if not _KEYS.fullmatch(pressed):
        return Ignored("voice_dtmf")
    return Keypress(
        number=_caller(fields),
        gateway_id=identity(fields.get("id")),
        foreign_id=identity(fields.get("foreign_id")),
        digit=pressed,
    )


def _caller(fields: Fields) -> str | None:
    """The person at the other end: who was called, or in a call to a number of the account (`system`) who called it."""
    called, own = digits(fields.get("recipient")), digits(fields.get("system"))
    return called if called is not None and called != own else digits(fields.get("callerId"))


def _reply(fields: Fields) -> Reply | Ignored:
    """A sender with a name instead of a number is an advertiser, not one of our people."""
    sender = digits(fields.get("sender"))
    if sender is None:
        return Ignored("sms_mo")
    return Reply(sender=sender, text=prose(fields.get("text"), LARGEST_TEXT))
