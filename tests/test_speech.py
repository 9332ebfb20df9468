"""What the phone says: shipped templates on real webhooks, the choice of a template, the limits, the plain sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.alert import Alert, AlertStatus, Source, parse_group
from bridge.speech import Kind, Limits, Speaker, Speech, Subject, shipped_templates

PAYLOADS = sorted((Path(__file__).parent / "data" / "payloads").glob("*.json"))
NOW = datetime(2026, 11, 23, 6, 15, tzinfo=UTC)
LINK = "https://callbridge.example.com/webhook/keypress/abc?x=1&y=2"
KINDS = {"call": Kind.TEXT, "call.xml": Kind.XML, "call.ssml": Kind.SSML}
SHIPPED = Speaker([])


def firing(labels: Mapping[str, str], annotations: Mapping[str, str] | None = None, minutes: float = 5) -> Alert:
    """One alert that began some minutes ago."""
    began = NOW - timedelta(minutes=minutes)
    return Alert("f" * 16, AlertStatus.FIRING, labels, annotations or {}, began, None)


def subject(*alerts: Alert, truncated: int = 0, minutes: float = 5, status: str = "firing") -> Subject:
    """One incident of these alerts."""
    opened = NOW - timedelta(minutes=minutes)
    return Subject("01J", "default", opened, "team", "http://am.example.com", {}, alerts, truncated, status)


def real(path: Path) -> Subject:
    """The incident of a captured webhook."""
    group = parse_group(path.read_bytes(), Source.ALERTMANAGER)
    status = "firing" if any(alert.firing for alert in group.alerts) else "resolved"
    receiver, url = group.stream.receiver, group.external_url
    return Subject("01J", "default", NOW, receiver, url, group.group_labels, group.alerts, group.truncated, status)


def say(
    subjects: Sequence[Subject],
    *,
    speaker: Speaker = SHIPPED,
    template: str = "call",
    language: str = "en-US",
    total: int = 0,
    keypress: bool = True,
    acknowledge_url: str = LINK,
    person: str = "Alice",
) -> Speech:
    """What Alice in Berlin hears."""
    return speaker.speak(
        template=template,
        language=language,
        timezone=ZoneInfo("Europe/Berlin"),
        person=person,
        subjects=subjects,
        total=total or len(subjects),
        now=NOW,
        acknowledge_url=acknowledge_url,
        keypress=keypress,
    )


def words_of(speech: Speech) -> str:
    """What is heard: of markup the text alone. Raises ParseError if that is not well-formed."""
    if speech.kind is Kind.TEXT:
        return speech.text
    return "".join(ElementTree.fromstring(speech.text.encode()).itertext())


def assert_fit_for_a_phone(speech: Speech, limits: Limits) -> None:
    """What holds for everything that is ever said."""
    assert len(speech.text) <= limits.characters
    assert len(speech.text.encode()) <= limits.characters
    assert speech.seconds <= limits.seconds
    words = words_of(speech)
    assert words.strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in words if character != "\n")
    if speech.kind is Kind.TEXT:
        assert not re.search(r"[<>&\n]|  ", words)


DISK = firing(
    {"alertname": "DiskFull", "severity": "critical", "instance": "db1:9100"},
    {"summary": "Disk /var is 95% full on db1", "runbook_url": "https://runbooks.example.com/DiskFull"},
)
SLOW = firing(
    {"alertname": "HighLatency", "severity": "warning", "instance": "web01:9100", "cluster": "eu-1"}, minutes=90
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en-US",
            "Hello Alice. This is callbridge with one critical alert."
            " Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes. Press any key to take it. I repeat."
            " Disk slash var is 95 percent full on DB 1. It has been firing for 5 minutes. Press any key to take it. Goodbye.",
        ),
        (
            "de-DE",
            "Hallo Alice. Hier ist callbridge: ein kritischer Alarm."
            " Disk Slash var is 95 Prozent full on DB 1. Aktiv seit 5 Minuten. Zum Übernehmen eine beliebige Taste drücken."
            " Ich wiederhole."
            " Disk Slash var is 95 Prozent full on DB 1. Aktiv seit 5 Minuten. Zum Übernehmen eine beliebige Taste drücken."
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
    """A storm is one call: as many incidents as fit into a minute, the most severe first, and how many more there are."""
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
    plain = ElementTree.fromstring(
        say([subject(DISK)], template="call.xml", acknowledge_url="", keypress=False).text.encode()
    )
    assert [(element.tag, element.attrib) for element in plain][0] == ("Say", {"language": "en-US"})
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


def test_shipped_templates_are_without_fault() -> None:
    """What is shipped passes the same check, in each kind."""
    for name in KINDS:
        assert SHIPPED.check(name) == ()
    assert (shipped_templates() / "call.txt.j2").is_file()


# --- the limits ----------------------------------------------------------------------------------------------------


def many(count: int) -> list[Subject]:
    """Incidents with alerts enough to fill an evening."""
    return [
        subject(
            *(firing({"alertname": f"Alert{n}", "instance": f"host{n}-{m}:9100", "job": "node"}) for m in range(20))
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("template", KINDS)
def test_fewer_are_told(template: str) -> None:
    """Of more incidents than fit as many are told as fit, and one more would not have fitted."""
    speech = say(many(60), template=template, total=100)
    assert 2 <= speech.told < 20
    assert f"And {100 - speech.told} more incidents." in words_of(speech)
    assert_fit_for_a_phone(speech, Limits())
    assert say(many(60), template=template, total=100, speaker=Speaker([], Limits(seconds=90))).told > speech.told


def test_repeated_only_if_there_is_time() -> None:
    """The message is said twice within the time, and once where twice is too long; then still all is told."""
    subjects = [subject(DISK), subject(DISK)]
    twice = say(subjects)
    once = say(subjects, speaker=Speaker([], Limits(seconds=twice.seconds - 1)))
    assert "I repeat." in twice.text
    assert "I repeat." not in once.text
    assert once.told == 2


ALERTS = "{% for alert in alerts %}{{ alert.labels.instance|say }}. {% endfor %}"


@pytest.mark.parametrize(("extension", "root"), [("txt", ""), ("xml", "Response"), ("ssml", "speak")])
def test_fewer_alerts_are_told(tmp_path: Path, extension: str, root: str) -> None:
    """Where even one incident is too long, a template that lists alerts is given fewer of them."""
    source = f"<{root}>{ALERTS}</{root}>" if root else ALERTS
    (tmp_path / f"list.{extension}.j2").write_text(source, encoding="utf-8")
    speech = say(many(1), speaker=Speaker([tmp_path], Limits(seconds=20)), template="list")
    assert 2 <= len(re.findall("host", speech.text)) < 20
    assert (speech.fallback, speech.problem) == (False, "")
    assert_fit_for_a_phone(speech, Limits(seconds=20))


def test_text_that_is_always_too_long_is_cut_at_a_sentence(tmp_path: Path) -> None:
    """Plain text is cut at the end of a sentence, and the problem says so."""
    (tmp_path / "long.txt.j2").write_text("One two three. " * 200, encoding="utf-8")
    speech = say([subject(DISK)], speaker=Speaker([tmp_path]), template="long")
    assert speech.text.endswith("One two three.")
    assert "shortened" in speech.problem
    assert not speech.fallback
    assert 50 < speech.seconds <= 60


@pytest.mark.parametrize("repeat", [200, 5000, 100_000])
def test_markup_that_is_always_too_long_is_given_up(tmp_path: Path, repeat: int) -> None:
    """Markup is never cut: the plain sentence stands in for it."""
    (tmp_path / "long.xml.j2").write_text(
        "<Response><Say>" + "One two. " * repeat + "</Say></Response>", encoding="utf-8"
    )
    speech = say([subject(DISK)], speaker=Speaker([tmp_path]), template="long")
    assert (speech.fallback, speech.kind) == (True, Kind.TEXT)
    assert "too long" in speech.problem


def test_bytes_count_as_characters() -> None:
    """The limit of characters holds for the bytes of UTF-8 too."""
    alert = firing({"alertname": "数据库"}, {"summary": "数据库连接失败" * 40})
    limits = Limits(characters=300)
    for template in KINDS:
        assert_fit_for_a_phone(say([subject(alert)] * 5, speaker=Speaker([], limits), template=template), limits)


@pytest.mark.parametrize("limits", [(159, 60.0), (10_000, 4.9)])
def test_limits_that_no_sentence_fits(limits: tuple[int, float]) -> None:
    """Limits below any useful sentence are a mistake of the caller."""
    with pytest.raises(ValueError, match="at least"):
        Limits(*limits)


def test_a_group_of_thousands() -> None:
    """An incident of thousands of alerts is counted whole and told by its worst."""
    alerts = [firing({"alertname": "Down", "instance": f"n{n}"}) for n in range(5000)]
    alerts.append(firing({"alertname": "Worst", "instance": "db1", "severity": "critical"}))
    speech = say([subject(*alerts)])
    assert "with one critical alert and 5000 alerts. Worst on DB 1, n 0, n 1 and 4998 more." in speech.text


# --- laws ----------------------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Sm", "Po", "Ll"]), max_size=60),
    st.sampled_from(
        [
            "</Say><Dial>+4900</Dial>",
            "]]>",
            "<![CDATA[",
            "&#0;",
            "{{ 7*7 }}",
            "{% raw %}",
            "\x00\ufffe\ud800",
            "A" * 5000,
        ]
    ),
)
LABELS = st.dictionaries(
    st.one_of(st.sampled_from(["alertname", "severity", "instance", "cluster", "pod"]), TEXTS), TEXTS, max_size=6
)
ANNOTATIONS = st.dictionaries(st.sampled_from(["summary", "description", "message"]), TEXTS, max_size=3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(-62_103_000_000, 253_402_000_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
ALERTS_OF_STRANGERS = st.builds(
    Alert, st.just("f"), st.sampled_from(AlertStatus), LABELS, ANNOTATIONS, TIMES, st.none() | TIMES
)
SUBJECTS = st.builds(
    Subject,
    st.just("01J"),
    st.just("default"),
    TIMES,
    TEXTS,
    TEXTS,
    LABELS,
    st.lists(ALERTS_OF_STRANGERS, max_size=4).map(tuple),
    st.integers(0, 10**9),
    st.sampled_from(["firing", "resolved"]),
)


@settings(max_examples=60)
@given(
    st.lists(SUBJECTS, max_size=4),
    st.sampled_from(["call", "call.xml", "call.ssml", "nosuch"]),
    st.sampled_from(["en-US", "de-DE", "fr", ""]),
    st.sampled_from([Limits(), Limits(characters=160, seconds=5), Limits(characters=700, seconds=15)]),
    st.integers(0, 10**6),
    TEXTS,
)
def test_whatever_strangers_send(
    subjects: list[Subject], template: str, language: str, limits: Limits, total: int, person: str
) -> None:
    """No label, annotation or time makes speech that is not well-formed, breaks a limit, fails, or raises."""
    speech = say(subjects, template=template, language=language, total=total, person=person, speaker=TIGHT[limits])
    assert_fit_for_a_phone(speech, limits)
    assert "Dial>" not in re.sub("&lt;/?Dial&gt;", "", speech.text)
    if limits == Limits() and template in KINDS:
        assert (speech.fallback, speech.problem) == (False, "")


TIGHT = {limits: Speaker([], limits) for limits in (Limits(), Limits(160, 5), Limits(700, 15))}


def test_speaker_says_the_same_twice() -> None:
    """Speech depends on what is told alone: no clock, no chance, nothing left over from the call before."""
    assert say([subject(DISK), subject(SLOW)]) == say([subject(DISK), subject(SLOW)])
