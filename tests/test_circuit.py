"""Whether an account is in order: every cell of the circuit's table, and what holds whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import Circuit, State, another_may, answered, failed, probed, rests
from bridge.gateway.circuit import FAILURES, FIRST_PAUSE, LAST_RESORT, LONGEST_PAUSE, pause

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CLOSED = Circuit()
SHAKEN = Circuit(failures=FAILURES - 1)
OPEN = Circuit(State.OPEN, FAILURES, 2, NOW, NOW + 20 * SECOND, 1, NOW)
TRIAL = Circuit(State.TRIAL, FAILURES, 3, trials=1, tried_at=NOW)
ALL = {"closed": CLOSED, "shaken": SHAKEN, "open": OPEN, "trial": TRIAL}
BUSY = GatewayUnavailable(Reason.CARRIER, "the carrier", 600)
LOST = GatewayUncertain(Reason.TIMEOUT, "no answer")


@pytest.mark.parametrize("circuit", ALL.values(), ids=list(ALL))
def test_an_answer_closes_it(circuit: Circuit) -> None:
    """A call that was taken, even a late one, shows that the account is in order; what was before is forgotten."""
    assert answered(circuit) == CLOSED


@pytest.mark.parametrize("circuit", ALL.values(), ids=list(ALL))
@pytest.mark.parametrize(
    "error",
    [
        GatewayRefused(Reason.NUMBER_INVALID, code=202),
        GatewayRefused(Reason.RECIPIENT_LIMIT, code=403),
        GatewayUncertain(Reason.DUPLICATE, code=402),
    ],
    ids=str,
)
def test_a_sensible_no_is_an_answer(circuit: Circuit, error: GatewayError) -> None:
    """A gateway that says what is wrong with one call is in order."""
    assert failed(circuit, error, NOW) == CLOSED


@pytest.mark.parametrize("error", [BUSY, LOST], ids=str)
def test_the_third_failure_in_a_row_opens_it(error: GatewayError) -> None:
    """One and two are nothing yet; at the third no call is requested there, and the probe comes after five seconds."""
    circuit = CLOSED
    for failures in range(1, FAILURES):
        circuit = failed(circuit, error, NOW)
        assert circuit == Circuit(failures=failures)
    assert failed(circuit, error, NOW) == Circuit(State.OPEN, FAILURES, 0, NOW, NOW + FIRST_PAUSE)


@pytest.mark.parametrize("reason", [Reason.AUTHENTICATION, Reason.NO_CREDIT])
def test_what_waits_for_a_human_opens_it_at_once(reason: Reason) -> None:
    """A refused key or an empty account is no better at the next request."""
    assert failed(CLOSED, GatewayUnavailable(reason), NOW) == Circuit(State.OPEN, 1, 0, NOW, NOW + FIRST_PAUSE)


def test_an_open_one_learns_nothing_from_late_failures() -> None:
    """Requests that were under way when it opened change neither the probe's time nor anything else."""
    assert failed(OPEN, BUSY, NOW + SECOND) is OPEN


def test_a_failed_trial_waits_longer() -> None:
    """It opens again, and the probe comes later than the one before."""
    later = NOW + SECOND
    assert failed(TRIAL, LOST, later) == Circuit(State.OPEN, FAILURES + 1, 3, later, later + pause(3), 2, later)
    assert pause(3) > pause(2)


@pytest.mark.parametrize("circuit", [CLOSED, SHAKEN, TRIAL], ids=["closed", "shaken", "trial"])
@pytest.mark.parametrize("error", [None, BUSY], ids=str)
def test_a_balance_says_nothing_of_one_that_takes_calls(circuit: Circuit, error: GatewayError | None) -> None:
    """Only an open circuit is probed; a balance that is asked for show neither opens nor closes anything."""
    assert probed(circuit, error, NOW) is circuit


