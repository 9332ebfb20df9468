"""The limits of speech, and its laws: whatever strangers send, it is well-formed, short enough, and said."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.alert import Alert, AlertStatus
from bridge.speech import Kind, Limits, Speaker, Subject
from tests.speaking import DISK, KINDS, SLOW, assert_fit_for_a_phone, firing, say, subject, words_of


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
            "word " * 400,
            "a1. " * 400,
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
        assert speech.problem == "" or "too long" in speech.problem


TIGHT = {limits: Speaker([], limits) for limits in (Limits(), Limits(160, 5), Limits(700, 15))}


def test_speaker_says_the_same_twice() -> None:
    """Speech depends on what is told alone: no clock, no chance, nothing left over from the call before."""
    assert say([subject(DISK), subject(SLOW)]) == say([subject(DISK), subject(SLOW)])


MARKUP = ("</Say><Hangup/>", "]]></speak>", "<!DOCTYPE x [<!ENTITY e 'x'>]>", "&e;", "<?xml?>", "<break time='9s'/>")


@given(
    summary=st.text(max_size=80) | st.sampled_from(MARKUP),
    name=st.text(max_size=30),
    template=st.sampled_from(("call.xml", "call.ssml")),
    language=st.sampled_from(("en-US", "de-DE")),
)
def test_no_label_adds_an_element(summary: str, name: str, template: str, language: str) -> None:
    """What strangers write is never markup: the elements are those of the template, whatever the labels say."""
    found, plain = (
        say([subject(firing({"alertname": named}, {"summary": told}))], template=template, language=language)
        for named, told in ((name, summary), ("Disk", "It is full"))
    )
    assert not found.fallback
    assert elements(found.text) <= elements(plain.text)


def elements(markup: str) -> set[str]:
    """The names of all elements."""
    return {one.tag.rpartition("}")[2] for one in ElementTree.fromstring(markup.encode()).iter()}
