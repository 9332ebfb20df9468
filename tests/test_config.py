"""The one file: what it may say, and that everything wrong with it is told at its place."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import Config, Rate, Secret, Storage, check, json_schema, load, redacted
from bridge.config.__main__ import TARGET, written
from bridge.config.not_yet import NOT_YET
from bridge.config.scalars import duration
from bridge.errors import CallbridgeError, ConfigError, Fault
from bridge.escalation import Policy, Step
from bridge.route import match
from bridge.schedule import Override, Period

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
EXAMPLE = ROOT / "config.example.yaml"
EXPECT = re.compile(r"# expect: (\d+):(\d+): (.+?): (warning: )?(.*)")
WRONG = sorted(path for path in DATA.glob("conf.*.yaml") if path.read_text().startswith("# expect:"))
GOOD = sorted(DATA.glob("conf.good.*.yaml"))

SMALL = """
gateway: {api_key_file: key}
people: {alice: {phone: +49 171 1234567}}
policies: {default: {steps: [{call: [alice]}]}}
route: {policy: default}
"""


def write(folder: Path, text: str) -> Path:
    """The file `callbridge.yaml` with `text` in `folder`."""
    path = folder / "callbridge.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[Fault]:
    """What keeps the file from being used."""
    return [fault for fault in check(path) if not fault.warning]


def about(found: tuple[Fault, ...], where: str) -> list[Fault]:
    """What is told of one place."""
    return [fault for fault in found if fault.where == where]


def test_there_are_many_wrong_files() -> None:
    """The table of wrong files has not been lost."""
    assert len(WRONG) >= 80


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.name)
def test_wrong_file(path: Path) -> None:
    """A file with one thing wrong is told exactly that, with line, column and path of the place."""
    expected = EXPECT.fullmatch(path.read_text(encoding="utf-8").splitlines()[0])
    assert expected is not None
    line, column, where, warning, what = expected.groups()
    found = check(path)
    if warning:
        # The files are only there to be read: no secret lies beside them, and every other doubt must be the expected.
        told = [fault for fault in found if not fault.where.endswith("_file") or fault.where == where]
    else:
        told = [fault for fault in found if not fault.warning]
    assert [(fault.line, fault.column, fault.where, fault.warning) for fault in told] == [
        (int(line), int(column), where, bool(warning))
    ]
    assert what in told[0].what
    assert str(told[0]).startswith(f"{path}:{line}:{column}: {where}: {warning or ''}")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.name)
def test_wrong_file_is_refused_or_loaded_with_its_warnings(path: Path) -> None:
    """load() refuses a file for its faults alone, and carries all warnings of one that it takes."""
    found = check(path)
    if any(not fault.warning for fault in found):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.faults == tuple(fault for fault in found if not fault.warning)
    else:
        assert load(path).warnings == found


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_good_file(path: Path) -> None:
    """A file that is unusual and right has no fault."""
    assert faults(path) == []
    assert load(path).path == path


def test_all_faults_at_once() -> None:
    """Five faults found by five different steps are told in one go, in the order of the file."""
    with pytest.raises(ConfigError) as caught:
        load(DATA / "conf.five-faults.yaml")
    assert [fault.where for fault in caught.value.faults] == [
        "gateway.ring_time",
        "people.alice.phone",
        "policies.default.steps[0].call[0]",
        "route.routes[0].matchers[0]",
        "colour",
    ]
    assert str(caught.value).count("\n") == 4


def test_defaults(tmp_path: Path) -> None:
    """The smallest file gets every default of the contract."""
    config = load(write(tmp_path, SMALL))
    assert (config.timezone, config.region, config.language) == (ZoneInfo("UTC"), "", "en-US")
    assert config.storage == Storage(f"sqlite:///{tmp_path}/callbridge.db", timedelta(days=90))
    gateway = config.gateway
    assert gateway.api_url == "https://gateway.seven.io/api"
    assert gateway.api_key == Secret(tmp_path / "key")
    assert (gateway.dialect, gateway.sender, gateway.reports) == ("seven", None, "webhook")
    assert gateway.ring_time == timedelta(seconds=30)
    assert gateway.timeout == timedelta(seconds=15)
    assert gateway.report_timeout == timedelta(minutes=3)
    assert (gateway.max_concurrent_calls, gateway.debug, gateway.min_balance) == (10, False, None)
    assert config.policies == {"default": Policy("default", (Step(("alice",)),))}
    assert config.people["alice"].name == "alice"
    assert config.people["alice"].language == "en-US"
    told = config.acknowledgement
    assert (told.answer, told.hang_up, told.keypress, told.reply) == (timedelta(0), False, True, True)
    hooks = config.webhooks
    assert (hooks.alertmanager, hooks.grafana, hooks.report_token, hooks.signing_key) == (None, None, None, None)
    assert (config.limits.calls_per_person, config.limits.calls_per_minute) == ((), None)
    assert (config.schedules, config.time_intervals, config.watchdogs, config.templates) == ({}, {}, (), ())
    raw = (tmp_path / "callbridge.yaml").read_bytes()
    assert config.hash == int.from_bytes(hashlib.md5(raw).digest()[:6], "little")


def example() -> Config:
    return load(EXAMPLE)


def test_example_loads() -> None:
    """The example loads as it is; only what lies beside it, or is for later versions, is doubted."""
    later = {row.where.replace(".*", "") for row in NOT_YET}
    for fault in check(EXAMPLE):
        assert fault.warning, str(fault)
        beside = "_file" in fault.where or fault.where.endswith(".file")
        assert beside or fault.where.replace(".holidays", "") in later, str(fault)


def test_example_says_what_the_contract_says() -> None:
    """What the example sets arrives in the program's own types."""
    config = example()
    assert (config.timezone, config.region, config.language) == (ZoneInfo("Europe/Berlin"), "DE", "de-DE")
    assert config.gateway.sender == "49301234567"
    assert config.gateway.min_balance == 5.0
    assert {key: person.phone for key, person in config.people.items()} == {
        "alice": "+491711234567",
        "bob": "+491717654321",
    }
    first, second = config.policies["default"].steps
    assert (first.targets, first.wait, first.attempts) == (("primary",), timedelta(minutes=5), 2)
    assert (second.targets, second.attempts) == (("alice", "bob"), 1)
    assert config.policies["default"].rounds == 2
    assert config.policies["nobody"].steps == ()
    assert config.limits.calls_per_person == (
        Rate(3, timedelta(minutes=15)),
        Rate(7, timedelta(hours=1)),
        Rate(15, timedelta(hours=3)),
    )
    assert config.watchdogs[0].every == timedelta(minutes=10)
    assert config.alertmanagers[0].url == "http://alertmanager:9093"
    assert config.templates == (ROOT / "templates",)


