"""The decision table, cell by cell, and the laws that hold for every policy and every course of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.alert import Source, Stream
from bridge.call import By, Outcome
from bridge.escalation import (
    CLOSING,
    NEWS_TIMEOUT,
    Acknowledged,
    Channel,
    Cleared,
    Decision,
    Due,
    Escalated,
    Event,
    Fired,
    Incident,
    Line,
    Page,
    PageEnded,
    Policy,
    Reach,
    SmsWhen,
    State,
    Step,
    Target,
    Verdict,
    decide,
    opened,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STREAM = Stream(Source.ALERTMANAGER, "pager", "{}:{}")
ZERO = timedelta(0)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def at(number: float) -> datetime:
    """So many minutes after noon, when every incident here is opened."""
    return NOON + minutes(number)


@dataclass(frozen=True)
class People:
    """A roster of everybody but `away`; `schedules` maps a target to the people behind it."""

    schedules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    away: frozenset[str] = frozenset()

    def on_call(self, target: str, now: datetime) -> Sequence[str]:
        assert now.tzinfo is UTC
        return [one for one in self.schedules.get(target, [target]) if one not in self.away]


ALL = People()
NOBODY = People(away=frozenset({"alice", "bob", "carol", "dan"}))

# alice twice (a minute between), then bob and carol side by side once; all of it twice.
ALICE = Step(("alice",), wait=minutes(5), attempts=2, retry_after=minutes(1))
BOTH = Step(("bob", "carol"), wait=minutes(10))
CHAIN = Policy("chain", (ALICE, BOTH), rounds=2)
ONCE = replace(CHAIN, rounds=1)
LEASED = replace(CHAIN, acknowledged_for=minutes(30))
RECORD = Policy("nobody", ())


def new(policy: Policy = CHAIN) -> Incident:
    return Incident("i1", STREAM, policy, opened_at=NOON, news_at=NOON)


def begun(policy: Policy = CHAIN, roster: People = ALL) -> Incident:
    return opened(new(policy), roster, NOON).incident


def after(incident: Incident, *story: tuple[Event, float], roster: People = ALL) -> Incident:
    """The incident after `story`: events, and the minutes after noon at which they happen."""
    for event, when in story:
        incident = decide(incident, event, roster, at(when)).incident
    return incident


def over(page: str, outcome: Outcome = Outcome.NO_ANSWER, taken: By | None = None, person: str = "alice") -> PageEnded:
    return PageEnded(page, person, outcome, taken)


def told(pages: Sequence[Page]) -> list[str]:
    """Pages as `id person round.step.attempt`."""
    return [f"{page.id} {page.person} {page.round}.{page.step}.{page.attempt}" for page in pages]


def reaches(incident: Incident) -> dict[str, Reach]:
    return {one.person: one.reach for one in incident.targets}


ACK = Acknowledged(By.WEB, "alice")
ESCALATED = Escalated("dan")
ONCE_MORE = Escalated("dan", again=True)

CALLING_ALICE = begun()  # page i1-1 is on its way
RETRYING = after(CALLING_ALICE, (over("i1-1"), 1))
ANSWERED = after(CALLING_ALICE, (over("i1-1", Outcome.ANSWERED), 1))
CALLING_BOTH = after(CALLING_ALICE, (Due(), 5))  # i1-2 to bob, i1-3 to carol; i1-1 still on its way
LAST_STEP = after(CALLING_BOTH, (Due(), 15), (Due(), 20))  # round 2, step 1
TAKEN = after(CALLING_ALICE, (ACK, 2))
LEASE = after(begun(LEASED), (ACK, 2))
EXHAUSTED = after(LAST_STEP, (Due(), 30))
RECORDED = opened(new(RECORD), ALL, NOON).incident
CLOSED = after(CALLING_ALICE, (Cleared(), 2))
DAY = 24 * 60.0


# --- the beginning


def test_an_incident_begins_with_its_first_step() -> None:
    """A new incident pages everybody of the first step, and is due when that step's wait is over."""
    decision = opened(new(), ALL, NOON)
    assert decision.verdict is Verdict.OPENED
    assert told(decision.pages) == ["i1-1 alice 1.0.1"]
    assert decision.lines == (Line(Verdict.OPENED, "alice", 1, 0),)
    assert not decision.cancel
    moved = decision.incident
    assert (moved.state, moved.round, moved.step, moved.serial) == (State.TRIGGERED, 1, 0, 1)
    assert moved.targets == (Target("alice", "i1-1", 1, Reach.CALLING),)
    assert moved.due_at == moved.step_ends_at == at(5)


def test_a_policy_without_steps_is_a_record() -> None:
    """Where the policy calls nobody, the incident is recorded, due when nothing is heard of it, and resolves."""
    decision = opened(new(RECORD), ALL, NOON)
    assert (decision.verdict, decision.pages, decision.cancel) == (Verdict.RECORDED, (), False)
    assert decision.lines == (Line(Verdict.RECORDED, "", 1, 0),)
    assert (decision.incident.state, decision.incident.due_at) == (State.TRIGGERED, NOON + NEWS_TIMEOUT)
    assert after(decision.incident, (Cleared(), 3)).state is State.RESOLVED


def test_nobody_in_the_first_step_is_no_pause() -> None:
    """Where a step has nobody to call, the next begins at once, and the story says where nobody was."""
    decision = opened(new(), People(away=frozenset({"alice", "bob"})), NOON)
    assert decision.verdict is Verdict.OPENED
    assert told(decision.pages) == ["i1-1 carol 1.1.1"]
    assert decision.lines == (Line(Verdict.NOBODY_THERE, "alice", 1, 0), Line(Verdict.OPENED, "carol", 1, 1))
    assert decision.incident.due_at == at(10)


