"""A first config from another system's: what is taken along, what is said to be lost, and that it can be used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge import config
from bridge.cli import main
from bridge.config import Config
from bridge.config.tree import compose
from bridge.errors import ConfigError
from bridge.importing import FILL_IN, Draft, from_oncall, from_sachet, written
from bridge.importing.names import key_of, printable
from bridge.importing.oncall import LISTS as ONCALL_LISTS
from bridge.importing.writing import scalar
from bridge.route import match
from bridge.schedule import Roster
from tests.serving import ROOT

DATA = ROOT / "tests" / "data" / "importing"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at_now(text: str, file: str) -> Draft:
    return from_oncall(text, file, NOW)


def oncall(lists: object) -> Draft:
    return from_oncall(json.dumps(lists), "export.json", NOW)


def loaded(draft: Draft, folder: Path) -> Config:
    """The config that was made, read by the program itself."""
    path = folder / "callbridge.yaml"
    path.write_text(written(draft), encoding="utf-8")
    return config.load(path)


def filled(draft: Draft) -> str:
    """The config once the operator has written the numbers where it asks for them."""
    return re.sub(rf"\}}   # {FILL_IN}: phone", ', phone: "+49 171 1234567"}', written(draft))


def lost(draft: Draft) -> str:
    return "\n".join(map(str, draft.notes))


@pytest.fixture
def sachet() -> Draft:
    return from_sachet((DATA / "sachet.yaml").read_text(), "sachet.yaml")


@pytest.fixture
def grafana() -> Draft:
    return from_oncall((DATA / "oncall.json").read_text(), "oncall.json", NOW)


# --- sachet


def test_sachet_receivers_become_policies(sachet: Draft, tmp_path: Path) -> None:
    """A receiver with numbers is a policy that calls them all at once, or sends SMS as it did; a number is a person."""
    made = loaded(sachet, tmp_path)

    assert {name: [(step.targets, step.sms) for step in one.steps] for name, one in made.policies.items()} == {
        "night-watch": [(("night-watch-1", "night-watch-2"), ())],
        "team-sms": [((), ("night-watch-2",))],
    }
    assert [person.phone for person in made.people.values()] == ["+491711234567", "+491717654321"]
    assert made.gateway.sender == "49301234567"
    assert made.route.policy == "night-watch"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (3, "the API key is not copied"),
        (6, "callbridge calls through sms77/seven only"),
        (9, "Go's templates are not read"),
        (20, "Go's templates are not read"),
        (21, 'was told through "messagebird"'),
        (23, "is no number that a phone can show"),
        (26, "has no country"),
        (27, "telegram has no telephone numbers"),
    ],
)
def test_sachet_tells_what_is_lost(sachet: Draft, line: int, told: str) -> None:
    """What is not taken along is told with its line and what to do instead, and stands in the config too."""
    said = [str(note) for note in sachet.notes if note.line == line]

    assert any(told in one for one in said)
    assert all(f"# {one}" in written(sachet) for one in said)


def test_secrets_are_not_copied(sachet: Draft) -> None:
    """No key of the other system's file gets into the config or is told."""
    assert "invented-key" in (DATA / "sachet.yaml").read_text()
    assert "invented-key" not in written(sachet) + lost(sachet)


def test_sachet_without_numbers(tmp_path: Path) -> None:
    """A config that calls nobody still gives one that can be read, and says who is missing."""
    draft = from_sachet("receivers:\n  - {name: '', provider: sms77, to: ['x']}\nwhat: 1\n", "s.yaml")
    made = loaded(draft, tmp_path)

    assert (made.people, made.route.policy) == ({}, "nobody")
    assert "is not a phone number" in lost(draft)
    assert "what means nothing to sachet either" in lost(draft)


