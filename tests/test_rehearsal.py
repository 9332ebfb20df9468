"""Rehearsals: what is assumed of telephones, how answers are read, and what holds for whatever is rehearsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.alert import Alert, AlertStatus, Group, Source, Stream
from bridge.call import CallStatus, Rate, Rules
from bridge.dispatch import World
from bridge.dispatch.world import Terms
from bridge.escalation import Policy, State, Step
from bridge.intervals import TimeInterval, parse_interval
from bridge.rehearsal import (
    Answers,
    AnswersError,
    Happening,
    Manner,
    Rehearsal,
    Scene,
    length,
    parse_answers,
    rehearse,
)
from bridge.rehearsal.books import Books
from bridge.rehearsal.telephone import plan, reading_seconds
from bridge.route import Matcher, MatchOp, Route
from bridge.schedule import Override, Person, Roster, Rotation, Schedule, parse_period
from bridge.simulator import Answer, answers, busy, hangs_up, mailbox, presses, sleeps
from bridge.simulator.numbers import speech_seconds
from bridge.simulator.people import Happening as Moments
from bridge.simulator.people import plan as simulated
from bridge.speech import Kind, Speaker

NIGHT = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PEOPLE = {
    "alice": Person("alice", "Alice", "+491711234567", "en-US"),
    "bob": Person("bob", "Bob", "+491717654321", "de-DE"),
    "carol": Person("carol", "Carol", "+436641234567", "en-US"),
    "dave": Person("dave", "Dave", None, "en-US"),
}
WEEK = Rotation("week", ("alice", "bob"), parse_period("1w"), datetime(2026, 1, 5, 9, 0))  # noqa: DTZ001 - wall clock
SCHEDULES = {"primary": Schedule("primary", BERLIN, (WEEK,)), "empty": Schedule("empty", BERLIN)}
SPEAKER = Speaker(())
SIMULATED: Mapping[Manner, Answer] = {
    Manner.NO: sleeps(),
    Manner.YES: answers(),
    Manner.KEY: presses(),
    Manner.BUSY: busy(),
    Manner.MAILBOX: mailbox(),
}


def scene(
    *steps: Step,
    route: Route | None = None,
    policies: Mapping[str, Policy] | None = None,
    schedules: Mapping[str, Schedule] = SCHEDULES,
    intervals: Mapping[str, TimeInterval] | None = None,
    **policy: int | timedelta,
) -> Scene:
    """A scene with one policy of these steps, or with `policies`."""
    made = policies or {"default": replace(Policy("default", steps), **policy)}  # type: ignore[arg-type]  # changes of several types
    world = World(
        route=route or Route("default"),
        intervals=intervals or {},
        policies=made,
        people=PEOPLE,
        roster=Roster(PEOPLE, schedules),
        speaker=SPEAKER,
        timezone=BERLIN,
    )
    return Scene(world, schedules, ring_time=30.0, hears=True, cuts=True)


def group(*severities: str) -> Group:
    """A notification with one alert of each severity; `resolved` for one that is over."""
    alerts = []
    for number, severity in enumerate(severities):
        status = AlertStatus.RESOLVED if severity == "resolved" else AlertStatus.FIRING
        labels = {"alertname": f"Disk{number}", "severity": severity}
        alerts.append(Alert(f"{number:016x}", status, labels, {}, NIGHT - timedelta(minutes=5), None))
    return Group(Stream(Source.ALERTMANAGER, "pager", "{}:{}"), tuple(alerts), {}, "")


def said(text: str) -> Answers:
    return parse_answers(text, PEOPLE)


def calls(rehearsal: Rehearsal) -> list[tuple[int, str]]:
    """Who is called, and when, in seconds from the beginning."""
    return [(round((one.at - rehearsal.began).total_seconds()), one.person) for one in rehearsal.calls]


def whys(rehearsal: Rehearsal, event: Happening) -> list[str]:
    return [one.why for one in rehearsal.told if one.event is event]


# --- telephones


@pytest.mark.parametrize("manner", list(Manner))
@pytest.mark.parametrize("ring_time", [5.0, 20.0, 20.5, 30.0, 60.0])
@pytest.mark.parametrize("reading", [1.0, 3.0, 17.3, 90.0])
def test_the_simulator_assumes_the_same(manner: Manner, ring_time: float, reading: float) -> None:
    """Each manner lives through the same moments as the simulator's person who behaves so."""
    # Whoever hangs up when asked to has heard that much and no more.
    answer = hangs_up(listens=reading) if manner is Manner.HANG_UP else SIMULATED[manner]
    theirs = [
        (moment.at, None if moment.what is Moments.PRESS else CallStatus(moment.what.value))
        for moment in simulated(answer, ring_time, reading)
        if moment.what is not Moments.INITIATED
    ]

    assert [(moment.after, moment.status) for moment in plan(manner, ring_time, reading)] == theirs


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Hi.", Kind.TEXT),
        ("Hello Alice.  This is\ncallbridge with one critical alert on DB 1. " * 4, Kind.TEXT),
        (
            "<Response><Say>Hello &amp; goodbye, Alice.</Say><Pause/><Pause length='3'/><Say>Again.</Say></Response>",
            Kind.XML,
        ),
        (
            '<speak>Hello <break time="1500ms"/> Alice, <break time="2s"/> again. <break strength="weak"/></speak>',
            Kind.SSML,
        ),
    ],
)
def test_the_simulator_reads_as_quickly(text: str, kind: Kind) -> None:
    """A text takes as long as in the simulator, pauses of its markup included."""
    assert reading_seconds(text, kind) == pytest.approx(speech_seconds(text), abs=0.2)


