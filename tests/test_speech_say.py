"""Speaking labels: what a voice would stumble over becomes words, in English and in German."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.speech import tell
from bridge.speech.estimate import seconds_of_markup, seconds_of_text
from bridge.speech.languages import TABLES, whole_tag, words_of
from bridge.speech.markup import MarkupError
from bridge.speech.say import LONGEST, host_of, say, spell
from bridge.speech.words import UNITS

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)

SAID = [
    # names
    ("http_errors on web01:9100", "HTTP errors on web 0 1 port 9100"),
    ("KubePodCrashLooping", "Kube Pod Crash Looping"),
    ("HTTPServerDown", "HTTP Server Down"),
    ("CPUs of VMs", "CPUs of VMs"),
    ("PostgreSQL", "Postgres"),
    ("node-exporter", "node exporter"),
    ("error 5xx", "error 5 X X"),
    ("job:http_requests:rate5m", "job HTTP requests rate 5 m"),
    ("Ünïcödé_wörd", "Ünïcödé wörd"),
    ("It's down... now!!!", "It's down. now!"),
    ("e.g. this", "for example this"),
    # addresses
    ("10.0.0.17:9100", "10 dot 0 dot 0 dot 17 port 9100"),
    ("10.0.0.0/24", "10 dot 0 dot 0 dot 0 slash 24"),
    ("db1.example.com", "DB 1 dot example dot com"),
    ("[::1]:9100", "IP version 6 address ending in 1 port 9100"),
    ("2001:db8::17", "IP version 6 address ending in 1 7"),
    ("ops@example.com", "ops at example dot com"),
    ("see https://user:secret@runbooks.example.com:8080/a?x=1#y now", "see runbooks dot example dot com now"),
    ("https://www.shop.example.com/", "shop dot example dot com"),
    ("http://", ""),
    ("/var/lib/mysql", "slash var slash lib slash My S Q L"),
    ("disk full on /", "disk full on slash"),
    ("monitoring/grafana-0", "monitoring grafana 0"),
    # identifiers that no person wrote
    ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "an ID ending in 3 3 0 1"),
    ("7f3a9b2c4d5e", "an ID ending in 4 D 5 E"),
    ("web-7d9c6b5f4-x2x9z", "web ending in X 2 X 9 Z"),
    ("deadbeef", "deadbeef"),
    ("ticket 12345678", "ticket 1 2 3 4 5 6 7 8"),
    ("#1234", "number 1 2 3 4"),
    # numbers and units
    ("93.28471%", "93.3 percent"),
    ("5GB of 10 GB", "5 gigabytes of 10 gigabytes"),
    ("1 GB", "1 gigabyte"),
    ("5 m", "5 m"),
    ("250ms", "250 milliseconds"),
    ("1h30m5s", "1 hour 30 minutes 5 seconds"),
    ("1073741824", "1.07 billion"),
    ("1.073741824e+09", "1.07 billion"),
    ("0.00012345", "0.00012"),
    ("1234.56", "1235"),
    ("1e100", "10 to the power of 100"),
    ("1e-320", "0"),
    ("1e999", "infinite"),
    ("-5", "minus 5"),
    ("+5", "plus 5"),
    ("007", "0 0 7"),
    ("+Inf", "infinite"),
    ("NaN", "not a number"),
    ("12,345 jobs", "12345 jobs"),
    ("80%-90%", "80 to 90 percent"),
    ("5-10 errors", "5 to 10 errors"),
    ("$5", "5 dollars"),
    ("load 5/10", "load 5 of 10"),
    ("v1.2.3", "version 1 dot 2 dot 3"),
    ("12:30", "12:30"),
    ("2026-11-23T06:10:18.5Z", "2026-11-23 06:10 UTC"),
    # signs and markup
    ("latency > 500ms", "latency above 500 milliseconds"),
    ("x>=5", "x at least 5"),
    ("~5", "about 5"),
    ('{instance="db1:9100",job="node"}', "instance DB 1 port 9100, job node"),
    ("AT&T", "AT and T"),
    ("<b>x</b> &lt; 5", "x below 5"),
    ("**bold** `code` [runbook](https://x.y/z)", "bold code runbook"),
    ("down.Please look", "down. Please look"),
    ("a - b", "a, b"),
    ("🔥🔥", ""),
    ("\u202eabc\u200b\x07d", "abc d"),
    ("x" * 400 + " tail", "tail"),
    ("", ""),
]


@pytest.mark.parametrize(("written", "said"), SAID, ids=[repr(written)[:30] for written, _ in SAID])
def test_say(written: str, said: str) -> None:
    """A label is read as a person would read it aloud."""
    assert say(written, "en-US") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("10.0.0.17:9100", "10 Punkt 0 Punkt 0 Punkt 17 Port 9100"),
        ("93.28471%", "93,3 Prozent"),
        ("1 GB", "1 Gigabyte"),
        ("2M", "2 Millionen"),
        ("1000000000", "1 Milliarde"),
        ("30d", "30 Tage"),
        ("latency > 500ms", "latency über 500 Millisekunden"),
        ("1,5 GB", "1,5 Gigabyte"),
        ("a & b", "a und b"),
    ],
)
def test_say_in_german(written: str, said: str) -> None:
    """German has its own words, decimal sign and plurals."""
    assert say(written, "de") == said


@given(st.text(max_size=300), st.sampled_from(["en", "de"]))
def test_nothing_unspeakable_is_left(text: str, language: str) -> None:
    """Whatever a label holds, what is said has no markup, underscore, URL or control character, and is one line."""
    said = say(text, language)
    assert not re.search(r"[<>&_{}\[\]\\`|*=^~@#/\n\r\t]|\s\s|://", said)
    assert not any(unicodedata.category(character)[0] == "C" for character in said if character not in "\u200c\u200d")


SHAPED = st.lists(
    st.one_of(
        st.from_regex(r"[0-9a-f:\[\]]{1,20}", fullmatch=True),
        st.from_regex(r"[a-z0-9./:@=\"<>|,()-]{1,30}", fullmatch=True),
        st.from_regex(r"[+-]?[0-9.,eE%/-]{1,12}[a-zA-Z%]{0,3}", fullmatch=True),
        st.sampled_from(
            ["<=", "->", "a=" * 500, "((" * 500, "<" * 500, "a," * 500, "1-" * 400, "/" * 900, "[x](", "&lt;b>"]
        ),
    ),
    max_size=8,
).map(" ".join)


@given(SHAPED)
def test_odd_shapes_are_spoken(text: str) -> None:
    """Text that almost has the shape of an address, number or expression is read somehow, and never raises."""
    assert not re.search(r"[<>&_{}\[\]]|://", say(text, "en"))


@pytest.mark.parametrize(
    "character", ["a", "0", "-", "/", ".", ":", "<", "=", "(", "[", "a=", "a.", "1,", "<a", "&lt;", "a-", "::"]
)
def test_long_labels_stay_cheap(character: str) -> None:
    """A label of a million characters costs no more than its beginning: the rest is not read."""
    said = say(character * 1_000_000, "en")
    assert len(said) <= LONGEST * 12


def test_every_unit_has_words_in_every_language() -> None:
    """No unit is known by its sign and has no word."""
    for words in TABLES.values():
        assert {key for key in UNITS.values() if key not in words.units} == set()


def test_languages_know_the_same_phrases() -> None:
    """A phrase or sign that one language has, all have."""
    english = TABLES["en"]
    for words in TABLES.values():
        assert words.phrases.keys() == english.phrases.keys()
        assert words.symbols.keys() == english.symbols.keys()
        assert len(words.severities) == len(words.severities_alone) == len(english.severities)


@pytest.mark.parametrize(
    ("tag", "whole"), [("de", "de-DE"), ("en", "en-US"), ("de_AT", "de-AT"), ("fr", "fr"), ("EN", "en-US")]
)
def test_whole_tag(tag: str, whole: str) -> None:
    """A voice is named by language and region; a language we do not know stays as it is."""
    assert whole_tag(tag) == whole


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("db1:9100", "db1"),
        ("[::1]:9100", "::1"),
        ("::1", "::1"),
        ("https://user:pw@shop.example.com:443/health?x", "shop.example.com"),
        ("10.0.0.1:9100", "10.0.0.1"),
        ("a b:1", "a b:1"),
    ],
)
def test_host_of(address: str, host: str) -> None:
    """Of an address only the host is told."""
    assert host_of(address) == host


def test_spell() -> None:
    """Spelling names every letter, digit and sign, and drops what has no name."""
    assert spell("db-1 ü§\x00.", words_of("en")) == "D B dash 1 Ü dot"
    assert spell("a.b", words_of("de")) == "A Punkt B"


@pytest.mark.parametrize(
    ("length", "english", "german", "dative"),
    [
        (timedelta(seconds=-5), "a few seconds", "wenige Sekunden", "wenigen Sekunden"),
        (timedelta(seconds=30), "30 seconds", "30 Sekunden", "30 Sekunden"),
        (timedelta(seconds=61), "1 minute", "eine Minute", "einer Minute"),
        (timedelta(hours=3, minutes=5, seconds=7), "3 hours 5 minutes", "3 Stunden 5 Minuten", "3 Stunden 5 Minuten"),
        (timedelta(hours=1), "1 hour", "eine Stunde", "einer Stunde"),
        (timedelta(hours=1, seconds=30), "1 hour", "eine Stunde", "einer Stunde"),
        (timedelta(days=1, minutes=5), "1 day", "ein Tag", "einem Tag"),
        (timedelta(days=3, hours=1), "3 days 1 hour", "3 Tage eine Stunde", "3 Tagen einer Stunde"),
    ],
)
def test_duration(length: timedelta, english: str, german: str, dative: str) -> None:
    """A duration is its two largest units, neighbours only; a clock that runs ahead gives a few seconds."""
    assert tell.duration(length, "en") == english
    assert tell.duration(length, "de") == german
    assert tell.duration(length, "de", dative=True) == dative


@pytest.mark.parametrize(
    ("moment", "english", "german"),
    [
        (NIGHT, "3:05 AM", "3 Uhr 5"),
        (NIGHT.replace(hour=11, minute=0), "12:00 PM", "12 Uhr"),
        (NIGHT - timedelta(hours=4), "yesterday 11:05 PM", "gestern 23 Uhr 5"),
        (NIGHT - timedelta(days=3), "20 November, 3:05 AM", "20. November, 3 Uhr 5"),
    ],
)
def test_clock(moment: datetime, english: str, german: str) -> None:
    """The time of day is that of the listener's zone, with the day where it is another one."""
    assert tell.clock(moment, NIGHT, BERLIN, "en") == english
    assert tell.clock(moment, NIGHT, BERLIN, "de") == german


