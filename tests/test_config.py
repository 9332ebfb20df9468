"""The one file: what it may say, and that everything wrong with it is told at its place."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import Secret, Storage, check, load
from bridge.config.scalars import duration
from bridge.errors import ConfigError
from bridge.escalation import Policy, Step
from tests.configuring import DATA, EXAMPLE, SMALL, faults, write

EXPECT = re.compile(r"# expect: (\d+):(\d+): (.+?): (warning: )?(.*)")
WRONG = sorted(path for path in DATA.glob("conf.*.yaml") if path.read_text(encoding="utf-8").startswith("# expect:"))
GOOD = sorted(DATA.glob("conf.good.*.yaml"))


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


TOKEN = "webhooks: {sms77: {token_file: key}}\n"
BY_PHONE = "acknowledgement: {keypress: false, hang_up: true}\n"


@pytest.mark.parametrize(
    ("reports", "extra", "where", "remedy"),
    [
        ("webhook", "", "gateway", "reports: poll"),
        ("both", "", "gateway.reports", "webhooks.sms77.token_file"),
        ("both", BY_PHONE, "gateway.reports", "webhooks.sms77.token_file"),
        ("poll", "", "gateway.reports", "keypress: false"),
        ("poll", "acknowledgement: {keypress: true}\n", "gateway.reports", "keypress: false"),
        ("poll", BY_PHONE, "", ""),
        ("poll", TOKEN, "", ""),
        ("both", TOKEN, "", ""),
        ("webhook", TOKEN, "", ""),
    ],
)
def test_what_can_be_heard_of_a_call(tmp_path: Path, reports: str, extra: str, where: str, remedy: str) -> None:
    """Without a token no webhook comes in: told where something is lost by it, with the remedy; poll needs none."""
    text = SMALL.replace("api_key_file: key", f"api_key_file: key, reports: {reports}") + extra
    found = [fault for fault in check(write(tmp_path, text)) if fault.where in ("gateway", "gateway.reports")]
    assert [fault.where for fault in found] == ([where] if where else [])
    assert all(fault.warning and remedy in fault.what for fault in found)


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


def test_the_file_as_it_is_shown(tmp_path: Path) -> None:
    """What is in force can be shown: no password, no private address, and files of secrets as `<secret>`."""
    text = SMALL + (
        "\nschedules:\n  book: {ical: {url: 'https://calendar.example.test/private-4711/basic.ics'}}\n"
        "alertmanagers: [{url: 'http://am.example.test:9093/x'}]\n"
    )
    found = load(write(tmp_path, text)).shown
    assert "<secret>" in found
    assert "https://calendar.example.test/<secret>" in found
    assert [word for word in ("basic.ics", "private-4711") if word in found] == []
    assert yaml.safe_load(found)["gateway"]["api_key_file"].startswith("<secret> (in ")