def test_nobody_anywhere_is_exhausted_at_once() -> None:
    """Where no step has anybody, the incident is exhausted on the spot, with a line for every step of every round."""
    decision = opened(new(), NOBODY, NOON)
    assert (decision.verdict, decision.pages) == (Verdict.EXHAUSTED, ())
    assert decision.lines == (
        Line(Verdict.NOBODY_THERE, "alice", 1, 0),
        Line(Verdict.NOBODY_THERE, "bob, carol", 1, 1),
        Line(Verdict.NOBODY_THERE, "alice", 2, 0),
        Line(Verdict.NOBODY_THERE, "bob, carol", 2, 1),
        Line(Verdict.EXHAUSTED, "", 1, 0),
    )
    assert (decision.incident.state, decision.incident.due_at) == (State.EXHAUSTED, NOON + NEWS_TIMEOUT)
    assert after(decision.incident, (Fired(), 9)).state is State.TRIGGERED


def test_everybody_behind_a_target_is_paged_once() -> None:
    """Schedules and people of one step are paged side by side, each person once, in the order of the file."""
    roster = People(schedules={"primary": ["bob", "alice"], "leads": ["alice", "dan"]})
    policy = Policy("wide", (Step(("carol", "primary", "leads", "bob")),))
    decision = opened(new(policy), roster, NOON)
    assert [page.person for page in decision.pages] == ["carol", "bob", "alice", "dan"]
    assert [page.id for page in decision.pages] == ["i1-1", "i1-2", "i1-3", "i1-4"]
    assert decision.lines[-1].who == "carol, bob, alice, dan"


# --- the table


@dataclass(frozen=True)
class Cell:
    """A decision as the table states it; `due` in minutes after noon, None for never; `who` of the last line."""

    incident: Incident
    event: Event
    now: float
    verdict: Verdict
    state: State
    due: float | None
    pages: Sequence[str] = ()
    cancel: bool = False
    who: str | None = None


T, A, X, R = State.TRIGGERED, State.ACKNOWLEDGED, State.EXHAUSTED, State.RESOLVED
V = Verdict
RINGS = ["i1-7 alice 1.0.1"]  # what a started-again chain pages once six pages were used up
EARLY = 3.0

