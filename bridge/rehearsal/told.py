"""What a rehearsal tells: every step with its time and its reason, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.escalation import State


class Happening(StrEnum):
    """What can happen in a rehearsal.

    muted: a policy is not told at this time. decided: the table's decision on an incident. calling: a call is placed.
    texting: an SMS is sent. answered: somebody, or a machine, picks up. key: a key is pressed. ended: the call is over.
    hung_up: it is cut off, for nobody needs it any more. looked_up: the gateway is asked what became of it. held_back:
    a limit does not allow the call or SMS yet.
    """

    MUTED = "muted"
    DECIDED = "decided"
    CALLING = "calling"
    TEXTING = "texting"
    ANSWERED = "answered"
    KEY = "key"
    ENDED = "ended"
    HUNG_UP = "hung_up"
    LOOKED_UP = "looked_up"
    HELD_BACK = "held_back"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a rehearsal.

    `call` counts the calls from 1, `round`, `step` and `attempt` count from 1 (0: not of one), `verdict` is the word of
    the journal, `why` a plain sentence. `seconds` of speech where a call is placed, on the phone where it is over;
    `cost` in euro, `parts` of an SMS. `window`: between which seconds of the call hanging up takes it. `policies`: the
    incidents it is about, by policy.
    """

    at: datetime
    event: Happening
    policies: tuple[str, ...] = ()
    person: str = ""
    number: str = field(default="", repr=False)
    call: int = 0
    round: int = 0
    step: int = 0
    attempt: int = 0
    verdict: str = ""
    why: str = ""
    text: str = ""
    seconds: float | None = None
    cost: float | None = None
    window: tuple[float, float] | None = None
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How one incident stands at the end; `rings_again_at`: then, if it still fires."""

    policy: str
    state: State
    by: str | None = None
    rings_again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A whole rehearsal. `taken`: the policies that firing alerts took, and whether each was muted; `spoken` are the
    words of each call; `unfinished`: it was broken off after too many calls."""

    began: datetime
    told: tuple[Told, ...]
    endings: tuple[Ending, ...]
    taken: tuple[tuple[str, bool], ...]
    spoken: tuple[str, ...] = ()
    unfinished: bool = False

    @property
    def calls(self) -> tuple[Told, ...]:
        """The calls as they are placed, in order."""
        return tuple(one for one in self.told if one.event is Happening.CALLING)

    @property
    def texts(self) -> tuple[Told, ...]:
        """The SMS as they are sent, in order."""
        return tuple(one for one in self.told if one.event is Happening.TEXTING)

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who is called, each once, in the order of their first call."""
        return tuple(dict.fromkeys(one.person for one in self.calls))

    @property
    def cost(self) -> float:
        """Euro."""
        return round(sum(one.cost or 0.0 for one in self.told), 4)