# --- answers


def test_answers_go_call_by_call() -> None:
    """Consecutive answers are used one a call, the last repeats; whoever is not named does not hear the phone."""
    read = said(" alice:no+busy+key , bob:mailbox")

    assert [read.of("alice", before) for before in range(4)] == [Manner.NO, Manner.BUSY, Manner.KEY, Manner.KEY]
    assert read.of("bob", 7) is Manner.MAILBOX
    assert read.of("carol", 0) is Manner.NO
    assert said("").of("alice", 0) is Manner.NO


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("alice", "PERSON:ANSWER"),
        ("alice:sleeps", "no, yes, key, busy, mailbox"),
        ("alice:", "no, yes, key, busy, mailbox"),
        ("alice:no++key", "no, yes, key, busy, mailbox"),
        ("zoe:no", "there is alice, bob, carol, dave"),
        ("alice:no,alice:key", "named twice"),
    ],
)
def test_wrong_answers_are_told(text: str, tells: str) -> None:
    """What cannot be played says what would be right."""
    with pytest.raises(AnswersError, match=tells):
        said(text)


# --- whole rehearsals


def test_attempts_steps_and_rounds() -> None:
    """Nobody hears it: two attempts with their pause, the next step at once, all of it twice, then it is exhausted."""
    steps = Step(("primary",), attempts=2, retry_after=timedelta(minutes=1)), Step(("carol",))

    one = rehearse(scene(*steps, rounds=2), group("critical"), NIGHT)

    assert calls(one) == [(0, "alice"), (91, "alice"), (122, "carol"), (153, "alice"), (244, "alice"), (275, "carol")]
    assert [ending.state for ending in one.endings] == [State.EXHAUSTED]
    assert one.cost == 0


def test_a_retry_rings_whom_the_step_began_with() -> None:
    """The shift changes between two attempts: the second one goes to the same person, for the same reason."""
    late = datetime(2026, 11, 30, 7, 59, 30, tzinfo=UTC)
    one = rehearse(scene(Step(("primary",), attempts=2)), group("critical"), late)

    assert [person for _, person in calls(one)] == ["alice", "alice"]
    assert whys(one, Happening.CALLING) == ["step 1 of default, primary: rotation week"] * 2


def test_reasons_of_people() -> None:
    """Each call says by what its person is meant: themselves, a rotation, or an override."""
    override = Override("carol", NIGHT, NIGHT + timedelta(hours=1), author="bob")
    covered = {"primary": replace(SCHEDULES["primary"], overrides=(override,))}

    named = rehearse(scene(Step(("bob",))), group("critical"), NIGHT)
    overridden = rehearse(scene(Step(("primary",)), schedules=covered), group("critical"), NIGHT)

    assert whys(named, Happening.CALLING) == ["step 1 of default, named in the step"]
    assert whys(overridden, Happening.CALLING) == ["step 1 of default, primary: override by bob"]
    assert overridden.people == ("carol",)


def test_nobody_there_is_the_next_step_at_once() -> None:
    """A schedule without anybody and a person without a number are left at once, and said."""
    one = rehearse(scene(Step(("empty", "dave")), Step(("bob",))), group("critical"), NIGHT)

    assert calls(one) == [(0, "bob")]
    assert [told.verdict for told in one.told][:2] == ["nobody_there", "opened"]
    assert "empty, dave" in one.told[0].why


