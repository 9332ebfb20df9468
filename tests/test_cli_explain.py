"""`explain`, `test` and `check-config --against`: what they print, and with which exit code."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main

DATA = Path(__file__).parent / "data"
PAYLOADS = DATA / "payloads"
AT = "2026-11-23T22:00:00Z"

CONFIG = """
global: {timezone: Europe/Berlin, region: DE, language: en-US}
gateway: {api_key_file: key}
webhooks: {sms77: {token_file: key}}
people:
  alice: {name: Alice, phone: "+49 171 1234567"}
  bob: {name: Bob, phone: 0171 7654321, language: de-DE}
schedules:
  primary:
    rotations: [{name: week, people: [alice, bob], every: 1w, start: 2026-01-05 09:00}]
policies:
  default:
    acknowledged_for: 30m
    steps:
      - {call: [primary], wait: 5m, attempts: 2, retry_after: 1m}
      - {call: [bob]}
  late: {steps: [{call: [bob]}]}
  nobody: {steps: []}
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: "21:00", end_time: "24:00"}]}]
route:
  policy: default
  routes:
    - {matchers: ['severity="info"'], policy: nobody}
    - {matchers: ['severity="warning"'], policy: late, mute_time_intervals: [night]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config and its secret."""
    (tmp_path / "key").write_text("a-secret-of-the-tests")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "callbridge.yaml").write_text(CONFIG)
    return tmp_path


class Said:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line."""

    def runs(*arguments: object) -> Said:
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as left:
            code = int(str(left.code))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return runs


def explain(folder: Path, payload: str, *flags: str) -> Sequence[object]:
    return (
        "explain",
        PAYLOADS / f"{payload}.json",
        f"--config.file={folder / 'callbridge.yaml'}",
        f"--at={AT}",
        *flags,
    )


# --- explain


def test_explain_for_a_human(folder: Path, run: Any) -> None:
    """Each line has the time, how long after the beginning, what happens, to whom and why; the end sums it up."""
    said = run(*explain(folder, "am025-firing-single", "--answers=alice:no+yes,bob:key"))
    lines = [" ".join(line.split()) for line in said.out.splitlines()]

    assert said.code == 0
    assert lines[0] == "A rehearsal, no call is placed. It begins Mon 2026-11-23 23:00:00 Europe/Berlin."
    assert "23:00:00 +0 s default opened step 1 calls alice" in lines
    calling = next(line for line in lines if line.startswith("23:00:00 +0 s call 1 calls alice +4917*****67,"))
    assert "step 1 of default, primary: rotation week" in calling
    assert "23:00:31 +31 s call 1 no answer it rang for 30 s and nobody picked up" in lines
    assert "23:01:31 +1 m 31 s default retried attempt 2 of 2 to reach alice" in lines
    assert any(
        line.startswith("23:05:00 +5 m default next step the 5 m of step 1 are over and nobody took it")
        for line in lines
    )
    assert any("“Hallo Bob. Hier ist callbridge" in line for line in lines)
    assert "ends default: acknowledged by bob; rings again Mon 2026-11-23 23:35:08 if it still fires then" in lines
    assert "people alice, bob (3 calls)" in lines
    assert "cost 0.20 euro at 0.10 a started minute (an estimate; --price=)" in lines
    assert max(map(len, said.out.splitlines())) <= 110
    assert "1234567" not in said.out
    assert said.err == ""


def test_explain_says_when_a_new_day_begins(folder: Path, run: Any) -> None:
    """Behind midnight the times are of the next day, and a line says so."""
    out = run(*explain(folder, "am025-firing-single", "--at=2026-11-23T22:59:50Z")).out.splitlines()

    assert "--- Tue 2026-11-24" in out
    assert out[out.index("--- Tue 2026-11-24") + 1].startswith("00:00:21")


def test_explain_rounds_both_times_alike(folder: Path, run: Any) -> None:
    """The time of day and the seconds from the beginning are of the same second on each line, fractions or not."""
    out = run(*explain(folder, "am025-firing-single", "--answers=alice:yes,bob:mailbox")).out
    seconds = re.findall(r"(?m)^23:(\d\d):(\d\d) +\+(?:(\d+) m ?)?(?:(\d+) s)? ", out)

    assert len(seconds) > 6
    assert all((int(a), int(b)) == (int(c or 0), int(d or 0)) for a, b, c, d in seconds)


def test_explain_for_a_program(folder: Path, run: Any) -> None:
    """The JSON has every event with all of its keys, masked numbers, and a summary."""
    told = json.loads(
        run(*explain(folder, "am025-firing-single", "--answers=alice:key", "--price=0.5", "--output=json")).out
    )
    keys = {
        "at", "after_seconds", "event", "policies", "person", "number", "call", "round", "step", "attempt", "verdict",
        "why", "text", "seconds", "cost", "window_from", "window_until", "parts",
    }  # fmt: skip

    assert all(set(event) == keys for event in told["events"])
    assert [event["event"] for event in told["events"]] == ["decided", "calling", "answered", "key", "decided", "ended"]
    assert told["events"][1]["number"] == "+4917*****67"
    assert told["events"][1]["text"].startswith("Hello Alice.")
    assert told["events"][-1] | {"at": "2026-11-23T22:00:09Z", "after_seconds": 9.0, "cost": 0.5} == told["events"][-1]
    assert told["summary"] == {
        "began": AT,
        "policies": [{"policy": "default", "muted": False}],
        "ends_as": [
            {
                "policy": "default",
                "state": "acknowledged",
                "acknowledged_by": "alice",
                "rings_again_at": "2026-11-23T22:30:08Z",
            }
        ],
        "people_called": ["alice"],
        "calls": 1,
        "people_texted": [],
        "sms": 0,
        "total_cost": 0.5,
        "price_per_minute": 0.5,
        "price_per_sms_part": 0.08,
        "unfinished": False,
    }


def test_explain_of_what_calls_nobody(folder: Path, run: Any) -> None:
    """Nothing fires, or its route is muted: that is said, and is no failure."""
    resolved, muted = run(*explain(folder, "am025-resolved-single")), run(*explain(folder, "am025-truncated"))

    assert (resolved.code, muted.code) == (0, 0)
    assert "ends    nothing fires: nobody is called" in resolved.out
    assert "the route to late is muted at this time (night)" in " ".join(muted.out.split())
    assert "ends    every route is muted: nobody is called" in muted.out


@pytest.mark.parametrize("payload", sorted(path.stem for path in PAYLOADS.glob("*.json")))
def test_explain_takes_every_captured_body(folder: Path, run: Any, payload: str) -> None:
    """What Alertmanager sends can be rehearsed to its end."""
    said = run(*explain(folder, payload, "--output=json"))

    assert said.code == 0
    assert json.loads(said.out)["summary"]["unfinished"] is False


@pytest.mark.parametrize(
    ("flag", "tells"),
    [
        ("--answers=zoe:no", "--answers: nobody has the key 'zoe'; there is alice, bob"),
        ("--answers=alice:maybe", "there are no, yes, key, busy, mailbox"),
        ("--price=much", "'much' is not a price"),
        ("--price=-1", "'-1' is not a price"),
        ("--price=nan", "'nan' is not a price"),
        ("--at=tonight", "'tonight' is not a time"),
        ("--output=xml", "invalid choice"),
        ("--loud", "unknown long flag '--loud'"),
    ],
)
def test_explain_refuses(folder: Path, run: Any, flag: str, tells: str) -> None:
    """A flag that means nothing is one line on stderr, and exit status 1."""
    said = run(*explain(folder, "am025-firing-single", flag))

    assert (said.code, said.out) == (1, "")
    assert tells in said.err
    assert said.err.count("\n") == 1


def test_explain_reads_calendars(folder: Path, run: Any) -> None:
    """A calendar in a file is read for that day; one at a URL is left out, and that is said on stderr."""
    event = (
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261123T000000Z\r\nDTEND:20261125T000000Z\r\nSUMMARY:bob\r\nEND:VEVENT\r\n"
    )
    (folder / "duty.ics").write_text(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\n{event}END:VCALENDAR\r\n"
    )
    elsewhere = "  elsewhere: {ical: {url: 'https://calendar.example.test/x'}}\n"
    schedules = f"schedules:\n{elsewhere}  primary:\n    ical: {{file: duty.ics}}\n"
    (folder / "callbridge.yaml").write_text(CONFIG.replace("schedules:\n  primary:\n", schedules))

    said = run(*explain(folder, "am025-firing-single", "--answers=bob:key"))

    assert "primary: calendar" in said.out
    assert "people  bob (1 call)" in said.out
    assert "schedules.elsewhere.ical" in said.err


def test_rules_read_calendars_of_their_day(folder: Path, run: Any) -> None:
    """Each test has the calendar of its own time; what is doubtful of calendars is said once."""
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:{day}\r\nDTSTART:202611{day}T000000Z\r\nDTEND:202611{day}T230000Z\r\n"
        f"SUMMARY:{who}\r\nEND:VEVENT\r\n"
        for day, who in ((23, "bob"), (24, "alice"), (25, "zoe"))
    )
    (folder / "duty.ics").write_text(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\n{events}END:VCALENDAR\r\n"
    )
    calendar = "schedules:\n  primary: {ical: {file: duty.ics}}\npolicies:"
    head, _, rest = CONFIG.partition("schedules:")
    (folder / "callbridge.yaml").write_text(head + calendar + rest.partition("policies:")[2])
    tests = "".join(
        f"  - {{name: day {day}, labels: {{a: b}}, at: 2026-11-{day}T12:00:00Z, expect: {{people: [{people}]}}}}\n"
        for day, people in ((23, "bob"), (24, "alice, bob"), (25, "bob"))
    )

    said = run("test", rules(folder, tests))

    assert said.out.splitlines()[-1] == "3 passed, 0 failed"
    assert said.err.count('"zoe"') == said.err.count("\n") == 1


