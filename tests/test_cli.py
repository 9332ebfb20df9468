"""The command line: what each command prints, where, and with which exit code."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from bridge import __version__
from bridge.clock import SystemClock
from bridge.simulator import Answer, Era, Simulator, answers, fails, refused, sleeps
from tests.serving import (
    BEARER,
    KEY,
    ROOT,
    Run,
    app_running,
    callbridge,
    eventually,
    quiet,
    sample,
    write_files,
)
from tests.stories.night import ALICE, alert, body

EXAMPLE = ROOT / "config.example.yaml"
COMMANDS = ("serve", "check-config", "routes", "oncall", "render", "call", "incidents", "db", "simulator", "demo")

ROUTES = """
gateway: {api_key_file: key}
webhooks: {sms77: {token_file: key}}
people: {alice: {phone: "+49 171 1234567"}, bob: {phone: "+49 171 7654321"}}
policies:
  root: {steps: [{call: [alice]}]}
  db: {steps: [{call: [bob]}], template: mine}
  night: {steps: [{call: [alice]}]}
  nobody: {steps: []}
templates: [mine]
time_intervals:
  - name: dark
    time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]
route:
  policy: root
  routes:
    - {matchers: ['team="db"'], policy: db, continue: true}
    - {matchers: ['team="db"', 'tier="night"'], policy: night, mute_time_intervals: [dark], continue: true}
    - {matchers: ['team="db"', 'tier="again"'], policy: db, mute_time_intervals: [dark]}
    - {matchers: ['team="dark"'], policy: night, mute_time_intervals: [dark]}
    - {matchers: ['team="none"'], policy: nobody}
"""


@pytest.fixture
def routed(tmp_path: Path) -> Path:
    """A config with routes, its own template, and a key."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.txt.j2").write_text("Mine: {{ total }} for {{ person }}.")
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    path = tmp_path / "callbridge.yaml"
    path.write_text(ROUTES)
    return path


def payload(folder: Path, *alerts: dict[str, object]) -> Path:
    path = folder / "payload.json"
    path.write_text(json.dumps(body(list(alerts))))
    return path


def errors(err: str) -> list[str]:
    """What stderr says beside the warnings of the config."""
    return [line for line in err.splitlines() if ": warning: " not in line]


# --- flags


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(run: Run, command: str) -> None:
    """--help on stdout, exit 0; the top names every command."""
    code, out, err = run(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: callbridge {command}".rstrip())
    if not command:
        assert [one for one in COMMANDS if not re.search(rf"^ +{one}\b", out, re.MULTILINE)] == []


def test_version(run: Run) -> None:
    """As the programs around Prometheus print it."""
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith(f"callbridge, version {__version__} (")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("serve --config.file=x --foo", "unknown long flag '--foo', try --help"),
        ("serve --config.file=x --foo=secret-word", "unknown long flag '--foo', try --help"),
        ("--foo", "required"),
        ("check-config --foo x", "unknown long flag '--foo', try --help"),
        ("routes test --config.file=x --foo.bar=1", "unknown long flag '--foo.bar', try --help"),
        ("serve --config.fil=x", "--config.file"),
        ("serve", "--config.file"),
        ("oncall --config.file=x --days=many", "--days: invalid int value: 'many'"),
        ("oncall --config.file=x --at=noon", "write 2026-12-24T03:00:00Z"),
        ("oncall --config.file=x --output=xml", "invalid choice: 'xml'"),
        ("serve --config.file=x --log.level=loud", "--log.level"),
        ("serve --config.file=x --log.format=xml", "--log.format"),
        ("serve --config.file=x --web.listen-address=nowhere", "write host:port"),
        ("serve --config.file=x --web.external-url=ftp://x", "write http(s)://host"),
        ("serve --config.file=x --web.external-url=http://[::1", "write http(s)://host"),
        ("serve --config.file=x --web.external-url=http://x/?a=b", "write http(s)://host"),
        ("serve --config.file=x y", "unexpected 'y'"),
        ("", "COMMAND"),
        ("wake-up", "invalid choice: 'wake-up'"),
        ("routes", "show|test"),
        ("routes explain", "invalid choice"),
        ("render", "PAYLOAD.json"),
        ("incidents explode", "invalid choice: 'explode'"),
        ("incidents ack", "say which"),
        ("incidents --user=me", "--user=NAME --password-file=FILE"),
        ("incidents --password-file=x", "--user=NAME --password-file=FILE"),
        ("incidents --user=me:secret-word --password-file=x", "--user: a name has no colon"),
        ("incidents --user=me --password-file=/no/such/file", "/no/such/file: cannot read the secret"),
        ("serve --config.file=x --web.allow-unauthenticated=no", "--web.allow-unauthenticated"),
        ("simulator --era=1999", "invalid choice: '1999'"),
        ("simulator --person=x", "--person=x: write NUMBER=ANSWER"),
        ("simulator --sms=x", "--sms=x: write NUMBER=ANSWER"),
        ("simulator --person=+491711234567=dances", "nobody behaves like 'dances'"),
        ("simulator --web.listen-address=0.0.0.0:0", "loopback only"),
    ],
)
def test_wrong_flags(run: Run, arguments: str, said: str) -> None:
    """One line on stderr that names what is wrong, exit 1, nothing on stdout."""
    code, out, err = run(*arguments.split())
    assert (code, out) == (1, "")
    assert err.count("\n") == 1, err
    assert ": error: " in err
    assert said in err
    assert "secret-word" not in err