TABLE = {
    # triggered
    "triggered, Fired: refresh": Cell(CALLING_ALICE, Fired(), 3, V.REFRESHED, T, 5, who=""),
    "triggered, Fired: a record is refreshed": Cell(RECORDED, Fired(), 3, V.REFRESHED, T, DAY + 3, who=""),
    "triggered, Cleared: resolve": Cell(CALLING_ALICE, Cleared(), 3, V.RESOLVED, R, None, cancel=True, who=""),
    "triggered, Cleared by hand": Cell(
        CALLING_ALICE, Cleared(True), 3, V.RESOLVED_BY_HAND, R, None, cancel=True, who=""
    ),
    "triggered, Due: too early": Cell(CALLING_ALICE, Due(), 4.99, V.IGNORED, T, 5),
    "triggered, Due: next step": Cell(
        CALLING_ALICE, Due(), 5, V.NEXT_STEP, T, 15, ["i1-2 bob 1.1.1", "i1-3 carol 1.1.1"], who="bob, carol"
    ),
    "triggered, Due: next round": Cell(
        after(CALLING_ALICE, (over("i1-1", Outcome.REFUSED), 1)), Due(), 11, V.NEXT_STEP, T, 16, ["i1-4 alice 2.0.1"]
    ),
    "triggered, Due: exhausted": Cell(LAST_STEP, Due(), 30, V.EXHAUSTED, X, DAY, who=""),
    "triggered, Due: retry": Cell(RETRYING, Due(), 2, V.RETRIED, T, 5, ["i1-2 alice 1.0.2"], who="alice"),
    "triggered, Due: retry too early": Cell(RETRYING, Due(), 1.99, V.IGNORED, T, 2),
    "triggered, Due: the step's end goes before a retry": Cell(
        RETRYING, Due(), 5, V.NEXT_STEP, T, 15, ["i1-2 bob 1.1.1", "i1-3 carol 1.1.1"]
    ),
    "triggered, Due: no news": Cell(CALLING_ALICE, Due(), DAY, V.NO_NEWS, R, None, cancel=True, who=""),
    "triggered, Due: a record without news": Cell(RECORDED, Due(), DAY, V.NO_NEWS, R, None, cancel=True),
    "triggered, Due: a record that is not due": Cell(RECORDED, Due(), DAY - 1, V.IGNORED, T, DAY),
    "triggered, PageEnded: retry planned": Cell(CALLING_ALICE, over("i1-1"), 3, V.RETRY_PLANNED, T, 4, who="alice"),
    "triggered, PageEnded: retry after the step's end": Cell(
        CALLING_ALICE, over("i1-1", Outcome.FAILED), 4.5, V.RETRY_PLANNED, T, 5
    ),
    "triggered, PageEnded: unconfirmed is tried again": Cell(
        CALLING_ALICE, over("i1-1", Outcome.UNCONFIRMED), 3, V.RETRY_PLANNED, T, 4
    ),
    "triggered, PageEnded: last attempt, next step at once": Cell(
        after(RETRYING, (Due(), 2)), over("i1-2"), 3, V.NEXT_STEP, T, 13, ["i1-3 bob 1.1.1", "i1-4 carol 1.1.1"]
    ),
    "triggered, PageEnded: refused is not retried": Cell(
        CALLING_ALICE, over("i1-1", Outcome.REFUSED), 1, V.NEXT_STEP, T, 11, ["i1-2 bob 1.1.1", "i1-3 carol 1.1.1"]
    ),
    "triggered, PageEnded: answered waits": Cell(
        CALLING_ALICE, over("i1-1", Outcome.ANSWERED), 3, V.WAITING, T, 5, who="alice"
    ),
    "triggered, PageEnded: one of two, wait for the other": Cell(
        CALLING_BOTH, over("i1-2", person="bob"), 6, V.WAITING, T, 15, who="bob"
    ),
    "triggered, PageEnded: both, next step at once": Cell(
        after(CALLING_BOTH, (over("i1-1"), 6), (over("i1-2"), 6)),
        over("i1-3"),
        7,
        V.NEXT_STEP,
        T,
        12,
        ["i1-4 alice 2.0.1"],
    ),
    "triggered, PageEnded: the last of the last, exhausted": Cell(
        after(LAST_STEP, (over("i1-2"), 21)), over("i1-3"), 22, V.EXHAUSTED, X, DAY
    ),
    "triggered, PageEnded: taken": Cell(
        CALLING_ALICE, over("i1-1", Outcome.ANSWERED, By.ANSWER), 3, V.ACKNOWLEDGED, A, DAY, cancel=True, who="alice"
    ),
    "triggered, PageEnded: taken in an earlier step": Cell(
        CALLING_BOTH, over("i1-1", Outcome.ANSWERED, By.KEYPRESS), 6, V.ACKNOWLEDGED, A, DAY, cancel=True, who="alice"
    ),
    "triggered, PageEnded: of an earlier step": Cell(CALLING_BOTH, over("i1-1"), 6, V.IGNORED, T, 15),
    "triggered, PageEnded: twice": Cell(ANSWERED, over("i1-1"), 3, V.IGNORED, T, 5),
    "triggered, PageEnded: unknown page": Cell(CALLING_ALICE, over("i9-9"), 3, V.IGNORED, T, 5),
    "triggered, PageEnded: of a record": Cell(RECORDED, over("i1-1"), 3, V.IGNORED, T, DAY),
    "triggered, Acknowledged: acknowledge": Cell(
        CALLING_ALICE, ACK, 3, V.ACKNOWLEDGED, A, DAY, cancel=True, who="alice"
    ),
    "triggered, Acknowledged: for a while": Cell(
        begun(LEASED), ACK, 3, V.ACKNOWLEDGED, A, 33, cancel=True, who="alice"
    ),
    "triggered, Acknowledged: a record": Cell(RECORDED, ACK, 3, V.ACKNOWLEDGED, A, DAY, cancel=True),
    "triggered, Escalated: next step": Cell(
        CALLING_ALICE, ESCALATED, 3, V.NEXT_STEP, T, 13, ["i1-2 bob 1.1.1", "i1-3 carol 1.1.1"], who="dan"
    ),
    "triggered, Escalated: behind the last step comes the first": Cell(
        LAST_STEP, ESCALATED, 21, V.NEXT_STEP, T, 26, [], who="dan"
    ),
    "triggered, Escalated: a record": Cell(RECORDED, ESCALATED, 3, V.IGNORED, T, DAY),
    "triggered, Escalated: the same step again": Cell(
        RETRYING, ONCE_MORE, 3, V.RANG_AGAIN, T, 8, ["i1-2 alice 1.0.1"], who="dan"
    ),
    "triggered, Escalated: who is being called already gets no second call": Cell(
        CALLING_ALICE, ONCE_MORE, 3, V.RANG_AGAIN, T, 8, [], who="dan"
    ),
    "triggered, Escalated: a record again": Cell(RECORDED, ONCE_MORE, 3, V.IGNORED, T, DAY),
    # acknowledged
    "acknowledged, Fired anew: ring again": Cell(
        TAKEN, Fired(anew=True), 40, V.RANG_AGAIN, T, 45, ["i1-2 alice 1.0.1"], who="alice"
    ),
    "acknowledged, Fired: refresh": Cell(TAKEN, Fired(), 3, V.REFRESHED, A, DAY + 3, who=""),
    "acknowledged, Cleared: resolve": Cell(TAKEN, Cleared(), 3, V.RESOLVED, R, None, cancel=True),
    "acknowledged, Cleared by hand": Cell(TAKEN, Cleared(True), 3, V.RESOLVED_BY_HAND, R, None, cancel=True),
    "acknowledged, Due: it holds": Cell(TAKEN, Due(), DAY - 1, V.IGNORED, A, DAY),
    "acknowledged, Due: not over yet": Cell(LEASE, Due(), 31.99, V.IGNORED, A, 32),
    "acknowledged, Due: ring again": Cell(LEASE, Due(), 32, V.RANG_AGAIN, T, 37, ["i1-2 alice 1.0.1"], who="alice"),
    "acknowledged, Due: no news": Cell(TAKEN, Due(), DAY, V.NO_NEWS, R, None, cancel=True),
    "acknowledged, Due: no news goes before ringing again": Cell(LEASE, Due(), DAY, V.NO_NEWS, R, None, cancel=True),
    "acknowledged, Due: a record has nobody to ring": Cell(
        after(begun(replace(LEASED, steps=())), (ACK, 2)), Due(), 40, V.IGNORED, A, DAY
    ),
    "acknowledged, PageEnded: ignore": Cell(TAKEN, over("i1-1"), 3, V.IGNORED, A, DAY),
    "acknowledged, PageEnded: taken too": Cell(TAKEN, over("i1-1", taken=By.ANSWER), 3, V.IGNORED, A, DAY),
    "acknowledged, Acknowledged: extend": Cell(
        LEASE, Acknowledged(By.API, "bob"), 20, V.EXTENDED, A, 50, cancel=True, who="bob"
    ),
    "acknowledged, Escalated: ring again at the next step": Cell(
        TAKEN, ESCALATED, 3, V.RANG_AGAIN, T, 13, ["i1-2 bob 1.1.1", "i1-3 carol 1.1.1"], who="dan"
    ),
    "acknowledged, Escalated: after the last step comes the first": Cell(
        after(LAST_STEP, (ACK, 21)), ESCALATED, 22, V.RANG_AGAIN, T, 27, ["i1-4 alice 1.0.1"], who="dan"
    ),
    "acknowledged, Escalated: the same step again": Cell(
        TAKEN, ONCE_MORE, 3, V.RANG_AGAIN, T, 8, ["i1-2 alice 1.0.1"], who="dan"
    ),
    "acknowledged, Escalated: a record": Cell(after(RECORDED, (ACK, 2)), ESCALATED, 3, V.IGNORED, A, DAY),
    # exhausted
    "exhausted, Fired: ring again": Cell(
        after(EXHAUSTED, (over("i1-1"), 31)), Fired(), 40, V.RANG_AGAIN, T, 45, ["i1-4 alice 1.0.1"], who="alice"
    ),
    "exhausted, Cleared: resolve": Cell(EXHAUSTED, Cleared(), 40, V.RESOLVED, R, None, cancel=True),
    "exhausted, Cleared by hand": Cell(EXHAUSTED, Cleared(True), 40, V.RESOLVED_BY_HAND, R, None, cancel=True),
    "exhausted, Due: ignore": Cell(EXHAUSTED, Due(), 40, V.IGNORED, X, DAY),
    "exhausted, Due: no news": Cell(EXHAUSTED, Due(), DAY, V.NO_NEWS, R, None, cancel=True),
    "exhausted, PageEnded: ignore": Cell(EXHAUSTED, over("i1-1", Outcome.ANSWERED), 40, V.IGNORED, X, DAY),
    "exhausted, PageEnded: taken": Cell(
        EXHAUSTED, over("i1-1", Outcome.ANSWERED, By.ANSWER), 40, V.ACKNOWLEDGED, A, DAY, cancel=True, who="alice"
    ),
    "exhausted, Acknowledged: acknowledge": Cell(EXHAUSTED, ACK, 40, V.ACKNOWLEDGED, A, DAY, cancel=True, who="alice"),
    "exhausted, Escalated: ring again": Cell(
        after(EXHAUSTED, (over("i1-1"), 31)), ESCALATED, 40, V.RANG_AGAIN, T, 45, ["i1-4 alice 1.0.1"], who="dan"
    ),
    # resolved
    "resolved, Fired: ignore": Cell(CLOSED, Fired(), 3, V.IGNORED, R, None),
    "resolved, Cleared: ignore": Cell(CLOSED, Cleared(), 3, V.IGNORED, R, None),
    "resolved, Cleared by hand: ignore": Cell(CLOSED, Cleared(True), 3, V.IGNORED, R, None),
    "resolved, Due: ignore": Cell(CLOSED, Due(), DAY * 9, V.IGNORED, R, None),
    "resolved, PageEnded: ignore": Cell(CLOSED, over("i1-1", taken=By.KEYPRESS), 3, V.IGNORED, R, None),
    "resolved, Acknowledged: ignore": Cell(CLOSED, ACK, 3, V.IGNORED, R, None),
    "resolved, Escalated: ignore": Cell(CLOSED, ESCALATED, 3, V.IGNORED, R, None),
}


