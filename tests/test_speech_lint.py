"""What nobody understands by ear is found before the night: in words, in templates, with the line that says it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.speech.unspeakable import unspeakable

CONFIG = """
global: {timezone: Europe/Berlin, region: DE, language: en-US}
gateway: {api_key_file: key}
webhooks: {sms77: {token_file: key}}
people:
  alice: {name: Alice, phone: "+49 171 1234567"}
  bob: {name: Bob, phone: 0171 7654321, language: de-DE}
policies:
  default: {steps: [{call: [alice, bob]}], template: TEMPLATE}
route: {policy: default}
"""
Check = Callable[..., tuple[int, list[str]]]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("The disk on db 1 is 93 percent full since 3:05 AM.", []),
        ("Engine X on web 0 1, port 9100, ten point 0 point 12 point 7.", []),
        ("In Küche_Nord and http_errors_total", ["Küche_Nord", "http_errors_total"]),
        ("see https://grafana.example.test/d/a_b?id=1.", ["https://grafana.example.test/d/a_b?id=1."]),
        ("see www.example.test/x now", ["www.example.test/x"]),
        ("request 123e4567-e89b-12d3-a456-426614174000 failed", ["123e4567-e89b-12d3-a456-426614174000"]),
        ("image sha256:9f86d081 and 5d41402abc4b2a76", ["sha256:9f86d081", "5d41402abc4b2a76"]),
        ("pod checkout-7d9f8b6c5d-x2k9z", ["checkout-7d9f8b6c5d-x2k9z"]),
        ("from 2001:db8:0:1::17 on", ["2001:db8:0:1::17"]),
        ("1234567890 rows, a rate of 0.87316", ["1234567890", "0.87316"]),
        ("deadbeef cafe 2026 and 123456 rows", []),
        ("since 10:55:12", []),
    ],
)
def test_what_no_ear_understands(words: str, found: list[str]) -> None:
    """URLs, ids, hashes, long numbers and joined words are found, each once; what people say is not."""
    assert [one.text for one in unspeakable(words)] == found


def test_a_long_one_is_shown_short() -> None:
    """A line of the check stays a line."""
    (one,) = unspeakable("https://example.test/" + "x" * 200)
    assert (len(one.shown), one.shown[-1]) == (61, "…")


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """check-config of a template in a folder of its own."""
    (tmp_path / "key").write_text("a-secret-of-the-tests")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "t").mkdir()

    def checks(text: str = CONFIG, template: str = "call", *flags: str) -> tuple[int, list[str]]:
        path = tmp_path / "callbridge.yaml"
        path.write_text(text.replace("TEMPLATE", template))
        code = main(["check-config", *flags, str(path)])
        return code, capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()

    return checks


@pytest.mark.parametrize("template", ["call", "call.xml", "call.ssml"])
def test_the_shipped_templates_are_silent(check: Check, template: str) -> None:
    """Of all bodies, in both languages, they say nothing that nobody understands: strict is content."""
    assert check(CONFIG, template, "--strict") == (0, ["callbridge.yaml: SUCCESS"])


OWN = """{% macro told(subject) -%}
Alert {{ subject.name|say }}:
{{ subject.summary }}
{%- endmacro %}
See https://wiki.example.test/oncall for help.
{% for subject in subjects %}
{{ told(subject) }}
{% endfor %}
"""


def test_a_template_is_told_its_line_and_the_filter(check: Check, tmp_path: Path) -> None:
    """An own template that says labels as they are: each kind once a line, also within a macro; strict fails."""
    (tmp_path / "t" / "own.txt.j2").write_text(OWN)
    text = CONFIG + "templates: [t]\n"
    code, lines = check(text, "own", "--strict")
    told = [line for line in lines if line.startswith("t/own.txt.j2:")]
    assert code == 1
    assert len(told) == 6
    assert all(": policies.default.template: warning: of careless.json it says " in line for line in told)
    assert sum(line.startswith("t/own.txt.j2:3:") for line in told) == 5
    assert told[-1].startswith("t/own.txt.j2:5:1: ")
    assert (
        'says "https://wiki.example.test/oncall": a URL, that nobody understands by ear; write it with |say' in told[-1]
    )
    assert check(text, "own")[0] == 0


def test_markup_is_read_without_its_tags(check: Check, tmp_path: Path) -> None:
    """An attribute is not spoken; the words between the tags are."""
    head = '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
    (tmp_path / "t" / "own.ssml.j2").write_text(f"{head}{{{{ subjects[0].name }}}}</speak>\n")
    _, lines = check(CONFIG + "templates: [t]\n", "own")
    assert [line.partition(": warning")[0] for line in lines[:-1]] == ["t/own.ssml.j2:1:1: policies.default.template"]
    assert 'says "http_errors_high": words joined by underscores' in lines[0]


def test_who_only_writes_is_not_listened_to(check: Check, tmp_path: Path) -> None:
    """A policy whose steps call nobody speaks no template; one that fails is told as a fault and nothing else."""
    (tmp_path / "t" / "own.txt.j2").write_text(OWN)
    text = CONFIG.replace("call: [alice, bob]", "sms: [alice]") + "templates: [t]\n"
    assert check(text, "own")[1] == ["callbridge.yaml: SUCCESS"]
    (tmp_path / "t" / "own.txt.j2").write_text("{{ subjects[0].summary }} {{ 1 / (total - 1) }}")
    assert not any("says" in line for line in check(CONFIG + "templates: [t]\n", "own")[1])