def test_example_schedule() -> None:
    """Local times of a rotation stay local; those of an override are instants by the schedule's zone."""
    primary = example().schedules["primary"]
    assert primary.timezone == ZoneInfo("Europe/Berlin")
    rotation = primary.rotations[0]
    assert (rotation.people, rotation.every) == (("alice", "bob"), Period(1, "w"))
    assert rotation.start.isoformat() == "2026-01-05T09:00:00"
    starts, ends = datetime(2026, 12, 23, 23, tzinfo=UTC), datetime(2026, 12, 26, 23, tzinfo=UTC)
    assert primary.overrides == (Override("bob", starts, ends),)
    ical = example().schedules["holidays"].ical
    assert ical is not None
    assert (ical.file, ical.url, ical.refresh) == (ROOT / "holidays.ics", None, timedelta(minutes=15))


@pytest.mark.parametrize(
    ("labels", "policies"),
    [
        ({"severity": "critical", "team": "db"}, ["default"]),
        ({"severity": "critical", "team": "web"}, ["default"]),
        ({"severity": "info"}, ["nobody"]),
        ({}, ["nobody"]),
    ],
)
def test_example_route(labels: dict[str, str], policies: list[str]) -> None:
    """The example's tree sends alerts where its words say."""
    assert [route.policy for route in match(example().route, labels)] == policies