def test_sachet_shows_one_number(tmp_path: Path) -> None:
    """The first number that can be shown is taken, and another one is told."""
    text = """
receivers:
  - {name: a, provider: sms77, type: voice, from: '+49 30 1234567', to: ['+49 171 1234567']}
  - {name: a, provider: sms77, type: voice, from: '+49 30 7654321', to: ['+49 171 1234567']}
"""
    draft = from_sachet(text, "s.yaml")

    assert loaded(draft, tmp_path).gateway.sender == "49301234567"
    assert set(draft.policies) == {"a", "a-2"}
    assert "callbridge shows one number" in lost(draft)


# --- Grafana OnCall


def test_oncall_schedules(grafana: Draft, tmp_path: Path) -> None:
    """Rotations turn as they did, a higher level covers a lower in its hours, and one event is an override."""
    path = tmp_path / "callbridge.yaml"
    path.write_text(filled(grafana))
    made = config.load(path)
    roster = Roster(made.people, made.schedules)

    def at(month: int, day: int, hour: int) -> tuple[str, ...]:
        return tuple(roster.on_call("primary", datetime(2026, month, day, hour, tzinfo=BERLIN)))

    assert at(1, 5, 20) == ("bob",)
    assert at(1, 12, 20) == ("alice",)
    assert at(1, 6, 10) == ("zoë-o-hara",)
    assert at(1, 10, 10) == ("bob",)
    assert at(12, 25, 10) == ("bob",)
    assert made.schedules["holidays"].ical is not None


def test_oncall_chains(grafana: Draft, tmp_path: Path) -> None:
    """A wait belongs to the step before it; steps with none between are one; a repeat is told as rounds."""
    made = loaded(grafana, tmp_path)

    database = made.policies["database"]
    assert [step.targets for step in database.steps] == [("primary",), ("bob", "alice")]
    assert (database.steps[0].wait, database.rounds) == (timedelta(minutes=15), 6)
    assert [step.targets for step in made.policies["everything-else"].steps] == [("holidays",)]


def test_oncall_routes(grafana: Draft, tmp_path: Path) -> None:
    """What asks for labels is a route; what asks for more stands there as a comment, and is told."""
    made = loaded(grafana, tmp_path)

    def policies(**labels: str) -> list[str]:
        return [route.policy for route in match(made.route, labels)]

    assert policies(team="db", severity="critical") == ["database"]
    assert policies(team="db") == ["everything-else"]
    assert f'# {FILL_IN}: the labels of the alerts that go there; it was "us-(east|west)"' in written(grafana)
    assert "routes[1]: warning: asks for more than the value of labels" in lost(grafana)


