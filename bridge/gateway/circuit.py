"""Whether an account is in order: a circuit breaker as a value. Pure: the clock's time is given.

| | answered | failed | probed: well | probed: not well |
|---|---|---|---|---|
| closed | closed, failures forgotten | closed; the third in a row, or a key or credit that is refused: open | - | - |
| open | closed: a late answer is one too | - | trial | open, and the next probe is later; at last: trial |
| trial | closed | open, and the first probe is later than the last time | - | - |

Open: no call is requested there. Trial: one call at a time, until one is taken; see `rests`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, Reason

# So many requests in a row that were not taken open the circuit.
FAILURES = 3
# Between two probes: doubled from the first to the longest.
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=60)
# /balance may be what is broken, and calls not: after so long one call is let through, whatever the probe says.
LAST_RESORT = timedelta(minutes=5)
# Between two trials, as long as another account takes calls.
FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(minutes=30)

# No other request would fare better before somebody has mended it.
_AT_ONCE = frozenset({Reason.AUTHENTICATION, Reason.NO_CREDIT})
# The code for a key that may place calls, and not ask for the balance.
_SCOPE_MISSING = 902
# What a gateway says that is there, and does not like the question, or has a balance that looks like a code.
_THERE = frozenset({Reason.PARAMETER_UNKNOWN, Reason.NO_CREDIT})


class State(StrEnum):
    """closed: in order. open: out. trial: it is there again, and the next call shows whether it takes calls."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Circuit:
    """`failures` in a row, `probes` and failed `trials` since a call was taken; `probe_at` and `opened_at` while open.

    `tried_at`: when the last trial failed.
    """

    state: State = State.CLOSED
    failures: int = 0
    probes: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    trials: int = 0
    tried_at: datetime | None = None


# What one account cannot and another may: its limit for the number, its caller id, its dialect.
_ITS_OWN = frozenset({Reason.RECIPIENT_LIMIT, Reason.SENDER_INVALID, Reason.PARAMETER_UNKNOWN})


def another_may(error: GatewayError) -> bool:
    """Whether nobody was called, and another account may take the same call."""
    if isinstance(error, GatewayRefused):
        return error.reason in _ITS_OWN
    return isinstance(error, GatewayUnavailable)


def answered(circuit: Circuit) -> Circuit:
    """The gateway took a call, or said sensibly why it would not take this one."""
    return circuit if circuit == Circuit() else Circuit()


def failed(circuit: Circuit, error: GatewayError, now: datetime) -> Circuit:
    """A request for a call was not taken, or nobody knows."""
    if isinstance(error, GatewayRefused) or error.reason is Reason.DUPLICATE:
        return answered(circuit)
    if circuit.state is State.OPEN:
        return circuit
    failures = circuit.failures + 1
    on_trial = circuit.state is State.TRIAL
    if not on_trial and failures < FAILURES and error.reason not in _AT_ONCE:
        return replace(circuit, failures=failures)
    trials, tried_at = (circuit.trials + 1, now) if on_trial else (circuit.trials, circuit.tried_at)
    return Circuit(State.OPEN, failures, circuit.probes, now, now + pause(circuit.probes), trials, tried_at)


def probed(circuit: Circuit, error: GatewayError | None, now: datetime, *, alone: bool = True) -> Circuit:
    """/balance was asked; `error`: why it did not answer, None: it did. `alone`: no other account takes calls."""
    if circuit.state is not State.OPEN or circuit.opened_at is None:
        return circuit
    probes = circuit.probes + 1
    if there(error) or (alone and now - circuit.opened_at >= LAST_RESORT):
        return replace(circuit, state=State.TRIAL, probes=probes, opened_at=None, probe_at=None)
    return replace(circuit, probes=probes, probe_at=now + pause(probes))


def rests(circuit: Circuit, now: datetime) -> bool:
    """Whether one on trial is passed over as long as another account takes calls: after each failed trial for longer.

    A call whose answer is lost costs somebody a minute until the next account may be asked.
    """
    if circuit.state is not State.TRIAL or circuit.tried_at is None:
        return False
    return now < circuit.tried_at + min(FIRST_REST * (1 << min(circuit.trials - 1, 10)), LONGEST_REST)


def pause(probes: int) -> timedelta:
    """How long to wait before the next probe, after so many."""
    return min(FIRST_PAUSE * (1 << min(probes, 10)), LONGEST_PAUSE)


def there(error: GatewayError | None) -> bool:
    """Whether the answer to /balance (`error`: why it is none) says that the gateway is there."""
    return error is None or error.code == _SCOPE_MISSING or error.reason in _THERE
