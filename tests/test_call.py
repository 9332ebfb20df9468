"""Calls: what a report changes, and what it can never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.call import (
    FINAL,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST,
    By,
    Call,
    CallState,
    CallStatus,
    Outcome,
    Rate,
    Report,
    Rules,
    allowed_at,
    cost,
    end,
    pause_after,
    settle,
    sign,
    signed_call,
    taken,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
DAYS_LATER = NOON + timedelta(days=3)
SECOND = timedelta(seconds=1)

PLACING = Call("c1", "alice", "+491711234567", NOON, requested_at=NOON, due_at=LATER)
QUEUED = replace(PLACING, state=CallState.QUEUED)
PLACED = replace(PLACING, state=CallState.PLACED, gateway_id="77", placed_at=NOON + SECOND)
RINGING = replace(PLACED, ringing_at=NOON + 2 * SECOND)
TALKING = replace(RINGING, answered_at=NOON + 9 * SECOND)
UNCONFIRMED = end(PLACED, Outcome.UNCONFIRMED, LATER, "no report came")
LIVE = {"queued": QUEUED, "placing": PLACING, "placed": PLACED, "ringing": RINGING, "talking": TALKING}
STICKY = [outcome for outcome in Outcome if outcome is not Outcome.UNCONFIRMED]


def ended(outcome: Outcome, **changed: float | None) -> Call:
    return replace(end(PLACED, outcome, LATER), **changed)  # type: ignore[arg-type]  # changes of several types


def heard(call: Call, reports: Sequence[Report]) -> Call:
    """The call after all of `reports`, one a second."""
    for seconds, report in enumerate(reports):
        call = settle(call, report, NOON + seconds * SECOND)
    return call


# --- one report


@pytest.mark.parametrize("before", LIVE.values(), ids=list(LIVE))
@pytest.mark.parametrize(
    ("status", "rings", "talks"),
    [
        (CallStatus.INITIATED, False, False),
        (CallStatus.UNKNOWN, False, False),
        (CallStatus.RINGING, True, False),
        (CallStatus.IN_PROGRESS, True, True),
    ],
)
def test_a_report_under_way_only_adds(before: Call, status: CallStatus, rings: bool, talks: bool) -> None:
    """A report of a call that goes on makes it placed, adds the times that it proves, and takes nothing back."""
    after = settle(before, Report(status, gateway_id="99"), LATER)
    assert (after.state, after.outcome, after.ended_at) == (CallState.PLACED, None, None)
    assert after.gateway_id == (before.gateway_id or "99")
    assert after.placed_at == (before.placed_at or LATER)
    assert after.ringing_at == (before.ringing_at or (LATER if rings else None))
    assert after.answered_at == (before.answered_at or (LATER if talks else None))
    assert after.due_at == before.due_at


@pytest.mark.parametrize("before", LIVE.values(), ids=list(LIVE))
@pytest.mark.parametrize(("status", "outcome"), FINAL.items(), ids=list(FINAL))
def test_a_final_report_ends_any_live_call(before: Call, status: CallStatus, outcome: Outcome) -> None:
    """A final report ends a call from whatever state it was in, and nothing is due for it any more."""
    after = settle(before, Report(status, gateway_id="99", duration=12, price=0.05), DAYS_LATER)
    assert (after.state, after.outcome, after.ended_at) == (CallState.ENDED, outcome, DAYS_LATER)
    assert (after.due_at, after.live) == (None, False)
    assert after.gateway_id == (before.gateway_id or "99")
    assert after.duration == (12 if outcome is Outcome.ANSWERED else None)
    assert after.cost == 0.05
    assert (after.answered_at is not None) is (outcome is Outcome.ANSWERED)


@pytest.mark.parametrize(
    ("before", "duration", "answered_at"),
    [
        (PLACED, 12.5, DAYS_LATER - timedelta(seconds=12.5)),
        (PLACED, None, DAYS_LATER),
        (PLACED, 0, DAYS_LATER),
        (PLACED, float("inf"), DAYS_LATER),
        (PLACED, float("nan"), DAYS_LATER),
        (PLACED, -3, DAYS_LATER),
        (PLACED, 1e300, DAYS_LATER),
        (TALKING, 12.5, TALKING.answered_at),
    ],
)
def test_when_it_was_answered(before: Call, duration: float | None, answered_at: datetime) -> None:
    """The time of the answer is the one that was seen, else it is reckoned back from a length that can be true."""
    after = settle(before, Report(CallStatus.COMPLETED, duration=duration), DAYS_LATER)
    assert (after.outcome, after.answered_at) == (Outcome.ANSWERED, answered_at)


@pytest.mark.parametrize("status", [CallStatus.NO_ANSWER, CallStatus.FAILED])
def test_a_call_that_failed_was_not_answered(status: CallStatus) -> None:
    """If the last word is that nobody answered, there is no time of an answer and no length of a talk."""
    after = settle(TALKING, Report(status, duration=30), LATER)
    assert (after.answered_at, after.duration) == (None, None)


# --- what is final stays


@pytest.mark.parametrize("status", CallStatus)
@pytest.mark.parametrize("outcome", STICKY)
def test_a_final_state_stays(outcome: Outcome, status: CallStatus) -> None:
    """No report of any kind changes the outcome of a call that has one."""
    before = ended(outcome)
    assert settle(before, Report(status, gateway_id="99", foreign_id="c1", duration=40), DAYS_LATER) is before


@pytest.mark.parametrize("status", CallStatus)
def test_the_truth_beats_unconfirmed(status: CallStatus) -> None:
    """After `unconfirmed` a late final report tells the truth; one of a call under way tells nothing."""
    after = settle(UNCONFIRMED, Report(status, duration=20, price=0.1), DAYS_LATER)
    if status not in FINAL:
        assert after is UNCONFIRMED
        return
    assert (after.outcome, after.reason, after.ended_at) == (FINAL[status], "", DAYS_LATER)
    assert after.cost == 0.1


@pytest.mark.parametrize("status", CallStatus)
@pytest.mark.parametrize("before", LIVE.values(), ids=list(LIVE))
def test_settling_twice_is_settling_once(before: Call, status: CallStatus) -> None:
    """The same report again changes nothing, and gives back the very same object."""
    report = Report(status, gateway_id="99", duration=61, price=0.05, cost=None)
    once = settle(before, report, LATER)
    assert settle(once, report, DAYS_LATER) is once


@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize(
    "before", [QUEUED, PLACING, PLACED, UNCONFIRMED], ids=["queued", "placing", "placed", "unconfirmed"]
)
def test_every_order_ends_alike(before: Call, final: CallStatus) -> None:
    """All 120 orders of a call's whole story end in the same outcome, cost and gateway id."""
    story = [CallStatus.INITIATED, CallStatus.RINGING, CallStatus.IN_PROGRESS, CallStatus.UNKNOWN, final]
    reports = [
        Report(status, gateway_id="77", price=0.05, duration=70 if status is final else None) for status in story
    ]
    ends = {
        (call.state, call.outcome, call.cost, call.duration, call.gateway_id, call.due_at)
        for call in (heard(before, order) for order in permutations(reports))
    }
    talk = 70 if final is CallStatus.COMPLETED else None
    assert ends == {(CallState.ENDED, FINAL[final], 0.1, talk, "77", None)}


