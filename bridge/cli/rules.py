"""A file of routing tests: what may stand in it, and how it is read. All faults are told at once, with their places."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bridge.alert import Alert, AlertStatus, Group, Source, Stream, fingerprint
from bridge.cli.words import at_time, read_payload
from bridge.config.faults import Faults
from bridge.config.section import Section, at
from bridge.config.tree import Node, compose
from bridge.config.wording import place, tell_all
from bridge.config.words import Any_, Boolean, FilePath, Some
from bridge.errors import CallbridgeError, ConfigError
from bridge.escalation import State

MOST_BYTES = 16 << 20


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("is not a time; write at: 2026-12-24T03:00:00Z")
    try:
        return at_time(value)
    except argparse.ArgumentTypeError as error:
        raise ValueError(str(error)) from None


def _state(value: object) -> State:
    try:
        return State(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no state; write {', '.join(State)}") from None


def _answers(value: object) -> object:
    pairs = value if isinstance(value, dict) else {}
    if isinstance(value, str) or (pairs and all(isinstance(words, str) for words in pairs.values())):
        return value
    raise ValueError("are no answers; write alice:no,bob:key, or a map of people and answers")


Time = Annotated[datetime, BeforeValidator(_time)]
StateWord = Annotated[State, BeforeValidator(_state)]
AnswersText = Annotated[Any, BeforeValidator(_answers)]


class Expectation(Section):
    """What should come of it; only what is given is looked at."""

    policies: list[Any_] | None = None
    """The policies that its firing alerts take, muted ones too, in the order of the tree."""
    muted: Boolean | None = None
    """Whether all of these are muted at that time."""
    people: list[Any_] | None = None
    """Everybody who is called, each once, in the order of their first call."""
    calls: list[Any_] | None = None
    """Who is called in each call, one after the other."""
    sms: list[Any_] | None = None
    """Who is sent each SMS, one after the other."""
    says: list[Some] | None = None
    """What the words of the first call hold."""
    says_not: list[Some] | None = None
    """What they do not hold."""
    writes: list[Some] | None = None
    """What the words of the first SMS hold."""
    state: StateWord | None = None
    """How every incident stands at the end."""


class Rule(Section):
    """One test: an alert or a whole webhook body, at a time, with people who behave so."""

    name: Some
    labels: dict[Some, Any_] | None = None
    """Of one firing alert."""
    annotations: dict[Some, Any_] = Field(default_factory=dict)
    """Of that alert."""
    payload: FilePath | None = None
    """A file with a webhook body, instead of labels."""
    at: Time
    """When it comes (RFC 3339)."""
    answers: AnswersText = ""
    """How people answer, as in explain --answers; or a map."""
    expect: Expectation

    @model_validator(mode="after")
    def _one(self) -> Rule:
        if (self.labels is None) == (self.payload is None):
            raise at("payload" if self.payload else "", "write one of labels and payload")
        if self.payload is not None and self.annotations:
            raise at("annotations", "the payload has its own; leave them out")
        if all(one is None for one in dict(self.expect).values()):
            raise at("expect", "expects nothing, so it could not fail; write people, policies, says, … into it")
        return self


class RulesFile(Section):
    """The file: a config and the tests of its routing."""

    config: FilePath
    """The config to be tested; relative to this file."""
    tests: Annotated[list[Rule], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Rules:
    """A file that was read: the config to test, its tests, and where each of them stands."""

    path: Path
    config: Path
    tests: tuple[Rule, ...]
    root: Node

    def fault(self, number: int, key: str, what: str) -> ConfigError:
        """What is wrong with a key of the test `number` (from 0)."""
        faults = Faults(str(self.path))
        line, column, _ = place(self.root, ["tests", number, key])
        faults.tell(line, column, f"tests[{number}].{key}", what)
        return ConfigError(faults.in_order())

    def line(self, number: int) -> int:
        """The line of the test `number` (from 0)."""
        return place(self.root, ["tests", number])[0]

    def group(self, number: int) -> Group:
        """The notification of the test `number` (from 0). Raises ConfigError for a body that is none."""
        rule = self.tests[number]
        if rule.payload is None:
            return group_of(rule.labels or {}, rule.annotations, rule.at)
        try:
            return read_payload(self.path.parent / rule.payload)
        except CallbridgeError as error:
            raise self.fault(number, "payload", str(error)) from None


def group_of(labels: Mapping[str, str], annotations: Mapping[str, str], now: datetime) -> Group:
    """A notification with one firing alert that begins `now`, as Alertmanager sends it where it groups by alertname."""
    named = {"alertname": labels["alertname"]} if "alertname" in labels else {}
    stream = Stream(Source.ALERTMANAGER, "callbridge", "{}:{}")
    alert = Alert(fingerprint(labels), AlertStatus.FIRING, labels, annotations, now, None)
    return Group(stream, (alert,), named, "")


def read_rules(path: Path) -> Rules:
    """The tests in the file at `path`. Raises ConfigError with every fault, in the order of the file."""
    faults = Faults(str(path))
    root = _compose(path, faults)
    file: RulesFile | None = None
    if root is not None and root.entries is None:
        faults.tell(root.line, root.column, "file", f"{root.kind} stands here; write a map, with config and tests")
    elif root is not None:
        try:
            file = RulesFile.model_validate(root.plain)
        except ValidationError as error:
            tell_all(error, root, faults, RulesFile)
    if root is None or file is None or faults.fatal:
        raise ConfigError(faults.in_order())
    return Rules(path, path.parent / file.config, tuple(file.tests), root)


def _compose(path: Path, faults: Faults) -> Node | None:
    def tell(line: int, column: int, where: str, what: str) -> None:
        empty = what.startswith("the file is empty")
        faults.tell(line, column, where, "the file is empty; it needs config and tests" if empty else what)

    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        faults.tell(1, 1, "file", f"cannot be read: {error.strerror}; name a file that this user can read")
        return None
    except UnicodeDecodeError:
        faults.tell(1, 1, "file", "not UTF-8; save the file in UTF-8")
        return None
    return compose(text, tell)
