"""SMS: their states, what became of them, how many parts a text takes, what they cost, and whether a reply takes it.

queued -> sending -> sent -> ended. An SMS is written down (sending) before it is requested; `settle` applies a receipt
of the network to it: idempotent and monotone. A final state stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

# The template that words every SMS: templates/sms.txt.j2.
TEMPLATE = "sms"


class SmsOutcome(StrEnum):
    """What became of an SMS: the label of callbridge_sms_total.

    delivered: the phone has it. sent: the gateway took it, and no receipt came. failed: the network could not deliver
    it. refused: the gateway would not send it. unconfirmed: requested twice, and nothing is known of either. cancelled:
    it was not needed any more before it was sent.
    """

    DELIVERED = "delivered"
    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    CANCELLED = "cancelled"


class SmsState(StrEnum):
    """queued: to be (re)tried at its due time. sending: requested, answer not known. sent: accepted. ended: final."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    ENDED = "ended"


class Delivery(StrEnum):
    """The gateway's words for an SMS on its way; `unknown` also for any that it may invent."""

    DELIVERED = "delivered"
    NOT_DELIVERED = "notdelivered"
    BUFFERED = "buffered"
    TRANSMITTED = "transmitted"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


FINAL = {
    Delivery.DELIVERED: SmsOutcome.DELIVERED,
    Delivery.NOT_DELIVERED: SmsOutcome.FAILED,
    Delivery.EXPIRED: SmsOutcome.FAILED,
    Delivery.REJECTED: SmsOutcome.FAILED,
    Delivery.FAILED: SmsOutcome.FAILED,
}
# What a receipt still corrects, however late it comes.
_DOUBTFUL = (SmsOutcome.SENT, SmsOutcome.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the network says of an SMS."""

    status: Delivery
    gateway_id: str | None = None
    foreign_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sms:
    """One SMS to one person; it carries every page that waited for them when it was requested.

    `id` is ours (sent as foreign_id where the dialect has it), `gateway_id` that of the `account` at the gateway;
    `parts` are what is charged, `cost` in euro. `tries` counts requests whose answer said that nothing was sent,
    `asked_again` whether it was requested again after an uncertain answer.
    """

    id: str
    person: str
    number: str
    created_at: datetime
    state: SmsState = SmsState.SENDING
    gateway_id: str | None = None
    language: str = ""
    template: str = ""
    text: str = field(default="", repr=False)
    parts: int = 1
    requested_at: datetime | None = None
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    outcome: SmsOutcome | None = None
    reason: str = ""
    cost: float | None = None
    tries: int = 0
    asked_again: bool = False
    acknowledged: bool = False
    account: str = ""
    version: int = 0

    @property
    def live(self) -> bool:
        return self.state is not SmsState.ENDED


def settle(sms: Sms, status: Delivery, now: datetime) -> Sms:
    """The SMS after a receipt; the same object if it says nothing new."""
    outcome = FINAL.get(status)
    if outcome is None or not (sms.live or sms.outcome in _DOUBTFUL):
        return sms
    reason = "" if outcome is SmsOutcome.DELIVERED else f"the network says: {status.value}"
    return replace(sms, state=SmsState.ENDED, outcome=outcome, ended_at=sms.ended_at or now, due_at=None, reason=reason)


def end(sms: Sms, outcome: SmsOutcome, now: datetime, reason: str = "") -> Sms:
    """The SMS ended by other means than a receipt; an ended one stays as it is."""
    if not sms.live:
        return sms
    return replace(sms, state=SmsState.ENDED, outcome=outcome, ended_at=now, due_at=None, reason=reason)


# GSM 03.38: what costs one place of 160 and what costs two; any other character makes the whole text UCS-2.
_ONE = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWO = frozenset("\f^{}\\[~]|€")
_SINGLE, _JOINED = (160, 70), (153, 67)


def gsm(text: str) -> bool:
    """Whether every character is of the GSM alphabet: then 160 of them fit into one part, else 70."""
    return all(character in _ONE or character in _TWO for character in text)


_CHEAPER = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2022\u00b7", "-")
    | dict.fromkeys("\u00a0\u202f\u2009", " ")
    | {"\u2026": "...", "\u2192": "->", "\u2265": ">=", "\u2264": "<=", "\u00d7": "x"}
)


def cheaper(text: str) -> str:
    """`text` with typographic characters as a typewriter has them: one of them alone would double the price."""
    return text.translate(_CHEAPER)


def parts(text: str) -> int:
    """How many parts the network makes of `text`; each is charged. A character is never torn in two."""
    alphabet = 0 if gsm(text) else 1
    sizes = list(_sizes(text, alphabet))
    if sum(sizes) <= _SINGLE[alphabet]:
        return 1
    count, left = 1, _JOINED[alphabet]
    for size in sizes:
        if size > left:
            count, left = count + 1, _JOINED[alphabet]
        left -= size
    return count


def _sizes(text: str, alphabet: int) -> Iterator[int]:
    for character in text:
        wide = character in _TWO if alphabet == 0 else ord(character) > 0xFFFF
        yield 2 if wide else 1


# Euro for each part, as long as the gateway has not told what it cost: a little more than its answers have named.
USUAL_PRICE = 0.08


def expected_cost(sent: int) -> float:
    """Euro for so many parts whose price is not known."""
    return round(sent * USUAL_PRICE, 4)


# A phone may answer by itself ("I'm driving, I'll see it later"): only what begins like a yes takes an incident.
_YES = frozenset({
    *("ok", "okay", "k", "yes", "yep", "y", "1", "ack", "acked", "acknowledge", "acknowledged", "take", "taking"),
    *("taken", "took", "mine", "got", "done", "ja", "jo", "jep", "j", "jawohl", "klar", "übernehme", "übernommen"),
    *("mache", "uebernehme", "uebernommen", "oui", "si", "sí"),
})  # fmt: skip
_WORD = re.compile(r"\w+")


def says_yes(reply: str) -> bool:
    """Whether the reply to an SMS says "I have it": it begins with OK, yes, ja, ack, take …, in any case."""
    first = _WORD.search(reply.replace(".", "").casefold())
    return first is not None and first[0] in _YES