def test_oncall_needs_only_the_numbers(grafana: Draft, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the marked numbers are written, check-config has only the missing secrets to say of it."""
    path = tmp_path / "callbridge.yaml"
    path.write_text(filled(grafana))
    (tmp_path / "secrets").mkdir(mode=0o700)
    for name in ("api_key", "report_token"):
        (tmp_path / "secrets" / name).write_text("an-invented-secret")
        (tmp_path / "secrets" / name).chmod(0o600)

    code = main(["check-config", str(path)])

    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, f"{path}: SUCCESS")


USERS = [{"id": "U1", "username": "alice"}, {"id": "U2", "username": "Alice"}, {"id": "U3", "email": "c@example.com"}]


def shift(**more: Any) -> dict[str, Any]:
    return {
        "id": "O1",
        "name": "s",
        "type": "rolling_users",
        "start": "2026-01-05T09:00:00",
        "duration": 86400,
        "frequency": "daily",
        "rolling_users": [["U1"], ["U2"]],
    } | more


def one_schedule(**more: Any) -> Draft:
    schedule = {"id": "S1", "name": "p", "time_zone": "Europe/Berlin", "shifts": ["O1"]}
    return oncall({"users": USERS, "schedules": [schedule], "on_call_shifts": [shift(**more)]})


@pytest.mark.parametrize(
    ("more", "every", "start", "hours"),
    [
        ({}, "1d", "2026-01-05 09:00", []),
        ({"frequency": "hourly", "interval": 12}, "12h", "2026-01-05 09:00", []),
        ({"time_zone": "UTC"}, "1d", "2026-01-05 10:00", []),
        ({"duration": 28800}, "1d", "2026-01-05 09:00", [("", "09:00", "17:00")]),
        ({"duration": 57600}, "1d", "2026-01-05 09:00", [("", "09:00", "24:00"), ("", "00:00", "01:00")]),
        (
            {"frequency": "weekly", "duration": 172800},
            "1w",
            "2026-01-05 09:00",
            [("monday", "09:00", "24:00"), ("tuesday", "00:00", "24:00"), ("wednesday", "00:00", "09:00")],
        ),
        (
            {"frequency": "weekly", "duration": 43200, "by_day": ["SA", "SU"], "start": "2026-01-07T21:00:00"},
            "1w",
            "2026-01-04 21:00",
            [("saturday,sunday", "21:00", "24:00"), ("monday,sunday", "00:00", "09:00")],
        ),
    ],
)
def test_oncall_shifts(more: dict[str, Any], every: str, start: str, hours: list[tuple[str, str, str]]) -> None:
    """A shift's frequency is the length of a turn, its duration the hours it is limited to, its start in the zone."""
    draft = one_schedule(**more)
    (rotation,) = draft.schedules["p"].rotations
    found = [one for name in rotation.intervals for one in draft.intervals[name]]

    assert (rotation.every, rotation.start, rotation.people) == (every, start, ("alice", "alice-2"))
    assert [(",".join(one.weekdays), one.start, one.end) for one in found] == hours


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"frequency": "monthly"}, "monthly every 1 is no whole number of hours, days or weeks"),
        ({"interval": 0}, "daily every 0 is no whole number"),
        ({"type": "wheel"}, 'the type "wheel" is not known'),
        ({"start": "soon"}, "has no start and duration that can be read"),
        ({"duration": -1}, "has no start and duration that can be read"),
        ({"rolling_users": [["U9"]]}, "names nobody who is among the users"),
        ({"rolling_users": [["U1", "U9"]]}, "names 1 who are not among the users"),
        ({"rolling_users": [["U1", "U2"]]}, "has several people on call at once; alice-2 came second"),
        ({"time_zone": "Berlin"}, 'the time zone "Berlin" is not known; Europe/Berlin is taken'),
        ({"until": "2026-09-01T00:00:00"}, "until is not carried over"),
        ({"by_month": [1]}, "by_month is not carried over"),
        ({"frequency": "hourly", "duration": 60}, "is on duty for a part of each turn"),
        ({"by_day": ["MO"]}, "turns pass on the days that by_day leaves out, too"),
        ({"type": "single_event", "start": "2020-01-01T00:00:00"}, "is over, and left out"),
    ],
)
def test_oncall_shifts_that_are_lost(more: dict[str, Any], told: str, tmp_path: Path) -> None:
    """What a rotation cannot be is told, with the shift that it stands in; the rest can be used."""
    draft = one_schedule(**more)

    assert told in lost(draft)
    assert "on_call_shifts[0]" in lost(draft)
    loaded(draft, tmp_path)


def one_chain(*steps: dict[str, Any]) -> Draft:
    rows = [{"escalation_chain_id": "C1", "position": index, **step} for index, step in enumerate(steps)]
    return oncall(
        {
            "users": USERS,
            "escalation_chains": [{"id": "C1", "name": "x"}],
            "escalation_policies": list(reversed(rows)),
        }
    )


