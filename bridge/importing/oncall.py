"""Grafana OnCall: what its public API lists (`GET /api/v1/users/` and so on), in one JSON file.

    {"users": …, "schedules": …, "on_call_shifts": …, "escalation_chains": …, "escalation_policies": …,
     "integrations": …, "routes": …}

Each is a list, a page of the API as it came (`{"results": […], "next": …}`), or a list of such pages. JSON is read as
the YAML that it is: so everything has a line, and a key that stands twice is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bridge.config.scalars import secret_address, shown
from bridge.config.spot import Spot
from bridge.errors import ConfigError, Fault
from bridge.importing import chains, routes, shifts
from bridge.importing.draft import Draft, Person, Policy, Schedule, read, text_at
from bridge.importing.names import key_of, printable

LISTS = (
    "users",
    "schedules",
    "on_call_shifts",
    "escalation_chains",
    "escalation_policies",
    "integrations",
    "routes",
)
WHAT = "the lists of Grafana OnCall's API in one JSON file"


def from_oncall(text: str, file: str, now: datetime) -> Draft:
    """The draft of what the API listed in `text`, as of `now`. Raises ConfigError where it is no such file."""
    # In JSON a tab stands between things only, and YAML wants none there.
    root = read(text.replace("\t", " "), file, WHAT)
    if not any(root.at(name) for name in LISTS):
        raise ConfigError([Fault(file, root.line, root.column, "file", f"has none of {', '.join(LISTS)}; name {WHAT}")])
    draft = Draft(file, "Grafana OnCall")
    listed = {name: tuple(_listed(root, name, draft)) for name in LISTS}
    _unknown(root, draft)
    people = _people(listed["users"], draft)
    schedules = _schedules(listed["schedules"], listed["on_call_shifts"], people, draft, now)
    policies = _policies(listed, chains.Known(people, schedules, _teams(listed["users"], people)), draft)
    routes.carry(listed["integrations"], listed["routes"], policies, draft)
    if not draft.policies:
        draft.policies["nobody"] = Policy(())
    draft.root = draft.root or next(iter(draft.policies))
    return draft


def _listed(root: Spot, name: str, draft: Draft) -> Iterator[Spot]:
    found = root.at(name)
    if found is None:
        return
    pages = [found] if found.node.entries is not None else [one for one in root.each(name) if one.at("results")]
    for page in pages:
        yield from page.each("results")
    if not pages:
        yield from root.each(name)
    if pages and pages[-1].at("next"):
        draft.lost(pages[-1], "is not the last page; what stands on the next ones is missing, ask for them too")


def _unknown(root: Spot, draft: Draft) -> None:
    for key, spot in root.entries():
        if key == "personal_notification_rules":
            draft.lost(spot, "how each one is told is not carried over; everybody is telephoned")
        elif key not in LISTS:
            draft.lost(spot, "is none of the lists that are read; leave it out")


def _people(found: Sequence[Spot], draft: Draft) -> dict[str, str]:
    """Our keys by the ids of the users."""
    keys: dict[str, str] = {}
    for spot in found:
        name = printable(text_at(spot, "username")) or printable(text_at(spot, "email"))
        key = key_of(name, draft.people, "person")
        draft.people[key] = Person(name or key, email=printable(text_at(spot, "email")))
        draft.lost(spot, f"its telephone number is not told by the API; write people.{key}.phone")
        keys[text_at(spot, "id")] = key
    return keys


def _teams(found: Sequence[Spot], people: Mapping[str, str]) -> dict[str, list[str]]:
    teams: dict[str, list[str]] = {}
    for spot in found:
        listed = spot.at("teams")
        for team in (listed.texts if listed else None) or ():
            teams.setdefault(team, []).append(people[text_at(spot, "id")])
    return teams


def _schedules(
    found: Sequence[Spot], listed: Sequence[Spot], people: Mapping[str, str], draft: Draft, now: datetime
) -> dict[str, str]:
    """Our keys by the ids of the schedules."""
    keys: dict[str, str] = {}
    by_id = {text_at(spot, "id"): spot for spot in listed}
    for spot in found:
        key = key_of(text_at(spot, "name"), {*draft.people, *draft.schedules}, "schedule")
        home = shifts.zone_of(text_at(spot, "time_zone"), ZoneInfo("UTC"), spot, draft)
        own = spot.at("shifts")
        ids = (own.texts if own else None) or ()
        if missing := [one for one in ids if one not in by_id]:
            draft.lost(spot, f"{len(missing)} of its shifts are not in on_call_shifts; ask the API for all of them")
        rotations, overrides = shifts.carry([by_id[one] for one in ids if one in by_id], home, people, draft, now)
        draft.schedules[key] = Schedule(home.key, rotations, overrides, _calendar(spot, draft))
        keys[text_at(spot, "id")] = key
    return keys


def _calendar(spot: Spot, draft: Draft) -> str:
    if (over := spot.at("ical_url_overrides")) is not None:
        draft.lost(over, "no second calendar is read; put its events into the first, or write overrides")
    url = spot.at("ical_url_primary")
    if url is None:
        return ""
    try:
        return secret_address(url.text or "")
    except ValueError as error:
        draft.lost(url, f"{error}")
        return ""


def _policies(listed: Mapping[str, Sequence[Spot]], known: chains.Known, draft: Draft) -> dict[str, str]:
    """Our keys by the ids of the chains."""
    keys: dict[str, str] = {}
    for spot in listed["escalation_chains"]:
        id_ = text_at(spot, "id")
        steps = [one for one in listed["escalation_policies"] if text_at(one, "escalation_chain_id") == id_]
        key = key_of(text_at(spot, "name"), draft.policies, "policy")
        draft.policies[key] = chains.carry(steps, known, draft)
        if not draft.policies[key].steps:
            draft.lost(spot, f"{shown(text_at(spot, 'name'))} telephones nobody; give policies.{key} its steps")
        keys[id_] = key
    for spot in listed["escalation_policies"]:
        if text_at(spot, "escalation_chain_id") not in keys:
            draft.lost(spot, "belongs to no chain of this file, and is left out; ask the API for escalation_chains")
    return keys