def test_example_shows_the_defaults(tmp_path: Path) -> None:
    """Where the contract's example shows a default, the default and the example are the same."""
    shown, default = example(), load(write(tmp_path, SMALL))
    for key in ("api_url", "dialect", "ring_time", "timeout", "report_timeout", "reports", "max_concurrent_calls"):
        assert getattr(shown.gateway, key) == getattr(default.gateway, key), key
    assert shown.gateway.debug is default.gateway.debug is False
    assert shown.storage.retention == default.storage.retention
    assert shown.acknowledgement == default.acknowledgement
    policy, plain = shown.policies["default"], default.policies["default"]
    for key in ("acknowledged_for", "template", "urgent"):
        assert getattr(policy, key) == getattr(plain, key), key
    assert (policy.steps[0].wait, policy.steps[0].retry_after) == (plain.steps[0].wait, plain.steps[0].retry_after)
    assert policy.steps[1] == Step(("alice", "bob"))


def keys_of_schema(schema: dict[str, Any], node: dict[str, Any], seen: frozenset[str]) -> Iterator[str]:
    """Every key that the JSON Schema knows, as `Section.key`, without going in circles."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        if name in seen:
            return
        for key, value in schema["$defs"][name]["properties"].items():
            yield f"{name}.{key}"
            yield from keys_of_schema(schema, value, seen | {name})
        return
    for part in (*node.get("anyOf", ()), *filter(None, (node.get("items"), node.get("additionalProperties") or None))):
        yield from keys_of_schema(schema, part, seen)


def test_example_has_every_key() -> None:
    """Every key of the schema stands in the example: in force, or, where it excludes another, in a comment."""
    schema = json_schema()
    keys = {f"File.{key}" for key in schema["properties"]}
    for node in schema["properties"].values():
        keys |= set(keys_of_schema(schema, node, frozenset()))
    assert len(keys) > 80
    text = EXAMPLE.read_text(encoding="utf-8")
    force = re.sub(r"(^|\s)#.*", "", text)
    commented = {"Storage.url_file", "Ical.url", "Route.match", "Route.match_re"}
    for key in keys:
        word = key.split(".")[1]
        place = text if key in commented else force
        assert re.search(rf"(^|[\s{{]){word}:", place, re.MULTILINE), f"{key} is not in {EXAMPLE.name}"


def test_schema_of_editors_is_current() -> None:
    """The committed JSON Schema is what the code says; else run `python -m bridge.config`."""
    assert TARGET.read_text(encoding="utf-8") == written()
    assert json.loads(written())["additionalProperties"] is False


def test_anchors_and_merge_keys() -> None:
    """Aliases and merge keys mean what they mean to Alertmanager: explicit before merged, earlier before later."""
    config = load(DATA / "conf.good.anchors.yaml")
    assert config.people["bob"].language == "de-DE"
    assert config.people["bob"].phone == "+491717654321"
    assert config.policies["twice"].rounds == 2
    assert [step.wait for step in config.policies["twice"].steps] == [timedelta(minutes=7)] * 2


def test_scalars_are_text() -> None:
    """Words that YAML would make numbers, booleans or base-sixty times of stay what they look like."""
    config = load(DATA / "conf.good.text.yaml")
    assert set(config.people) == {"on", "null", "1"}
    assert config.people["on"].name == "1.10"
    assert config.people["on"].phone == "+4915112345678"
    assert config.people["null"].name == "null"
    assert config.gateway.api_key == Secret(DATA / "0777")
    assert (config.gateway.min_balance, config.gateway.max_concurrent_calls) == (1.1, 10)
    assert set(config.policies) == {"yes"}
    assert config.language == "no"
    evening = config.time_intervals["17:00"]
    assert evening.contains(datetime(2026, 1, 31, 17, 0, tzinfo=UTC))
    assert not evening.contains(datetime(2026, 1, 31, 16, 59, tzinfo=UTC))


def test_deprecated_matchers() -> None:
    """match, match_re and several matchers in one text all become matchers, and a policy is inherited."""
    root = load(DATA / "conf.good.deprecated.yaml").route
    first, second = root.routes
    assert [str(one) for one in first.matchers] == ['team="db"', 'severity="critical"', 'instance=~"db.*"']
    assert [str(one) for one in second.matchers] == ['a="b"', 'c=~"d|e"', 'f!="g"', 'h!~"i"']
    assert (first.policy, second.policy) == ("default", "default")
    assert (second.routes[0].policy, second.routes[0].continue_) == ("nobody", True)


def test_empty_values_are_unset() -> None:
    """Empty values leave the defaults in force."""
    config = load(DATA / "conf.good.unset.yaml")
    assert config.gateway.timeout == timedelta(seconds=15)
    assert config.people["carol"].phone is None
    assert config.policies["default"].steps[0].wait == timedelta(minutes=5)
    assert config.webhooks.report_token is None


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    """Secrets, the database and templates are looked for from the file's folder; absolute paths stay."""
    text = SMALL + "storage: {url: 'sqlite:////var/lib/c.db?timeout=3'}\ntemplates: [a, /b]\n"
    config = load(write(tmp_path, text))
    assert config.storage.url == "sqlite:////var/lib/c.db?timeout=3"
    assert config.templates == (tmp_path / "a", Path("/b"))
    assert config.gateway.api_key == Secret(tmp_path / "key")


