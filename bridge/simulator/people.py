"""Who picks up, and how: the scripted behaviour of the people whom the simulator rings.

All durations are seconds of the simulated world. The plan of a call is pure: what happens, and when after acceptance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bridge.errors import CallbridgeError

SET_UP_SECONDS = 1.0  # from the acceptance of a call until the phone rings
LAST_WORD_SECONDS = 1.0  # from the key that is pressed until the receiver is put down
LONGEST_SECONDS = 86_400.0
REPLY_SECONDS = 5.0  # from the end of the call until the SMS is sent


class ScriptError(CallbridgeError, ValueError):
    """What was said of a person, a fault or a hook cannot be played; the text says what would be right."""


class Kind(StrEnum):
    """How one person behaves on one call.

    sleeps: rings out. answers: picks up and listens. hangs_up: picks up and ends it before the text is over. mailbox:
    a machine picks up and takes the whole text. busy, fails: the network says failed. presses: picks up and presses a
    key. replies: listens, then sends an SMS. silent: accepted, and nothing is ever heard of it again. barred: accepted,
    refused at set-up, to be seen in the journal only. refused: the request itself is answered with a code.
    """

    SLEEPS = "sleeps"
    ANSWERS = "answers"
    HANGS_UP = "hangs_up"
    MAILBOX = "mailbox"
    BUSY = "busy"
    FAILS = "fails"
    PRESSES = "presses"
    REPLIES = "replies"
    SILENT = "silent"
    BARRED = "barred"
    REFUSED = "refused"


# The seconds until the receiver is lifted, where the script does not say.
PICKS_UP = {Kind.MAILBOX: 20.0}
# The seconds of listening, where the script does not say; all others hear the text to its end.
LISTENS = {Kind.HANGS_UP: 3.0, Kind.PRESSES: 3.0}


@dataclass(frozen=True, slots=True)
class Answer:
    """How one person behaves on one call.

    `after`: seconds of ringing before the receiver is lifted (None: 4, a mailbox 20). `listens`: seconds until it is
    put down, for `presses` until the key is pressed (None: the end of the speech; `hangs_up` and `presses` 3). `digit`
    is the key, `text` the SMS, `code` the gateway's refusal.
    """

    kind: Kind
    after: float | None = None
    listens: float | None = None
    digit: str = "1"
    text: str = "OK"
    code: int = 403

    def __post_init__(self) -> None:
        if not all(0 <= (seconds or 0) <= LONGEST_SECONDS for seconds in (self.after, self.listens)):
            raise ScriptError(f"{self.kind.value}: seconds cannot be negative or more than a day")
        if len(self.digit) != 1 or self.digit not in "0123456789*#":
            raise ScriptError(f"{self.kind.value}: {self.digit!r} is not a key of a telephone (0 to 9, *, #)")
        if not 0 < self.code < 1000:
            raise ScriptError(f"{self.kind.value}: {self.code} is not a code of the gateway (1 to 999)")

    @property
    def picks_up(self) -> float:
        """Seconds of ringing before the receiver is lifted."""
        return PICKS_UP.get(self.kind, 4.0) if self.after is None else self.after

    def talk(self, speech: float) -> float:
        """Seconds from lifting the receiver until it is put down or the key pressed; the text takes `speech`."""
        if self.kind is Kind.MAILBOX:
            return speech
        listens = LISTENS.get(self.kind, speech) if self.listens is None else self.listens
        return min(listens, speech) if self.kind is Kind.HANGS_UP else listens


def sleeps() -> Answer:
    """Does not hear the phone: no-answer after the ring time."""
    return Answer(Kind.SLEEPS)


def answers(after: float | None = None, listens: float | None = None) -> Answer:
    """Picks up and listens for `listens` seconds, or to the end."""
    return Answer(Kind.ANSWERS, after=after, listens=listens)


def hangs_up(listens: float | None = None, after: float | None = None) -> Answer:
    """Picks up and puts the receiver down after `listens` seconds, before the text is over."""
    return Answer(Kind.HANGS_UP, after=after, listens=listens)


def mailbox(after: float | None = None) -> Answer:
    """A mailbox picks up and takes the whole text."""
    return Answer(Kind.MAILBOX, after=after)


def busy() -> Answer:
    """The line is engaged: failed."""
    return Answer(Kind.BUSY)


def fails() -> Answer:
    """The network cannot connect: failed."""
    return Answer(Kind.FAILS)


def presses(digit: str = "1", after: float | None = None, listens: float | None = None) -> Answer:
    """Picks up and presses `digit` after `listens` seconds."""
    return Answer(Kind.PRESSES, after=after, listens=listens, digit=digit)


def replies(text: str = "OK", after: float | None = None, listens: float | None = None) -> Answer:
    """Picks up, listens, and sends `text` by SMS afterwards."""
    return Answer(Kind.REPLIES, after=after, listens=listens, text=text)


def silent() -> Answer:
    """Accepted, and no report ever."""
    return Answer(Kind.SILENT)


def barred() -> Answer:
    """Accepted, and refused at set-up: the journal says why, no report is sent."""
    return Answer(Kind.BARRED)


def refused(code: int = 403) -> Answer:
    """The gateway answers the request with `code`."""
    return Answer(Kind.REFUSED, code=code)


@dataclass(slots=True)
class Person:
    """A number and how it behaves, call by call and SMS by SMS; the last answer repeats. No answers: sleeps.

    To an SMS: `replies` sends one back, `refused` makes the gateway answer with the code, `busy` and `fails` are not
    delivered, `silent` sends no receipt; everybody else reads it and says nothing.
    """

    number: str
    answers: list[Answer] = field(default_factory=list)
    calls: int = 0
    texts: list[Answer] = field(default_factory=list)
    texted: int = 0

    def next_answer(self) -> Answer:
        self.calls += 1
        return _nth(self.answers, self.calls)

    def next_text_answer(self) -> Answer:
        self.texted += 1
        return _nth(self.texts, self.texted)


def _nth(answers: list[Answer], number: int) -> Answer:
    return answers[min(number, len(answers)) - 1] if answers else sleeps()


class Happening(StrEnum):
    """What can happen in the life of a call; the first six are the gateway's own words for its status."""

    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    PRESS = "press"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Moment:
    """`what` happens `at` seconds after the gateway accepted the call."""

    at: float
    what: Happening


