"""Open incidents with who is being called now and what comes next; and the story of one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from bridge.alert import Alert
from bridge.call import Call
from bridge.escalation import Incident
from bridge.rota import called_by_policies
from bridge.schedule import on_call
from bridge.speech.values import PLACES, written
from bridge.store.calls import live
from bridge.store.ids import ALPHABET
from bridge.store.overview import Glance, Overview, overview
from bridge.store.pages import people_held
from bridge.store.reading import IncidentView, incident_view
from bridge.web.outlook import Outlook, Ringing, outlook, ringing
from bridge.web.site import NotFound, Visit, shown
from bridge.web.story import story

MOST_OPEN = 100
MOST_OVER = 10
MOST_ALERTS = 200
LONGEST_TITLE = 200
ID = re.compile(f"[{ALPHABET}]{{22}}")

# What a button's answer says once it is done, by the word in the address.
DONE = {
    "acknowledge": "It is taken. Nobody is called any more.",
    "escalate": "The next step is being called.",
    "call-again": "They are being called again.",
    "resolve": "It is resolved.",
    "kept": "It is kept, and will be done as soon as possible.",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One incident as the list shows it."""

    incident: Incident
    title: str
    where: str
    severity: str
    firing: int
    known: int
    ringing: Sequence[Ringing]
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class _Lines:
    """Who is on the phone, by person, and whose calls a limit holds back."""

    live: Mapping[str, Call] = field(default_factory=dict)
    held: frozenset[str] = frozenset()


def incident_routes() -> list[web.RouteDef]:
    """The first page, and one for each incident."""
    return [web.get("/", shown(home)), web.get("/incidents/{id}", shown(incident))]


async def home(visit: Visit) -> web.StreamResponse:
    """What is wrong now, the worst and oldest first; what is over; who is on call."""
    site = visit.site
    found: Overview = await site.database.read(
        lambda connection: overview(connection, site.dispatch.snapshots, most_open=MOST_OPEN, most_over=MOST_OVER)
    )
    lines = _Lines({call.person: call for call in found.live}, found.held)
    told = {
        "cards": [_card(visit, glance, lines) for glance in found.open],
        "over": [_card(visit, glance, _Lines()) for glance in found.over],
        "found": found,
        "duty": await duty(visit),
    }
    return await visit.page("home.html.j2", told)


async def incident(visit: Visit) -> web.StreamResponse:
    """One incident. Raises NotFound."""
    site, id_ = visit.site, visit.request.match_info["id"]
    view, calls, held = await site.database.read(
        lambda connection: (
            incident_view(connection, site.dispatch.snapshots, id_, most_alerts=MOST_ALERTS),
            live(connection),
            people_held(connection),
        )
    )
    if view is None:
        raise NotFound("There is no such incident. Those that are over are forgotten after a while.")
    return await visit.page(
        "incident.html.j2", _whole(visit, view, _Lines({call.person: call for call in calls}, held))
    )


def _whole(visit: Visit, view: IncidentView, lines: _Lines) -> dict[str, object]:
    incident = view.stored.incident
    worst = view.alerts[0] if view.alerts else None
    firing = sum(alert.firing for alert in view.alerts)
    return {
        "card": _card(visit, Glance(view.stored, worst, firing, len(view.alerts)), lines),
        "origin": view.stored.origin,
        "lines": story(view.journal, view.alerts, visit.config.people, len(incident.policy.steps)),
        "alerts": view.alerts,
        "calls": view.calls,
        "done": DONE.get(visit.request.query.get("done", ""), ""),
        "most_alerts": MOST_ALERTS,
    }


def _card(visit: Visit, glance: Glance, lines: _Lines) -> Card:
    incident, worst = glance.stored.incident, glance.worst
    return Card(
        incident=incident,
        title=title_of(worst, glance.stored.origin.group_labels)[:LONGEST_TITLE],
        where=place_of(worst)[:LONGEST_TITLE],
        severity=(worst.labels.get("severity", "") if worst else "")[:40],
        firing=glance.firing,
        known=glance.known,
        ringing=ringing(incident, lines.live, lines.held),
        outlook=outlook(incident, visit.site.dispatch.world.roster),
    )


def title_of(worst: Alert | None, group_labels: Mapping[str, str]) -> str:
    """What is wrong, in one line: what its author wrote for people, else the alert's name."""
    if worst is None:
        return ", ".join(group_labels.values()) or "Incident"
    return written(worst.annotations) or worst.name or "Incident"


def place_of(worst: Alert | None) -> str:
    """Where it is: the most telling label."""
    if worst is None:
        return ""
    named = next((f"{label}: {worst.labels[label]}" for label in PLACES if worst.labels.get(label)), "")
    name = worst.name if written(worst.annotations) else ""
    return " · ".join(part for part in (name, named) if part)


async def duty(visit: Visit) -> list[tuple[str, tuple[str, ...]]]:
    """Who is on call now, by schedule; only those that a policy calls, for a gap in another one wakes nobody less."""
    called = called_by_policies(visit.config)
    schedules = {name: one for name, one in visit.site.rota.schedules.items() if name in called}
    return await asyncio.to_thread(lambda: [(name, on_call(one, visit.now)) for name, one in schedules.items()])