def test_explain_tells_a_broken_template(folder: Path, run: Any) -> None:
    """What the server would refuse to start with, the rehearsal refuses too."""
    (folder / "mine").mkdir()
    (folder / "mine" / "call.txt.j2").write_text("Hello {{ person")
    (folder / "callbridge.yaml").write_text(f"{CONFIG}templates: [mine]\n")

    said = run(*explain(folder, "am025-firing-single"))

    assert said.code == 1
    assert "policies.default.template" in said.err


# --- test


def rules(folder: Path, tests: str, head: str = "config: callbridge.yaml\n") -> Path:
    """A file of tests beside the config."""
    path = folder / "rules.test.yaml"
    path.write_text(f"{head}tests:\n{tests}")
    return path


PASSING = f"""
  - name: the disk is full
    labels: {{alertname: DiskFull, severity: critical, team: ""}}
    annotations: {{summary: Disk   full on DB1}}
    at: {AT}
    answers: alice:no,bob:key
    expect:
      policies: [default]
      muted: no
      people: [alice, bob]
      calls: [alice, alice, bob]
      says: [Hello Alice, Disk full]
      says_not: [warning, Bob]
      state: acknowledged
  - {{name: a map, labels: {{alertname: A}}, at: {AT}, answers: {{alice: no+key}}, expect: {{people: [alice]}}}}
  - {{name: at night, labels: {{severity: warning}}, at: {AT}, expect: {{policies: [late], muted: yes, people: []}}}}
  - {{name: by day, labels: {{severity: warning}}, at: 2026-11-23T12:00:00, expect: {{muted: no, says: [Hallo Bob]}}}}
  - {{name: only recorded, labels: {{severity: info}}, at: {AT}, expect: {{state: triggered, calls: []}}}}
  - {{name: a whole body, payload: body.json, at: {AT}, expect: {{says: [Target down]}}}}
"""