def test_a_key_takes_everything_that_the_call_tells() -> None:
    """Two policies mean one person: one call tells both, the worst first, and one key takes both."""
    route = Route("default", routes=(Route("other", (Matcher("severity", MatchOp.EQUAL, "warning"),)),))
    policies = {
        name: Policy(name, (Step(("alice",)),), acknowledged_for=timedelta(hours=1)) for name in ("default", "other")
    }

    one = rehearse(scene(route=route, policies=policies), group("warning", "critical"), NIGHT, said("alice:key"))

    assert [call.policies for call in one.calls] == [("other", "default")]
    assert one.spoken[0].index("Disk 1") < one.spoken[0].index("Disk 0")
    assert {ending.policy: (ending.state, ending.by) for ending in one.endings} == {
        "default": (State.ACKNOWLEDGED, "alice"),
        "other": (State.ACKNOWLEDGED, "alice"),
    }
    assert all(ending.rings_again_at == NIGHT + timedelta(hours=1, seconds=8) for ending in one.endings)
    assert one.cost == 0.1


def test_the_worst_incident_names_the_template() -> None:
    """A call that tells two incidents is worded by the template of the worse one, whichever was opened first."""
    route = Route("default", routes=(Route("other", (Matcher("severity", MatchOp.EQUAL, "warning"),)),))
    policies = {
        "default": Policy("default", (Step(("alice",)),), template="call.ssml"),
        "other": Policy("other", (Step(("alice",)),)),
    }

    one = rehearse(scene(route=route, policies=policies), group("warning", "critical"), NIGHT)

    assert one.calls[0].text.startswith("<speak")
    assert one.spoken[0].startswith("Hello Alice. This is callbridge with 2 incidents")


def test_one_open_route_is_enough_for_its_policy() -> None:
    """Two routes take the alert to one policy, one of them muted: it is not muted, in whichever order they stand."""
    always = {"always": parse_interval([{"years": ["2026"]}])}
    muted, loud = Route("default", continue_=True, mute=("always",)), Route("default", continue_=True)

    for routes in ((muted, loud), (loud, muted)):
        one = rehearse(
            scene(Step(("alice",)), route=Route("default", routes=routes), intervals=always), group("critical"), NIGHT
        )

        assert one.taken == (("default", False),)
        assert one.people == ("alice",)


def test_the_worst_alerts_are_told() -> None:
    """Of more alerts than a call can tell the worst and then the oldest are shown, and the rest is counted."""
    many = group("critical", *["warning"] * 24)
    aged = tuple(
        replace(alert, starts_at=NIGHT - timedelta(minutes=number)) for number, alert in enumerate(many.alerts)
    )
    books = Books(scene(Step(("alice",))).world, SCHEDULES, NIGHT)
    books.notify(replace(many, alerts=aged, truncated=3))
    books.claim("alice", "1")

    (subject,), total = books.subjects("1")

    assert [alert.name for alert in subject.alerts] == ["Disk0", *(f"Disk{number}" for number in range(24, 5, -1))]
    assert (subject.truncated, total) == (8, 1)


def test_being_answered_takes_it_only_where_that_is_configured() -> None:
    """A mailbox that takes the whole text acknowledges with `answer`, and otherwise not."""
    usual = scene(Step(("alice",)))
    answering = replace(usual, world=replace(usual.world, rules=Rules(answer=timedelta(seconds=5))))

    without = rehearse(usual, group("critical"), NIGHT, said("alice:mailbox"))
    having = rehearse(answering, group("critical"), NIGHT, said("alice:mailbox"))

    assert without.endings[0].state is State.EXHAUSTED
    assert (having.endings[0].state, having.endings[0].by) == (State.ACKNOWLEDGED, "alice")
    assert "takes nothing" in whys(without, Happening.ENDED)[0]


def test_a_key_that_is_not_heard_takes_nothing() -> None:
    """Where keypress is switched off a key is pressed in vain, and that is said."""
    usual = scene(Step(("alice",)))
    deaf = replace(usual, world=replace(usual.world, keypress=False))

    one = rehearse(deaf, group("critical"), NIGHT, said("alice:key"))

    assert one.endings[0].state is State.EXHAUSTED
    assert "nobody hears of it" in whys(one, Happening.KEY)[0]


def test_muted_routes_call_nobody() -> None:
    """A route that is muted at that time opens nothing; the same a moment later does."""
    until_eleven = parse_interval([{"times": [{"start_time": "21:00", "end_time": "22:01"}]}])
    quiet = scene(Step(("alice",)), route=Route("default", mute=("evening",)), intervals={"evening": until_eleven})

    muted, loud = (rehearse(quiet, group("critical"), at) for at in (NIGHT, NIGHT + timedelta(minutes=1)))

    assert (muted.taken, muted.endings, muted.calls) == ((("default", True),), (), ())
    assert [told.event for told in muted.told] == [Happening.MUTED]
    assert loud.taken == (("default", False),)
    assert loud.people == ("alice",)


def test_nothing_fires() -> None:
    """A body in which everything has resolved brings nothing."""
    one = rehearse(scene(Step(("alice",))), group("resolved", "resolved"), NIGHT)

    assert (one.told, one.endings, one.taken) == ((), (), ())


