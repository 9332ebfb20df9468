"""What the phone says: the shipped templates on real webhooks, the choice of a template, the plain sentence."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bridge.alert import Alert, AlertStatus
from bridge.speech import Limits, Speaker, Subject, shipped_templates
from tests.speaking import (
    DISK,
    KINDS,
    LINK,
    NOW,
    PAYLOADS,
    SHIPPED,
    SLOW,
    assert_fit_for_a_phone,
    firing,
    real,
    say,
    subject,
    words_of,
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en-US",
            "Hello Alice. This is callbridge with one critical alert."
            " Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes. Press any key to take it."
            " I repeat."
            " Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes. Press any key to take it."
            " Goodbye.",
        ),
        (
            "de-DE",
            "Hallo Alice. Hier ist callbridge: ein kritischer Alarm."
            " Disk Slash var is 95 Prozent full on DB 1. Aktiv seit 5 Minuten."
            " Zum Übernehmen eine beliebige Taste drücken."
            " Ich wiederhole."
            " Disk Slash var is 95 Prozent full on DB 1. Aktiv seit 5 Minuten."
            " Zum Übernehmen eine beliebige Taste drücken."
            " Auf Wiederhören.",
        ),
    ],
)
@pytest.mark.parametrize("template", KINDS)
def test_one_alert(template: str, language: str, words: str) -> None:
    """One alert is told in the person's language, the same in all three kinds, and said twice."""
    speech = say([subject(DISK)], template=template, language=language)
    assert " ".join(words_of(speech).split()) == words
    assert (speech.kind, speech.language, speech.fallback, speech.problem) == (KINDS[template], language, False, "")
    assert (speech.told, speech.total) == (1, 1)


def test_several_incidents() -> None:
    """Several are counted by severity first, then told one by one, the most severe first, whatever their order."""
    speech = say(
        [subject(SLOW), subject(DISK), subject(firing({"alertname": "Odd"}))], keypress=False, acknowledge_url=""
    )
    assert speech.text.startswith(
        "Hello Alice. This is callbridge with 3 incidents: one critical, one other and one warning."
        " First: Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes."
        " Second: Odd. It has been firing for 5 minutes."
        " Third: High Latency on web 0 1. In cluster eu 1. It has been firing for 1 hour 30 minutes."
    )
    assert "key" not in speech.text
    assert "with 2 incidents. First: Odd." in say([subject(firing({"alertname": "Odd"}))] * 2).text


def test_several_alerts_of_one_incident() -> None:
    """The alerts of one incident are counted by severity, and its places listed, with those that the sender cut off."""
    alerts = [firing({"alertname": "Down", "instance": f"web{n}:80", "severity": "critical"}) for n in range(1, 6)]
    speech = say([subject(*alerts, truncated=7)])
    assert speech.text.startswith(
        "Hello Alice. This is callbridge with 5 critical alerts and 7 more. Down on web 1, web 2, web 3 and 2 more."
    )


def test_what_is_resolved_asks_for_nothing() -> None:
    """A resolved incident is told as such, and nobody is asked to take it."""
    over = Alert("f" * 16, AlertStatus.RESOLVED, {"alertname": "Down"}, {}, NOW - timedelta(hours=1), NOW)
    speech = say([subject(over, status="resolved")])
    assert "Down. It is resolved." in speech.text
    assert "key" not in speech.text


def test_a_resolved_alert_is_no_news_while_others_fire() -> None:
    """Of an incident that is partly over, only what still fires is counted and told."""
    over = Alert(
        "f" * 16, AlertStatus.RESOLVED, {"alertname": "Down", "instance": "old:1"}, {}, NOW - timedelta(hours=9), NOW
    )
    speech = say([subject(over, firing({"alertname": "Down", "instance": "new:1"}))])
    assert "with one alert. Down on new. It has been firing for 5 minutes." in speech.text


@pytest.mark.parametrize("subjects", [[], [subject()], [subject(truncated=3)], [subject(firing({}))]])
@pytest.mark.parametrize("template", KINDS)
def test_little_to_tell(subjects: list[Subject], template: str) -> None:
    """No incident, no alert and no label at all still make a sentence."""
    for language in ("en", "de"):
        speech = say(subjects, template=template, language=language, person="")
        assert not speech.fallback, speech.problem
        assert_fit_for_a_phone(speech, Limits())


@pytest.mark.parametrize("path", PAYLOADS, ids=[path.stem for path in PAYLOADS])
@pytest.mark.parametrize("language", ["en-US", "de-DE"])
@pytest.mark.parametrize("template", KINDS)
def test_real_webhooks(path: Path, language: str, template: str) -> None:
    """Every webhook that was ever captured is told by every template: well-formed, within limits, hearable."""
    speech = say([real(path)], template=template, language=language)
    assert (speech.fallback, speech.problem, speech.kind) == (False, "", KINDS[template])
    assert_fit_for_a_phone(speech, Limits())
    assert not re.search(r"://|_|#|\\|[{}\[\]]", words_of(speech))