@pytest.mark.parametrize(
    ("steps", "calls", "told"),
    [
        ([{"type": "wait", "duration": 60}], [], "waits before anybody is called"),
        ([{"type": "notify_persons", "persons_to_notify": ["U1", "U9"]}], [("alice",)], "names somebody who is not"),
        ([{"type": "notify_persons"}], [], "names somebody who is not"),
        (
            [{"type": "notify_person_next_each_time", "persons_to_notify_next_each_time": ["U1", "U2"]}],
            [("alice",)],
            "takes turns by alert; here alice is always called first",
        ),
        ([{"type": "notify_user_group"}], [], "a group of Slack is not telephoned"),
        ([{"type": "notify_if_time_from_to"}], [], "goes on at certain hours only"),
        ([{"type": "sing"}], [], 'the step "sing" is not known'),
    ],
)
def test_oncall_steps_that_are_lost(
    steps: list[dict[str, Any]], calls: list[tuple[str, ...]], told: str, tmp_path: Path
) -> None:
    """What a step cannot be is told, with the step that it stands in; who can be called is."""
    draft = one_chain(*steps)

    assert [step.call for step in draft.policies["x"].steps] == calls
    assert told in lost(draft)
    loaded(draft, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "matchers"),
    [
        ('{{ payload.labels.severity == "critical" }}', ('severity="critical"',)),
        ("{{ payload.commonLabels['team'] == 'db' }}", ('team="db"',)),
        ("{{ payload.commonLabels.get('team') == 'db' }}", ('team="db"',)),
        ('{{ (payload.alerts[0].labels.a == "1") and payload.groupLabels.b == "2" }}', ('a="1"', 'b="2"')),
        ('"severity": "critical"', ('severity="critical"',)),
        ("{{ payload.labels.severity != 'critical' }}", ()),
        ('{{ payload.labels.a == "1" or payload.labels.b == "2" }}', ()),
        ("{{ 'db' in payload.commonLabels.team }}", ()),
        ("critical", ()),
        ("", ()),
    ],
)
def test_oncall_patterns(pattern: str, matchers: tuple[str, ...]) -> None:
    """Only a pattern that asks for labels by value becomes matchers; nothing is guessed."""
    draft = oncall(
        {
            "escalation_chains": [{"id": "C1", "name": "x"}],
            "integrations": [{"id": "I1", "name": "am", "type": "alertmanager"}],
            "routes": [{"id": "R1", "integration_id": "I1", "escalation_chain_id": "C1", "routing_regex": pattern}],
        }
    )

    assert [route.matchers for route in draft.routes] == [matchers]


def test_oncall_integrations(tmp_path: Path) -> None:
    """The first from Alertmanager or Grafana gives the root; the others are told, and theirs are comments."""
    draft = oncall(
        {
            "escalation_chains": [{"id": "C1", "name": "x"}, {"id": "C2", "name": "y"}],
            "integrations": [
                {"id": "I0", "name": "mail", "type": "inbound_email"},
                {"id": "I1", "name": "am", "type": "alertmanager", "default_route": {"escalation_chain_id": "C1"}},
                {"id": "I2", "name": "graf", "type": "grafana", "default_route": {"escalation_chain_id": "C2"}},
                {"id": "I3", "name": "none", "type": "grafana"},
            ],
            "routes": [
                {"integration_id": "I1", "escalation_chain_id": None, "routing_regex": "x"},
                {"integration_id": "I9", "escalation_chain_id": "C1", "routing_regex": "x"},
            ],
        }
    )

    assert loaded(draft, tmp_path).route.policy == "x"
    assert [(route.policy, route.matchers) for route in draft.routes] == [("y", ())]
    for told in (
        '"mail" ("inbound_email"): callbridge hears Alertmanager and Grafana only',
        '"graf": all alerts come by one door here',
        '"none": what no route of it takes rings nobody there',
        "leads to no chain of this file",
        "belongs to no integration of this file",
        '"x" telephones nobody; give policies.x its steps',
    ):
        assert told in lost(draft)


@pytest.mark.parametrize(
    "users", [USERS, {"results": USERS, "next": None}, [{"results": USERS[:2], "next": "…"}, {"results": USERS[2:]}]]
)
def test_oncall_lists_and_pages(users: object) -> None:
    """A list may stand as the API's pages do, one or many; a last page that names a next one is told."""
    draft = oncall({"users": users})

    assert [(key, one.name) for key, one in draft.people.items()] == [
        ("alice", "alice"),
        ("alice-2", "Alice"),
        ("c-example-com", "c@example.com"),
    ]
    assert "is not the last page" not in lost(draft)
    assert "is not the last page" in lost(oncall({"users": {"results": USERS, "next": "https://oncall.example/2"}}))


