"""Grafana OnCall's escalation chains as policies. Source: docs/sources/oncall-api-reference/escalation_policies.md.

There a step that notifies does not wait: those that follow one another without a `wait` between are told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge.config.scalars import shown
from bridge.config.spot import Spot
from bridge.importing.draft import Draft, Policy, Step, text_at

REPEATS = 5
LONGEST_WAIT = 86_400
PEOPLE = {
    "notify_persons": "persons_to_notify",
    "notify_person_next_each_time": "persons_to_notify_next_each_time",
    "notify_on_call_from_schedule": "notify_on_call_from_schedule",
    "notify_team_members": "team_to_notify",
}
LOST = {
    "notify_user_group": "a group of Slack is not telephoned; write call: with its people",
    "notify_whole_channel": "a channel is not telephoned; keep another receiver for it in Alertmanager",
    "trigger_webhook": "no webhook is sent; keep another receiver for it in Alertmanager",
    "declare_incident": "no incident is declared elsewhere; keep another receiver for it in Alertmanager",
    "notify_if_time_from_to": "goes on at certain hours only, and here always; give the route active_time_intervals",
    "notify_if_num_alerts_in_window": "goes on after several alerts only, and here always; say it in Prometheus' rule",
    "resolve": "resolves it there; here an incident ends when Alertmanager says so",
}


@dataclass(frozen=True, slots=True)
class Known:
    """Our keys by the other system's ids; `teams`: the keys of a team's people."""

    people: Mapping[str, str]
    schedules: Mapping[str, str]
    teams: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class _Chain:
    """A policy as it grows; `waits` since anybody was called, None: nobody was yet."""

    steps: list[Step] = field(default_factory=list)
    waits: int | None = None
    rounds: int = 1

    def call(self, keys: Sequence[str]) -> None:
        if self.waits == 0:
            last = self.steps.pop()
            keys = (*last.call, *keys)
        self.steps.append(Step(tuple(dict.fromkeys(keys))))
        self.waits = 0

    def wait(self, seconds: int) -> None:
        if self.waits is not None:
            self.waits = min(self.waits + seconds, LONGEST_WAIT)
            self.steps[-1] = replace(self.steps[-1], wait=self.waits)


def carry(found: Sequence[Spot], known: Known, draft: Draft) -> Policy:
    """The policy of one chain, of its steps in their order."""
    chain = _Chain()
    for spot in sorted(found, key=lambda one: _number(one, "position")):
        _step(spot, chain, known, draft)
    return Policy(tuple(chain.steps), chain.rounds)


def _step(spot: Spot, chain: _Chain, known: Known, draft: Draft) -> None:
    kind = text_at(spot, "type")
    if kind == "wait":
        _wait(spot, chain, draft)
    elif kind == "repeat_escalation":
        chain.rounds = REPEATS + 1
    elif kind in PEOPLE:
        keys = _called(spot, kind, known, draft)
        if keys:
            chain.call(keys)
    else:
        draft.lost(spot, LOST.get(kind, f"the step {shown(kind)} is not known, and left out; write it by hand"))


def _wait(spot: Spot, chain: _Chain, draft: Draft) -> None:
    if chain.waits is None:
        draft.lost(spot, "waits before anybody is called; here the first step rings at once (group_wait is its delay)")
    chain.wait(_number(spot, "duration"))


def _called(spot: Spot, kind: str, known: Known, draft: Draft) -> tuple[str, ...]:
    found = spot.at(PEOPLE[kind])
    ids = () if found is None else found.texts if found.texts is not None else (found.text or "",)
    keys = tuple(key for one in ids for key in _keys(one, kind, known))
    if not keys or (len(keys) < len(ids)):
        draft.lost(spot, "names somebody who is not in this file, and calls only the rest; add them by hand")
    if kind == "notify_person_next_each_time" and len(keys) > 1:
        draft.lost(spot, f"takes turns by alert; here {keys[0]} is always called first, make a schedule of them")
        return keys[:1]
    return keys


def _keys(one: str, kind: str, known: Known) -> Sequence[str]:
    if kind == "notify_team_members":
        return known.teams.get(one, ())
    key = (known.schedules if kind == "notify_on_call_from_schedule" else known.people).get(one)
    return (key,) if key else ()


def _number(spot: Spot, key: str) -> int:
    text = text_at(spot, key)
    return int(text) if text.isdecimal() and len(text) < 9 else 0