def test_an_empty_argument(run: Run) -> None:
    """As a script with an unset variable gives it: one line, no traceback."""
    code, _, err = run("serve", "--config.file=x", "")
    assert (code, err) == (1, "callbridge: error: unexpected '', try --help\n")


def test_as_a_program() -> None:
    """`python -m bridge` is the same: exit codes reach the shell, and a reader who leaves early is no error."""
    ended = callbridge("serve", "--foo")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)


# --- check-config


def test_check_config_of_the_example(run: Run) -> None:
    """The example can be served; what it warns of fails with --strict only."""
    code, out, err = run("check-config", EXAMPLE)
    assert (code, err) == (0, "")
    last = out.splitlines()[-1]
    assert last.startswith(f"{EXAMPLE}: SUCCESS")
    assert " warning: " in out
    strict, out, _ = run("check-config", "--strict", EXAMPLE)
    assert strict == 1
    assert out.splitlines()[-1].startswith(f"{EXAMPLE}: FAILED")


def test_check_config_of_a_flawless_file(run: Run, routed: Path) -> None:
    """Nothing to say: one line."""
    code, out, _ = run("check-config", "--strict", routed)
    assert (code, out) == (0, f"{routed}: SUCCESS\n")


def test_check_config_tells_every_fault(run: Run, routed: Path) -> None:
    """Each as F:line:col: where: what; the count last."""
    routed.write_text(
        ROUTES.replace("policy: night,", "policy: knight,").replace('"+49 171 7654321"', "12").replace("22:00", "25:00")
    )
    code, out, _ = run("check-config", routed)
    faults = [line for line in out.splitlines() if re.match(rf"{re.escape(str(routed))}:\d+:\d+: [^:]+: .", line)]
    assert code == 1
    assert [word for word in ("knight", "people.bob.phone", "25:00") if word not in "\n".join(faults)] == []
    assert re.search(r": FAILED: \d+ faults", out.splitlines()[-1])


def test_check_config_tries_the_templates(run: Run, routed: Path) -> None:
    """A template that cannot be used is a fault, at its policy."""
    (routed.parent / "mine" / "mine.txt.j2").write_text("{{ 1 +")
    code, out, _ = run("check-config", routed)
    assert code == 1
    assert "policies.db.template: " in out


def test_check_config_says_each_thing_once(run: Run, routed: Path) -> None:
    """A route that nothing reaches is told once, with its place; --strict makes it fail."""
    routed.write_text(ROUTES + "    - {matchers: ['team=\"none\"', 'a=\"b\"'], policy: db}\n")
    code, out, _ = run("check-config", routed)
    told = [line for line in out.splitlines() if "never reached" in line]
    assert (code, len(told)) == (0, 1), out
    assert re.match(rf"{re.escape(str(routed))}:\d\d:\d+: route\.routes\[5\]: warning: ", told[0])
    assert run("check-config", "--strict", routed)[0] == 1


