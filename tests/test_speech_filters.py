"""The sandbox: filters as Alertmanager has them, and no template that breaks out or never ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.alert import Alert, AlertStatus
from bridge.speech import Kind, Speaker, Speech, Subject
from bridge.speech.filters import humanize_duration

NOW = datetime(2026, 11, 23, 6, 15, 30, 5000, tzinfo=UTC)
LABELS = {"severity": "critical", "alertname": "DiskFull", "instance": "db1:9100", "items": "3", "a": "x"}
ANNOTATIONS = {"summary": "It's <b>95%</b> full & rising", "trap": "{{ 7 * 7 }}{% raw %}"}

Write = Callable[[str], Speech]


def speech_of(speaker: Speaker, template: str) -> Speech:
    """What a template says of one alert, in plain English."""
    alert = Alert("f" * 16, AlertStatus.FIRING, LABELS, ANNOTATIONS, NOW - timedelta(minutes=5), None, "http://p/g")
    subject = Subject("i", "default", NOW, "team", "http://am", {"alertname": "DiskFull"}, (alert,))
    return speaker.speak(
        template=template,
        language="en-US",
        timezone=ZoneInfo("Europe/Berlin"),
        person="Alice",
        subjects=[subject],
        total=3,
        now=NOW,
        acknowledge_url="https://cb.example.com/k?a=1&b=2",
        keypress=True,
    )


def written(folder: Path, source: str, extension: str) -> Speech:
    """What a template of that source and kind says; it is called `mine`."""
    (folder / f"mine.{extension}.j2").write_text(source, encoding="utf-8")
    return speech_of(Speaker([folder]), "mine")


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Says what a text template of this module's tables says; they are compiled together, once."""
    folder = tmp_path_factory.mktemp("templates")
    sources = [case[0] for case in (*TEMPLATES, *MISTAKES)] + [f"x{source}" for source in ESCAPES] + ENDLESS
    names = {source: f"t{number}" for number, source in enumerate(sources)}
    for source, name in names.items():
        (folder / f"{name}.txt.j2").write_text(source, encoding="utf-8")
    speaker = Speaker([folder])
    return lambda source: speech_of(speaker, names[source])


