"""What the neighbouring doors of the gateway answer: balance, journal, webhook subscriptions, hanging up. Pure.

All of them only ask (or are harmless twice), so what cannot be read is GatewayUnavailable here, never uncertain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from bridge.call import CallStatus
from bridge.errors import GatewayError, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway.codes import ACCEPTED, VERDICTS, fault
from bridge.gateway.replies import Answer, as_code, http_fault, parse
from bridge.gateway.values import delivery, digits, euros, identity, instant, number, plain, seconds, status, word
from bridge.gateway.words import Hook, JournalRow, OutboundRow

Row = TypeVar("Row", JournalRow, OutboundRow)


def harmless(error: GatewayError) -> GatewayError:
    """The same error of a request that rang nobody whatever became of it: it may be tried again."""
    if isinstance(error, GatewayUncertain):
        return GatewayUnavailable(error.reason, error.detail.partition(": the call may")[0], error.code)
    return error


def read_balance(answer: Answer) -> float:
    """The account's balance in euro, from "54.218" or {"amount": 12.35}; raises GatewayError.

    A bare integer of three digits that is a code is taken for the code; so an account of exactly 500 euro reads as
    empty in the dialect without JSON, until its next call.
    """
    body = parse(answer.body)
    amount = _signed(body.get("amount", body.get("balance")) if isinstance(body, dict) else body)
    code = None if isinstance(body, dict) else as_code(body)
    if amount is None or not answer.fine or (code is not None and code > ACCEPTED and code in VERDICTS):
        raise _other(answer, body)
    return amount


def _signed(value: object) -> float | None:
    """An account may be overdrawn."""
    text = word(value) or ""
    amount = number(text.removeprefix("-"))
    return -amount if amount is not None and text.startswith("-") else amount


def read_journal(answer: Answer) -> tuple[tuple[JournalRow, ...], int]:
    """The calls of one page, newest first, and how many were sent (unreadable ones left out); raises GatewayError."""
    entries = _entries(answer)
    return _newest_first(entries, _row), len(entries)


def read_outbound(answer: Answer) -> tuple[tuple[OutboundRow, ...], int]:
    """The same of the journal's SMS."""
    entries = _entries(answer)
    return _newest_first(entries, _outbound), len(entries)


def _entries(answer: Answer) -> list[object]:
    body = parse(answer.body)
    if not answer.fine or not isinstance(body, list):
        raise _other(answer, body)
    return body


def _newest_first(entries: Iterable[object], read: Callable[[dict[str, object]], Row | None]) -> tuple[Row, ...]:
    rows = [row for entry in entries if isinstance(entry, dict) and (row := read(entry)) is not None]
    return tuple(sorted(rows, key=lambda row: row.at, reverse=True))


def _row(entry: dict[str, object]) -> JournalRow | None:
    gateway_id, at, text = identity(entry.get("id")), instant(entry.get("timestamp")), entry.get("text")
    if gateway_id is None or at is None:
        return None
    return JournalRow(
        gateway_id=gateway_id,
        number=digits(entry.get("to")) or "",
        text=text if isinstance(text, str) else "",
        status=_status(entry.get("status"), entry.get("error")),
        duration=seconds(entry.get("duration")),
        cost=euros(entry.get("price")),
        at=at,
        error=plain(entry.get("error")),
    )


def _outbound(entry: dict[str, object]) -> OutboundRow | None:
    gateway_id, at, text = identity(entry.get("id")), instant(entry.get("timestamp")), entry.get("text")
    if gateway_id is None or at is None:
        return None
    return OutboundRow(
        gateway_id=gateway_id,
        number=digits(entry.get("to")) or "",
        text=text if isinstance(text, str) else "",
        delivery=delivery(entry.get("dlr")),
        cost=euros(entry.get("price")),
        at=at,
        foreign_id=identity(entry.get("foreign_id")) or "",
    )


def _status(told: object, error: object) -> CallStatus:
    """A call that was refused while it was set up has an empty status and an error text."""
    if not word(told) and plain(error):
        return CallStatus.FAILED
    return status(told)


def read_hooks(answer: Answer) -> tuple[Hook, ...]:
    """The account's subscriptions; raises GatewayError."""
    body = parse(answer.body)
    listed = body.get("hooks") if isinstance(body, dict) else body
    if not answer.fine or not isinstance(listed, list):
        raise _other(answer, body)
    return tuple(hook for entry in listed if (hook := _hook(entry)) is not None)


def _hook(entry: object) -> Hook | None:
    hook_id = identity(entry.get("id")) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or hook_id is None:
        return None
    return Hook(
        id=hook_id,
        target_url=str(entry.get("target_url") or ""),
        event_type=word(entry.get("event_type")) or "",
        request_method=word(entry.get("request_method")) or "",
        enabled=entry.get("enabled") not in (False, 0, "0", "false"),
    )


def read_subscribed(answer: Answer) -> str:
    """The id of the new subscription; raises GatewayError, also when the gateway does not like the address."""
    body = parse(answer.body)
    hook_id = identity(body.get("id")) if isinstance(body, dict) and body.get("success") is not False else None
    if not answer.fine or hook_id is None:
        raise _other(answer, body)
    return hook_id


def read_success(answer: Answer) -> tuple[bool, str]:
    """Whether it was done, from {"success": bool, "error": …}, and what the gateway says to it; raises GatewayError."""
    body = parse(answer.body)
    if not answer.fine or not isinstance(body, dict) or not isinstance(body.get("success"), bool):
        raise _other(answer, body)
    return body["success"], plain(body.get("error_message") or body.get("error"))


def read_unsubscribed(answer: Answer) -> bool:
    """Whether there was such a subscription; raises GatewayError, also when the gateway says that it cannot."""
    done, told = read_success(answer)
    if not done and told:
        raise GatewayUnavailable(Reason.GATEWAY_ERROR, f"the gateway says: {told}")
    return done


def _other(answer: Answer, body: object) -> GatewayError:
    """Not what was asked for: a code in some wrapping, an object that says why not, or a stranger's page."""
    entry = body if isinstance(body, dict) else {"code": body}
    code = next((code for key in ("success", "code") if (code := as_code(entry.get(key))) is not None), None)
    if code is not None and code != answer.status:
        return harmless(fault(code))
    told = plain(entry.get("error_message") or entry.get("error"))
    if told:
        return GatewayUnavailable(Reason.GATEWAY_ERROR, f"the gateway says: {told}")
    return harmless(http_fault(answer))