def test_check_config_of_an_open_secret(run: Run, routed: Path) -> None:
    """A secret that everybody can read is a warning, and fails with --strict."""
    (routed.parent / "key").chmod(stat.S_IRUSR | stat.S_IROTH)
    code, out, _ = run("check-config", routed)
    assert code == 0
    assert "chmod o-rwx" in out
    assert run("check-config", "--strict", routed)[0] == 1
    assert KEY not in out


@pytest.mark.parametrize("path", ["/no/such/file.yaml", "/", "x\0y"])
def test_check_config_of_no_file(run: Run, path: str) -> None:
    """One fault that says why it cannot be read."""
    code, out, err = run("check-config", path)
    assert (code, err) == (1, "")
    assert ":1:1: file: cannot be read" in out


# --- routes


def test_routes_show(run: Run, routed: Path) -> None:
    """One line per route, indented by depth, with what is special about it."""
    code, out, err = run("routes", "show", f"--config.file={routed}")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("every alert → root")
    assert lines[1] == '  {team="db"} → db  (continue)'
    assert "muted during dark" in lines[2]
    assert len(lines) == 6


NOON, DARK = "2026-01-01T12:00:00Z", "2026-01-01T22:30:00Z"


@pytest.mark.parametrize(
    ("at", "labels", "expected"),
    [
        (NOON, "", "root"),
        (NOON, "team=db", "db"),
        (NOON, "team=db tier=night", "db,night"),
        (DARK, "team=db tier=night", "db,night (muted)"),
        (DARK, "team=db tier=again", "db"),
        (DARK, "team=dark", "night (muted)"),
        (NOON, "team=none", "nobody"),
    ],
)
def test_routes_test(run: Run, routed: Path, at: str, labels: str, expected: str) -> None:
    """The last line of stdout is the names alone; a policy is muted only if each of its routes is; --verify agrees."""
    base = ("routes", "test", f"--config.file={routed}", f"--at={at}")
    code, out, _ = run(*base, *labels.split())
    assert (code, out.splitlines()[-1]) == (0, expected)
    assert run(*base, f"--verify.policies={expected}", *labels.split())[0] == 0
    assert run(*labels.split()[:0], *base, *labels.split())[0] == 0
    code, out, err = run(*base, "--verify.policies=other", *labels.split())
    assert (code, out.splitlines()[-1]) == (1, expected)
    assert f"expected other, got {expected}" in err


@pytest.mark.parametrize("label", ["team", "=x", "a b", "1=", "team=~db"])
def test_routes_test_of_no_label(run: Run, routed: Path, label: str) -> None:
    """One line on stderr, or a label that is one after all; never a traceback."""
    code, _, err = run("routes", "test", f"--config.file={routed}", label)
    assert code in (0, 1)
    assert err.count("\n") == code


def test_routes_test_with_the_flags_behind(run: Run, routed: Path) -> None:
    """As amtool takes them."""
    code, out, _ = run("routes", "test", "team=db", "tier=night", f"--config.file={routed}", f"--at={NOON}")
    assert (code, out.splitlines()[-1]) == (0, "db,night")


def test_routes_of_a_bad_config(run: Run, routed: Path) -> None:
    """Every fault, exit 1, nothing on stdout."""
    routed.write_text("route: {}\n")
    for verb in ("show", "test"):
        code, out, err = run("routes", verb, f"--config.file={routed}")
        assert (code, out) == (1, "")
        assert len(err.splitlines()) > 1


# --- oncall


def test_oncall_now(run: Run) -> None:
    """Whoever it is, in words, with their whole shift."""
    code, out, err = run("oncall", f"--config.file={EXAMPLE}", "--schedule=primary", "--at=2026-01-06T00:00:00Z")
    assert (code, errors(err)) == (0, [])
    assert "Alice Example" in out
    assert "2026-01-05 09:00" in out