@pytest.mark.parametrize("cell", TABLE.values(), ids=list(TABLE))
def test_the_table(cell: Cell) -> None:
    """The decision of each cell: verdict, state, pages, whether what is under way is dropped, and when it is due."""
    decision = decide(cell.incident, cell.event, ALL, at(cell.now))
    assert (decision.verdict, decision.incident.state) == (cell.verdict, cell.state)
    assert told(decision.pages) == list(cell.pages)
    assert decision.cancel is cell.cancel
    assert decision.incident.due_at == (None if cell.due is None else at(cell.due))
    if cell.verdict is Verdict.IGNORED:
        assert decision.lines == ()
        return
    assert decision.lines[-1].verdict is cell.verdict
    assert cell.who is None or decision.lines[-1].who == cell.who


def test_every_cell_is_in_the_table() -> None:
    """There is a case for each state with each event."""
    cells = {(cell.incident.state, type(cell.event)) for cell in TABLE.values()}
    assert cells == {(state, event) for state in State for event in get_args(Event)}


MOVING = {
    *("news_at", "state", "round", "step", "targets", "step_ends_at", "due_at", "serial"),
    *("acknowledged_by", "acknowledged_at", "closed_at"),
}


@pytest.mark.parametrize("cell", TABLE.values(), ids=list(TABLE))
def test_what_an_incident_is_never_changes(cell: Cell) -> None:
    """Its id, stream, policy, opening and version are nobody's to decide."""
    before, moved = cell.incident, decide(cell.incident, cell.event, ALL, at(cell.now)).incident
    assert replace(before, **{name: getattr(moved, name) for name in MOVING}) == moved


@pytest.mark.parametrize("name", [name for name, cell in TABLE.items() if cell.state is R])
def test_a_closed_incident_waits_for_nothing(name: str) -> None:
    """What is over has no targets, no end of a step and no due time, and knows since when it is closed."""
    cell = TABLE[name]
    moved = decide(cell.incident, cell.event, ALL, at(cell.now)).incident
    assert (moved.targets, moved.step_ends_at, moved.due_at, moved.open) == ((), None, None, False)
    assert moved.closed_at == (at(2) if cell.incident is CLOSED else at(cell.now))


def test_closing_verdicts_are_those_that_close() -> None:
    """The closed list of reasons is exactly what the table closes with."""
    closing = {cell.verdict for cell in TABLE.values() if cell.state is R and cell.incident.open}
    assert closing == set(CLOSING)


# --- what a table of single cells does not show


def test_an_acknowledgement_is_signed_and_ends_with_the_next_ring() -> None:
    """Who took it and since when is known while it holds, and gone once it rings again."""
    assert (LEASE.acknowledged_by, LEASE.acknowledged_at, LEASE.targets) == ("alice", at(2), ())
    again = after(LEASE, (Due(), 32))
    assert (again.acknowledged_by, again.acknowledged_at, again.state) == (None, None, T)


def test_an_extended_acknowledgement_runs_from_the_new_one() -> None:
    """Whoever takes it again holds it, from then on."""
    moved = after(LEASE, (Acknowledged(By.REPLY, "bob"), 20))
    assert (moved.acknowledged_by, moved.acknowledged_at) == ("bob", at(20))
    assert decide(moved, Due(), ALL, at(49)).verdict is Verdict.IGNORED
    assert decide(moved, Due(), ALL, at(50)).verdict is Verdict.RANG_AGAIN