def test_a_policy_without_steps_is_recorded() -> None:
    """Nobody is called, the incident is there, and that is the end."""
    one = rehearse(scene(), group("critical"), NIGHT)

    assert [told.verdict for told in one.told] == ["recorded"]
    assert [ending.state for ending in one.endings] == [State.TRIGGERED]


def test_a_rate_holds_back_and_is_said_once() -> None:
    """At most one call in ten minutes: the retry waits for that long, whatever the step says."""
    usual = scene(Step(("alice",), wait=timedelta(hours=1), attempts=2))
    held = replace(usual, world=replace(usual.world, calls_per_person=(Rate(1, timedelta(minutes=10)),)))

    one = rehearse(held, group("critical"), NIGHT)

    assert calls(one) == [(0, "alice"), (600, "alice")]
    assert whys(one, Happening.HELD_BACK) == ["limits allow the next call in 8 m 29 s"]


def test_a_chain_without_end_is_broken_off() -> None:
    """After so many calls the rehearsal stops and says that it would go on; what only takes long is told to its end."""
    step = Step(("alice",), wait=timedelta(days=1), attempts=1000, retry_after=timedelta(minutes=30))
    one = rehearse(scene(step, rounds=3), group("critical"), NIGHT)
    busily = rehearse(
        scene(replace(step, retry_after=timedelta(0)), rounds=3), group("critical"), NIGHT, said("alice:busy"), most=40
    )

    assert not one.unfinished
    assert one.told[-1].verdict == "no_news"
    assert busily.unfinished
    assert len(busily.calls) == 40


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (0.4, "0 s"), (59.6, "1 m"), (90, "1 m 30 s"), (3600, "1 h"), (90_061, "1 d 1 h 1 m 1 s")],
)
def test_lengths_are_short(seconds: float, told: str) -> None:
    """A length of time is told in whole units, without those that are none."""
    assert length(timedelta(seconds=seconds)) == told


# --- laws

TARGETS = st.lists(st.sampled_from(["alice", "bob", "carol", "primary", "empty"]), min_size=1, max_size=3).map(tuple)
STEPS = st.builds(
    Step,
    TARGETS,
    wait=st.integers(0, 400).map(lambda seconds: timedelta(seconds=seconds)),
    attempts=st.integers(1, 3),
    retry_after=st.integers(0, 120).map(lambda seconds: timedelta(seconds=seconds)),
)
POLICIES = st.builds(Policy, st.just(""), st.lists(STEPS, max_size=3).map(tuple), rounds=st.integers(1, 2))
MANNERS = st.lists(st.sampled_from(list(Manner)), min_size=1, max_size=3).map(tuple)


@settings(max_examples=60)
@given(
    st.tuples(POLICIES, POLICIES),
    st.dictionaries(st.sampled_from(["alice", "bob", "carol"]), MANNERS),
    st.integers(1, 3),
)
def test_whatever_is_rehearsed_ends(
    made: tuple[Policy, Policy], manners: dict[str, tuple[Manner, ...]], lines: int
) -> None:
    """It ends, time never goes back, nobody is in two calls at once, and nobody is called for what somebody has."""
    policies = {name: replace(one, name=name) for name, one in zip(("default", "other"), made, strict=True)}
    route = Route("default", routes=(Route("other", (Matcher("severity", MatchOp.EQUAL, "warning"),)),))
    usual = scene(route=route, policies=policies)
    few = replace(usual, world=replace(usual.world, accounts=(Terms(max_concurrent_calls=lines),)))

    one = rehearse(few, group("critical", "warning"), NIGHT, Answers(manners))

    assert not one.unfinished
    assert all(before.at <= after.at for before, after in pairwise(one.told))
    on_the_phone: set[str] = set()
    taken: set[str] = set()
    for told in one.told:
        if told.verdict == "acknowledged":
            taken |= set(told.policies)
        if told.event is Happening.CALLING:
            assert told.person not in on_the_phone
            assert not set(told.policies) <= taken
            on_the_phone.add(told.person)
            assert len(on_the_phone) <= lines
        if told.event is Happening.ENDED:
            on_the_phone.remove(told.person)
    assert on_the_phone == set()
    wanted = {name: State.EXHAUSTED if policies[name].steps else State.TRIGGERED for name in policies}
    states = {ending.policy: ending.state for ending in one.endings}
    assert states == {name: State.ACKNOWLEDGED if name in taken else wanted[name] for name in policies}


def test_it_is_the_same_each_time() -> None:
    """Nothing in it is left to chance or to the clock."""
    played = scene(Step(("primary", "carol"), attempts=2), Step(("bob",)), rounds=2)

    first, second = (rehearse(played, group("critical"), NIGHT, said("bob:no+key")) for _ in range(2))

    assert first == second
