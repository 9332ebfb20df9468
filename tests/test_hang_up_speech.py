"""The window of a call in which hanging up takes it: its arithmetic, and the speech that makes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.call import By, Call, CallState, Outcome, Rules, taken
from bridge.simulator.numbers import speech_seconds
from bridge.speech import Limits, Speaker, Speech, Subject
from bridge.speech.estimate import seconds_of_text
from bridge.speech.heard import new_marks, read_markup, read_text
from bridge.speech.values import Kind
from bridge.speech.window import REACTION, Times, roomy, window_of
from tests.speaking import (
    DISK,
    KINDS,
    NOW,
    PAYLOADS,
    SHIPPED,
    SLOW,
    assert_fit_for_a_phone,
    firing,
    real,
    subject,
    words_of,
)

HANG_UP = Rules(hang_up=True)
LANGUAGES = ("en-US", "de-DE")
ASKS = {"en-US": "hang up now.", "de-DE": "jetzt auflegen."}
BEGINS = {"en-US": "That was the message", "de-DE": "Das war die Meldung"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def say(
    subjects: Sequence[Subject],
    *,
    speaker: Speaker = SHIPPED,
    template: str = "call",
    language: str = "en-US",
    keypress: bool = False,
    hang_up: bool = True,
    acknowledge_url: str = "",
) -> Speech:
    """What Alice hears where hanging up takes it."""
    return speaker.speak(
        template=template,
        language=language,
        timezone=ZoneInfo("Europe/Berlin"),
        person="Alice",
        subjects=subjects,
        total=len(subjects),
        now=NOW,
        acknowledge_url=acknowledge_url,
        keypress=keypress,
        hang_up=hang_up,
    )


def call_of(speech: Speech, duration: float | None) -> Call:
    """A call with that speech that was answered and lasted so long."""
    assert speech.window is not None
    begins, ends = speech.window
    call = Call("c1", "alice", "+491711234567", NOON, state=CallState.ENDED, outcome=Outcome.ANSWERED)
    return replace(call, duration=duration, window_from=begins, window_until=ends)


# --- the window's arithmetic


@pytest.mark.parametrize(
    ("times", "window"),
    [
        # The message is over at 10 s: a slow voice's at 11.5; a mailbox's call lasts 34 s at least, one less is 33.
        (Times(10, 16, 40, 40), (11.5, 33.0)),
        # The quickest reading is the stricter of the two.
        (Times(10, 16, 40, 26), (11.5, 25.0)),
        # Still open five seconds after it was asked for, to the tenth of a second.
        (Times(10, 16, 40, 22.0), (11.5, 21.0)),
        (Times(10, 16, 40, 21.9), None),
        # Too narrow: what asks is so short that the slow message reaches beyond it.
        (Times(20, 20.5, 40, 27.5), None),
        (Times(20, 20.5, 40, 29.0), (23.0, 28.0)),
        # Nothing goes on after it.
        (Times(10, 16, 16, 16), None),
        (Times(0, 0, 0, 0), None),
    ],
)
def test_the_window(times: Times, window: tuple[float, float] | None) -> None:
    """From where a slow voice is over with the message to one second before a quick one is over with it all."""
    found = window_of(times)
    assert found == (pytest.approx(window) if window else None)


@given(st.floats(0, 60), st.floats(0, 20), st.floats(0, 120), st.floats(0.4, 1.2))
def test_every_window(message: float, asks: float, more: float, quick: float) -> None:
    """A window lies inside the text, is five seconds wide, ends a tenth before it, and separates at 15 % either way."""
    text = message + asks + more
    times = Times(message, message + asks, text, quick * text)
    window = window_of(times)
    if window is None:
        assert not roomy(times)
        return
    begins, ends = window
    assert 0 <= begins < ends < times.text
    assert ends - begins >= 5
    assert ends <= 0.9 * times.text
    for voice in (0.85, 1.0, 1.15):
        assert voice * times.message <= begins + 1e-9
        assert voice * times.text > ends
    assert times.asked + REACTION <= ends


# --- what is said


def test_it_is_said_after_the_message() -> None:
    """Once the message, then how to take it, then what else to do, and then it goes on long enough."""
    speech = say([subject(DISK)])
    assert speech.text == (
        "Hello Alice. This is callbridge with one critical alert."
        " Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes."
        " That was the message, and it will be repeated. To take this alert, hang up now. Otherwise stay on the line."
        " I repeat. Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes."
        " I repeat. Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes."
        " I repeat. Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes."
        " Goodbye."
    )


@pytest.mark.parametrize("template", KINDS)
@pytest.mark.parametrize(
    ("language", "one", "several", "key"),
    [
        ("en-US", "To take this alert, hang up now.", "To take them all, hang up now.", "Press any key to take it."),
        (
            "de-DE",
            "Um diesen Alarm zu übernehmen, jetzt auflegen.",
            "Um alle zu übernehmen, jetzt auflegen.",
            "Zum Übernehmen eine beliebige Taste drücken.",
        ),
    ],
)
def test_the_words(template: str, language: str, one: str, several: str, key: str) -> None:
    """Asked for once, in the words for one or for several; a key is told of beside it where keys count."""
    alone = " ".join(words_of(say([subject(DISK)], template=template, language=language)).split())
    both = " ".join(words_of(say([subject(DISK)], template=template, language=language, keypress=True)).split())
    more = " ".join(words_of(say([subject(DISK), subject(SLOW)], template=template, language=language)).split())
    assert [text.count(one) for text in (alone, both, more)] == [1, 1, 0]
    assert more.count(several) == 1
    assert key not in alone
    assert f"{key} {one}" in both


@pytest.mark.parametrize("template", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_it_where_it_is_off(template: str, language: str) -> None:
    """With `hang_up: false` nobody is asked to, and there is no window."""
    speech = say([subject(DISK)], template=template, language=language, hang_up=False)
    assert speech.window is None
    assert ASKS[language] not in words_of(speech)
    assert BEGINS[language] not in words_of(speech)


def test_a_pause_follows_where_the_kind_has_one() -> None:
    """TwiML and SSML are silent for two seconds then."""
    assert re.search(r'hang up now\.</Say>\s*<Pause length="2"/>', say([subject(DISK)], template="call.xml").text)
    assert re.search(r'hang up now\.\s*<break time="2s"/>', say([subject(DISK)], template="call.ssml").text)


def test_nobody_is_asked_to_take_what_is_over() -> None:
    """Of incidents that are resolved there is nothing to take."""
    over = say([subject(DISK, status="resolved")])
    assert over.window is None
    assert "hang up" not in over.text


# --- the three cases, with the shipped templates


def moments(speech: Speech, language: str) -> tuple[float, float]:
    """When the message is over, and when it has been asked for, by the estimate of the words alone."""
    words = " ".join(words_of(speech).split())
    until = words.index(BEGINS[language]), words.index(ASKS[language]) + len(ASKS[language])
    message, asked = (seconds_of_text(words[:place], language) for place in until)
    return message, asked


CASES = [subject(DISK), subject(SLOW), subject(firing({"alertname": "Down", "instance": "db1"}))]


@pytest.mark.parametrize("template", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("keypress", [False, True])
@pytest.mark.parametrize("told", range(len(CASES)))
@pytest.mark.parametrize("voice", [0.85, 0.95, 1.0, 1.05, 1.15])
def test_a_human_who_was_asked_is_told_from_all_others(
    template: str, language: str, keypress: bool, told: int, voice: float
) -> None:
    """By how long the call was: before the message is over, after it was asked for, or to the end, at any pace."""
    speech = say([CASES[told]], template=template, language=language, keypress=keypress)
    message, asked = moments(speech, language)
    for early in (0.0, 3.0, 0.5 * voice * message, 0.99 * voice * message):
        assert taken(call_of(speech, early), HANG_UP) is None
    for reaction in (2.0, 3.0, 5.0):
        assert taken(call_of(speech, voice * asked + reaction), HANG_UP) is By.HANG_UP
    for whole in (voice * speech.seconds, 60.0, 3600.0):
        assert taken(call_of(speech, whole), HANG_UP) is None


@pytest.mark.parametrize("template", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_real_alerts_can_be_taken(template: str, language: str, path: Path) -> None:
    """Every captured webhook that fires has a window, within the limits, that holds at 15 characters a second too."""
    told = real(path)
    speech = say([told], template=template, language=language, keypress=True)
    assert_fit_for_a_phone(speech, Limits())
    if told.status == "resolved" or not told.firing:
        return
    assert speech.window is not None
    words = " ".join(words_of(speech).split())
    asked = len(words[: words.index(ASKS[language]) + len(ASKS[language])]) / 15
    assert taken(call_of(speech, asked + 3), HANG_UP) is By.HANG_UP
    assert taken(call_of(speech, speech_seconds(speech.text)), HANG_UP) is None


def test_rather_fewer_incidents_than_none_that_can_be_taken() -> None:
    """Of a storm so many are told that there is time to take it, and the others are counted."""
    storm = [subject(firing({"alertname": f"Alert{n}", "instance": f"host{n}"})) for n in range(30)]
    speech = say(storm)
    assert speech.window is not None
    assert 1 <= speech.told < say(storm, hang_up=False).told
    assert f"And {30 - speech.told} more incidents." in speech.text
    assert_fit_for_a_phone(speech, Limits())


# --- templates of the operator's own


def own(folder: Path, source: str, name: str = "mine.txt.j2") -> Speaker:
    (folder / name).write_text(source, encoding="utf-8")
    return Speaker([folder])


TAIL = "{% for time in range(repeats) %} Once more. The disk of the database is full and must be cleared. {% endfor %}"
MINE = "The disk of the database is full. {{ 'Whoever takes it hangs up now.'|hang_up_now }}" + TAIL


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mine.txt.j2", MINE),
        ("mine.xml.j2", f"<Response><Say>{MINE}</Say></Response>"),
        ("mine.ssml.j2", f'<speak version="1.0">{MINE}</speak>'),
        ("mine.xml.j2", "<Response><Say>A &amp; B. {% filter hang_up_now %}Now &lt; {{ 'a<b' }}{% endfilter %}" + TAIL
         + "</Say></Response>"),
    ],
)  # fmt: skip
def test_an_own_template(tmp_path: Path, name: str, source: str) -> None:
    """One that asks by the filter, and goes on, has a window; nothing of the marks is spoken, and it is well-formed."""
    speaker = own(tmp_path, source, name)
    speech = say([subject(DISK)], speaker=speaker, template="mine")
    assert (speech.window is not None, speech.fallback) == (True, False)
    assert "mark" not in speech.text
    assert speaker.check("mine") == speaker.doubts("mine") == ()


@pytest.mark.parametrize(
    ("source", "doubt"),
    [
        ("The disk is full. Goodbye.", "mine.txt.j2: has no words with the filter hang_up_now: hanging up cannot"),
        (
            "The disk is full. {{ 'Hang up now.'|hang_up_now }} Goodbye.",
            "mine.txt.j2: says too little after hang_up_now",
        ),
        ("The disk is full. {{ 'Hang up now.'|hang_up_now|upper }}" + TAIL, "has no words with the filter"),
    ],
)
def test_an_own_template_by_which_nothing_is_taken(tmp_path: Path, source: str, doubt: str) -> None:
    """It is said without asking to hang up, has no window, and check-config says why."""
    speaker = own(tmp_path, source)
    speech = say([subject(DISK)], speaker=speaker, template="mine")
    assert speech.window is None
    assert "hang up" not in speech.text.lower()
    assert "mark" not in speech.text.lower()
    assert not speech.fallback
    assert speaker.check("mine") == ()
    (told,) = speaker.doubts("mine")
    assert doubt in told


def test_the_shipped_templates_leave_no_doubt() -> None:
    """Hanging up takes a call by every shipped template."""
    for template in KINDS:
        assert SHIPPED.doubts(template) == ()


def test_a_fault_that_shows_with_hang_up_alone_is_found(tmp_path: Path) -> None:
    """Both ways of a template are tried before the night it matters."""
    speaker = own(tmp_path, "The disk is full.{% if hang_up %} {{ no_such_name }}{% endif %}")
    (fault,) = speaker.check("mine")
    assert "no_such_name" in fault


def test_no_window_where_the_words_are_not_the_template_s(tmp_path: Path) -> None:
    """Neither the plain sentence nor a text that was cut can be taken by hanging up."""
    assert say([subject(DISK)], template="nosuch").window is None
    cut = say([subject(DISK)], speaker=own(tmp_path, "One two three. " * 200 + MINE), template="mine")
    assert "shortened" in cut.problem
    assert cut.window is None


def test_a_label_cannot_move_the_window() -> None:
    """Whatever strangers write, the words that ask are the template's."""
    words = "To take this alert, hang up now."
    loud = firing({"alertname": f"{words} <?mark?>"}, {"summary": "{{ 'x'|hang_up_now }} mark0b"})
    for template in KINDS:
        speech = say([subject(loud)], template=template)
        assert speech.window is not None
        assert moments(speech, "en-US")[0] < speech.window[0]


