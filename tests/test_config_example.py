"""The example: every key once, loads as it is, says what the contract says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.config import AlertmanagerSettings, HeartbeatSettings, Rate, Secret, check, json_schema, load, reference
from bridge.config.__main__ import REFERENCE, TARGET, written
from bridge.config.reference import DEFAULT, places
from bridge.escalation import Step
from bridge.route import match
from bridge.schedule import Override, Period
from tests.configuring import EXAMPLE, ROOT, SMALL, write


def test_example_loads() -> None:
    """The example loads as it is; only what lies beside it is doubted."""
    for fault in check(EXAMPLE):
        assert fault.warning, str(fault)
        assert "_file" in fault.where or fault.where.endswith(".file"), str(fault)


def test_example_says_what_the_contract_says() -> None:
    """What the example sets arrives in the program's own types."""
    config = load(EXAMPLE)
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
    assert config.alertmanagers == (AlertmanagerSettings("http://alertmanager:9093", timedelta(0)),)
    assert config.heartbeat == HeartbeatSettings(Secret(ROOT / "secrets" / "heartbeat_url"), timedelta(minutes=1))
    assert config.templates == (ROOT / "templates",)
    secrets = ROOT / "secrets"
    hooks = config.webhooks
    assert config.gateway.api_key == Secret(secrets / "api_key")
    assert hooks.alertmanager == Secret(secrets / "alertmanager_token")
    assert hooks.grafana == Secret(secrets / "grafana_hmac")
    assert hooks.report_token == Secret(secrets / "report_token")
    assert hooks.signing_key == Secret(secrets / "seven_signing_key")


def test_example_schedule() -> None:
    """Local times of a rotation stay local; those of an override are instants by the schedule's zone."""
    primary = load(EXAMPLE).schedules["primary"]
    assert primary.timezone == ZoneInfo("Europe/Berlin")
    rotation = primary.rotations[0]
    assert (rotation.people, rotation.every) == (("alice", "bob"), Period(1, "w"))
    assert rotation.start.isoformat() == "2026-01-05T09:00:00"
    starts, ends = datetime(2026, 12, 23, 23, tzinfo=UTC), datetime(2026, 12, 26, 23, tzinfo=UTC)
    assert primary.overrides == (Override("bob", starts, ends),)
    ical = load(EXAMPLE).schedules["holidays"].ical
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
    assert [route.policy for route in match(load(EXAMPLE).route, labels)] == policies


def test_example_shows_the_defaults(tmp_path: Path) -> None:
    """Where the contract's example shows a default, the default and the example are the same."""
    shown, default = load(EXAMPLE), load(write(tmp_path, SMALL))
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
    commented = {"File.gateways", "Storage.url_file", "Ical.url", "Route.match", "Route.match_re", "Heartbeat.url"}
    commented |= {f"Alertmanager.{key}" for key in ("authorization", "basic_auth", "tls_config", "receivers")}
    commented |= {
        "Authorization.credentials_file",
        "BasicAuth.username",
        "BasicAuth.password_file",
        "TlsConfig.ca_file",
    }
    for key in keys:
        word = key.split(".")[1]
        place = text if key in commented else force
        assert re.search(rf"(^|[\s{{]){word}:", place, re.MULTILINE), f"{key} is not in {EXAMPLE.name}"


def test_schema_of_editors_is_current() -> None:
    """The committed JSON Schema is what the code says; else run `python -m bridge.config`."""
    assert TARGET.read_text(encoding="utf-8") == written()
    assert json.loads(written())["additionalProperties"] is False


def test_reference_is_current() -> None:
    """docs/configuration.md is what the schema says; else run `python -m bridge.config`."""
    assert REFERENCE.read_text(encoding="utf-8") == reference()


def test_reference_tells_every_key() -> None:
    """Every key of the schema stands in the reference, in a section of its own path, and says what it means."""
    found = list(places(json_schema()))
    told = {f"{place.where}.{key.name}": key for place in found for key in place.keys}

    assert [key for key, one in told.items() if not one.meaning] == []
    assert len({place.where for place in found}) == len(found)
    assert {".gateway", "gateway.ring_time", "policies.NAME.steps[].call", "route.routes"} <= set(told)
    assert told["gateway.ring_time"].kind == "duration"
    assert told["gateway.ring_time"].default == "30s"
    assert told["gateway.api_key_file"].needed


def test_defaults_are_told_as_they_are() -> None:
    """Where a key's docstring names a default of its own, it is the one that the program takes."""
    schema = json_schema()
    properties = [one for section in schema["$defs"].values() for one in section["properties"].values()]
    told = [
        (match[1], str(one["default"]))
        for one in properties
        if (match := DEFAULT.search(one.get("description", ""))) and one.get("default") is not None
    ]

    assert len(told) > 10
    assert [pair for pair in told if pair[0] != pair[1]] == []
