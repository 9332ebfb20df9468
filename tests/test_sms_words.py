"""The words of an SMS: short, told by as many incidents as fit, and how to take it is never cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.alert import Alert, AlertStatus
from bridge.cli import main
from bridge.sms import TEMPLATE, gsm, parts
from bridge.speech import Limits, Speaker, Speech, Subject

NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
LINK = "https://bridge.example.com/webhook/keypress/" + "x" * 63 + "?ask"
SHIPPED = Speaker(()).within(Limits(parts=2))
PAYLOADS = Path(__file__).parent / "data" / "payloads"
CONFIG = """
global: {timezone: Europe/Berlin, region: DE, language: en-US}
gateway: {api_key_file: key, from: "+49 30 1234567"}
webhooks: {sms77: {token_file: key}}
people:
  alice: {name: Alice, phone: "+49 171 1234567"}
  bob: {name: Bob, phone: 0171 7654321, language: de-DE}
policies:
  default: {steps: [{call: [alice], sms: [bob], wait: 5m}, {sms: [alice, bob]}]}
route: {policy: default}
"""
Run = Callable[..., tuple[int, str, str]]


def subject(summary: str = "The disk is full.", name: str = "DiskFull", **labels: str) -> Subject:
    alert = Alert(
        "0" * 16,
        AlertStatus.FIRING,
        {"alertname": name, "severity": "critical", "instance": "db1:9100", **labels},
        {"summary": summary},
        NOW - timedelta(minutes=5),
        None,
    )
    return Subject("i", "default", NOW, "pager", "", {}, (alert,))


def write(*subjects: Subject, total: int = 0, language: str = "en-US", link: str = "", reply: bool = True) -> Speech:
    return SHIPPED.speak(
        template=TEMPLATE,
        language=language,
        timezone=ZoneInfo("Europe/Berlin"),
        person="Alice",
        subjects=subjects,
        total=max(total, len(subjects)),
        now=NOW,
        acknowledge_url=link,
        reply=reply,
    )


def test_one_incident_in_one_part() -> None:
    """Severity, name, place, what its author wrote, since when, and how to take it."""
    speech = write(subject())
    assert speech.text == (
        "callbridge: CRITICAL DiskFull on db1: The disk is full, since 10:55 PM. Reply OK to take it."
    )
    assert (parts(speech.text), speech.fallback, speech.template) == (1, False, "sms.txt.j2")


def test_in_german() -> None:
    """The listener's language, and umlauts cost nothing extra."""
    speech = write(subject("Die Platte läuft voll."), language="de-DE")
    assert speech.text.startswith("callbridge: CRITICAL DiskFull auf db1: Die Platte läuft voll, seit 22 Uhr 55.")
    assert speech.text.endswith("Mit OK antworten, um zu übernehmen.")
    assert parts(speech.text) == 1


def test_many_incidents_are_counted() -> None:
    """As many as fit are told, the others are counted, and one reply takes them all."""
    speech = write(*(subject(name=f"Alert{number}") for number in range(20)), total=40)
    assert parts(speech.text) == 2
    assert 3 <= speech.told < 20
    assert speech.text.endswith(f"And {40 - speech.told} more. Reply OK to take them all.")


def test_without_a_way_to_reply_nothing_is_promised() -> None:
    """Where no reply would come in, none is asked for; the link stays."""
    assert write(subject(), reply=False).text.endswith("since 10:55 PM.")
    assert write(subject(), reply=False, link=LINK).text.endswith(f"Take it: {LINK}")
    assert write(subject(), link=LINK).text.endswith(f"Reply OK to take it. Or {LINK}")


def test_typographic_characters_do_not_double_the_price() -> None:
    """Quotation marks and dashes of a word processor are written as a typewriter has them."""
    speech = write(subject("“Disk” – it’s full… → R&D, load ≥ 5 <now>"))
    assert '"Disk" - it\'s full... -> R&D, load >= 5 <now>' in speech.text
    assert gsm(speech.text)


texts = st.text(max_size=400)


@settings(deadline=None, max_examples=60)
@given(texts, texts, texts, st.booleans(), st.integers(1, 12), st.sampled_from(["en-US", "de-DE"]))
def test_whatever_strangers_write_it_fits_and_says_how_to_take_it(
    summary: str, name: str, place: str, linked: bool, count: int, language: str
) -> None:
    """Any text in any script and length: two parts at most, one line, no control characters, the reply at its end."""
    speech = write(
        *[subject(summary, name, instance=place)] * count, language=language, link=LINK if linked else "", total=count
    )
    assert (parts(speech.text) <= 2, speech.fallback, speech.problem) == (True, False, "")
    assert speech.text.isprintable()
    assert ("Reply OK" if language == "en-US" else "Mit OK antworten") in speech.text