def test_url_from_a_file(tmp_path: Path) -> None:
    """The database's URL may lie in a file of its own; what is wrong in there is told without showing it."""
    path = write(tmp_path, SMALL + "storage: {url_file: database}\n")
    (tmp_path / "database").write_text("sqlite:///other.db\n")
    assert load(path).storage.url == f"sqlite:///{tmp_path}/other.db"
    (tmp_path / "database").write_text("mysql://me:hush@db/callbridge\n")
    (fault,) = faults(path)
    assert fault.where == "storage.url_file"
    assert "hush" not in str(fault)
    (tmp_path / "database").write_text("postgresql://me:hush@db/callbridge\n")
    refused = any(row.where == "storage.url" and row.fault for row in NOT_YET)
    assert [fault.where for fault in faults(path)] == ["storage.url_file"] * refused
    assert "hush" not in "".join(str(fault) for fault in check(path))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgresql://db/callbridge", "postgresql://db/callbridge"),
        ("postgresql://me:hush@db:5432/callbridge", "postgresql://me:<secret>@db:5432/callbridge"),
        ("postgresql://me:hu@sh@db/callbridge?password=hush", "postgresql://me:<secret>@db/callbridge"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """A database's URL is shown without its password, and so is everything that holds it."""
    assert redacted(url) == shown
    assert "hush" not in repr(Storage(url, timedelta(days=1)))


def test_secret_is_read_at_use(tmp_path: Path) -> None:
    """A secret that changes is read anew, without the white space around it; its repr shows the path alone."""
    path = tmp_path / "key"
    path.write_text("  first\n")
    secret = Secret(path)
    assert secret.read() == "first"
    path.write_text("second\n")
    assert secret.read() == "second"
    assert repr(secret) == f"Secret(path={path!r})"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"abc\r\nX-Evil: 1", "more than one line"),
        (b"a" * 20_000, "more than one line"),
        (None, "cannot read the secret: No such file"),
    ],
)
def test_secret_that_cannot_be_used(tmp_path: Path, content: bytes | None, what: str) -> None:
    """A secret that is missing, empty or no single line of text is an error that names the file, not the content."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CallbridgeError, match=what) as caught:
        Secret(path).read()
    assert str(path) in str(caught.value)
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_secret_that_everybody_can_read(tmp_path: Path, mode: int, told: bool) -> None:
    """A secret that the whole machine can read is doubted; one for the owner and their group is not."""
    key = tmp_path / "key"
    key.write_text("invented")
    key.chmod(mode)
    doubts = [str(fault) for fault in about(check(write(tmp_path, SMALL)), "gateway.api_key_file")]
    assert any("everybody on this machine" in doubt for doubt in doubts) is told
    assert "invented" not in "".join(doubts)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("reports: poll", "gateway.reports"),
        ("reports: both", "gateway.reports"),
    ],
)
def test_not_yet_by_word(tmp_path: Path, text: str, what: str) -> None:
    """A word that this version does not act upon is told."""
    path = write(tmp_path, SMALL.replace("api_key_file: key", f"api_key_file: key, {text}"))
    expected = any(row.where == what for row in NOT_YET)
    assert bool(about(check(path), what)) is expected


def test_not_yet_says_so(tmp_path: Path) -> None:
    """Every place that this version does not act upon is told when it is used, and only then."""
    sections = {
        "webhooks.grafana": "webhooks: {grafana: {hmac_secret_file: key}}",
        "schedules.*.ical": "schedules: {s: {ical: {file: a.ics}}}",
        "limits.budget_per_day": "limits: {budget_per_day: 5}",
        "watchdogs": "watchdogs: [{name: w, matchers: [a=b], every: 1m, policy: default}]",
        "alertmanagers": "alertmanagers: [{url: http://localhost:9093}]",
        "storage.url": "storage: {url: postgresql://db/callbridge}",
    }
    plain = {fault.what for fault in check(write(tmp_path, SMALL))}
    for row in NOT_YET:
        assert row.what not in plain
        if row.where in sections:
            told = [fault for fault in check(write(tmp_path, SMALL + sections[row.where])) if fault.what == row.what]
            assert [fault.warning for fault in told] == [not row.fault]


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is no UTF-8 are faults with a place, like any other."""
    (missing,) = check(tmp_path / "none.yaml")
    assert str(missing).startswith(f"{tmp_path}/none.yaml:1:1: file: cannot be read: No such file")
    (folder,) = check(tmp_path)
    assert "Is a directory" in folder.what
    path = tmp_path / "latin.yaml"
    path.write_bytes("global: {}\npeople: {j: {name: Jörg}}\n".encode("latin-1"))
    (long,) = check(Path("/dev/zero"))
    assert "is longer than 16 MiB" in long.what
    (latin,) = check(path)
    assert (latin.line, latin.column) == (2, 21)
    assert "UTF-8" in latin.what


