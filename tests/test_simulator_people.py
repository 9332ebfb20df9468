"""The scripts of people, the plan of a call, numbers and spoken words: all pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator import (
    Answer,
    Kind,
    Person,
    ScriptError,
    answers,
    barred,
    busy,
    fails,
    hangs_up,
    mailbox,
    parse_answer,
    presses,
    refused,
    replies,
    silent,
    sleeps,
)
from bridge.simulator.faults import Faults
from bridge.simulator.numbers import masked, read_number, speech_seconds, spoken
from bridge.simulator.people import FIELDS, plan


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("sleeps", sleeps()),
        ("busy", busy()),
        ("fails", fails()),
        ("silent", silent()),
        ("barred", barred()),
        ("answers", answers()),
        ("answers:after=4,listens=10", answers(after=4, listens=10)),
        ("answers:7", answers(after=7)),
        ("hangs_up:2.5", hangs_up(listens=2.5)),
        ("hangs-up: listens=2", hangs_up(listens=2)),
        ("mailbox", mailbox()),
        ("mailbox:after=12", mailbox(after=12)),
        ("presses:5", presses("5")),
        (" presses : digit=#, after=1 ", presses("#", after=1)),
        ("replies:on my way", replies("on my way")),
        ("refused:403", refused(403)),
    ],
)
def test_a_short_form_is_read(script: str, answer: Answer) -> None:
    """A behaviour can be written in one word with its seconds, key, text or code behind it."""
    assert parse_answer(script) == answer


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("snores", "sleeps, answers"),
        ("", "nobody behaves like ''"),
        ("sleeps:4", "it takes nothing more"),
        ("answers:after=soon", "after is 'soon', which is not a number"),
        ("answers:before=3", "it takes after, listens"),
        ("answers:after=-1", "cannot be negative"),
        ("answers:after=nan", "or more than a day"),
        ("presses:55", "'55' is not a key"),
        ("presses:", None),
        ("refused:0", "0 is not a code"),
        ("refused:12.5", "code is '12.5'"),
    ],
)
def test_a_wrong_short_form_says_what_would_be_right(script: str, named: str | None) -> None:
    """A script that cannot be played is refused in one line that names the remedy; empty fields mean the usual."""
    if named is None:
        assert parse_answer(script) == presses()
        return
    with pytest.raises(ScriptError) as caught:
        parse_answer(script)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        (sleeps(), "0 initiated, 1 ringing, 31 no-answer"),
        (answers(), "0 initiated, 1 ringing, 5 in-progress, 25 completed"),
        (answers(after=2, listens=90), "0 initiated, 1 ringing, 3 in-progress, 93 completed"),
        (answers(after=30), "0 initiated, 1 ringing, 31 no-answer"),
        (hangs_up(), "0 initiated, 1 ringing, 5 in-progress, 8 completed"),
        (hangs_up(listens=500), "0 initiated, 1 ringing, 5 in-progress, 25 completed"),
        (mailbox(), "0 initiated, 1 ringing, 21 in-progress, 41 completed"),
        (mailbox(after=29.5), "0 initiated, 1 ringing, 30.5 in-progress, 50.5 completed"),
        (busy(), "0 initiated, 1 ringing, 2 failed"),
        (fails(), "0 initiated, 1 ringing, 2 failed"),
        (presses("5"), "0 initiated, 1 ringing, 5 in-progress, 8 press, 9 completed"),
        (replies(), "0 initiated, 1 ringing, 5 in-progress, 25 completed, 30 reply"),
        (silent(), ""),
        (barred(), ""),
        (refused(), ""),
    ],
)
def test_the_life_of_a_call_follows_from_who_is_rung(answer: Answer, life: str) -> None:
    """With 30 s of ringing and a text of 20 s, each behaviour gives its own sequence of moments."""
    assert ", ".join(f"{moment.at:g} {moment.what}" for moment in plan(answer, 30, 20)) == life


@given(
    st.builds(
        Answer,
        st.sampled_from(Kind),
        after=st.none() | st.floats(0, 300),
        listens=st.none() | st.floats(0, 300),
    ),
    st.floats(5, 60),
    st.floats(1, 600),
)
def test_every_life_is_in_order_and_ends_once(answer: Answer, ring_time: float, speech: float) -> None:
    """Moments never go back in time, a receiver is lifted within the ring time or not at all, and a call ends once."""
    moments = plan(answer, ring_time, speech)

    words = [moment.what.value for moment in moments]
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    assert sum(word in ("completed", "no-answer", "failed") for word in words) == (1 if words else 0)
    assert ("in-progress" in words) == ("completed" in words)
    assert "in-progress" not in words or answer.picks_up < ring_time


def test_answers_are_used_in_turn_and_the_last_repeats() -> None:
    """A person behaves as scripted call by call; without a script they sleep."""
    alice = Person("491711234567", [sleeps(), busy(), presses("1")])

    assert [alice.next_answer().kind for _ in range(5)] == ["sleeps", "busy", "presses", "presses", "presses"]
    assert Person("491711234567").next_answer() == sleeps()


def test_every_kind_with_fields_can_be_written_short() -> None:
    """The table of fields speaks of kinds that take something, and its first field needs no name."""
    assert {kind for kind in Kind if kind not in FIELDS} == {"sleeps", "busy", "fails", "silent", "barred"}


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("00491711234567", "491711234567"),
        ("01711234567", "491711234567"),
        ("491711234567", "491711234567"),
        ("+491711234567", "491711234567"),
        ("+49 (171) 123-45/67", "491711234567"),
        ("+43 660 1234567", "436601234567"),
        ("", None),
        ("Peter", None),
        ("+", None),
        ("123456", None),
        ("+0171123456", None),
        ("1234567890123456", None),
        ("49171123456x", None),
        ("٤٩١٧١١٢٣٤٥٦٧", None),
    ],
)
def test_numbers_are_read_in_all_the_forms_of_the_page(written: str, digits: str | None) -> None:
    """0049…, 0…, 49… and +49… are the same number; what is none is none."""
    assert read_number(written) == digits


def test_a_masked_number_cannot_be_rung() -> None:
    """A line of the story shows enough to tell people apart, and too little to ring them."""
    assert masked("491711234567") == "+49 171 …67"


@pytest.mark.parametrize(
    ("text", "words", "seconds"),
    [
        ("Hi", "Hi", 1.0),
        ("x" * 150, "x" * 150, 10.0),
        ('<Response><Say>Disk &amp; fan</Say><Pause length="3"/></Response>', "Disk & fan", 4.0),
        ("<Response><Pause/><Say>Hi</Say></Response>", "Hi", 2.0),
        ('<speak>Hi <break time="500ms"/> you<break strength="weak" time="2s"/></speak>', "Hi you", 3.5),
        ("load < 5 and more", "load < 5 and more", 17 / 15),
    ],
)
def test_speech_takes_its_time(text: str, words: str, seconds: float) -> None:
    """Fifteen characters a second without tags, and the pauses that XML and SSML ask for."""
    assert spoken(text) == words
    assert speech_seconds(text) == pytest.approx(seconds)


def test_a_fault_wears_off() -> None:
    """A fault for some requests counts down at its own endpoint only; one for good stays until it is taken off."""
    faults = Faults()
    faults.set(code=600, times=2, on="journal")
    faults.set(drop_reports=True)

    assert faults.number("code") is None
    assert [faults.number("code", "journal") for _ in range(3)] == [600, 600, None]
    assert [faults.flag("drop_reports") for _ in range(3)] == [True, True, True]
    faults.set(drop_reports=False)
    assert not faults.flag("drop_reports")


@pytest.mark.parametrize(
    ("knobs", "named"),
    [
        ({"explode": True}, "no fault 'explode'"),
        ({"code": "600"}, "it takes a whole number"),
        ({"code": True}, "it takes a whole number"),
        ({"hang_before": 1}, "it takes true or false"),
        ({"slow": "long"}, "it takes a number of seconds"),
        ({"report_shape": "xml"}, "json, json-flat"),
        ({"code": 600, "on": "moon"}, "no endpoint 'moon'"),
        ({"code": 600, "times": 0}, "counts from 1"),
    ],
)
def test_a_fault_that_there_is_not_is_refused(knobs: dict[str, bool], named: str) -> None:
    """A wrong knob, value, endpoint or count is named, and nothing is set."""
    faults = Faults()

    with pytest.raises(ScriptError, match=named):
        faults.set(**knobs)  # type: ignore[arg-type]  # that is the point
    assert faults.as_json() == {}
