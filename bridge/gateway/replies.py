"""What the gateway answered to a request for a call or an SMS: placed, or which error. Pure and total.

Eras of one API answer in different forms whatever the content type says: three lines, a bare code, a JSON number, a
JSON string, an object; `read_placed` reads them all. What cannot be read is uncertain, never a failure: the vendor's
own client took a plain text for an error although "the call itself is successfully made".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.errors import GatewayError, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway.codes import ACCEPTED, RECIPIENT_FAILED, fault
from bridge.gateway.values import euros, flag, identity, number, plain, word
from bridge.gateway.words import Placed

# The id of every call that was none: answers to debug=1 and to sandbox keys.
DEBUG_ID = "123456789"

_CODE = re.compile(r"[1-9][0-9]{1,3}")
_MAYBE = "the call may have been placed"
_MAYBE_SENT = "the SMS may have been sent"
_UNREADABLE = f"the answer cannot be read: {_MAYBE}"
_EMPTY = f"the answer was empty: {_MAYBE}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that came whole: its status and its body as text."""

    status: int
    body: str

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300


def read_placed(answer: Answer) -> Placed:
    """The call as placed; raises GatewayRefused, GatewayUnavailable or GatewayUncertain."""
    body = parse(answer.body)
    if isinstance(body, dict) and _telling(body):
        return _read_object(answer, body)
    lines = _lines(body)
    code = as_code(lines[0]) if lines else None
    if code is None or _echoes(answer, lines):
        raise http_fault(answer)
    if code == ACCEPTED:
        return _placed(_at(lines, 1), _at(lines, 2))
    raise _failed(code, identity(_at(lines, 1)))


def read_sent(answer: Answer) -> Placed:
    """The SMS as accepted; the same forms, and the text reply is a bare code. Raises GatewayError."""
    try:
        return read_placed(answer)
    except GatewayUncertain as error:
        raise GatewayUncertain(error.reason, error.detail.replace(_MAYBE, _MAYBE_SENT), error.code) from None


def parse(body: str) -> object:
    """The body as JSON if it is, else as the text it is."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def as_code(value: object) -> int | None:
    """A code of the gateway's from 900, "900" or 900.0; None for what is none."""
    text = word(value) or ""
    return int(text) if _CODE.fullmatch(text) else None


def http_fault(answer: Answer) -> GatewayError:
    """The error for an answer without a code: by its HTTP status, since nothing else is known.

    A 5xx may come from a proxy that had already passed the request on, so it is uncertain; upon a redirect or a 4xx
    nobody was called.
    """
    status = answer.status
    if answer.fine:
        return GatewayUncertain(Reason.UNREADABLE, _UNREADABLE if answer.body.strip() else _EMPTY)
    if status >= 500:
        return GatewayUncertain(Reason.GATEWAY_ERROR, f"HTTP {status} without a code: {_MAYBE}")
    if status < 400:
        return GatewayUnavailable(Reason.GATEWAY_ERROR, f"HTTP {status}: redirected elsewhere; correct gateway.api_url")
    reason, remedy = _HTTP.get(status, (Reason.GATEWAY_ERROR, "check gateway.api_url"))
    return GatewayUnavailable(reason, f"HTTP {status}: {remedy}")


_KEY = (Reason.AUTHENTICATION, "check gateway.api_key_file and gateway.api_url")
_FORM = (Reason.PARAMETER_UNKNOWN, "the gateway does not take this request; check gateway.dialect")
_NOT_THERE = (Reason.PARAMETER_UNKNOWN, "the gateway knows no such address; check gateway.api_url and gateway.dialect")
_HTTP = {
    400: _FORM,
    401: _KEY,
    402: (Reason.NO_CREDIT, "top up the account"),
    403: _KEY,
    404: _NOT_THERE,
    407: (Reason.CONNECTION, "the proxy wants credentials"),
    422: _FORM,
    429: (Reason.GATEWAY_ERROR, "too many requests at once; lower gateway.max_concurrent_calls"),
}


def _telling(body: Mapping[str, object]) -> bool:
    return any(key in body for key in ("success", "code", "messages", "error", "error_message"))


def _lines(body: object) -> list[str]:
    """The lines of a text reply; a JSON number or string is one that was wrapped."""
    return (body if isinstance(body, str) else word(body) or "").strip().splitlines()


def _echoes(answer: Answer, lines: list[str]) -> bool:
    """A proxy's terse page says its own HTTP status and nothing else: that is no code of the gateway's."""
    return not answer.fine and len(lines) == 1 and as_code(lines[0]) == answer.status


def _at(lines: list[str], index: int) -> str | None:
    return lines[index] if index < len(lines) else None


def _placed(gateway_id: object, price: object, balance: object = None, *, debug: bool = False) -> Placed:
    known = identity(gateway_id)
    return Placed(known, euros(price), number(balance), debug=debug or known == DEBUG_ID)


def _failed(code: int, gateway_id: str | None = None) -> GatewayError:
    """101 says that a recipient failed, and there is one; told with an id it contradicts itself, and is looked up."""
    if code == RECIPIENT_FAILED and gateway_id is not None:
        return GatewayUncertain(Reason.GATEWAY_ERROR, f"code {code} with an id: {_MAYBE}", code)
    return fault(code)


def _read_object(answer: Answer, body: Mapping[str, object]) -> Placed:
    echo = None if answer.fine else answer.status
    message, code = _message(body), _code(body, echo)
    if message is not None and message.get("success") is not None and not _succeeded(message):
        raise _rejected(message, code, echo)
    entry = body if message is None else message
    if code == ACCEPTED or (code in (None, RECIPIENT_FAILED) and _succeeded(entry)):
        return _placed(entry.get("id"), entry.get("price"), body.get("balance"), debug=flag(body.get("debug")))
    if code is not None:
        raise _failed(code, identity(body.get("id")))
    if body.get("success") is False and answer.fine:
        raise _rejected(body, None, echo)
    raise http_fault(answer)


def _message(body: Mapping[str, object]) -> dict[str, object] | None:
    """The entry of our one recipient."""
    messages = body.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    return first if isinstance(first, dict) else None


def _code(entry: Mapping[str, object], echo: int | None) -> int | None:
    """The code that the object tells; a framework's page may repeat its HTTP status, `echo`, which is none."""
    overall = as_code(entry.get("success"))
    if overall is not None:
        return overall
    return next((code for key in ("code", "error") if (code := as_code(entry.get(key))) not in (None, echo)), None)


def _succeeded(entry: Mapping[str, object]) -> bool:
    return flag(entry.get("success")) or as_code(entry.get("success")) == ACCEPTED


def _rejected(entry: Mapping[str, object], overall: int | None, echo: int | None) -> GatewayError:
    """The error of an object that says it failed: by the code in it, by the overall code, else by its words alone."""
    for code in (_code(entry, echo), overall):
        if code is not None and code not in (ACCEPTED, RECIPIENT_FAILED):
            return fault(code)
    keys = ("error_text", "error_message", "error")
    told = next((text for key in keys if (text := plain(entry.get(key)))), "failed, without a reason")
    return GatewayUnavailable(Reason.GATEWAY_ERROR, f"the gateway says: {told}", overall)