def test_rules_that_hold(folder: Path, run: Any) -> None:
    """All that is expected comes: one line each, the sum, exit status 0; paths are relative to the file."""
    shutil.copy(PAYLOADS / "am025-firing-single.json", folder / "body.json")
    said = run("test", rules(folder, PASSING))

    assert said.out.splitlines()[-1] == "6 passed, 0 failed"
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == "PASS  the disk is full"


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        ("policies: [late]", ["-policies: [late]", "+policies: [default]"]),
        ("people: [bob, alice]", ["-people: [bob, alice]", "+people: [alice, bob]"]),
        ("calls: [alice, bob]", ["-calls: [alice, bob]", "+calls: [alice, alice, bob]"]),
        ("says: [Hello Bob]", ["-says: Hello Bob", "+first call: Hello Alice. This is callbridge"]),
        ("says_not: [Alice]", ["-says_not: Alice", "+first call: Hello Alice. This is callbridge"]),
        ("state: exhausted", ["-state: exhausted", "+state: acknowledged (default)"]),
        ("muted: true", ["-muted: true", "+muted: false"]),
    ],
)
def test_rules_that_do_not_hold(folder: Path, run: Any, expected: str, shown: list[str]) -> None:
    """Each mismatch is a diff at the place of the test; what holds stands around it; exit status 1."""
    head = f"  - name: wrong\n    labels: {{alertname: Disk}}\n    at: {AT}\n    answers: bob:key\n"
    one = f"{head}    expect: {{{expected}}}\n"
    path = rules(folder, PASSING.partition("  - {name: a map")[0] + one)

    said = run("test", path)
    lines = said.out.splitlines()

    assert said.code == 1
    line = path.read_text()[: path.read_text().index("name: wrong")].count("\n") + 1
    assert lines[1:4] == [f"FAIL  wrong ({path}:{line})", "--- expected", "+++ rehearsed"]
    assert lines[4] == shown[0]
    assert lines[5].startswith(shown[1])
    assert lines[-1] == "1 passed, 1 failed"


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ("  - {name: a, lables: {a: b}, labels: {a: b}, at: now, expect: {people: []}}",
         ['3:15: tests[0].lables: unknown key; did you mean "labels"?', "tests[0].at: 'now' is not a time"]),
        ("  - {name: a, labels: {a: b}, expect: {people: []}}", ["3:5: tests[0].at: missing; write at: 2026"]),
        (f"  - {{name: a, labels: {{a: b}}, at: {AT}, expect: {{}}}}", ["expects nothing"]),
        (f"  - {{name: a, labels: {{a: b}}, at: {AT}, expect: {{peple: [a]}}}}", ["expect.peple: unknown key; did"]),
        (f"  - {{name: a, labels: {{a: b}}, at: {AT}, expect: {{state: gone}}}}", ["write triggered, acknowledged"]),
        (f"  - {{name: a, at: {AT}, expect: {{people: []}}}}", ["write one of labels and payload"]),
        (f"  - {{name: a, labels: {{a: b}}, payload: x, at: {AT}, expect: {{people: []}}}}", ["write one of labels"]),
        (f"  - {{name: a, payload: x, annotations: {{a: b}}, at: {AT}, expect: {{people: []}}}}", ["has its own"]),
        (f"  - {{name: a, payload: gone.json, at: {AT}, expect: {{people: []}}}}", ["3:", "gone.json: No such file"]),
        (f"  - {{name: a, payload: key, at: {AT}, expect: {{people: []}}}}", ["not an Alertmanager webhook"]),
        (f"  - {{name: a, labels: {{a: b}}, at: {AT}, answers: zoe:no, expect: {{people: []}}}}",
         ["tests[0].answers: nobody has the key 'zoe'; there is alice, bob"]),
        (f"  - {{name: a, labels: {{a: b}}, at: {AT}, answers: [no], expect: {{people: []}}}}", ["a map of people"]),
        ("  - what", ["text stands here; write a map"]),
        ("  []", ["tests: an empty list"]),
        ("  - {a", ["yaml: "]),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_read(folder: Path, run: Any, tests: str, told: list[str]) -> None:
    """Each fault is told with its line and column, and what would be right; no test is run."""
    path = rules(folder, tests)

    said = run("test", path)

    assert (said.code, said.out) == (1, "")
    assert all(line.startswith(f"{path}:") for line in said.err.splitlines())
    assert [part for part in told if part not in said.err] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it needs config and tests"),
        ("- a\n", "a list stands here"),
        ("tests: []\n", "config: missing; write config:"),
    ],
)
def test_rules_files_that_are_none(folder: Path, run: Any, text: str, told: str) -> None:
    """A file that holds no tests says what belongs into it."""
    path = folder / "rules.test.yaml"
    path.write_text(text)

    said = run("test", path)

    assert (said.code, said.out) == (1, "")
    assert told in said.err


