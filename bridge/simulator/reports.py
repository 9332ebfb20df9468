"""What the gateway reports of calls and messages, in every shape a receiver may meet. Pure.

Evidence: the parameters of the original voice page (form, bare keys), and the vendor's samples of 2020 to 2024 for the
JSON envelope. Where nothing is documented (layout of forms after 2021), bare keys stand beside `webhook_event`.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from bridge.simulator.dialect import BERLIN, Era, berlin
from bridge.simulator.records import Hook, PhoneCall

_EVENTS_2021 = ("all", "sms_mo", "dlr", "voice_status", "tracking")
EVENTS: Mapping[Era, tuple[str, ...]] = {
    Era.SMS77_2021: _EVENTS_2021,
    Era.SEVEN_2023: (*_EVENTS_2021, "voice_call"),
    Era.SEVEN_2024: (*_EVENTS_2021, "voice_call", "voice_dtmf", "rcs"),
}
METHODS = ("POST", "GET", "JSON")
SHAPE_OF = {"POST": "form", "GET": "get", "JSON": "json"}
PRICE_PER_MINUTE = 0.045

_HEADER = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*([\x20-\x7e]*)")
_GATHER = re.compile(r"<Gather\b[^<>]*?\baction=[\"']([^\"'>]+)[\"']")


@dataclass(frozen=True, slots=True)
class Report:
    """One event of the account, before it is put into the shape that a hook asked for."""

    event: str
    fields: Mapping[str, object]
    at: datetime
    call: int | None = None
    status: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A report on the wire."""

    method: str
    url: str = field(repr=False)
    body: bytes = b""
    content_type: str = ""


def voice_status(
    call: PhoneCall,
    status: str,
    at: datetime,
    *,
    era: Era,
    numbers: bool = False,
    foreign_id: bool = True,
) -> Report:
    """A status report; `duration` is in it once the call is completed. `numbers`: id and duration as JSON numbers."""
    seconds = round(call.duration) if call.duration is not None and status == "completed" else None
    duration = seconds if numbers or seconds is None else str(seconds)
    fields: dict[str, object] = {
        "callerId": call.sender,
        "duration": "" if duration is None else duration,
        "id": call.id if numbers else str(call.id),
        "pricePerMinute": PRICE_PER_MINUTE,
        "recipient": call.to,
        "status": status,
    }
    if era is not Era.SMS77_2021:
        fields["timestamp"] = int(at.timestamp())
        if duration is None:
            del fields["duration"]
    if era is Era.SEVEN_2024 and foreign_id and call.foreign_id is not None:
        fields["foreign_id"] = call.foreign_id
    return Report("voice_status", fields, at, call.id, status)


def voice_dtmf(number: str, system: str, digit: str, seconds: float, at: datetime) -> Report:
    """A key pressed by `number`; the only sample has id 0 and no foreign_id, so only the number tells the call."""
    fields = {
        "callerId": number,
        "dtmf_digit": int(digit) if digit.isdigit() else digit,
        "duration": round(seconds, 2),
        "id": 0,
        "pricePerMinute": PRICE_PER_MINUTE,
        "recipient": number,
        "status": "completed",
        "system": system,
        "timestamp": int(at.timestamp()),
        "total_price": PRICE_PER_MINUTE,
    }
    return Report("voice_dtmf", fields, at)


def sms_mo(number: str, system: str, text: str, at: datetime, *, id: int, era: Era) -> Report:
    """An SMS from `number` to one of the account's numbers."""
    sent = str(int(at.timestamp()))
    fields = {"id": str(id), "sender": number, "system": system, "text": text, "time": sent}
    if era is not Era.SMS77_2021:
        fields["message_type"] = "SMS"
    return Report("sms_mo", fields, at)


def voice_call(number: str, system: str, at: datetime) -> Report:
    """An inbound call: told only, nothing can be answered to it."""
    fields = {"caller": number, "id": 0, "system": system, "time": int(at.timestamp())}
    return Report("voice_call", fields, at)


def dlr(message: str, status: str, at: datetime) -> Report:
    """What became of an SMS."""
    return Report("dlr", {"msg_id": message, "status": status, "timestamp": f"{berlin(at)}.000000"}, at, status=status)


def gather_action(xml: str) -> str | None:
    """The address that the call's XML wants to be asked with the keys (TwiML, `<Gather action="…">`), if it has one."""
    found = _GATHER.search(xml)
    url = html.unescape(found[1]) if found else ""
    return url if url.isascii() and url.startswith(("http://", "https://")) else None


def gathered(call: PhoneCall, url: str, digits: str) -> Letter:
    """The question to that address, with Twilio's parameters."""
    pairs = {"CallSid": f"CA{call.id}", "From": f"+{call.sender}", "To": f"+{call.to}", "Digits": digits}
    return Letter("POST", url, urlencode(pairs).encode(), "application/x-www-form-urlencoded")


def write(report: Report, hook: Hook, shape: str | None, era: Era) -> Letter:
    """The report on the wire: in the shape its hook asked for, or in `shape` against its wish."""
    shape = shape or SHAPE_OF[hook.method]
    stamp = berlin(report.at) if era is Era.SMS77_2021 else report.at.astimezone(BERLIN).isoformat(timespec="seconds")
    envelope = {"webhook_event": report.event, "webhook_timestamp": stamp}
    if shape in ("json", "json-flat"):
        value = {"data": dict(report.fields), **envelope} if shape == "json" else {**report.fields, **envelope}
        body = json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()
        return Letter("POST", hook.url, body, "application/json")
    pairs = {key: "" if value is None else str(value) for key, value in report.fields.items()}
    if shape == "form-data":
        pairs = {f"data[{key}]": value for key, value in pairs.items()}
    if era is not Era.SMS77_2021 or shape == "form-data" or report.event != "voice_status":
        pairs |= envelope
    if shape == "get":
        return Letter("GET", hook.url + ("&" if "?" in hook.url else "?") + urlencode(pairs))
    return Letter("POST", hook.url, urlencode(pairs).encode(), "application/x-www-form-urlencoded")


def signature(key: str, *, timestamp: str, nonce: str, method: str, url: str, body: bytes) -> str:
    """The hex HMAC-SHA256 of docs.seven.io/en/rest-api/signing, for requests and webhooks alike."""
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    told = f"{timestamp}\n{nonce}\n{method}\n{url}\n{digest}"
    return hmac.new(key.encode(), told.encode(), hashlib.sha256).hexdigest()


def signed(key: str, letter: Letter, now: datetime, nonce: str) -> dict[str, str]:
    """The three headers of a signed letter; they are made anew for each attempt."""
    timestamp = str(int(now.timestamp()))
    made = signature(key, timestamp=timestamp, nonce=nonce, method=letter.method, url=letter.url, body=letter.body)
    return {"X-Signature": made, "X-Timestamp": timestamp, "X-Nonce": nonce}


def own_headers(hook: Hook) -> dict[str, str]:
    """The headers a subscription asked for: one `Name: value` a line."""
    lines = (_HEADER.fullmatch(line.strip()) for line in hook.headers.splitlines())
    return {line[1]: line[2] for line in lines if line}