def test_count_and_listing() -> None:
    """One takes its article, many their number; a long list ends with how many more there are."""
    assert tell.count(1, "alert", "alerts", "en") == "one alert"
    assert tell.count(1, "eine Störung", "Störungen", "de") == "eine Störung"
    assert tell.count(0, "alert", "alerts", "en") == "0 alerts"
    assert tell.listing([], "en") == ""
    assert tell.listing(["a"], "en") == "a"
    assert tell.listing(["a", "b"], "de") == "a und b"
    assert tell.listing(["a", "b", "c", "d", "e"], "en") == "a, b, c and 2 more"
    assert tell.listing(["a", "b"], "en", total=12) == "a, b and 10 more"


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("The disk is full", "The disk is full of it"),
        ("one two three", "one. two. three."),
        ("ab cd", "12 34"),
        ("ab cd", "a b c d"),
        ("abcd", "数据库库"),
    ],
)
def test_what_takes_longer_to_say(shorter: str, longer: str) -> None:
    """More words, pauses, digits, lone letters and syllables take more time."""
    assert seconds_of_text(shorter, "en") < seconds_of_text(longer, "en")


def test_seconds_of_a_known_sentence() -> None:
    """A hundred letters take between five and nine seconds in either language."""
    for language in ("en", "de"):
        assert 5 < seconds_of_text(("abcdefghi " * 10).strip() + ".", language) < 9
    assert seconds_of_text(" ", "en") == 0


