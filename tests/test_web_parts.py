"""What the page is made of, without a server: what comes next, the time line, days, times and tokens."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from bridge.alert import Alert, AlertStatus
from bridge.call import FINAL, Call, CallState, CallStatus, Outcome
from bridge.escalation import Policy, Reach, State, Step, Target, Verdict
from bridge.schedule import Person, Rotation, Schedule, parse_period
from bridge.web.incidents import place_of, title_of
from bridge.web.looks import Times, euro, span
from bridge.web.outlook import how, outlook, ringing
from bridge.web.static import FOLDER, address_of, files
from bridge.web.story import SENTENCES, names_of, story
from bridge.web.tokens import token_fits, token_of
from bridge.web.weeks import monday_of, weeks
from tests.storing import an_incident

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CALL = Call("c1", "alice", "+491711234567", NOON)
PEOPLE = {"alice": Person("alice", "Alice Example", "+491711234567", ""), "bob": Person("bob", "", None, "")}
CHAIN = Policy("chain", (Step(("alice",)), Step(("empty",)), Step(("bob",))), rounds=2)


class Crew:
    """Everybody but the empty schedule."""

    def on_call(self, target: str, now: datetime) -> tuple[str, ...]:
        return () if target == "empty" else (target,)


def told(**changes: object) -> str:
    """What comes next for an incident, in one line."""
    incident = replace(an_incident(policy=CHAIN, targets=()).incident, **changes)  # type: ignore[arg-type]  # changes of several types
    found = outlook(incident, Crew())
    at = f" at {found.at:%H:%M}" if found.at else ""
    return f"{found.what} {', '.join(found.people)}{at}".replace("  ", " ")


RETRYING = (Target("alice", "p1", reach=Reach.RETRYING, retry_at=NOON + MINUTE),)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"step_ends_at": NOON}, "Calls bob at 12:00"),
        ({"step_ends_at": NOON, "step": 2}, "Calls alice at 12:00"),
        ({"step_ends_at": NOON, "step": 2, "round": 2}, "Nobody is left to call: gives up at 12:00"),
        ({"step_ends_at": NOON + 5 * MINUTE, "targets": RETRYING}, "Calls again: alice at 12:01"),
        ({"step_ends_at": NOON, "targets": RETRYING}, "Calls bob at 12:00"),
        ({"step_ends_at": None}, "It waits for news. "),
        ({"policy": Policy("nobody", ())}, "This policy calls nobody. "),
        ({"state": State.ACKNOWLEDGED}, "Nobody is called any more, until it is over. "),
        (
            {"state": State.ACKNOWLEDGED, "acknowledged_at": NOON, "policy": replace(CHAIN, acknowledged_for=MINUTE)},
            "If it still fires then, calls alice at 12:01",
        ),
        (
            {"state": State.EXHAUSTED},
            "Everybody was called, and nobody took it. It starts again when it is reported again. ",
        ),
        ({"state": State.RESOLVED}, "It is over. "),
    ],
)
def test_what_comes_next(changes: dict[str, object], line: str) -> None:
    """Out of the incident's state: who is called next and when, or that nobody is."""
    assert told(**changes) == line


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (None, "waits to be called"),
        (replace(CALL, state=CallState.QUEUED), "is about to be called"),
        (replace(CALL, state=CallState.QUEUED, tries=2), "the gateway is asked again soon"),
        (CALL, "the gateway is being asked"),
        (replace(CALL, state=CallState.PLACED), "is being dialled"),
        (replace(CALL, state=CallState.PLACED, ringing_at=NOON), "the phone rings"),
        (replace(CALL, state=CallState.PLACED, ringing_at=NOON, answered_at=NOON), "is on the phone"),
    ],
)
def test_how_far_a_call_is(call: Call | None, words: str) -> None:
    """From waiting for a line to being on the phone."""
    assert how(call) == words


def test_who_is_called_now() -> None:
    """Only those to whom a page is on its way."""
    targets = (*RETRYING, Target("bob", "p2"), Target("carol", "p3", reach=Reach.EARLIER))
    incident = replace(an_incident().incident, targets=targets)
    assert [one.person for one in ringing(incident, {"bob": CALL})] == ["bob", "carol"]
    assert [one.how for one in ringing(incident, {"bob": CALL}, {"bob", "carol"})] == [
        "the gateway is being asked",
        "a limit holds the call back, the story says until when",
    ]


def row(word: str, who: str = "alice", note: str = "", **more: object) -> SimpleNamespace:
    return SimpleNamespace(at=NOON, word=word, who=who, note=note, call=None, round=1, step=1, **more)


def an_alert(name: str = "DiskFull", ends: datetime | None = None, **annotations: str) -> Alert:
    status = AlertStatus.FIRING if ends is None else AlertStatus.RESOLVED
    labels = {"alertname": name, "instance": "db1"} if name else {}
    return Alert("f", status, labels, annotations, NOON - MINUTE, ends)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (row("opened", "alice, bob"), "First step: Alice Example, bob"),
        (row("next_step"), "Next step: Alice Example"),
        (row("next_step", "mallory", "by mallory"), "mallory asked for the next step"),
        (row("rang_again", "alice", "by alice"), "Alice Example wants them called again"),
        (row("acknowledged", ""), "somebody has it"),
        (row("something_new", "bob"), "something new bob"),
    ],
)
def test_lines_of_a_story(line: SimpleNamespace, text: str) -> None:
    """Words of the journal as sentences with names; a word that is new is shown as it is."""
    (shown,) = story([line], [], PEOPLE, 3)
    assert shown.text == text
    assert (shown.place == "round 1, step 2 of 3") == (shown.kind == "step")