def test_faults_of_all_files_are_told_at_once(folder: Path, run: Any) -> None:
    """Two files, each with a fault, and one that is not there: three lines."""
    one = rules(folder, "  []")
    other = folder / "other.test.yaml"
    other.write_bytes(b"config: \xff\n")

    said = run("test", one, other, folder / "gone.test.yaml")

    assert said.code == 1
    assert [line.partition(": ")[0] for line in said.err.splitlines()] == [
        f"{one}:3:3",
        f"{other}:1:1",
        f"{folder / 'gone.test.yaml'}:1:1",
    ]


def test_a_broken_config_is_told_in_its_own_words(folder: Path, run: Any) -> None:
    """The faults of the config under test are told as check-config tells them."""
    (folder / "callbridge.yaml").write_text("people: {}\n")

    said = run("test", rules(folder, PASSING))

    assert said.code == 1
    assert f"{folder / 'callbridge.yaml'}:1:1: gateway: missing" in said.err


# --- check-config --against


def against(folder: Path, new: str, *flags: object) -> Sequence[object]:
    """The command line that compares a changed config with the usual one."""
    (folder / "new.yaml").write_text(new)
    old, payloads = f"--against={folder / 'callbridge.yaml'}", f"--payloads={PAYLOADS}"
    return ("check-config", folder / "new.yaml", old, payloads, *flags)