def test_a_broken_template_gives_the_plain_sentence(tmp_path: Path) -> None:
    """An operator's own sms.txt.j2 that fails is told as such, and the person all the same, within the length."""
    (tmp_path / "sms.txt.j2").write_text("{{ nothing_of_that_name }}")
    speaker = Speaker((tmp_path,)).within(Limits(parts=1))
    speech = speaker.speak(
        template=TEMPLATE,
        language="en-US",
        timezone=ZoneInfo("UTC"),
        person="Alice",
        subjects=[subject("x" * 500)],
        total=1,
        now=NOW,
    )
    assert speech.fallback
    assert speech.text.startswith("This is callbridge.")
    assert parts(speech.text) == 1
    assert "nothing_of_that_name" in speech.problem


def test_an_own_template_that_is_too_long_is_cut(tmp_path: Path) -> None:
    """Without a bound of its own it is cut at a sentence or a word, and that is said."""
    (tmp_path / "sms.txt.j2").write_text("{{ 'word ' * 200 }}")
    speaker = Speaker((tmp_path,)).within(Limits(parts=2))
    speech = speaker.speak(
        template=TEMPLATE,
        language="en-US",
        timezone=ZoneInfo("UTC"),
        person="",
        subjects=[subject()],
        total=1,
        now=NOW,
    )
    assert (parts(speech.text), speech.text[-5:]) == (2, " word")
    assert "shortened" in speech.problem


# --- on the command line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text("a-secret-of-the-tests")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "callbridge.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def runs(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return runs


BODY = str(PAYLOADS / "am025-firing-single.json")


def test_render_shows_the_sms(folder: Path, run: Run) -> None:
    """`--template=sms`: the exact text, and how many parts it takes; without a config too."""
    config = f"--config.file={folder / 'callbridge.yaml'}"
    code, out, err = run("render", BODY, config, "--template=sms", "--person=bob", "--at=2026-11-23T22:00:00Z")
    assert code == 0
    assert out.startswith("callbridge: CRITICAL TargetDown auf db1.example.test: Target down, seit ")
    assert "characters, 1 part of an SMS, sms.de.txt.j2 in de-DE" in err
    assert run("render", BODY, "--template=sms")[1].endswith("Reply OK to take it.\n")


def test_explain_shows_sms_with_their_cost(folder: Path, run: Run) -> None:
    """Who is written to, what, in how many parts, and what it costs beside the calls."""
    config = f"--config.file={folder / 'callbridge.yaml'}"
    code, out, _ = run("explain", BODY, config, "--at=2026-11-23T22:00:00Z")
    out = " ".join(out.split())
    assert code == 0
    assert "SMS writes bob +4917*****21, step 1 of default, named in the step; 1 part; 0.08 euro" in out
    assert "step 2 of round 1 sends an SMS to alice, bob" in out
    assert "people alice (1 call, 3 SMS)" in out
    assert "cost 0.24 euro at 0.10 a started minute and 0.08 a part of an SMS" in out


RULES = """
config: callbridge.yaml
tests:
  - name: who is written to
    labels: {alertname: DiskFull, severity: critical}
    at: 2026-11-23T22:00:00Z
    expect: {people: [alice], sms: [bob, alice, bob], writes: [Mit OK antworten, DiskFull]}
"""


def test_rules_look_at_sms(folder: Path, run: Run) -> None:
    """`sms` and `writes` in a file of routing tests: who gets each, and the words of the first."""
    path = folder / "rules.test.yaml"
    path.write_text(RULES)
    assert run("test", str(path))[:2] == (0, "PASS  who is written to\n1 passed, 0 failed\n")
    path.write_text(RULES.replace("bob, alice, bob", "alice").replace("DiskFull]", "moon]"))
    code, out, _ = run("test", str(path))
    assert code == 1
    assert "-sms: [alice]\n+sms: [bob, alice, bob]" in out
    assert "-writes: moon\n+first SMS: callbridge: CRITICAL DiskFull" in out


def test_check_config_tries_the_template_of_sms(folder: Path, run: Run) -> None:
    """A template that cannot be used is told before the night, where a step sends SMS, and only there."""
    (folder / "templates").mkdir()
    (folder / "templates" / "sms.txt.j2").write_text("{{ nothing_of_that_name }}")
    path = folder / "callbridge.yaml"
    path.write_text(CONFIG + "templates: [templates]\n")
    code, out, _ = run("check-config", str(path))
    assert code == 1
    assert "policies.default.steps: " in out
    assert "nothing_of_that_name" in out
    path.write_text(CONFIG.replace(", sms: [bob]", "").replace("{sms: [alice, bob]}", "{call: [bob]}"))
    assert run("check-config", str(path))[0] == 0