TEMPLATES = [
    # the expected texts of the first lines come from `amtool template render` of Alertmanager 0.25
    ("{{ \"it's HTTP down-town straße\"|title }}", "It's Http Down-Town Straße"),
    ("{{ 'foo_bar foo.bar 5xx 3rd o’neil ßx'|title }}", "Foo_bar Foo.bar 5Xx 3Rd O’neil Ssx"),
    ("{{ 'bäaac'|re_replace_all('a*', 'X') }}", "XbXäXcX"),
    ("{{ 'abcd'|re_replace_all('(b)(?P<n>c)', '$2$1-${n}-$1x-$$-$9') }}", "acb-c--$-d"),
    ("{{ 'abc'|re_replace_all('', '-') }}", "-a-b-c-"),
    ("{{ 'abbc'|re_replace_all('^|b', '-') }}", "-a--c"),
    ("{{ 'a b&c/d~é-_.'|urlquery }}", "a+b%26c%2Fd~%C3%A9-_."),
    ("{{ ['a', 'b']|join(', ') }}", "a, b"),
    ("{{ 'abc'|match('^b') }} {{ 'abc'|match('b') }}", "False True"),
    ("{{ 'yes' if 'abc' is match('c$') }}", "yes"),
    # labels
    ("{{ common_labels.nosuch }}|{{ common_labels['nosuch'] }}|", "||"),
    ("{{ common_labels.items }} {{ common_labels.severity }}", "3 critical"),
    ("{{ common_labels }}", "alertname=DiskFull, a=x, instance=db1:9100, items=3, severity=critical"),
    ("{{ common_labels|remove(['a', 'items', 'instance'])|sorted_pairs }}", "alertname=DiskFull, severity=critical"),
    ("{{ common_labels|remove('a')|names|join(' ') }}", "alertname instance items severity"),
    ("{{ common_labels|values }}", "DiskFull, x, db1:9100, 3, critical"),
    ("{% for pair in group_labels|sorted_pairs %}{{ pair.name }}: {{ pair.value }}{% endfor %}", "alertname: DiskFull"),
    ("{% for name, value in group_labels|sorted_pairs %}{{ name }} {{ value }}{% endfor %}", "alertname DiskFull"),
    ("{{ 'a' in common_labels }} {{ 'b' in common_labels }} {{ common_labels|length }}", "True False 5"),
    ("{% for name in common_labels %}{{ name }} {% endfor %}", "severity alertname instance items a"),
    ("{{ {'b': 1, 'a': 2}|names }}", "a, b"),
    # times
    ("{{ now|date('2006-01-02 15:04:05 Z07:00') }}", "2026-11-23 07:15:30 +01:00"),
    ("{{ now|date('Mon Jan _2, 3:4 PM MST, Monday January 1') }}", "Mon Nov 23, 7:15 AM CET, Monday November 11"),
    ("{{ now|date('%d.%m. %H:%M') }}", "23.11. 07:15"),
    ("{{ now|tz('America/New_York')|date('15:04 -0700') }}", "01:15 -0500"),
    ("{{ '2026-01-02 03:04'|to_date('2006-01-02 15:04')|tz('UTC')|date('02.01. 15:04 Z07:00') }}", "02.01. 03:04 Z"),
    ("{{ '23.11.26'|to_date('%d.%m.%y')|date('2006') }}", "2026"),
    ("{{ alerts[0].starts_at|since|humanize_duration }}", "5m 0s"),
    ("{{ alerts[0].starts_at|since|duration }}", "5 minutes"),
    ("{{ 3600|duration }}, {{ 'nan'|duration }}", "1 hour, a few seconds"),
    ("{{ alerts[0].starts_at|clock }}", "7:10 AM"),
    ("{{ alerts[0].ends_at }}|", "|"),
    # text
    ("{{ 'AbC'|lower }}{{ 'x'|to_upper }}{{ ' y '|trim }}{{ 'straße'|capitalize }}", "abcXyStraße"),
    ("{{ 'a<b>c'|striptags }} {{ 'one two three'|truncate(8) }} {{ 'one two'|wordcount }}", "ac one… 2"),
    ("{{ 'äöü'|base64encode }} {{ '_-8='|base64decode|length }}", "w6TDtsO8 2"),
    ("{{ 'a%20b+c'|urldecode }} {{ 'a b'|urlencode }}", "a b c a%20b"),
    ("{{ 'aXbX'|replace('X', '-') }} {{ 'aXbX'|replace('X', '', 1) }}", "a-b- abX"),
    ("{{ {'b': [1, true, none], 'a': 'ü'}|tojson }}", '{"a": "ü", "b": [1, true, null]}'),
    ("{{ 2.567|round(1) }} {{ 'x' ~ 1 ~ none ~ 2.5 }} {{ 2 ** 3 + 4 % 3 }} {{ 'ab' * 2 + 'c' }}", "2.6 x12.5 9 ababc"),
    # speech
    (
        "{{ 3|count('alert', 'alerts') }}, {{ alerts|count('alert', 'alerts') }}, {{ alerts|count }}",
        "3 alerts, one alert, 1",
    ),
    ("{{ count(2, 'disk', 'disks') }}", "2 disks"),
    ("{{ 'db_1'|say }} {{ 'db-1'|spell }} {{ 'db1:9100'|host }} {{ 'db1'|speak }}", "DB 1 D B dash 1 db1 DB 1"),
    ("{{ ['a', 'b', 'c', 'd']|listing }}", "a, b, c and 1 more"),
    ("{{ 'the disk is full. Call me'|first_up|sentence(20) }}", "The disk is full."),
    ("{{ 'Stop.'|unended }}, {{ ''|sentence }}|", "Stop, |"),
    ("{{ 'Disk full' is within('the disk, full.') }}", "True"),
    # the call
    (
        "{{ person }} {{ language }} {{ total }} {{ more }} {{ keypress }} {{ status }} {{ receiver }}",
        "Alice en-US 3 2 True firing team",
    ),
    (
        "{{ subjects[0].name }} {{ incidents|length }} {{ external_url }} {{ headline }}",
        "DiskFull 1 http://am 3 incidents: one critical and 2 more",
    ),
    ("{{ firing|length }}{{ resolved|length }} {{ acknowledge_url }}", "10 https://cb.example.com/k?a=1 and b=2"),
    (
        "{{ subjects[0].places }} {{ subjects[0].total }} {{ subjects[0].hidden }} {{ subjects[0].severity }}",
        "db1 1 0 critical",
    ),
    ("{% for i in range(3) %}{{ loop.index }}{{ '' if loop.last else ',' }}{% endfor %}", "1,2,3"),
    ("{% set ns = namespace(n=0) %}{% for a in alerts %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "1"),
    ("{% if nosuch is defined %}a{% else %}b{% endif %}", "b"),
    # strangers' text is text
    ("{{ alerts[0].annotations.summary }}", "It's b 95% /b full and rising"),
    ("{{ alerts[0].annotations.trap }}", "{{ 7 * 7 }}{% raw %}"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), TEMPLATES)
def test_templates(write: Write, source: str, text: str) -> None:
    """Filters, names and labels are what an Alertmanager user expects."""
    speech = write(source)
    assert (speech.text, speech.problem) == (text, "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"), (1, "1s"), (5.1234, "5.123s"), (59.9999, "60s"), (60, "1m 0s"), (3723, "1h 2m 3s"),
        (93784, "1d 2h 3m 4s"), (-93784.9, "-1d 2h 3m 4s"), (-5.5, "-5.5s"), (0.0015, "1.5ms"),
        (0.1234567, "123.5ms"), (1e-6, "1us"), (-0.0015, "-1.5ms"), (1e-30, "1e-06ys"), ("90", "1m 30s"),
        (timedelta(milliseconds=20), "20ms"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_humanize_duration(value: object, text: str) -> None:
    """Durations are written exactly as Prometheus writes them."""
    assert humanize_duration(value) == text


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ alerts.__class__ }}",
    "{{ alerts[0].labels.__init__.__globals__ }}",
    "{{ alerts[0].labels._pairs }}x{{ alerts[0].labels.sorted() }}",
    "{{ alerts[0]|attr('__class__') }}",
    "{{ [alerts[0]]|map(attribute='__class__')|list }}",
    "{{ ['']|map('attr', '__class__')|list }}",
    "{{ self.__init__ }}{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__self__ }}{{ count.__globals__ }}",
    "{{ '{0.__class__}'.format('') }}",
    "{{ '%s'|format('x') }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 'x'.encode() }}",
    "{{ (1).to_bytes(9) }}",
    "{{ alerts.append(1) }}{{ [].append(1) }}{{ {}.update({}) }}",
    "{% include '/etc/passwd' %}",
    "{% include '../secret.txt.j2' %}",
    "{% include 'nosuch.txt.j2' %}",
    "{% include person %}",
    "{% import 'call.xml.j2' as x %}",
    "{% extends 'call.ssml.j2' %}",
    "{{ lipsum() }}",
    "{{ subjects }}",
    "{{ alerts[0] }}",
    "{{ caller }}",
]
ENDLESS = [
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}a{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{% for a in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "{{ 'x' * 1000000000 }}",
    "{{ 1000000000 * [1] }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ ('x' * 9999)|replace('x', 'x' * 9999) }}",
    "{{ range(9999)|join('x' * 9999) }}",
    "{{ ('x' * 9999)|re_replace_all('', 'x' * 9999) }}",
    "{% set ns = namespace(t='x') %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
    "{% set ns = namespace(t='x') %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
    "{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
    "{% set ns = namespace(t=9) %}{% for i in range(99) %}{% set ns.t = ns.t * ns.t %}{% endfor %}",
    "{% set ns = namespace(t='x') %}{% for i in range(99) %}{% set ns.t %}{{ ns.t }}{{ ns.t }}{% endset %}{% endfor %}",
    "{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}",
    "{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t|tojson }}",
    "{{ 1|round(1000000000, 'ceil') }}",
    "{{ 1|round(1000000000) }}",
]
MISTAKES = [
    ("ok\n{{ typo }}", ".txt.j2:2: 'typo' is undefined"),
    ("ok\n\n{% if %}", ".txt.j2:3: Expected an expression"),
    ("{{ 'x'|nosuch }}", ".txt.j2:1: No filter named 'nosuch'"),
    ("{{ subjects[0].nosuch }}", "has no attribute 'nosuch'"),
    ("{{ 1 / 0 }}", ".txt.j2:1: division by zero"),
    ("{{ 'x'|match('(') }}", "not an RE2 pattern"),
    ("{{ now|tz('Mars/Base') }}", 'no time zone "Mars/Base"'),
    ("{{ now|tz('../../etc/passwd') }}", "no time zone"),
    ("{{ 'x'|humanize_duration }}", '"x" is not a number'),
    ("{{ 'x'|to_date('2006') }}", "does not match format"),
    ("{{ 'x'|base64decode }}", "not base64"),
    ("{{ 'x'|names }}", "only labels and annotations"),
    ("  {# nothing #}  ", "it says nothing"),
    ("{{ [[1]] }}", "a list within a list"),
    ("{% include 'call.xml.j2' %}", '"call.xml.j2" cannot be used here'),
]


@pytest.mark.parametrize("source", ESCAPES)
def test_no_way_out(write: Write, source: str) -> None:
    """A template that reaches for more than text is not used: the plain sentence is said, and the problem told."""
    speech = write(f"x{source}")
    assert speech.fallback
    assert speech.text.startswith("This is callbridge. 3 alerts are firing, the worst is Disk Full on DB 1.")
    assert ".txt.j2:" in speech.problem


@pytest.mark.parametrize("source", ENDLESS)
def test_every_template_comes_to_an_end(write: Write, source: str) -> None:
    """A template that would run or grow without end is stopped, and the phone still speaks, within the limits."""
    speech = write(source)
    assert speech.fallback or speech.problem
    assert speech.seconds <= 60
    assert len(speech.text) < 10_000


@pytest.mark.parametrize(("source", "problem"), MISTAKES)
def test_mistakes_are_told_with_their_place(write: Write, source: str, problem: str) -> None:
    """A failing template falls back, and the problem names file, line and what is wrong."""
    speech = write(source)
    assert (speech.fallback, speech.kind) == (True, Kind.TEXT)
    assert problem in speech.problem
    assert "\n" not in speech.problem


@pytest.mark.parametrize("extension", ["xml", "ssml"])
def test_labels_cannot_become_markup(tmp_path: Path, extension: str) -> None:
    """In TwiML and SSML strangers' text is escaped, in attributes too, also through macros and joined texts."""
    root = "Response" if extension == "xml" else "speak"
    source = (
        "{% macro said(t) %}{{ t }} {{ t ~ '!' }}{% set b %}{{ t }}{% endset %}{{ b }}{% endmacro %}"
        f'<{root}><Say url="{{{{ acknowledge_url }}}}">{{{{ said(alerts[0].annotations.summary) }}}}</Say></{root}>'
    )
    speech = written(tmp_path, source, extension)
    told = "It&#39;s &lt;b&gt;95%&lt;/b&gt; full &amp; rising"
    assert speech.problem == ""
    assert speech.text == f'<{root}><Say url="https://cb.example.com/k?a=1&amp;b=2">{told} {told}!{told}</Say></{root}>'


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("<Response><Say>x</Say>", "not well-formed"),
        ("<Response>{{ alerts[0].annotations.summary|safe }}</Response>", "not well-formed"),
        ("<speak>x</speak>", "must be <Response>"),
        ("<!DOCTYPE x><Response>x</Response>", "DOCTYPE"),
        ("<Response></Response>", "it says nothing"),
        ("<Response>{% include 'call.txt.j2' %}</Response>", "this template is markup"),
        ("{% from 'call.txt.j2' import told %}<Response>x</Response>", "this template is markup"),
    ],
)
def test_markup_is_read_before_it_is_sent(tmp_path: Path, source: str, problem: str) -> None:
    """TwiML that is not whole is never sent: plain text stands in for it."""
    speech = written(tmp_path, source, "xml")
    assert (speech.fallback, speech.kind) == (True, Kind.TEXT)
    assert problem in speech.problem


def test_includes_of_the_same_kind(tmp_path: Path) -> None:
    """Templates share parts of their own kind, by include, import and inheritance, inside the folders only."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "end.txt.j2").write_text("Bye.", encoding="utf-8")
    (tmp_path / "words.txt.j2").write_text(
        "{% macro hi(n) %}Hi {{ n }}, {{ 60|duration }}.{% endmacro %}", encoding="utf-8"
    )
    (tmp_path / "base.txt.j2").write_text("Start. {% block body %}{% endblock %}", encoding="utf-8")
    source = (
        "{% extends 'base.txt.j2' %}{% import 'words.txt.j2' as words %}"
        "{% block body %}{{ words.hi(person) }} {% include 'parts/end.txt.j2' %}{% endblock %}"
    )
    assert written(tmp_path, source, "txt").text == "Start. Hi Alice, 1 minute. Bye."