def test_attempts_are_counted_up_to_the_last() -> None:
    """Somebody who does not answer is tried as often as the step says, each time after the pause, and then no more."""
    incident, paged = begun(Policy("p", (replace(ALICE, attempts=3, wait=minutes(60)), BOTH))), ["i1-1"]
    for attempt in (2, 3):
        incident = after(incident, (over(paged[-1]), attempt * 10))
        assert reaches(incident) == {"alice": Reach.RETRYING}
        decision = decide(incident, Due(), ALL, at(attempt * 10 + 1))
        assert [(page.person, page.attempt) for page in decision.pages] == [("alice", attempt)]
        incident, paged = decision.incident, [*paged, decision.pages[0].id]
    last = decide(incident, over(paged[-1]), ALL, at(40))
    assert (last.verdict, last.incident.step) == (Verdict.NEXT_STEP, 1)
    assert paged == ["i1-1", "i1-2", "i1-3"]


def test_people_side_by_side_are_retried_each_in_their_own_time() -> None:
    """In one step each person has attempts and pauses of their own; a retry pages only whoever is due."""
    step = Step(("alice", "bob", "carol"), wait=minutes(60), attempts=2, retry_after=minutes(2))
    incident = after(
        begun(Policy("p", (step,))), (over("i1-1"), 1), (over("i1-2", Outcome.ANSWERED), 2), (over("i1-3"), 2)
    )
    assert reaches(incident) == {"alice": Reach.RETRYING, "bob": Reach.ANSWERED, "carol": Reach.RETRYING}
    assert incident.due_at == at(3)
    first = decide(incident, Due(), ALL, at(3))
    assert told(first.pages) == ["i1-4 alice 1.0.2"]
    assert first.incident.due_at == at(4)
    both = decide(incident, Due(), ALL, at(4))
    assert told(both.pages) == ["i1-4 alice 1.0.2", "i1-5 carol 1.0.2"]
    assert [line.who for line in both.lines] == ["alice", "carol"]


def test_one_who_answered_keeps_the_step_until_its_end() -> None:
    """If one answered without taking it, the step lasts until its wait is over, though all others cannot be reached."""
    incident = after(CALLING_BOTH, (over("i1-2", Outcome.ANSWERED), 6), (over("i1-3", Outcome.REFUSED), 7))
    assert (incident.step, incident.due_at) == (1, at(15))
    assert decide(incident, Due(), ALL, at(15)).verdict is Verdict.NEXT_STEP


def test_rounds_are_gone_through_in_order() -> None:
    """The whole chain is gone through as often as the policy says, and no more."""
    incident, seen = begun(), [(1, 0)]
    for when in (5, 15, 20, 30):
        incident = after(incident, (Due(), when))
        seen.append((incident.round, incident.step))
    assert seen == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 1)]
    assert incident.state is X


def test_a_step_that_empties_is_passed_over_with_a_line() -> None:
    """If nobody is left for the next step when its time comes, the one after it begins at once."""
    decision = decide(CALLING_ALICE, Due(), People(away=frozenset({"bob", "carol"})), at(5))
    assert decision.lines == (Line(Verdict.NOBODY_THERE, "bob, carol", 1, 1), Line(Verdict.NEXT_STEP, "alice", 2, 0))
    assert decision.incident.due_at == at(10)


def test_nobody_left_when_it_should_ring_again() -> None:
    """An acknowledgement that runs out while nobody is on call leads to exhausted, without the old name on it."""
    decision = decide(LEASE, Due(), NOBODY, at(32))
    assert (decision.verdict, decision.incident.state) == (Verdict.EXHAUSTED, X)
    assert (decision.incident.acknowledged_by, decision.incident.acknowledged_at) == (None, None)
    assert decision.incident.due_at == NOON + NEWS_TIMEOUT


def test_news_put_off_the_end() -> None:
    """Each notification that it still fires starts the day without news afresh."""
    incident = after(EXHAUSTED, (ACK, 31), (Fired(), 600), (Fired(), DAY))
    assert decide(incident, Due(), ALL, at(2 * DAY - 1)).verdict is Verdict.IGNORED
    assert decide(incident, Due(), ALL, at(2 * DAY)).verdict is Verdict.NO_NEWS


@pytest.mark.parametrize(
    "incident", [CALLING_ALICE, RECORDED, TAKEN, EXHAUSTED], ids=["triggered", "record", "taken", "exhausted"]
)
def test_a_notification_is_news(incident: Incident) -> None:
    """In every open state a notification that it still fires is the latest news."""
    assert after(incident, (Fired(), 40)).news_at == at(40)


def test_an_exhausted_chain_retries_nobody() -> None:
    """A retry that was planned beyond the last step's end dies with the chain, and does not keep the incident due."""
    policy = Policy("p", (replace(ALICE, retry_after=minutes(30)),))
    incident = after(begun(policy), (over("i1-1"), 1), (Due(), 5))
    assert (incident.state, incident.due_at) == (X, NOON + NEWS_TIMEOUT)
    assert decide(incident, Due(), ALL, at(31)).pages == ()


def test_the_roster_is_asked_at_the_time_of_the_decision() -> None:
    """Who is on call is asked for the moment at which the step begins."""

    class HandOver:
        def on_call(self, target: str, now: datetime) -> Sequence[str]:
            return ["early"] if now < at(5) else ["late"]

    policy = Policy("p", (Step(("primary",)), Step(("primary",))))
    first = opened(new(policy), HandOver(), NOON)
    second = decide(first.incident, Due(), HandOver(), at(5))
    assert [page.person for page in (*first.pages, *second.pages)] == ["early", "late"]


# --- nobody is paged twice for one incident at a time

AGAIN = Policy("again", (Step(("alice",)), Step(("alice", "bob"), attempts=2), Step(("carol",))), rounds=2)


def test_who_is_still_being_called_gets_no_second_page() -> None:
    """Somebody of the next step who has a page under way keeps it, with all the attempts of that step before them."""
    decision = decide(begun(AGAIN), Due(), ALL, at(5))
    assert told(decision.pages) == ["i1-2 bob 1.1.1"]
    assert decision.lines[-1].who == "alice, bob"
    assert decision.incident.targets == (Target("alice", "i1-1"), Target("bob", "i1-2"))
    assert reaches(after(decision.incident, (over("i1-1"), 6)))["alice"] is Reach.RETRYING