def test_oncall_json(run: Run) -> None:
    """A list of exactly these keys, times in RFC 3339 UTC, in order and without holes."""
    code, out, _ = run(
        "oncall",
        f"--config.file={EXAMPLE}",
        "--schedule=primary",
        "--at=2025-12-29T00:00:00Z",
        "--days=21",
        "--output=json",
    )
    listed = json.loads(out)
    assert code == 0
    assert all(list(one) == ["schedule", "person", "from", "until"] for one in listed)
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one[key]) for one in listed for key in ("from", "until")
    )
    assert [(one["person"], one["from"]) for one in listed] == [
        (None, "2025-12-29T00:00:00Z"),
        ("alice", "2026-01-05T08:00:00Z"),
        ("bob", "2026-01-12T08:00:00Z"),
    ]
    assert all(one["until"] == after["from"] for one, after in pairwise(listed))


def test_oncall_table_marks_gaps(run: Run) -> None:
    """NOBODY in capitals."""
    _, out, _ = run(
        "oncall", f"--config.file={EXAMPLE}", "--schedule=primary", "--at=2025-12-29T00:00:00Z", "--days=21"
    )
    assert "NOBODY" in out.splitlines()[0]
    assert len(out.splitlines()) == 3


def test_oncall_ical(run: Run) -> None:
    """A calendar."""
    code, out, _ = run("oncall", f"--config.file={EXAMPLE}", "--at=2026-01-06T00:00:00Z", "--days=7", "--output=ical")
    assert code == 0
    assert out.startswith("BEGIN:VCALENDAR")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--schedule=secondary", "there is no schedule 'secondary'"),
        ("--days=0", "write 1 to 3660"),
        ("--days=-3", "write 1 to 3660"),
        ("--days=99999999999", "write 1 to 3660"),
        ("--at=9998-12-31T00:00:00Z --days=3660", "write a day from"),
        ("--at=0001-01-01T00:00:00Z", "write a day from"),
    ],
)
def test_oncall_refuses(run: Run, arguments: str, said: str) -> None:
    """One line that says what would be right."""
    code, out, err = run("oncall", f"--config.file={EXAMPLE}", *arguments.split())
    assert (code, out) == (1, "")
    (line,) = errors(err)
    assert said in line


# --- render


def test_render_without_a_config(run: Run, tmp_path: Path) -> None:
    """The shipped template in English: the text on stdout and nothing else, its length on stderr."""
    code, out, err = run("render", payload(tmp_path, alert("DiskFull", instance="db1.example.test")))
    assert code == 0
    assert "Disk Full" in out
    assert re.search(r"about \d+ s of speech, \d+ characters", err)


def test_render_in_a_language(run: Run, tmp_path: Path) -> None:
    """German, and as it would be said to a person of the config."""
    file = payload(tmp_path, alert("DiskFull"))
    assert "Alarm" in run("render", file, "--language=de-DE")[1]
    out = run("render", file, f"--config.file={EXAMPLE}", "--person=alice", "--at=2026-11-23T22:00:00Z")[1]
    assert "Hallo Alice Example" in out


@pytest.mark.parametrize(("template", "start"), [("call.xml", "<?xml"), ("call.ssml", "<speak"), ("call.txt", "")])
def test_render_a_template(run: Run, tmp_path: Path, template: str, start: str) -> None:
    """--template takes a name with or without its kind."""
    code, out, err = run("render", payload(tmp_path, alert("DiskFull")), f"--template={template}")
    assert code == 0, err
    assert out.startswith(start)


def test_render_several_policies(run: Run, routed: Path) -> None:
    """Told as to one whom all of them call: in one text, by the template of the worst; who calls nobody is left out."""
    file = payload(
        routed.parent,
        alert("Small", severity="warning", team="other"),
        alert("Large", severity="critical", team="db"),
        alert("Unheard", severity="disaster", team="none"),
    )
    code, out, err = run("render", file, f"--config.file={routed}", f"--at={NOON}")
    assert (code, out.strip()) == (0, "Mine: 2 for ."), err
    routed.write_text(ROUTES.replace(", template: mine", ""))
    _, out, _ = run("render", file, f"--config.file={routed}", f"--at={NOON}")
    assert "Small" in out
    assert "Large" in out
    assert "Unheard" not in out