def plan(answer: Answer, ring_time: float, speech: float) -> tuple[Moment, ...]:
    """The life of a call that rings for `ring_time` seconds at most and speaks for `speech` seconds, in order."""
    if answer.kind in (Kind.SILENT, Kind.BARRED, Kind.REFUSED):
        return ()
    start = (Moment(0.0, Happening.INITIATED), Moment(SET_UP_SECONDS, Happening.RINGING))
    if answer.kind in (Kind.BUSY, Kind.FAILS):
        return (*start, Moment(2 * SET_UP_SECONDS, Happening.FAILED))
    if answer.kind is Kind.SLEEPS or answer.picks_up >= ring_time:
        return (*start, Moment(SET_UP_SECONDS + ring_time, Happening.NO_ANSWER))
    lifted = SET_UP_SECONDS + answer.picks_up
    return (*start, Moment(lifted, Happening.IN_PROGRESS), *_talk(answer, lifted + answer.talk(speech)))


def _talk(answer: Answer, until: float) -> tuple[Moment, ...]:
    if answer.kind is Kind.PRESSES:
        return Moment(until, Happening.PRESS), Moment(until + LAST_WORD_SECONDS, Happening.COMPLETED)
    if answer.kind is Kind.REPLIES:
        return Moment(until, Happening.COMPLETED), Moment(until + REPLY_SECONDS, Happening.REPLY)
    return (Moment(until, Happening.COMPLETED),)


# What may be said of each kind; the first may be said without its name ("presses:5").
FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.ANSWERS: ("after", "listens"),
    Kind.HANGS_UP: ("listens", "after"),
    Kind.MAILBOX: ("after",),
    Kind.PRESSES: ("digit", "after", "listens"),
    Kind.REPLIES: ("text", "after", "listens"),
    Kind.REFUSED: ("code",),
}
_READ: Mapping[str, Callable[[Any], Any]] = {"after": float, "listens": float, "digit": str, "text": str, "code": int}


def parse_answer(script: str) -> Answer:
    """An answer from its short form: `sleeps`, `answers:after=4,listens=10`, `presses:5`, `refused:403`, …

    Raises ScriptError naming the word that is wrong and those that would be right.
    """
    name, _, rest = script.strip().partition(":")
    first = FIELDS.get(_kind(name), ("",))[0]
    said: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = part.partition("=")
        said[key.strip() if equals else first] = value.strip() if equals else key
    return make_answer(name, said)


def make_answer(kind: str, said: Mapping[str, object]) -> Answer:
    """An answer from its kind and fields, as read from a short form or from JSON; raises ScriptError."""
    known, fields = _kind(kind), FIELDS.get(_kind(kind), ())
    unknown = [key for key in said if key not in fields]
    if unknown:
        right = ", ".join(fields) or "nothing more"
        raise ScriptError(f"{known.value}: cannot take {unknown[0]!r}; it takes {right}")
    read: dict[str, Any] = {}
    for key, value in said.items():
        try:
            read[key] = _READ[key](value)
        except (TypeError, ValueError):
            raise ScriptError(f"{known.value}: {key} is {value!r}, which is not a number") from None
    return Answer(known, **read)


def _kind(name: str) -> Kind:
    try:
        return Kind(name.strip().replace("-", "_"))
    except ValueError:
        raise ScriptError(f"nobody behaves like {name!r}; there are {', '.join(Kind)}") from None