@pytest.mark.parametrize(
    ("error", "well"),
    [
        (None, True),
        (GatewayUnavailable(Reason.AUTHENTICATION, code=902), True),
        (GatewayUnavailable(Reason.NO_CREDIT, code=500), True),
        (GatewayRefused(Reason.PARAMETER_UNKNOWN, code=308), True),
        (GatewayUnavailable(Reason.AUTHENTICATION, code=900), False),
        (GatewayUnavailable(Reason.CONNECTION), False),
        (GatewayUnavailable(Reason.TIMEOUT), False),
        (GatewayUnavailable(Reason.UNREADABLE), False),
        (GatewayUnavailable(Reason.GATEWAY_ERROR), False),
    ],
    ids=str,
)
def test_a_probe(error: GatewayError | None, *, well: bool) -> None:
    """A gateway that answers is tried with one call, also where the key may not ask for the balance; else it waits."""
    now = NOW + 20 * SECOND
    waits = replace(OPEN, probes=3, probe_at=now + pause(3))
    tried = replace(OPEN, state=State.TRIAL, probes=3, opened_at=None, probe_at=None)
    assert probed(OPEN, error, now) == (tried if well else waits)


def test_a_balance_that_never_answers_does_not_silence_the_phone() -> None:
    """After five minutes one call is let through: it may be the probe that is broken, and not the calls."""
    assert probed(OPEN, BUSY, NOW + LAST_RESORT - SECOND).state is State.OPEN
    assert probed(OPEN, BUSY, NOW + LAST_RESORT).state is State.TRIAL
    assert probed(OPEN, BUSY, NOW + LAST_RESORT, alone=False).state is State.OPEN


@pytest.mark.parametrize(
    ("circuit", "minutes"),
    [
        (Circuit(State.TRIAL), 0),
        (CLOSED, 0),
        (OPEN, 0),
        (TRIAL, 1),
        (replace(TRIAL, trials=2), 2),
        (replace(TRIAL, trials=3), 4),
        (replace(TRIAL, trials=6), 30),
        (replace(TRIAL, trials=9999), 30),
    ],
)
def test_a_failed_trial_is_followed_by_a_rest(circuit: Circuit, minutes: int) -> None:
    """The first trial is made at once; after each that failed it is passed over for longer, half an hour at most."""
    assert rests(circuit, NOW + timedelta(minutes=minutes)) is False
    if minutes:
        assert rests(circuit, NOW + timedelta(minutes=minutes) - SECOND) is True


def test_pauses_grow_to_a_bound() -> None:
    """5, 10, 20, 40 seconds, and then a minute for ever."""
    assert [pause(probes) / SECOND for probes in (0, 1, 2, 3, 4, 5, 10_000)] == [5, 10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (BUSY, True),
        (GatewayUnavailable(Reason.NO_CREDIT), True),
        (GatewayRefused(Reason.RECIPIENT_LIMIT), True),
        (GatewayRefused(Reason.SENDER_INVALID), True),
        (GatewayRefused(Reason.PARAMETER_UNKNOWN), True),
        (GatewayRefused(Reason.NUMBER_INVALID), False),
        (GatewayRefused(Reason.TEXT_INVALID), False),
        (LOST, False),
        (GatewayUncertain(Reason.DUPLICATE), False),
    ],
    ids=str,
)
def test_when_another_account_may_be_asked(error: GatewayError, *, may: bool) -> None:
    """Where nobody was called and another may do better; never where the phone may ring already."""
    assert another_may(error) is may


errors = st.builds(
    lambda kind, reason: kind(reason),
    st.sampled_from([GatewayRefused, GatewayUnavailable, GatewayUncertain]),
    st.sampled_from(list(Reason)),
)
happenings = st.lists(st.tuples(st.sampled_from(["answered", "failed", "probed"]), errors), max_size=30)


@given(happenings)
def test_whatever_happens(events: list[tuple[str, GatewayError]]) -> None:
    """An open circuit always has a probe to come, within the bound; no other has one; one answer closes any."""
    circuit, now = Circuit(), NOW
    for what, error in events:
        now += 7 * SECOND
        match what:
            case "answered":
                circuit = answered(circuit)
            case "failed":
                circuit = failed(circuit, error, now)
            case _:
                circuit = probed(circuit, error, now)
        assert (circuit.probe_at is not None) is (circuit.opened_at is not None) is (circuit.state is State.OPEN)
        assert circuit.probe_at is None or circuit.probe_at <= now + LONGEST_PAUSE
    assert answered(circuit) == Circuit()