@pytest.mark.parametrize("outcome", [Outcome.NO_ANSWER, Outcome.ANSWERED, Outcome.UNCONFIRMED])
def test_who_is_not_being_called_any_more_is_paged_anew(outcome: Outcome) -> None:
    """Somebody whose page is over is paged in the next step as anybody else."""
    slow = replace(AGAIN, steps=(replace(AGAIN.steps[0], attempts=2), *AGAIN.steps[1:]))
    incident = after(begun(slow), (over("i1-1", outcome), 1), (Due(), 6))
    assert [one.person for one in incident.targets if one.reach is Reach.CALLING] == ["alice", "bob"]
    assert "i1-1" not in {one.page for one in incident.targets}


def test_a_page_that_outlasts_its_step_is_remembered() -> None:
    """A page of an earlier step that is still on its way keeps its person from a second one in a later round."""
    incident = CALLING_BOTH
    assert incident.targets[-1] == Target("alice", "i1-1", reach=Reach.EARLIER)
    decision = decide(incident, Due(), ALL, at(15))
    assert (decision.verdict, decision.pages) == (Verdict.NEXT_STEP, ())
    assert reaches(decision.incident) == {"alice": Reach.CALLING, "bob": Reach.EARLIER, "carol": Reach.EARLIER}


def test_no_step_waits_for_an_earlier_page() -> None:
    """A page of an earlier step that is still on its way does not keep the next step from beginning at once."""
    incident = after(CALLING_BOTH, (over("i1-2"), 6))
    decision = decide(incident, over("i1-3"), ALL, at(7))
    assert (decision.verdict, decision.incident.round) == (Verdict.NEXT_STEP, 2)


def test_an_earlier_page_that_ends_makes_room() -> None:
    """Once the page of an earlier step is over, its person is paged again when their turn comes."""
    incident = after(CALLING_BOTH, (over("i1-1"), 6))
    assert "alice" not in reaches(incident)
    assert told(decide(incident, Due(), ALL, at(15)).pages) == ["i1-4 alice 2.0.1"]


def test_an_exhausted_chain_that_starts_again_keeps_what_is_under_way() -> None:
    """A page that is still on its way when the chain is exhausted is not sent a second time when it starts again."""
    incident = after(begun(Policy("p", (Step(("alice", "bob")),))), (over("i1-2"), 1), (Due(), 5))
    assert incident.state is X
    assert told(decide(incident, Fired(), ALL, at(6)).pages) == ["i1-3 bob 1.0.1"]
    ended = after(incident, (over("i1-1"), 6))
    assert told(decide(ended, Fired(), ALL, at(7)).pages) == ["i1-3 alice 1.0.1", "i1-4 bob 1.0.1"]


def test_after_an_acknowledgement_everybody_is_paged_anew() -> None:
    """An acknowledgement drops what is under way, so that nobody is passed over when it rings again."""
    assert told(decide(TAKEN, ESCALATED, ALL, at(3)).pages) == ["i1-2 bob 1.1.1", "i1-3 carol 1.1.1"]
    assert told(decide(LEASE, Due(), ALL, at(32)).pages) == ["i1-2 alice 1.0.1"]


# --- SMS beside the calls

TEXTED = replace(ALICE, sms=("alice", "primary"))
UNREACHED = replace(ALICE, sms=("alice", "bob"), sms_when=SmsWhen.UNREACHED)
SMS_ONLY = Step((), wait=minutes(3), sms=("alice", "bob"))


def texts(pages: Sequence[Page]) -> list[str]:
    return [page.person for page in pages if page.channel is Channel.SMS]


def calls(pages: Sequence[Page]) -> list[str]:
    return [page.person for page in pages if page.channel is Channel.VOICE]


def test_an_sms_goes_out_when_its_step_begins() -> None:
    """People and schedules of `sms` are told beside the calls, each once, by pages of their own that nobody awaits."""
    roster = People(schedules={"primary": ["bob", "alice"]})
    decision = opened(new(Policy("p", (TEXTED,))), roster, NOON)

    assert (texts(decision.pages), calls(decision.pages)) == (["alice", "bob"], ["alice"])
    assert len({page.id for page in decision.pages}) == decision.incident.serial == 3
    assert reaches(decision.incident) == {"alice": Reach.CALLING}
    assert decision.lines == (Line(Verdict.OPENED, "alice", 1, 0),)


def test_a_retry_sends_no_second_sms() -> None:
    """Whoever is called again has read it already; in the next round they are told again."""
    incident = after(begun(Policy("p", (TEXTED,), rounds=2)), (over("i1-3"), 1))
    again = decide(incident, Due(), ALL, at(2))
    assert (texts(again.pages), calls(again.pages)) == ([], ["alice"])
    assert texts(decide(again.incident, Due(), ALL, at(5)).pages) == ["alice", "primary"]


def test_a_step_of_sms_alone_waits_and_goes_on() -> None:
    """Nobody is called, the step lasts for its wait, and the story says who was told."""
    first = opened(new(Policy("p", (SMS_ONLY, BOTH))), ALL, NOON)
    assert (texts(first.pages), calls(first.pages)) == (["alice", "bob"], [])
    assert first.lines == (Line(Verdict.OPENED, "alice, bob", 1, 0),)
    assert (first.incident.targets, first.incident.due_at) == ((), at(3))
    assert calls(decide(first.incident, Due(), ALL, at(3)).pages) == ["bob", "carol"]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.CANCELLED])
def test_whom_no_call_reached_gets_the_sms_at_once(outcome: Outcome) -> None:
    """`unreached`: nothing at the begin; when the call fails for good the SMS goes out, and the next step begins."""
    first = opened(new(Policy("p", (replace(UNREACHED, attempts=1), BOTH))), ALL, NOON)
    failed = decide(first.incident, over("i1-1", outcome), ALL, at(1))
    assert texts(first.pages) == []
    assert (texts(failed.pages), calls(failed.pages)) == (["alice"], ["bob", "carol"])
    assert failed.verdict is Verdict.NEXT_STEP