intermediate = st.builds(Report, st.sampled_from([status for status in CallStatus if status not in FINAL]))


@settings(deadline=None)
@given(
    before=st.sampled_from([*LIVE.values(), UNCONFIRMED]),
    final=st.sampled_from(list(FINAL)),
    copies=st.integers(1, 3),
    others=st.lists(intermediate, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_any_mixture_of_copies_ends_alike(
    before: Call, final: CallStatus, copies: int, others: list[Report], order: Random
) -> None:
    """However reports are shuffled and doubled, a call that has one final status ends in it."""
    reports = [*others, *[Report(final, duration=7, price=0.02)] * copies]
    order.shuffle(reports)
    after = heard(before, reports)
    assert (after.state, after.outcome, after.cost) == (CallState.ENDED, FINAL[final], 0.02)


any_number = st.none() | st.floats() | st.integers()
any_report = st.builds(
    Report,
    st.sampled_from(CallStatus),
    st.none() | st.text(max_size=3),
    duration=any_number,
    price=any_number,
    cost=any_number,
)


@settings(deadline=None)
@given(before=st.sampled_from([*LIVE.values(), UNCONFIRMED]), reports=st.lists(any_report, max_size=8))
def test_a_call_only_goes_on(before: Call, reports: list[Report]) -> None:
    """Under any reports whatever no time is taken back, an end is kept, and costs can be added up."""
    call = before
    for seconds, report in enumerate(reports):
        after = settle(call, report, NOON + seconds * SECOND)
        assert call.live or not after.live
        assert call.outcome in (None, Outcome.UNCONFIRMED, after.outcome)
        for kept in ("gateway_id", "requested_at", "placed_at", "ringing_at"):
            assert getattr(after, kept) == (getattr(call, kept) or getattr(after, kept))
        assert (after.outcome is not None) is (after.state is CallState.ENDED) is (after.ended_at is not None)
        assert after.cost is None or 0 <= after.cost < float("inf")
        call = after


# --- ended by other means


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("before", LIVE.values(), ids=list(LIVE))
def test_end(before: Call, outcome: Outcome) -> None:
    """A live call can be ended with any outcome and a reason, and nothing is due any more."""
    after = end(before, outcome, LATER, "why")
    assert (after.state, after.outcome, after.ended_at, after.due_at) == (CallState.ENDED, outcome, LATER, None)
    assert after.reason == "why"
    assert not after.live


@pytest.mark.parametrize("outcome", Outcome)
def test_an_ended_call_cannot_be_ended_again(outcome: Outcome) -> None:
    """A second end leaves the first as it is."""
    before = ended(outcome)
    assert end(before, Outcome.CANCELLED, DAYS_LATER, "late") is before


# --- costs


@pytest.mark.parametrize(
    ("told", "price", "duration", "euro"),
    [
        (0.17, None, None, 0.17),
        (0.17, 0.05, 600, 0.17),
        (0.0, 0.05, 60, 0.0),
        (None, None, 60, None),
        (None, 0.05, None, None),
        (None, 0.05, 0, 0.0),
        (None, 0.05, 0.2, 0.05),
        (None, 0.05, 59.9, 0.05),
        (None, 0.05, 60, 0.05),
        (None, 0.05, 60.1, 0.1),
        (None, 0.05, 61, 0.1),
        (None, 0.0, 61, 0.0),
        (None, 0.075, 4, 0.075),
        (None, 0.1, 180, 0.3),
        (-1.0, 0.05, 60, 0.05),
        (float("nan"), 0.05, 60, 0.05),
        (float("inf"), None, None, None),
        (MOST + 1, None, None, None),
        (None, -0.05, 60, None),
        (None, 0.05, -60, None),
        (None, 0.05, float("inf"), None),
        (None, float("nan"), 60, None),
    ],
)
def test_cost(told: float | None, price: float | None, duration: float | None, euro: float | None) -> None:
    """The cost is what was told, else every started minute at its price; what cannot be true counts as untold."""
    assert cost(Report(CallStatus.COMPLETED, duration=duration, price=price, cost=told)) == euro


@pytest.mark.parametrize(
    ("before", "report", "euro"),
    [
        (ended(Outcome.ANSWERED), Report(CallStatus.COMPLETED, cost=0.2), 0.2),
        (ended(Outcome.ANSWERED), Report(CallStatus.COMPLETED, duration=61, price=0.1), 0.2),
        (ended(Outcome.ANSWERED), Report(CallStatus.COMPLETED), None),
        (ended(Outcome.ANSWERED, cost=0.1), Report(CallStatus.COMPLETED, cost=0.2), 0.1),
        (ended(Outcome.ANSWERED, cost=0.0), Report(CallStatus.COMPLETED, cost=0.2), 0.0),
        (ended(Outcome.ANSWERED), Report(CallStatus.NO_ANSWER, cost=0.2), None),
        (ended(Outcome.ANSWERED), Report(CallStatus.IN_PROGRESS, cost=0.2), None),
        (ended(Outcome.NO_ANSWER), Report(CallStatus.NO_ANSWER, cost=0.0), 0.0),
        (ended(Outcome.FAILED), Report(CallStatus.FAILED, cost=0.01), 0.01),
        (ended(Outcome.REFUSED), Report(CallStatus.FAILED, cost=0.01), None),
        (ended(Outcome.CANCELLED), Report(CallStatus.COMPLETED, cost=0.2), None),
    ],
)
def test_a_price_may_come_later(before: Call, report: Report, euro: float | None) -> None:
    """A later copy of the same final report may bring the cost, once; it changes nothing else."""
    after = settle(before, report, DAYS_LATER)
    assert after == replace(before, cost=euro)
    assert (after is before) is (before.cost == euro)


# --- taken by being answered

TEN = Rules(answer=timedelta(seconds=10))


@pytest.mark.parametrize(
    ("outcome", "duration", "rules", "by"),
    [
        (Outcome.ANSWERED, 10, TEN, By.ANSWER),
        (Outcome.ANSWERED, 3600, TEN, By.ANSWER),
        (Outcome.ANSWERED, 9.999, TEN, None),
        (Outcome.ANSWERED, 0, TEN, None),
        (Outcome.ANSWERED, None, TEN, None),
        (Outcome.ANSWERED, 3600, Rules(), None),
        (Outcome.ANSWERED, 0, Rules(), None),
        (Outcome.ANSWERED, 0.5, Rules(answer=timedelta(milliseconds=500)), By.ANSWER),
        *[(outcome, 3600, TEN, None) for outcome in Outcome if outcome is not Outcome.ANSWERED],
    ],
)
def test_taken_by_an_answer(outcome: Outcome, duration: float | None, rules: Rules, by: By | None) -> None:
    """Only where it is configured, a call that was answered and lasted long enough acknowledges by itself."""
    assert taken(ended(outcome, duration=duration), rules) is by


@pytest.mark.parametrize("call", LIVE.values(), ids=list(LIVE))
def test_a_live_call_has_not_taken_anything(call: Call) -> None:
    """A call that is not over has acknowledged nothing yet."""
    assert taken(call, TEN) is None


# --- how often is too often, and when to ask a gateway again

QUARTER = Rate(3, timedelta(minutes=15))
HOUR = Rate(7, timedelta(hours=1))


def minutes_ago(*minutes: float) -> list[datetime]:
    return [NOON - timedelta(minutes=minute) for minute in minutes]


@pytest.mark.parametrize(
    ("placed", "rates", "wait"),
    [
        ([], [QUARTER, HOUR], 0),
        ([], [], 0),
        (minutes_ago(3, 2, 1), [], 0),
        (minutes_ago(2, 1), [QUARTER], 0),
        (minutes_ago(3, 2, 1), [QUARTER], 12),
        (minutes_ago(40, 3, 2, 1), [QUARTER], 12),
        (minutes_ago(15, 2, 1), [QUARTER], 0),
        (minutes_ago(14, 2, 1), [QUARTER], 1),
        (minutes_ago(50, 40, 35, 30, 25, 20, 18), [QUARTER, HOUR], 10),
        (minutes_ago(50, 40, 35, 30, 3, 2, 1), [QUARTER, HOUR], 12),
        (minutes_ago(50, 40, 35, 30, 3, 2, 1), [HOUR, QUARTER], 12),
    ],
)
def test_limits(placed: list[datetime], rates: list[Rate], wait: float) -> None:
    """The next call may be placed once every rate has room again: when its oldest counted call leaves the span."""
    assert allowed_at(placed, rates, NOON) == NOON + timedelta(minutes=wait)


@settings(deadline=None)
@given(ages=st.lists(st.integers(0, 7200), max_size=20), count=st.integers(1, 5), span=st.integers(1, 3600))
def test_limits_hold(ages: list[int], count: int, span: int) -> None:
    """A call placed when it is allowed keeps the rate, and one placed a second earlier would have broken it."""
    placed = sorted(NOON - timedelta(seconds=age) for age in ages)
    free = allowed_at(placed, [Rate(count, timedelta(seconds=span))], NOON)

    def within(moment: datetime) -> int:
        return sum(moment - timedelta(seconds=span) < one for one in placed)

    assert free >= NOON
    assert within(free) < count
    assert free == NOON or within(free - SECOND) >= count


def test_pauses_grow_and_have_an_end() -> None:
    """A gateway that cannot take the call is asked again soon, then less and less often, but never rarer than that."""
    pauses = [pause_after(tries) for tries in range(1, 2000)]
    assert pauses[:6] == [FIRST_PAUSE * factor for factor in (1, 2, 4, 8, 16)] + [LONGEST_PAUSE]
    assert set(pauses[5:]) == {LONGEST_PAUSE}


# --- signed links


def test_a_signed_link_names_its_call() -> None:
    """A token leads back to the call that it was made for, and only with the same secret."""
    token = sign("secret", "c1")
    assert signed_call("secret", token) == "c1"
    assert signed_call("other", token) is None
    assert sign("secret", "c2") != token.replace("c1", "c2")


@pytest.mark.parametrize(
    "change", ["", ".", "c1", "c1.", "c2.{mac}", "c1.{mac}0", "c1.{mac}.", " c1.{mac}", "C1.{MAC}", "ä", "\ud800"]
)
def test_a_changed_link_names_nothing(change: str) -> None:
    """A token that differs in anything is worth nothing, and odd ones raise nothing."""
    mac = sign("secret", "c1").removeprefix("c1.")
    assert signed_call("secret", change.format(mac=mac, MAC=mac.upper())) is None


@settings(deadline=None)
@given(token=st.text(), secret=st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_link_can_be_guessed(token: str, secret: str) -> None:
    """Any text is either what we signed or nothing."""
    assert signed_call(secret, token) is None
