"""The ear's part of check-config: what the templates would say of usual alerts that nobody understands when spoken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.alert import Group, Source, parse_group
from bridge.cli.words import PAYLOADS
from bridge.config import Config
from bridge.errors import Fault
from bridge.speech import Speaker, Subject, lint


def hearing_doubts(path: Path, loaded: Config) -> list[Fault]:
    """A warning for each line of a template that says a URL, a hash and the like; `path` is the config's.

    Each template that a policy uses is tried in every language that somebody hears, on bodies that are recorded or as
    they are usual (payloads/heard).
    """
    speaker = Speaker(loaded.templates)
    languages = sorted({person.language or loaded.language for person in loaded.people.values()}) or [loaded.language]
    told: dict[tuple[str, int, str], Fault] = {}
    for policy in loaded.policies.values():
        if not any(step.targets for step in policy.steps):
            continue
        for language in languages:
            for name, subject in _subjects():
                for one in lint(speaker, policy.template, language, loaded.timezone, [subject], subject.opened_at):
                    said = f'of {name} it says "{one.what.shown}": {one.what.what}, that nobody understands by ear'
                    where = f"policies.{policy.name}.template"
                    fault = Fault(
                        one.file, one.line, 1, where, f"{said}; write it with {one.what.remedy}", warning=True
                    )
                    told.setdefault((one.file, one.line, one.what.what), fault)
    return list(told.values())


def _subjects() -> Iterator[tuple[str, Subject]]:
    for body in sorted((PAYLOADS / "heard").iterdir(), key=lambda one: one.name):
        if body.name.endswith(".json"):
            group = parse_group(body.read_bytes(), Source.ALERTMANAGER)
            yield body.name, _subject(group)


def _subject(group: Group) -> Subject:
    return Subject(
        incident="",
        policy="",
        opened_at=group.alerts[0].starts_at,
        receiver=group.stream.receiver,
        external_url=group.external_url,
        group_labels=group.group_labels,
        alerts=group.alerts,
        truncated=group.truncated,
    )