@pytest.mark.parametrize(
    ("markup", "seconds"),
    [
        ('<Response><Pause length="3"/></Response>', 3),
        ("<Response><Pause/></Response>", 1),
        ("<Response><Gather/></Response>", 5),
        ('<Response><Gather timeout="2"/></Response>', 2),
        ('<Response><Play loop="3">https://example.com/a.mp3</Play></Response>', 0),
        ('<speak><break time="500ms"/></speak>', 0.5),
        ('<speak><break time="2s"/><break strength="strong"/><break/></speak>', 3.75),
        ('<speak><break time="soon"/></speak>', 0.75),
    ],
)
def test_seconds_of_pauses(markup: str, seconds: float) -> None:
    """Pauses count as long as they say, or as their element's own default."""
    assert seconds_of_markup(markup, "en") == pytest.approx(seconds)


def test_seconds_of_loops() -> None:
    """What is said twice takes twice as long."""
    once = seconds_of_markup("<Response><Say>The disk is full.</Say></Response>", "en")
    assert seconds_of_markup('<Response><Say loop="2">The disk is full.</Say></Response>', "en") == pytest.approx(
        2 * once
    )


def test_markup_with_entities_is_refused() -> None:
    """A DOCTYPE, and so a bomb of entities, is no speech."""
    with pytest.raises(MarkupError, match="DOCTYPE"):
        seconds_of_markup('<!DOCTYPE a [<!ENTITY b "c">]><Response>&b;</Response>', "en")