def test_oncall_says_what_the_file_lacks() -> None:
    """Shifts, chains and lists that are referred to and not there are told, and so is a calendar without an address."""
    draft = oncall(
        {
            "schedules": [{"id": "S1", "name": "p", "shifts": ["O9"], "ical_url_primary": "ftp://x"}],
            "escalation_policies": [{"escalation_chain_id": "C9", "type": "wait", "duration": 60}],
            "personal_notification_rules": [],
            "teams": [],
        }
    )

    for told in (
        "1 of its shifts are not in on_call_shifts",
        "schedules[0].ical_url_primary",
        "belongs to no chain of this file",
        "everybody is telephoned",
        "is none of the lists that are read",
    ):
        assert told in lost(draft)


# --- strangers' files


@pytest.mark.parametrize(
    ("carry", "text", "told"),
    [
        (from_sachet, "", "f:1:1: file: is empty; name sachet's config.yaml"),
        (from_sachet, "[]", "f:1:1: file: a list stands here; name sachet's config.yaml"),
        (from_sachet, "providers: {}", "f:1:1: receivers: there are none"),
        (from_sachet, "receivers: [\n", "not YAML"),
        (from_sachet, "receivers: []\nreceivers: []\n", "f:2:1: receivers: already given on line 1"),
        (at_now, "{}", "f:1:1: file: has none of users, schedules"),
        (at_now, "\n", "is empty"),
    ],
)
def test_what_cannot_be_read(carry: Callable[[str, str], Draft], text: str, told: str) -> None:
    """A file that is none of the system's is refused with its place and what would be right."""
    with pytest.raises(ConfigError) as caught:
        carry(text, "f")

    assert told in str(caught.value)


def test_json_with_tabs_and_escapes() -> None:
    r"""JSON as other programs write it: indented by tabs, with \/ and \u escapes."""
    text = '{\n\t"users": [\n\t\t{"id": "U1", "username": "Zo\\u00eb", "email": "a\\/b@example.com"}]}'

    (person,) = from_oncall(text, "f", NOW).people.values()

    assert (person.name, person.email) == ("Zoë", "a/b@example.com")