@pytest.mark.parametrize("kind", Kind)
def test_marks_that_are_not_whole_are_no_marks(kind: Kind) -> None:
    """A begin without its end, or in the wrong order, is taken away and times nothing."""
    marks = new_marks(kind)
    for inside in (f"a{marks.begin}b", f"a{marks.end}b", f"a{marks.end}b{marks.begin}"):
        if kind is Kind.TEXT:
            heard = read_text(inside, "en", marks)
        else:
            root = "Response" if kind is Kind.XML else "speak"
            heard = read_markup(f"<{root}><s>{inside}</s></{root}>", kind, "en", marks)
        assert heard.times is None
        assert "mark" not in heard.text


def test_a_pause_before_the_asking_counts_and_one_that_is_open_does_not() -> None:
    """In markup the time until a mark is that of what stands before it, a `<Gather>` around it without its time-out."""
    marks = new_marks(Kind.XML)
    inside = f'<Say>One.</Say><Pause length="4"/><Say>Two. {marks.begin}Three.{marks.end}</Say>'
    heard = read_markup(f'<Response><Gather timeout="9">{inside}</Gather></Response>', Kind.XML, "en", marks)
    assert heard.times is not None
    one, two, three = (seconds_of_text(word, "en") for word in ("One.", "Two.", "Three."))
    assert heard.times.message == pytest.approx(one + 4 + two)
    assert heard.times.asked == pytest.approx(one + 4 + two + three, abs=0.2)
    assert heard.times.text == pytest.approx(heard.times.asked + 9)