def test_real_webhooks_together() -> None:
    """A storm is one call: as many incidents as fit into a minute, the most severe first, then how many more."""
    assert len(PAYLOADS) == 21
    speech = say([real(path) for path in PAYLOADS], total=30)
    assert 3 <= speech.told < 21
    assert f"And {30 - speech.told} more incidents." in speech.text
    assert speech.text.index("Latency high") < speech.text.index("Target down")
    assert_fit_for_a_phone(speech, Limits())


def test_twiml() -> None:
    """TwiML gathers a key through the signed link while it speaks; without a link nothing is gathered."""
    gathered = ElementTree.fromstring(say([subject(DISK)], template="call.xml", keypress=False).text.encode())
    gather = gathered.find("Gather")
    assert gather is not None
    assert gather.attrib == {"numDigits": "1", "action": LINK}
    assert [element.tag for element in gather] == ["Say", "Pause", "Say"]
    assert "Press any key" in "".join(gather.itertext())
    without = say([subject(DISK)], template="call.xml", acknowledge_url="", keypress=False)
    plain = ElementTree.fromstring(without.text.encode())
    assert (plain[0].tag, plain[0].attrib) == ("Say", {"language": "en-US"})
    assert "key" not in "".join(plain.itertext())


def test_ssml() -> None:
    """SSML names its language."""
    speak = ElementTree.fromstring(say([subject(DISK)], template="call.ssml", language="de").text.encode())
    assert speak.tag == "{http://www.w3.org/2001/10/synthesis}speak"
    assert speak.attrib == {"version": "1.0", "{http://www.w3.org/XML/1998/namespace}lang": "de-DE"}


# --- which template --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language", "file"),
    [
        ("call", "de-AT", "call.de-AT.ssml.j2"),
        ("call", "de-DE", "call.de.xml.j2"),
        ("call", "fr", "call.txt.j2"),
        ("call", "../../x", "call.txt.j2"),
        ("call.xml", "de-DE", "call.de.xml.j2"),
        ("call.xml", "en", "call.xml.j2"),
        ("call.ssml", "de-AT", "call.de-AT.ssml.j2"),
        ("call.text", "de-DE", "call.txt.j2"),
        ("call.txt.j2", "de-DE", "call.txt.j2"),
        ("night.shift", "en", "night.shift.txt.j2"),
    ],
)
def test_choice_of_a_file(tmp_path: Path, name: str, language: str, file: str) -> None:
    """The language comes before the kind, and the more exact language before the less exact one."""
    for own in ("call.de-AT.ssml", "call.de.xml", "call.xml", "call.txt", "night.shift.txt"):
        root = {"xml": "Response", "ssml": "speak"}.get(own.rpartition(".")[2])
        (tmp_path / f"{own}.j2").write_text(f"<{root}>x</{root}>" if root else "x", encoding="utf-8")
    speech = say([subject(DISK)], speaker=Speaker([tmp_path]), template=name, language=language)
    assert (speech.template, speech.fallback) == (file, False)


def test_the_first_folder_wins(tmp_path: Path) -> None:
    """The first folder that has any fitting file is taken, even if a later one has a file in the very language."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (one / "call.txt.j2").write_text("one", encoding="utf-8")
    (two / "call.txt.j2").write_text("two", encoding="utf-8")
    (two / "call.de.txt.j2").write_text("zwei", encoding="utf-8")
    assert say([subject(DISK)], speaker=Speaker([one, two]), language="de").text == "one"
    assert say([subject(DISK)], speaker=Speaker([two, one]), language="de").text == "zwei"
    assert say([subject(DISK)], speaker=Speaker([one / "nosuch"]), language="de").template == "call.de.txt.j2"


def test_the_language_that_is_spoken(tmp_path: Path) -> None:
    """Shipped words are English or German, whatever the person speaks; an operator's own are what the operator says."""
    assert say([subject(DISK)], language="fr-FR").language == "en-US"
    assert say([subject(DISK)], language="fr-FR", speaker=Speaker([shipped_templates()])).language == "en-US"
    assert say([subject(DISK)], language="en-GB").language == "en-GB"
    assert say([subject(DISK)], language="de_AT").language == "de-AT"
    (tmp_path / "call.txt.j2").write_text("Bonjour", encoding="utf-8")
    assert say([subject(DISK)], language="fr-FR", speaker=Speaker([tmp_path])).language == "fr-FR"


