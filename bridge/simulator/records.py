"""What the simulator remembers, for tests and for the story: requests, calls, hooks, deliveries, events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.simulator.numbers import spoken
from bridge.simulator.people import Answer, Happening

FINAL = (Happening.COMPLETED, Happening.NO_ANSWER, Happening.FAILED)


class Auth(StrEnum):
    """Where the key of a request was found."""

    HEADER = "X-Api-Key"
    BASIC = "Authorization: Basic"
    QUERY = "p= in the URL"
    BODY = "p= in the body"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, without the key: `url` and `form` have it replaced, `headers` leave it out.

    `key_in_url` is true if the account's key stood anywhere in the URL as it was sent.
    """

    at: datetime
    method: str
    path: str
    url: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    content_type: str
    headers: Mapping[str, str]
    auth: Auth
    key_in_url: bool

    @property
    def parameters(self) -> Mapping[str, str]:
        """Query and body together; the body wins."""
        return {**self.query, **self.form}


@dataclass(slots=True, eq=False)
class PhoneCall:
    """One call. Numbers are bare digits, `ring_time` and `duration` in seconds, `price` in euro for the whole.

    `statuses` holds each status with the instant it happened, in order. `overlap`: another call to the same number was
    not over yet when this one was requested. `digits`: the keys that were pressed.
    """

    id: int
    to: str
    sender: str
    text: str
    xml: bool
    foreign_id: str | None
    ring_time: float
    answer: Answer
    requested_at: datetime
    request: Received
    overlap: bool
    statuses: list[tuple[Happening, datetime]] = field(default_factory=list)
    duration: float | None = None
    price: float | None = None
    error: str | None = None
    digits: str = ""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)  # whose report is being delivered

    @property
    def status(self) -> str:
        """The gateway's word for it now; empty if it was refused at set-up."""
        return self.statuses[-1][0].value if self.statuses else ""

    @property
    def over(self) -> bool:
        """Whether it has ended, or never began."""
        return self.error is not None or (bool(self.statuses) and self.statuses[-1][0] in FINAL)

    @property
    def spoken(self) -> str:
        """The words that were read out."""
        return spoken(self.text)

    def at(self, status: str) -> datetime | None:
        """When it came to `status`; None if it did not."""
        return next((when for what, when in self.statuses if what.value == status), None)

    def as_json(self) -> dict[str, object]:
        """For the control API; times in RFC 3339."""
        return {
            "id": self.id,
            "to": self.to,
            "from": self.sender,
            "text": self.text,
            "spoken": self.spoken,
            "xml": self.xml,
            "foreign_id": self.foreign_id,
            "ringtime": self.ring_time,
            "answer": self.answer.kind.value,
            "status": self.status,
            "statuses": [{"status": what.value, "at": when.isoformat()} for what, when in self.statuses],
            "requested_at": self.requested_at.isoformat(),
            "duration": self.duration,
            "price": self.price,
            "error": self.error,
            "digits": self.digits,
            "overlap": self.overlap,
            "auth": self.request.auth.value,
        }


@dataclass(slots=True, eq=False)
class TextMessage:
    """One SMS that was accepted; it is never sent. `status`: the last word of its receipts, in capitals; "": none yet.

    `price` in euro for all its `parts`.
    """

    id: str
    to: str
    sender: str
    text: str
    at: datetime
    answer: Answer
    foreign_id: str | None = None
    parts: int = 1
    unicode: bool = False
    price: float = 0.0
    status: str = ""
    status_at: datetime | None = None

    def as_json(self) -> dict[str, object]:
        """For the control API; times in RFC 3339."""
        return {
            "id": self.id,
            "to": self.to,
            "from": self.sender,
            "text": self.text,
            "foreign_id": self.foreign_id,
            "parts": self.parts,
            "price": self.price,
            "status": self.status,
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Hook:
    """One subscription. `method` is POST (form), GET (query) or JSON; `headers` are lines of `Name: value`.

    One that is not `enabled` is listed and gets nothing: the gateway switches off what fails for days.
    """

    id: int
    url: str = field(repr=False)
    event: str
    method: str
    created: datetime
    headers: str = field(default="", repr=False)
    filter: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver one report: `answer` is the receiver's HTTP status, None if there was none (see `error`).

    `hook` 0 is the address in the XML of a call (`<Gather action>`).
    """

    at: datetime
    hook: int
    event: str
    call: int | None
    status: str
    attempt: int
    answer: int | None
    error: str = ""

    @property
    def kept(self) -> bool:
        """Whether the receiver has it now: 2xx and 3xx count (vendor's webhook page)."""
        return self.answer is not None and 200 <= self.answer < 400


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the story so far."""

    at: datetime
    what: str
    number: str = ""
    call: int | None = None
    words: str = ""

    def as_json(self) -> dict[str, object]:
        """For the control API."""
        at = self.at.isoformat()
        return {"at": at, "what": self.what, "number": self.number, "call": self.call, "words": self.words}