WORDS = st.sampled_from(
    [
        "U1",
        "O1",
        "S1",
        "C1",
        "I1",
        "wait",
        "notify_persons",
        "weekly",
        "daily",
        "rolling_users",
        "single_event",
        "2026-01-05T09:00:00",
        "3600",
        "604800",
        "MO",
        "null",
        "Europe/Berlin",
        "a: b #c",
        "alertmanager",
        '{{ payload.labels.a == "b" }}',
        "'",
        '"',
        "0049171",
        "+49 171 1234567",
    ]
)
LEAVES = WORDS | st.text(max_size=8) | st.integers(-5, 10**12) | st.none() | st.booleans()
KEYS = st.sampled_from(
    [
        "id",
        "name",
        "username",
        "email",
        "type",
        "shifts",
        "users",
        "start",
        "duration",
        "frequency",
        "interval",
        "rolling_users",
        "by_day",
        "time_zone",
        "level",
        "escalation_chain_id",
        "integration_id",
        "position",
        "routing_regex",
        "persons_to_notify",
        "notify_on_call_from_schedule",
        "default_route",
        "results",
        "next",
        "to",
        "from",
        "provider",
        "text",
        "teams",
        "team_to_notify",
        "week_start",
        "ical_url_primary",
    ]
)
ROWS = st.lists(
    st.dictionaries(KEYS, LEAVES | st.lists(LEAVES, max_size=3) | st.lists(st.lists(LEAVES, max_size=2), max_size=2)),
    max_size=3,
)
LISTS = st.sampled_from([*ONCALL_LISTS, "receivers", "providers", "templates"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.dictionaries(LISTS, ROWS | LEAVES))
def test_whatever_is_read_can_be_used(tmp_path: Path, lists: dict[str, object]) -> None:
    """Any file is refused with its faults, or gives a config that the program reads; nothing else happens."""
    text = json.dumps(lists)
    for carry in (at_now, from_sachet):
        try:
            draft = carry(text, "f")
        except ConfigError as error:
            assert all(str(fault).startswith("f:") for fault in error.faults)
            continue
        loaded(draft, tmp_path)


SMALL_EXPORT = json.dumps(
    {
        "users": USERS,
        "schedules": [{"id": "S1", "name": "p", "shifts": ["O1"]}],
        "on_call_shifts": [shift(by_day=["MO"], until="2027-01-01T00:00:00")],
        "escalation_chains": [{"id": "C1", "name": "x"}],
        "escalation_policies": [{"escalation_chain_id": "C1", "type": "notify_persons", "persons_to_notify": ["U1"]}],
    }
)
PIECES = st.sampled_from(
    ["", "[", "]", "{", "}", ",", ":", '"', "'", "\n", "\t", "&a ", "*a", "<<: ", "null", "\0", "\ud800", "é", "9" * 40]
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 30), PIECES), min_size=1, max_size=4))
def test_damaged_files(tmp_path: Path, cuts: list[tuple[int, int, str]]) -> None:
    """A real file that was cut, or written over, is refused with places or gives a config that can be read."""
    for text, carry in ((SMALL_EXPORT, at_now), ((DATA / "sachet.yaml").read_text(), from_sachet)):
        damaged = text
        for at, length, piece in cuts:
            place = at % len(text)
            damaged = damaged[:place] + piece + damaged[place + length :]
        try:
            draft = carry(damaged, "f")
        except ConfigError as error:
            assert all(fault.line > 0 and fault.what for fault in error.faults)
            continue
        loaded(draft, tmp_path)


@given(text=st.text(max_size=60))
def test_scalars_come_back(text: str) -> None:
    """What is written is what is read again, on one line, whatever a stranger called it."""
    root = compose(f"a: [{scalar(text)}]", lambda *_: None)

    assert root is not None
    assert root.plain == {"a": [printable(text)]}


@given(names=st.lists(st.text(max_size=100), max_size=6))
def test_keys_are_keys(names: list[str]) -> None:
    """Whatever people are called there, each gets a key that the config takes, and no two the same."""
    taken: dict[str, None] = {}
    for name in names:
        taken[key_of(name, taken, "person")] = None

    assert len(taken) == len(names)
    assert all(re.fullmatch(r"[\w-]+", key) for key in taken)


# --- the command


@pytest.mark.parametrize(("system", "file"), [("sachet", "sachet.yaml"), ("oncall", "oncall.json")])
def test_the_command(system: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The config on stdout, a line for each thing that is lost on stderr, and the counts in the last of them."""
    code = main(["import", system, str(DATA / file)])
    told = capsys.readouterr()
    path = tmp_path / "callbridge.yaml"
    path.write_text(told.out)
    *notes, counts = told.err.splitlines()

    assert code == 0
    assert all(re.match(rf"{re.escape(str(DATA / file))}:\d+:\d+: [^:]+: warning: ", note) for note in notes)
    assert re.fullmatch(
        rf"people: \d, schedules: \d, policies: \d; places to fill in: \d; not taken along as it was: {len(notes)}",
        counts,
    )
    assert config.load(path).people


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"#" * ((4 << 20) + 1), "longer than 4 MiB"),
        (b"[]", "a list stands here"),
    ],
)
def test_the_command_on_files_that_are_none(
    content: bytes | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read is one line on stderr, exit status 1, and no config."""
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)

    code = main(["import", "sachet", str(path)])
    said = capsys.readouterr()

    assert (code, said.out) == (1, "")
    assert told in said.err
    assert len(said.err.splitlines()) == 1