def test_whom_a_call_reached_gets_none() -> None:
    """`unreached`: who answers, or is still to be tried again, is not told by SMS."""
    incident = begun(Policy("p", (UNREACHED,)))
    for outcome in (Outcome.ANSWERED, Outcome.NO_ANSWER):
        assert texts(decide(incident, over("i1-1", outcome), ALL, at(1)).pages) == []
    last = after(incident, (over("i1-1"), 1), (Due(), 2))
    assert texts(decide(last, over("i1-2"), ALL, at(3)).pages) == ["alice"]


def test_who_was_tried_in_vain_when_the_step_is_over_gets_it_too() -> None:
    """`unreached`: the wait ends before the attempts do; who has not answered is told, whose phone rings now is not."""
    both = Step(("alice", "bob"), wait=minutes(5), attempts=3, retry_after=minutes(9), sms=("alice", "bob"))
    incident = begun(Policy("p", (replace(both, sms_when=SmsWhen.UNREACHED), BOTH)))
    left = decide(after(incident, (over("i1-1"), 1)), Due(), ALL, at(5))
    assert (left.verdict, texts(left.pages), calls(left.pages)) == (Verdict.NEXT_STEP, ["alice"], ["carol"])


def test_an_sms_tells_whom_nobody_can_call() -> None:
    """Nobody to call: those who get an SMS are told, and the chain goes on at once, to its end if need be."""
    empty = replace(UNREACHED, targets=("nobody",))
    roster = People(schedules={"nobody": []})
    decision = opened(new(Policy("p", (empty, BOTH))), roster, NOON)
    assert (texts(decision.pages), calls(decision.pages)) == (["alice", "bob"], ["bob", "carol"])
    assert decision.lines[0] == Line(Verdict.NOBODY_THERE, "nobody", 1, 0)
    alone = opened(new(Policy("p", (empty,))), roster, NOON)
    assert (alone.verdict, texts(alone.pages)) == (Verdict.EXHAUSTED, ["alice", "bob"])


def test_a_step_of_sms_for_nobody_is_passed_over() -> None:
    """Where nobody is behind the SMS of a step either, it is no pause."""
    decision = opened(new(Policy("p", (Step((), sms=("empty",)), BOTH))), People(schedules={"empty": []}), NOON)
    assert decision.lines == (Line(Verdict.NOBODY_THERE, "empty", 1, 0), Line(Verdict.OPENED, "bob, carol", 1, 1))


# --- laws: any policy, any people, any course of events

NAMES = ["alice", "bob", "carol", "dan"]
TARGETS = [*NAMES, "primary", "empty"]
durations = st.sampled_from([ZERO, minutes(1), minutes(5), minutes(60)])
some = st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3).map(tuple)
none_or_some = st.one_of(st.just(()), some)
when = st.sampled_from(SmsWhen)
calling = st.builds(
    Step, some, wait=durations, attempts=st.integers(1, 3), retry_after=durations, sms=none_or_some, sms_when=when
)
steps = st.one_of(calling, st.builds(Step, st.just(()), wait=durations, sms=some))
policies = st.builds(
    Policy,
    st.just("any"),
    st.lists(steps, max_size=3).map(tuple),
    rounds=st.integers(1, 3),
    acknowledged_for=durations,
)
ringing = st.builds(
    Policy, st.just("any"), st.lists(calling, min_size=1, max_size=3).map(tuple), rounds=st.integers(1, 2)
)
rosters = st.builds(
    lambda primary, away: People({"primary": primary, "empty": []}, frozenset(away)),
    st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    st.lists(st.sampled_from(NAMES), max_size=4, unique=True),
)
# An event is made when its turn comes, from the pages there are by then: what, which page, how it ended, minutes later.
turns = st.tuples(
    st.sampled_from(
        ["fired", "cleared", "due", "due", "when due", "when due", "ended", "ended", "taken", "ack", "escalate"]
    ),
    st.integers(0, 99),
    st.sampled_from(Outcome),
    st.sampled_from([0.0, 0.0, 0.5, 1.0, 5.0, 60.0, DAY]),
)


@dataclass
class World:
    """One incident, the pages that were queued for it, and those that are still under way."""

    incident: Incident
    roster: People
    now: datetime = NOON
    pages: list[Page] = field(default_factory=list)
    under_way: dict[str, Page] = field(default_factory=dict)

    def take(self, decision: Decision) -> Decision:
        """What dispatch makes of a decision, with the laws that hold for every single one."""
        assert decision.verdict in Verdict
        if decision.cancel:
            self.under_way.clear()
        self.pages += decision.pages
        self.under_way |= {page.id: page for page in decision.pages if page.channel is Channel.VOICE}
        self.incident = decision.incident
        self._laws(decision)
        return decision

    def _laws(self, decision: Decision) -> None:
        incident = self.incident
        assert len({page.id for page in self.pages}) == len(self.pages) == incident.serial
        called = [page.person for page in self.under_way.values()]
        assert len(set(called)) == len(called)
        assert (incident.due_at is None) is (incident.state is R)
        assert incident.state is T or calls(decision.pages) == []
        assert incident.state in (T, X) or decision.pages == ()
        if incident.state in (A, R):
            assert not self.under_way
            assert incident.targets == ()
        if incident.state is T and incident.policy.steps:
            assert incident.step_ends_at is not None
            assert 1 <= incident.round <= incident.policy.rounds
            waited_for = {one.page for one in incident.targets if one.reach in (Reach.CALLING, Reach.EARLIER)}
            assert waited_for == set(self.under_way)
        assert all(page.person not in self.roster.away for page in decision.pages)

    def hear(self, event: Event) -> Decision:
        if isinstance(event, PageEnded):
            self.under_way.pop(event.page, None)
        twice = [decide(self.incident, event, self.roster, self.now) for _ in range(2)]
        assert twice[0] == twice[1]
        return self.take(twice[0])

    def turn(self, what: str, which: int, outcome: Outcome, later: float) -> None:
        self.now += minutes(later)
        if what == "when due" and self.incident.due_at:
            self.now = max(self.now, self.incident.due_at)
        self.hear(self._event(what, which, outcome))

    def _event(self, what: str, which: int, outcome: Outcome) -> Event:
        if what in ("ended", "taken"):
            page = self.pages[which % len(self.pages)] if self.pages else None
            by = By.KEYPRESS if what == "taken" else None
            return PageEnded(page.id if page else "none", page.person if page else "alice", outcome, by)
        if what == "fired":
            return Fired()
        if what == "cleared":
            return Cleared(by_hand=bool(which % 2))
        if what == "ack":
            return Acknowledged(By.API, "bob")
        return Escalated("dan", again=bool(which % 2)) if what == "escalate" else Due()