def test_names_too_long_for_a_file_system(tmp_path: Path) -> None:
    """A path that no file system can hold is doubted like one that is missing, wherever it stands."""
    long = "x" * 5000
    text = f"templates: [{long}]\nschedules: {{s: {{ical: {{file: {long}}}}}}}\nstorage: {{url: sqlite:///{long}.db}}\n"
    found = check(write(tmp_path, SMALL.replace("file: key", f"file: {long}1") + text))
    assert {fault.where for fault in found} >= {"templates[0]", "schedules.s.ical.file", "gateway.api_key_file"}


def test_a_secret_that_cannot_be_reached(tmp_path: Path) -> None:
    """A secret that is empty, or whose folder is no folder, is doubted in words."""
    (tmp_path / "key").write_text("")
    path = write(tmp_path, SMALL)
    (fault,) = about(check(path), "gateway.api_key_file")
    assert "the file is empty" in fault.what
    assert fault.what.endswith("until that is mended every call is refused")
    (fault,) = about(check(write(tmp_path, SMALL.replace("file: key", "file: key/key"))), "gateway.api_key_file")
    assert "cannot be read (Not a directory)" in fault.what


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Editors that put a mark before UTF-8 do no harm."""
    assert faults(write(tmp_path, "\ufeff" + SMALL)) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: \x01\n", (1, 4)),
        ('a: b\nc: "\\U00110000"\n', (2, 7)),
        ('a: b\nc: "\\ud800"\n', (2, 4)),
        ('a: b\nc: "\\0"\n', (2, 4)),
        ("%YAML 9.9\n---\na: b\n", (1, 1)),
        ("", (1, 1)),
        ("# nothing\n", (1, 1)),
    ],
)
def test_characters_that_cannot_be(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    """Characters and escapes that no text can hold are told with their place."""
    found = faults(write(tmp_path, text))
    assert place in [(fault.line, fault.column) for fault in found]


def test_no_secret_and_no_number_is_shown() -> None:
    """No fault of any wrong file shows a whole phone number, a password or an invented key."""
    told = "\n".join(str(fault) for path in WRONG for fault in check(path))
    for secret in ("hush", "aaaa-invented", "Xf3kq9", "1234567", "1233344", "123 3344", "FLOWER"):
        assert secret not in told.replace("like +49 171 1234567", ""), secret


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("1h30m", 5400),
        ("1d12h", 129_600),
        ("1y", 31_536_000),
        ("1w", 604_800),
        ("1m1ms", 60.001),
        ("00012h", 43_200),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    """Durations are Prometheus'."""
    assert duration(text).total_seconds() == seconds