def test_against_itself_nothing_goes_elsewhere(folder: Path, run: Any) -> None:
    """The same routing under another name: nothing is told but the counts."""
    said = run(*against(folder, CONFIG, "--strict"))

    assert said.code == 0
    assert said.out.splitlines() == [
        f"against {folder / 'callbridge.yaml'}: 21 webhooks with 31 alerts, 0 would go elsewhere",
        f"{folder / 'new.yaml'}: SUCCESS",
    ]


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_against_tells_what_goes_elsewhere(folder: Path, run: Any, strict: tuple[str, ...], code: int) -> None:
    """An alert that takes another policy is told with both, and whom their first steps call; --strict fails."""
    said = run(*against(folder, CONFIG.replace("""'severity="warning"'""", """'alertname="Nest"'"""), *strict))
    told = [line for line in said.out.splitlines() if " -> " in line]

    assert said.code == code
    assert (
        'am025-nested-groupkey.json: alerts[0] {alertname="Nest",severity="critical",t="nested",team="a"}: '
        "default (bob) -> late (bob)"
    ) in told
    assert any(
        line.startswith("am025-truncated.json: alerts[0]") and "late (bob) -> default (bob)" in line for line in told
    )
    assert f"{len(told)} would go elsewhere" in said.out


def test_against_looks_at_people_and_muting(folder: Path, run: Any) -> None:
    """The same policy, and somebody else is called, or nobody is at the time of the body: that is elsewhere too."""
    other = CONFIG.replace("people: [alice, bob]", "people: [bob, alice]").replace('"21:00"', '"06:00"')
    out = run(*against(folder, other)).out

    assert "default (bob) -> default (alice)" in out
    assert "late (bob) -> late (muted) (nobody)" in out


def test_against_says_what_it_could_not_compare(folder: Path, run: Any) -> None:
    """A file that is no webhook is said and counted; a folder without any is an error that names the flag."""
    recorded = folder / "recorded"
    recorded.mkdir()
    (recorded / "a.json").write_text("{}")
    shutil.copy(PAYLOADS / "am025-unicode.json", recorded)
    flags = (f"--against={folder / 'callbridge.yaml'}", f"--payloads={recorded}")

    one = run("check-config", folder / "callbridge.yaml", *flags)
    empty = run("check-config", folder / "callbridge.yaml", flags[0], f"--payloads={folder}")

    assert "not compared: " in one.out
    assert "1 webhook with 1 alert, 0 would go elsewhere, 1 not compared" in one.out
    assert empty.code == 1
    assert f"--payloads={folder}: there is no *.json in it" in empty.err


@pytest.mark.parametrize("flag", ["--against=x.yaml", "--payloads=x"])
def test_against_and_payloads_belong_together(folder: Path, run: Any, flag: str) -> None:
    """One without the other is refused, naming the one that is missing."""
    said = run("check-config", folder / "callbridge.yaml", flag)

    assert said.code == 1
    assert "is missing: --against and --payloads belong together" in said.err
