"""How telephones behave in a rehearsal: one table of assumptions. The simulator assumes the same; a test compares them.

All are seconds. A real network is slower or quicker by a few; nothing else of a rehearsal is assumed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.call import CallStatus
from bridge.speech import Kind
from bridge.speech.markup import Element, elements

SET_UP = 1.0  # from the acceptance of a call until the phone rings
BUSY_AFTER = 2.0  # from the acceptance until the network says that the line is engaged
PICKS_UP = 4.0  # of ringing, until a human lifts the receiver
MAILBOX_PICKS_UP = 20.0  # of ringing, until a mailbox does
KEY_AFTER = 3.0  # of listening, until a key is pressed
LAST_WORD = 1.0  # from the key until the receiver is put down
UNSENT_RING_TIME = 30.0  # how long it rings where the dialect cannot say how long (sms77)
CHARACTERS_PER_SECOND = 15.0  # how quickly the voice reads; whoever listens to the end listens that long
SHORTEST_READING = 1.0

# Euro per started minute, an estimate on the high side: the gateway's reports have named 0.045. Your contract decides.
PRICE_PER_MINUTE = 0.10

# The table in one sentence, for whoever reads a rehearsal.
ASSUMED = (
    f"a phone rings {SET_UP:.0f} s after the call is placed, is picked up {PICKS_UP:.0f} s later (by a mailbox "
    f"{MAILBOX_PICKS_UP:.0f} s later), a key comes after {KEY_AFTER:.0f} s, and {CHARACTERS_PER_SECOND:.0f} characters "
    "a second are read"
)


class Manner(StrEnum):
    """How somebody behaves on one call.

    no: does not hear it. yes: picks up and listens to the end. key: picks up and presses a key. busy: the line is
    engaged. mailbox: a machine picks up and takes the whole text. hang_up: picks up and hangs up when asked to, amid
    the window; listens to the end where nobody asks.
    """

    NO = "no"
    YES = "yes"
    KEY = "key"
    BUSY = "busy"
    MAILBOX = "mailbox"
    HANG_UP = "hang_up"


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens `after` seconds of the acceptance: the gateway's word for it; None: a key is pressed."""

    after: float
    status: CallStatus | None


def plan(manner: Manner, ring_time: float, reading: float) -> tuple[Moment, ...]:
    """The life of an accepted call that rings for `ring_time` at most and whose text takes `reading` to its end."""
    ringing = Moment(SET_UP, CallStatus.RINGING)
    if manner is Manner.BUSY:
        return ringing, Moment(BUSY_AFTER, CallStatus.FAILED)
    picks_up = MAILBOX_PICKS_UP if manner is Manner.MAILBOX else PICKS_UP
    if manner is Manner.NO or picks_up >= ring_time:
        return ringing, Moment(SET_UP + ring_time, CallStatus.NO_ANSWER)
    lifted = SET_UP + picks_up
    return ringing, Moment(lifted, CallStatus.IN_PROGRESS), *_talk(manner, lifted, reading)


def _talk(manner: Manner, lifted: float, reading: float) -> tuple[Moment, ...]:
    if manner is not Manner.KEY:
        return (Moment(lifted + reading, CallStatus.COMPLETED),)
    pressed = lifted + KEY_AFTER
    return Moment(pressed, None), Moment(pressed + LAST_WORD, CallStatus.COMPLETED)


def spoken(text: str, kind: Kind) -> str:
    """The words that are read out, on one line, without markup."""
    if kind is not Kind.TEXT:
        text = " ".join(element.text for element in elements(text))
    return " ".join(text.split())


def reading_seconds(text: str, kind: Kind) -> float:
    """How long the voice reads `text`, with the pauses of its markup."""
    pauses = 0.0 if kind is Kind.TEXT else sum(_pause(element) for element in elements(text))
    return max(SHORTEST_READING, len(spoken(text, kind)) / CHARACTERS_PER_SECOND) + pauses


def _pause(element: Element) -> float:
    if element.name == "Pause":
        return float(element.attributes.get("length", "1"))
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s)", element.attributes.get("time", ""))
    if element.name != "break" or found is None:
        return 0.0
    return float(found[1]) / (1000 if found[2] == "ms" else 1)