@pytest.mark.parametrize(
    "name", ["", "..", "../call", "a/b", "/etc/passwd", "call\x00", ".call", "call..xml", "c" * 300, "nosuch"]
)
def test_no_such_template(name: str) -> None:
    """A name that leads nowhere, or out of the folder, gives the plain sentence and says which names there are."""
    speech = say([subject(DISK)], template=name)
    assert speech.fallback
    assert speech.text == (
        "This is callbridge. One alert is firing: Disk Full on DB 1. Disk slash var is 95 percent full on DB 1."
        " Press any key to take it."
    )
    assert say([subject(DISK)], template=name, keypress=False).text.endswith("full on DB 1.")
    assert SHIPPED.check(name) == (speech.problem,)
    assert "there is no template" in speech.problem


def test_check(tmp_path: Path) -> None:
    """Checking a name tries all its files, in all languages, and tells each fault with its place."""
    (tmp_path / "call.txt.j2").write_text("fine", encoding="utf-8")
    (tmp_path / "call.de.txt.j2").write_text("\n{% if %}", encoding="utf-8")
    (tmp_path / "call.fr.xml.j2").write_text("<Response>\n{{ typo }}</Response>", encoding="utf-8")
    (tmp_path / "bad.txt.j2").write_bytes(b"\xff")
    faults = Speaker([tmp_path]).check("call")
    assert len(faults) == 3
    assert f"{tmp_path}/bad.txt.j2: cannot be read" in faults[0]
    assert faults[1].startswith(f"{tmp_path}/call.de.txt.j2:2: Expected an expression")
    assert faults[2] == f"{tmp_path}/call.fr.xml.j2:2: 'typo' is undefined"
    assert "there are: call" in Speaker([tmp_path]).check("nosuch")[-1]


def test_a_changed_file_is_compiled_anew(tmp_path: Path) -> None:
    """What was compiled before is kept for a file that stayed as it is, and never for one that has changed."""
    for text in ("Good night.", "Good morning.", "Good night."):
        (tmp_path / "greeting.txt.j2").write_text(text)
        assert say([subject(DISK)], speaker=Speaker([tmp_path]), template="greeting").text == text


def test_subject() -> None:
    """An incident knows what fires, what is over, and what all its alerts have in common."""
    over = Alert("f" * 16, AlertStatus.RESOLVED, {"alertname": "Down", "a": "1"}, {"x": "y"}, NOW, NOW)
    fires = firing({"alertname": "Down", "a": "2"}, {"x": "y"})
    both = subject(over, fires)
    assert (both.firing, both.resolved, both.severity) == ((fires,), (over,), "")
    assert (both.common_labels, both.common_annotations) == ({"alertname": "Down"}, {"x": "y"})


def test_files_that_are_not_read(tmp_path: Path) -> None:
    """Hidden folders (a mounted ConfigMap keeps its versions there) are passed over; a huge file is a fault."""
    (tmp_path / "..2026_01_01").mkdir()
    (tmp_path / "..2026_01_01" / "hidden.txt.j2").write_text("x", encoding="utf-8")
    (tmp_path / "..2026_01_01" / "linked.txt.j2").write_text("linked", encoding="utf-8")
    (tmp_path / "linked.txt.j2").symlink_to("..2026_01_01/linked.txt.j2")
    (tmp_path / "huge.txt.j2").write_text("x" * 1_000_001, encoding="utf-8")
    speaker = Speaker([tmp_path])
    assert say([subject(DISK)], speaker=speaker, template="linked").text == "linked"
    assert say([subject(DISK)], speaker=speaker, template="hidden").fallback
    assert "huge.txt.j2: cannot be read: it is larger than" in speaker.check("call")[0]


def test_shipped_templates_are_without_fault() -> None:
    """What is shipped passes the same check, in each kind."""
    for name in KINDS:
        assert SHIPPED.check(name) == ()
    assert (shipped_templates() / "call.txt.j2").is_file()


@pytest.mark.parametrize(
    ("annotations", "summary"),
    [
        ([{"summary": "a"}, {"summary": "a"}], "a"),
        ([{"summary": "worst"}, {"summary": "other"}], "worst"),
        ([{"summary": "worst", "description": "same"}, {"description": "same"}], "worst"),
        ([{"summary": " ", "title": "t"}, {"message": "m"}], "t"),
        ([{"description": "d"}, {"description": "d"}], "d"),
        ([{}, {"summary": "other"}], ""),
    ],
)
def test_summary(annotations: list[dict[str, str]], summary: str) -> None:
    """The summary is the text all alerts share, else the worst one's; the more telling annotation goes first."""
    alerts = [firing({"severity": "critical"}, annotations[0]), firing({"severity": "warning"}, annotations[1])]
    assert subject(*reversed(alerts)).summary == summary