def test_render_what_nobody_hears(run: Run, routed: Path) -> None:
    """Resolved, without steps, or muted at that time: one line, exit 1."""
    for told, at in (
        (alert("A", status="resolved", ends="2026-11-23T22:00:00Z"), NOON),
        (alert("A", team="none"), NOON),
        (alert("A", team="dark"), DARK),
    ):
        code, out, err = run("render", payload(routed.parent, told), f"--config.file={routed}", f"--at={at}")
        assert (code, out) == (1, "")
        assert "nobody would be called" in err
    assert (
        run("render", payload(routed.parent, alert("A", team="dark")), f"--config.file={routed}", f"--at={NOON}")[0]
        == 0
    )


def test_render_a_template_that_fails(run: Run, routed: Path) -> None:
    """The plain sentence, the reason on stderr, exit 1."""
    (routed.parent / "mine" / "mine.txt.j2").write_text(
        "{% if subjects[0].name == 'Large' %}{{ 1 // 0 }}{% endif %}Ring."
    )
    file = payload(routed.parent, alert("Large", team="db"))
    code, out, err = run("render", file, f"--config.file={routed}", f"--at={NOON}")
    assert code == 1
    assert "Large" in out
    assert "error" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no-such-file.json",), "No such file"),
        (("{folder}/bad.json",), "not an Alertmanager webhook"),
        (("{folder}/payload.json", "--template=gone"), "gone"),
        (("{folder}/payload.json", "--person=alice"), "nobody of that key"),
        (("{folder}/payload.json", "--config.file=gone.yaml"), "cannot be read"),
        (("{folder}",), "directory"),
    ],
)
def test_render_refuses(run: Run, tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    """One line on stderr, exit 1."""
    payload(tmp_path, alert("A"))
    (tmp_path / "bad.json").write_text("{}")
    code, out, err = run("render", *(one.format(folder=tmp_path) for one in arguments))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert said in err


def test_render_to_a_sound_file(tmp_path: Path) -> None:
    """--wav gives the text, and only by stdin, to espeak-ng with the language; its failure is told."""
    program = tmp_path / "espeak-ng"
    program.write_text(
        f'#!/bin/sh\nprintf "%s " "$@" > {tmp_path}/asked\n/bin/cat > {tmp_path}/heard\necho RIFF > "$5"\n'
    )
    program.chmod(0o755)
    file = payload(tmp_path, alert("DiskFull"))
    ended = callbridge("render", file, f"--wav={tmp_path / 'said.wav'}", "--language=de-DE", PATH=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "asked").read_text().startswith("-v de-de --stdin -w ")
    assert (tmp_path / "said.wav").read_text() == "RIFF\n"
    assert (tmp_path / "heard").read_text().strip() == ended.stdout.strip()
    program.write_text("#!/bin/sh\necho no sound card >&2\nexit 1\n")
    ended = callbridge("render", file, "--speak", PATH=str(tmp_path))
    assert (ended.returncode, "espeak-ng: no sound card" in ended.stderr) == (1, True)


def test_render_aloud_without_the_program(run: Run, tmp_path: Path) -> None:
    """Where espeak-ng is missing the error says how to get it; the text is printed all the same."""
    ended = callbridge("render", payload(tmp_path, alert("DiskFull")), "--wav=x.wav", PATH=str(tmp_path))
    assert ended.returncode == 1
    assert "apt-get install espeak-ng" in ended.stderr
    assert "Disk Full" in ended.stdout


# --- call


@asynccontextmanager
async def telephones(
    folder: Path, *answers_: Answer, era: Era = Era.SEVEN_2024
) -> AsyncIterator[tuple[Simulator, str]]:
    """A telephone company that runs fast, Alice's behaviour, and the flag of a config that knows it."""
    async with Simulator(SystemClock(), key=KEY, scale=0.05, era=era) as phones:
        phones.script(ALICE, *answers_)
        path = write_files(folder, api=phones.url)
        if era is not Era.SEVEN_2024:
            path.write_text(path.read_text().replace("api_key_file: key,", "api_key_file: key, dialect: sms77,"))
        yield phones, f"--config.file={path}"


@pytest.mark.parametrize("era", [Era.SMS77_2021, Era.SEVEN_2024])
async def test_call_answered(run: Run, tmp_path: Path, era: Era) -> None:
    """0 when somebody answered; what happens is printed as it comes, and no key or full number with it."""
    async with telephones(tmp_path, answers(after=1, listens=2), era=era) as (phones, flag):
        code, out, err = await asyncio.to_thread(run, "call", "alice", flag, "--yes")
        assert code == 0, err
        assert "accepted" in out
        assert "completed" in out
        assert len(phones.calls) == 1
        assert "Alice" in phones.calls[0].text
        assert KEY not in out + err
        assert "1711234567" not in out + err


@pytest.mark.parametrize(("answer", "word"), [(sleeps(), "no-answer"), (fails(), "failed")])
async def test_call_not_answered(run: Run, tmp_path: Path, answer: Answer, word: str) -> None:
    """1 for everything else."""
    async with telephones(tmp_path, answer) as (_, flag):
        code, out, err = await asyncio.to_thread(run, "call", "alice", flag, "--yes")
        assert code == 1, err
        assert word in out


async def test_call_goes_on_when_the_journal_fails(run: Run, tmp_path: Path) -> None:
    """The phone rings whether we can look or not: one answer that fails is told, and it is asked again."""
    async with telephones(tmp_path, answers(after=1, listens=2)) as (phones, flag):
        phones.faults.set(reply_502=True, on="journal", times=2)
        code, out, err = await asyncio.to_thread(run, "call", "alice", flag, "--yes")
        assert code == 0, err
        assert "cannot look it up" in out


async def test_call_refused_by_the_gateway(run: Run, tmp_path: Path) -> None:
    """One line with the reason."""
    async with telephones(tmp_path, refused(202)) as (_, flag):
        code, _, err = await asyncio.to_thread(run, "call", "alice", flag, "--yes")
        assert code == 1
        assert re.fullmatch(r"callbridge: error: number_invalid.*\n", err)


async def test_call_asks_first(tmp_path: Path) -> None:
    """Without --yes it asks; only yes is yes, and no answer is none."""
    async with telephones(tmp_path, answers(after=0, listens=0)) as (phones, flag):
        for said, rings in (("n\n", 0), ("", 0), ("Yes\n", 1)):
            ended = await asyncio.to_thread(callbridge, "call", "alice", flag, stdin=said)
            assert "[y/N]" in ended.stdout
            assert len(phones.calls) == rings
            assert ended.returncode == (0 if rings else 1)


async def test_call_somebody_unknown(run: Run, tmp_path: Path) -> None:
    """One line that names those who are known."""
    async with telephones(tmp_path) as (phones, flag):
        code, _, err = await asyncio.to_thread(run, "call", "zoe", flag, "--yes")
        assert (code, err.count("\n")) == (1, 1)
        assert "alice, bob" in err
        assert phones.calls == []


# --- incidents


async def test_incidents(run: Run, tmp_path: Path) -> None:
    """list, show, ack, escalate, resolve over the API of a running server; strangers' labels cannot move the cursor."""
    async with app_running(write_files(tmp_path)) as (app, session):
        url = f"--url={app.addresses[0]}"

        async def ran(*arguments: str) -> tuple[int, str, str]:
            return await asyncio.to_thread(run, "incidents", *arguments, url)

        assert await ran() == (0, "no incidents\n", "")
        async with session.post(
            "webhook/alertmanager", json=quiet("Evil\x1b[2J\u202eName"), headers=BEARER
        ) as response:
            assert response.status == 200

        async def listed() -> str:
            return (await ran("list"))[1].removesuffix("no incidents\n")

        line = await eventually(listed)
        assert "\x1b" not in line
        assert "\u202e" not in line
        assert "Evil" in line
        id_ = line.split()[0]
        code, out, _ = await ran("show", id_)
        assert code == 0
        assert "recorded" in out
        code, out, _ = await ran("ack", id_, "--by=bob", "--comment=on it")
        assert (code, "acknowledged" in out.splitlines()[0], "on it" in out) == (0, True, True)
        assert (await ran("escalate", id_))[0] == 0
        code, out, _ = await ran("resolve", id_, "--output=json")
        assert (code, json.loads(out)["state"]) == (0, "resolved")
        assert (await ran("list"))[1] == "no incidents\n"
        assert id_ in (await ran("list", "--state=all"))[1]
        for wrong in (("show", "nothing"), ("ack", "../../status"), ("list", "--state=odd")):
            code, out, err = await ran(*wrong)
            assert (code, out, err.count("\n")) == (1, "", 1), wrong
            assert "Traceback" not in err


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://", "http://a..b", "ftp://127.0.0.1/"])
def test_incidents_without_a_server(run: Run, url: str) -> None:
    """One line that names the address."""
    code, out, err = run("incidents", f"--url={url}")
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert url in err


async def test_incidents_of_another_server(run: Run) -> None:
    """What answers is no callbridge: one line, no traceback."""

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<html>hi</html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        code, out, err = await asyncio.to_thread(run, "incidents", f"--url=http://127.0.0.1:{port}")
    assert (code, out, err.count("\n")) == (1, "", 1), err


# --- simulator


def test_simulator_help(run: Run) -> None:
    """The help says which sign stands between two answers, and which within one."""
    _, out, _ = run("simulator", "--help")
    said = " ".join(out.split())
    assert "NUMBER=ANSWER[;ANSWER]" in said
    assert "';' stands between answers" in said


async def test_simulator_with_several_answers(run: Run, tmp_path: Path) -> None:
    """One answer a call, and one an SMS (--sms): the last one repeats."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "simulator", f"--key={KEY}", f"--web.listen-address=127.0.0.1:{port}"),
        *(f"--person={ALICE}=refused:202;answers:after=0,listens=0", f"--sms={ALICE}=refused:403;replies:OK"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            assert b"never dials" in await process.stdout.readline()
        (tmp_path / "a").mkdir()
        path = write_files(tmp_path / "a", api=f"http://127.0.0.1:{port}/api")
        codes = []
        for _ in range(2):
            code, _, err = await asyncio.to_thread(run, "call", "alice", f"--config.file={path}", "--yes")
            codes.append((code, "number_invalid" in err))
        assert codes == [(1, True), (0, False)]
        async with aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session:
            sms = f"http://127.0.0.1:{port}/api/sms"
            said = [await (await session.post(sms, data={"to": ALICE, "text": text})).text() for text in ("a", "b")]
        assert said == ["403", "100"]
    finally:
        process.terminate()
        await process.wait()


def test_the_samples_of_this_file_can_be_read() -> None:
    """The reader of metrics that these tests share raises for what is not there."""
    assert sample('a{b="c"} 1.0\nd 2\n', "a", b="c") == 1
    with pytest.raises(LookupError):
        sample("a 1", "b")


def test_a_template_that_talks_too_long_is_told(tmp_path: Path) -> None:
    """A template that speaks for minutes of one alert is a warning, and fails with --strict."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "call.txt.j2").write_text("It goes on and on, and never comes to any point. " * 40)
    (tmp_path / "key").write_text("a-key-of-the-test")
    (tmp_path / "key").chmod(0o600)
    path = tmp_path / "callbridge.yaml"
    path.write_text(
        "gateway: {api_key_file: key}\n"
        'people: {alice: {name: Alice, phone: "+491711234567"}}\n'
        "policies: {default: {steps: [{call: [alice]}]}}\n"
        "route: {policy: default}\n"
        "templates: [own]\n"
    )

    plain = callbridge("check-config", str(path))
    strict = callbridge("check-config", str(path), "--strict")

    assert (plain.returncode, strict.returncode) == (0, 1)
    assert "speaks for about" in plain.stdout