def test_every_word_has_its_sentence() -> None:
    """What the table decides, what a call becomes and what the gateway reports of it is told in a sentence."""
    silent = {Verdict.REFRESHED, Verdict.IGNORED}
    words = {*(set(Verdict) - silent), *Outcome, *CallStatus} - {CallStatus.UNKNOWN, *FINAL}
    assert {str(word.value) for word in words} - SENTENCES.keys() == set()


def test_alerts_stand_in_the_story() -> None:
    """When they began, and when they were over, before what followed in the same instant."""
    alerts = [an_alert(ends=NOON), an_alert("")]
    shown = [(line.kind, line.text) for line in story([row("resolved")], alerts, PEOPLE, 0)]
    assert shown == [
        ("alert", "DiskFull began to fire"),
        ("alert", "an alert began to fire"),
        ("alert", "DiskFull is over"),
        ("resolve", "Resolved: every alert is over"),
    ]
    assert names_of("", PEOPLE) == ""


def test_titles() -> None:
    """What its author wrote for people, else its name, else what the group is known by."""
    assert title_of(an_alert(summary="Full"), {}) == "Full"
    assert title_of(an_alert(), {}) == "DiskFull"
    assert title_of(an_alert(""), {}) == "Incident"
    assert title_of(None, {"cluster": "eu"}) == "eu"
    assert title_of(None, {}) == "Incident"
    assert (place_of(an_alert(summary="Full")), place_of(an_alert()), place_of(None)) == (
        "DiskFull · instance: db1",
        "instance: db1",
        "",
    )


def test_days_on_the_night_of_the_change_of_clocks() -> None:
    """A day of 25 hours is one day; a turn that ends in it is cut at the right place."""
    berlin = ZoneInfo("Europe/Berlin")
    turns = Rotation("day", ("alice", "bob"), parse_period("1d"), datetime(2026, 10, 1, 9))  # noqa: DTZ001 - wall clock
    schedule = Schedule("s", berlin, (turns,))
    now = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert monday_of(schedule, now) == date(2026, 10, 19)
    (week,) = weeks(schedule, date(2026, 10, 19), 1)
    sunday = week[6]
    assert [(piece.person, piece.begins, piece.over) for piece in sunday.pieces] == [
        ("bob", "00:00", "09:00"),
        ("alice", "09:00", "24:00"),
    ]
    assert sunday.pieces[-1].ends - sunday.pieces[0].starts == timedelta(hours=25)
    assert not sunday.gap
    empty = weeks(Schedule("e", berlin), date(2026, 10, 19), 1)[0][0]
    assert empty.gap
    assert [piece.person for piece in empty.pieces] == [None]


def test_times() -> None:
    """In the operator's zone: today by the clock, other days with their date; how long ago in two units."""
    at = Times(ZoneInfo("Europe/Berlin"), NOON)
    assert at.short(NOON) == "13:00:00"
    assert at.short(NOON - timedelta(days=1)) == "Sun 22 Nov, 13:00"
    assert at.short(NOON - timedelta(days=365)) == "Sun 23 Nov 2025, 13:00"
    assert at.full(NOON) == "Monday 23 November 2026, 13:00:00 CET"
    assert at.iso(NOON) == "2026-11-23T12:00:00.000Z"
    assert [at.ago(NOON), at.ago(NOON - 90 * MINUTE), at.ago(NOON + 2 * MINUTE)] == [
        "now",
        "1 h 30 min ago",
        "in 2 min",
    ]
    assert [span(timedelta(0)), span(timedelta(days=2, seconds=4))] == ["0 s", "2 d"]


@pytest.mark.parametrize(("amount", "text"), [(None, ""), (1, "1.00 €"), (0.045, "0.045 €"), (12.5, "12.50 €")])
def test_money(amount: float | None, text: str) -> None:
    """Two places, and more where a call costs fractions of a cent."""
    assert euro(amount) == text


def test_tokens() -> None:
    """A token fits its login, with the same secret, today and tomorrow; nothing else does."""
    made = token_of("secret", "alice", NOON)
    assert token_fits(made, "secret", "alice", NOON)
    assert token_fits(made, "secret", "alice", NOON + timedelta(days=1))
    assert not token_fits(made, "secret", "alice", NOON + timedelta(days=2))
    assert not token_fits(made, "secret", "bob", NOON)
    assert not token_fits(made, "other", "alice", NOON)
    assert not token_fits("ü", "secret", "alice", NOON)


def test_what_browsers_get_is_what_was_published() -> None:
    """htmx and its extension are as their authors published them, by the sums beside them, with their licences."""
    sums = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", (FOLDER / "README.md").read_text(), re.MULTILINE))
    assert sums.keys() == {hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in sums.values()}
    assert len(sums) == 2
    for name in ("htmx", "htmx-ext-sse"):
        assert "BSD" in (FOLDER / f"LICENSE.{name}").read_text()
    assert address_of("page.css") == f"/static/page.css?v={files()['page.css'].version}"
    assert "README.md" not in files()
