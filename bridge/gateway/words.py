"""The words of the gateway's face: what is asked of it and what it answers, as frozen values.

Telephone numbers, addresses with a token in them and spoken texts are kept out of every repr, since reprs end up in
logs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bridge.call import CallStatus
from bridge.errors import Reason
from bridge.sms import Delivery


class Dialect(StrEnum):
    """seven: the API since 2024 (Accept decides on JSON). sms77: the original one (json=1, xml=1, text replies)."""

    SEVEN = "seven"
    SMS77 = "sms77"


class Operation(StrEnum):
    """What a request was for: a closed list, and the label of callbridge_gateway_requests_total."""

    VOICE = "voice"
    JOURNAL = "journal"
    HANG_UP = "hang_up"
    BALANCE = "balance"
    HOOKS = "hooks"
    SMS = "sms"


HookMethod = Literal["POST", "GET", "JSON"]

# Called once per HTTP request: what for, how many seconds it took, and why it failed (None: it did not).
Observe = Callable[[Operation, float, Reason | None], None]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and its whole answer, as they went over the wire but for the key, which is in no part of it.

    Full of numbers and texts: `bridge.gateway.record` takes them out.
    """

    method: str
    url: str = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    status: int
    content_type: str
    date: str
    body: str = field(repr=False)


# Called with each exchange that came whole.
Overhear = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Request:
    """One call or SMS to one person. `number` is E.164 ("+49…"), `text` what is told, `xml` whether it is TwiML."""

    number: str = field(repr=False)
    text: str = field(repr=False)
    xml: bool = False
    foreign_id: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """The gateway accepted the call (nobody has answered yet) or the SMS (no phone has it yet).

    `gateway_id` is None where it told none. `price` is its estimate in euro, not the charge; `balance` in euro, as told
    with the answer. `debug`: it was a rehearsal of the gateway's (debug or sandbox key), and nobody was called.
    """

    gateway_id: str | None
    price: float | None = None
    balance: float | None = None
    debug: bool = False


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A call as the gateway's logbook has it, newest first in a tuple of them.

    `number` in digits without plus, `duration` in seconds, `cost` in euro for the whole call, `error` the gateway's own
    words with numbers taken out. `at` is UTC; the wire has German local time without an offset, so that in the hour
    that October has twice both readings are plausible: it is the first of them that lies in the span that was asked
    for.
    """

    gateway_id: str
    number: str = field(repr=False)
    text: str = field(repr=False)
    status: CallStatus
    duration: float | None
    cost: float | None
    at: datetime
    error: str = ""


@dataclass(frozen=True, slots=True)
class OutboundRow:
    """An SMS as the gateway's logbook has it; fields as of a JournalRow. `foreign_id` is ours, where it keeps it."""

    gateway_id: str
    number: str = field(repr=False)
    text: str = field(repr=False)
    delivery: Delivery
    cost: float | None
    at: datetime
    foreign_id: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook subscription of the account; the address is not in the repr, for it may carry a token."""

    id: str
    target_url: str = field(repr=False)
    event_type: str
    request_method: str
    enabled: bool = True