def start(policy: Policy, roster: People) -> World:
    world = World(new(policy), roster)
    world.take(opened(world.incident, roster, NOON))
    return world


def spent(world: World, ring: Callable[[Page], Event | None]) -> int:
    """How many decisions it takes until nothing is due but the day without news, if calls end as `ring` says."""
    decisions = 0
    while decisions < 500:
        page = next(iter(world.under_way.values()), None)
        event = ring(page) if page else None
        if event is None:
            if world.incident.state is not T or world.incident.step_ends_at is None:
                return decisions
            assert world.incident.due_at is not None
            world.now = max(world.now, world.incident.due_at)
            event = Due()
        world.hear(event)
        decisions += 1
    raise AssertionError(f"no end in sight: {world.incident}")


@settings(deadline=None)
@given(policy=policies, roster=rosters, story=st.lists(turns, max_size=40))
def test_the_laws_hold_whatever_happens(
    policy: Policy, roster: People, story: list[tuple[str, int, Outcome, float]]
) -> None:
    """Whatever happens in whatever order: one page per person at a time, none after it was taken or is over, no id
    twice, always a due time while it is open, and the same answer to the same question."""
    world = start(policy, roster)
    for what, which, outcome, later in story:
        world.turn(what, which, outcome, later)


@settings(deadline=None)
@given(policy=policies, roster=rosters, outcome=st.sampled_from(Outcome), silent=st.booleans())
def test_a_chain_comes_to_its_end(policy: Policy, roster: People, outcome: Outcome, silent: bool) -> None:
    """If nobody ever takes it, whether calls end or are never heard of again, the chain is exhausted in time."""
    world = start(policy, roster)
    decisions = spent(world, lambda page: None if silent else over(page.id, outcome, person=page.person))
    assert world.incident.state is (X if policy.steps else T)
    longest = sum(4 * step.attempts * 2 + 1 for step in policy.steps) * policy.rounds
    assert decisions <= longest
    assert world.now <= NOON + policy.rounds * sum((step.wait for step in policy.steps), ZERO)


@settings(deadline=None)
@given(policy=policies, roster=rosters, story=st.lists(turns, max_size=25))
def test_what_is_due_gets_done(policy: Policy, roster: People, story: list[tuple[str, int, Outcome, float]]) -> None:
    """Nothing stays due: after at most as many decisions as there are steps left, the due time lies ahead."""
    world = start(policy, roster)
    for what, which, outcome, later in story:
        world.turn(what, which, outcome, later)
    due = world.incident.due_at
    if due is None:
        return
    world.now = max(world.now, due)
    for _ in range(len(policy.steps) * policy.rounds * 4 + 2):
        due = world.hear(Due()).incident.due_at
        if due is None or due > world.now:
            return
    pytest.fail(f"still due: {world.incident}")


@settings(deadline=None)
@given(
    policy=policies,
    roster=rosters,
    story=st.lists(turns, max_size=25),
    end=st.sampled_from([ACK, Cleared(), Cleared(True)]),
)
def test_nobody_is_paged_once_it_is_over(
    policy: Policy, roster: People, story: list[tuple[str, int, Outcome, float]], end: Event
) -> None:
    """After it was acknowledged no call's end, and after it resolved nothing at all, pages anybody."""
    world = start(policy, roster)
    for what, which, outcome, later in story:
        world.turn(what, which, outcome, later)
    world.hear(end)
    for page in world.pages:
        for outcome in Outcome:
            assert world.hear(over(page.id, outcome, person=page.person)).pages == ()
    if world.incident.open:
        return
    closed = world.incident
    for event in (Fired(), Cleared(), Due(), ACK, ESCALATED):
        world.now += minutes(DAY)
        assert world.hear(event) == Decision(closed, Verdict.IGNORED)


def _without_sms(policy: Policy) -> Policy:
    return replace(policy, steps=tuple(replace(step, sms=()) for step in policy.steps))


@settings(deadline=None)
@given(policy=ringing, roster=rosters, story=st.lists(turns, max_size=25))
def test_an_sms_changes_nothing_of_the_calls(
    policy: Policy, roster: People, story: list[tuple[str, int, Outcome, float]]
) -> None:
    """Whatever happens: who is called, when and why is the same as if the policy knew no SMS."""
    with_sms, without = start(policy, roster), start(_without_sms(policy), roster)
    for what, which, outcome, later in story:
        for world in (with_sms, without):
            spoken = [page for page in world.pages if page.channel is Channel.VOICE]
            world.pages, all_pages = spoken, world.pages
            event = world._event(what, which, outcome)
            world.pages = all_pages
            world.now += minutes(later)
            if what == "when due" and world.incident.due_at:
                world.now = max(world.now, world.incident.due_at)
            world.hear(event)
        assert _course(with_sms) == _course(without)


def _course(world: World) -> object:
    """All that calls are decided by, without the numbers of the pages."""
    spoken = [page for page in world.pages if page.channel is Channel.VOICE]
    told_of = [(page.person, page.round, page.step, page.attempt) for page in spoken]
    one = world.incident
    reached = [(target.person, target.reach, target.attempt, target.retry_at) for target in one.targets]
    return told_of, reached, one.state, one.round, one.step, one.step_ends_at, one.due_at, one.acknowledged_by