NO_DURATIONS = ["", "30", "-1s", "1.5h", "90m1h", "1h1h", "1 h", "1H", "s", "1µs", "١s", "9" * 5000 + "s"]


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_no_duration(text: str) -> None:
    """What Prometheus does not take is not taken here, in a sentence that says what would be."""
    with pytest.raises(ValueError, match="write it like 1h30m"):
        duration(text)


@given(st.integers(0, 7000), st.sampled_from(["w", "d", "h", "m", "s", "ms"]))
def test_duration_is_linear(count: int, unit: str) -> None:
    """Twice the count is twice the duration, whatever the unit."""
    assert duration(f"{2 * count}{unit}") == 2 * duration(f"{count}{unit}")


WORDS = st.sampled_from(
    [
        *"{}[]:,&*!|>'\"%@`?-#~<",
        *("\n", "\n  ", "\n- ", ": ", " ", "&a ", "*a", "<<: ", "---", "...", "!x ", "\t", "\x00", "\ud800", "é", "💥"),
        *("gateway", "people", "policies", "route", "routes", "schedules", "time_intervals", "watchdogs", "limits"),
        *("matchers", "a=~", '"("', "steps", "alice", "phone", "+49", "api_key_file", "key", "policy", "default"),
        *("call", "from", "0"),
        *("storage", "url", "sqlite:///", "postgresql://a:b@[", "overrides", "ical", "1w", "2026-01-05 09:00", "null"),
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, max_size=60).map("".join))
def test_no_text_breaks_it(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file: it loads, or ConfigError says why, with places that the file has."""
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(path)
    except ConfigError as error:
        for fault in error.faults:
            assert 1 <= fault.line <= text.count("\n") + 2
            assert fault.column >= 1
            str(fault).encode("utf-8")


SCALARS = [None, "", "0", "x", "1h", "alice", "default", "a=b", 'a=~"("', "2026-01-05 09:00", "+49 171 1234567"]
VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.sampled_from(["a", "alice", "<<"]), one, max_size=2),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_value_in_a_wrong_place_breaks_it(tmp_path: Path, data: st.DataObject) -> None:
    """Any value at any place of the example: it loads, or ConfigError says why."""
    tree = yaml.load(EXAMPLE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    node = tree
    while True:
        step = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        deeper = node[step]
        if not isinstance(deeper, dict | list) or not deeper or data.draw(st.booleans()):
            node[step] = data.draw(VALUES)
            break
        node = deeper
    path = write(tmp_path, json.dumps(tree))
    try:
        load(path)
    except ConfigError as error:
        assert error.faults
