"""A draft as YAML. What the operator must write is marked, and stands in comments where it would not be valid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from bridge.config.scalars import brief
from bridge.config.tree import NULLS
from bridge.importing.draft import Draft, Hours, Person, Policy, Route, Schedule, Step
from bridge.importing.names import printable

FILL_IN = "FILL IN"
_PLAIN = re.compile(r"[A-Za-z0-9+]([A-Za-z0-9 +_.@/:-]*[A-Za-z0-9_])?")

T = TypeVar("T")
Value = str | Sequence["Value"] | Mapping[str, "Value"]


def written(draft: Draft) -> str:
    """The config as the text of a file."""
    return "\n".join([*_head(draft), *_body(draft), *_tail(draft)]) + "\n"


def _head(draft: Draft) -> Iterator[str]:
    yield f"# Made by callbridge import from {printable(draft.file)} ({draft.system})."
    yield f"# {FILL_IN} marks what it could not know; what it could not take along stands at the end."
    yield "# Look it over, and then: callbridge check-config FILE"
    yield ""


def _body(draft: Draft) -> Iterator[str]:
    yield "gateway:"
    yield f"  api_key_file: secrets/api_key      # {FILL_IN}: the key of the account at seven.io, in that file"
    if draft.sender:
        yield f"  from: {scalar(draft.sender)}"
    else:
        yield f'  # from: "+49 30 1234567"           # {FILL_IN}: the number that the phone shows'
    yield ""
    yield "webhooks:"
    yield f"  sms77: {{token_file: secrets/report_token}}   # {FILL_IN}: openssl rand -hex 32 >secrets/report_token"
    yield from _people(draft.people)
    yield from _named("schedules", draft.schedules, _schedule)
    yield from _named("policies", draft.policies, _policy)
    yield from _routes(draft)
    if draft.intervals:
        yield from ("", "time_intervals:")
        for name, hours in draft.intervals.items():
            yield f"  - name: {scalar(name)}"
            yield from ("    time_intervals:", *(f"      - {flow(_hours(one))}" for one in hours))


def _people(people: Mapping[str, Person]) -> Iterator[str]:
    yield from ("", "people:" if people else "people: {}")
    for key, person in people.items():
        fields: dict[str, Value] = {"name": person.name}
        fields |= {"phone": person.phone} if person.phone else {}
        fields |= {"email": person.email} if person.email else {}
        yield f"  {scalar(key)}: {flow(fields)}" + ("" if person.phone else f"   # {FILL_IN}: phone")


def _named(word: str, found: Mapping[str, T], lines: Callable[[T], Iterator[str]]) -> Iterator[str]:
    if found:
        yield from ("", f"{word}:")
        for key, one in found.items():
            yield from (f"  {scalar(key)}:", *(f"    {line}" for line in lines(one)))


def _schedule(schedule: Schedule) -> Iterator[str]:
    if schedule.timezone:
        yield f"timezone: {scalar(schedule.timezone)}"
    if schedule.calendar:
        yield f"ical: {flow({'url': schedule.calendar})}"
    if schedule.rotations:
        yield "rotations:"
        for one in schedule.rotations:
            fields: dict[str, Value] = {"name": one.name, "people": list(one.people), "every": one.every}
            fields |= {"start": one.start}
            fields |= {"active_time_intervals": list(one.intervals)} if one.intervals else {}
            yield f"  - {flow(fields)}"
    if schedule.overrides:
        yield "overrides:"
        for override in schedule.overrides:
            yield f"  - {flow({'person': override.person, 'from': override.start, 'until': override.until})}"
    if schedule == Schedule(timezone=schedule.timezone):
        yield f"rotations: []   # {FILL_IN}: nobody is on call here"


def _policy(policy: Policy) -> Iterator[str]:
    if policy.rounds > 1:
        yield f"rounds: {policy.rounds}"
    yield "steps:" if policy.steps else f"steps: []   # {FILL_IN}: nobody is called"
    for step in policy.steps:
        yield f"  - {flow(_step(step))}"


def _step(step: Step) -> dict[str, Value]:
    told: dict[str, Value] = {key: list(who) for key, who in (("call", step.call), ("sms", step.sms)) if who}
    return told if step.wait is None else told | {"wait": brief(timedelta(seconds=step.wait))}


def _hours(hours: Hours) -> dict[str, Value]:
    days: dict[str, Value] = {"weekdays": list(hours.weekdays)} if hours.weekdays else {}
    return {**days, "times": [{"start_time": hours.start, "end_time": hours.end}], "location": hours.location}


def _routes(draft: Draft) -> Iterator[str]:
    yield from ("", "route:", f"  policy: {scalar(draft.root)}")
    if any(route.matchers for route in draft.routes):
        yield "  routes:"
    elif draft.routes:
        yield "  # routes:"
    for route in draft.routes:
        yield from _route(route)


def _route(route: Route) -> Iterator[str]:
    if route.matchers:
        yield f"    - {flow({'matchers': list(route.matchers), 'policy': route.policy})}"
        return
    yield f"    # {FILL_IN}: the labels of the alerts that go there; it was {printable(route.was)}"
    yield f"    # - {{matchers: [], policy: {scalar(route.policy)}}}"


def _tail(draft: Draft) -> Iterator[str]:
    if draft.notes:
        yield from ("", "# Not taken along, or not as it was:")
        yield from (f"# {printable(str(note))}" for note in draft.notes)


def flow(value: Value) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(flow, value)) + "]"


def scalar(text: str) -> str:
    """Text as YAML reads it back: bare where it can be, else in quotes."""
    text = printable(text)
    if _PLAIN.fullmatch(text) and ": " not in text and text not in NULLS:
        return text
    return f"'{text}'" if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)
