"""What the calls became and cost; and the state of it all: config, gateway, balance, watchdogs, test calls."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web
from sqlalchemy import Connection

from bridge.alert import Alert
from bridge.config import GatewaySettings, redacted
from bridge.logs import mask
from bridge.speech import can_speak, trial_words
from bridge.store.ids import ALPHABET
from bridge.store.overview import last_report, worst_alerts
from bridge.store.reading import Listed, calls_listed
from bridge.web.incidents import title_of
from bridge.web.site import Problem, Visit, shown
from bridge.web.speech import words_of_call

CALLS_PER_PAGE = 50
MOST_TITLES = 3
LONGEST_TITLE = 80
LONGEST_CONFIG = 200_000
_CURSOR = re.compile(f"[{ALPHABET}]{{22}}")
DONE = {
    "test": "The test call is on its way; this page follows it. If it does not appear, the log says why.",
    "kept": "It is kept, and will be done as soon as possible.",
}


def account_routes() -> list[web.RouteDef]:
    """The calls, the status, and the question before a test call."""
    return [
        web.get("/calls", shown(calls)),
        web.get("/status", shown(status)),
        web.get("/test-call", shown(question)),
    ]


async def calls(visit: Visit) -> web.StreamResponse:
    """Calls, newest first, a page at a time. Raises Problem for an address that is none of ours."""
    cursor = visit.request.query.get("after")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise Problem("That is no page of this list.")
    listed, worst = await visit.site.database.read(lambda connection: _listed(connection, cursor))
    told = {
        "rows": [(call, _about(incidents, worst), words_of_call(call.text)) for call, incidents in listed.rows],
        "following": listed.next,
        "first": cursor is None,
        "several": len(visit.config.gateways) > 1,
        "spent": await visit.site.dispatch.spent_today(),
        "budget": visit.config.limits.budget_per_day,
        "done": DONE.get(visit.request.query.get("done", ""), ""),
    }
    return await visit.page("calls.html.j2", told)


def _listed(connection: Connection, cursor: str | None) -> tuple[Listed, dict[str, Alert]]:
    listed = calls_listed(connection, limit=CALLS_PER_PAGE, cursor=cursor)
    return listed, worst_alerts(connection, {id_ for _, told in listed.rows for id_ in told[:MOST_TITLES]})


def _about(incidents: list[str], worst: Mapping[str, Alert]) -> list[tuple[str, str]]:
    """The incidents that a call told of; the first few by their title."""
    return [(id_, title_of(worst.get(id_), {})[:LONGEST_TITLE]) for id_ in incidents]


async def status(visit: Visit) -> web.StreamResponse:
    """The config in force, and how everything that it names is."""
    site, config = visit.site, visit.config
    told = {
        "started_at": site.started_at,
        "config": config,
        "config_file": config.path.name,
        "config_text": _config_text(visit),
        "storage": redacted(config.storage.url).partition(":")[0],
        "failing": site.database.failing,
        "accounts": await asyncio.to_thread(lambda: [_account(visit, one) for one in config.gateways]),
        "reported_at": await site.database.read(last_report),
        "in_force": site.metrics.sample("config_last_reload_successful") == 1.0,
        "spent": await site.dispatch.spent_today(),
        "watchdogs": await _watchdogs(visit),
        "can_speak": can_speak(),
    }
    return await visit.page("status.html.j2", told)


@dataclass(frozen=True, slots=True)
class Account:
    """One account at the gateway; `balance` in euro, None: not known yet; `up`: it takes calls, as far as is known."""

    settings: GatewaySettings
    balance: float | None
    up: bool

    @property
    def low(self) -> bool:
        """Whether it should be topped up."""
        least = self.settings.min_balance
        return self.balance is not None and least is not None and self.balance < least


def _account(visit: Visit, settings: GatewaySettings) -> Account:
    metrics, name = visit.site.metrics, settings.name
    balance = metrics.sample("gateway_account_balance_euros", gateway=name)
    up = metrics.sample("gateway_up", gateway=name) != 0.0
    return Account(settings, None if balance is None or math.isnan(balance) else balance, up)


def _config_text(visit: Visit) -> str:
    """What is in force; for who has no credentials every number in it is masked, also one in a national spelling."""
    text = visit.config.shown[:LONGEST_CONFIG]
    if visit.visitor.may_act:
        return text
    return re.sub(r"(?m)^(\s*(?:phone|from): )(.*\d.*)$", lambda found: found[1] + _masked(found[2]), text)


def _masked(value: str) -> str:
    # `from` is a caller id here, and the beginning of an override there.
    return value if re.match(r"\d{4}-\d\d-\d\d", value) else mask(value)


async def _watchdogs(visit: Visit) -> list[tuple[str, timedelta, datetime | None, bool]]:
    """Name, how often it must come, when it came last, and whether that is too long ago."""
    seen = await visit.site.dispatch.watchdogs_seen()
    found = []
    for one in visit.site.dispatch.world.watchdogs:
        at = seen.get(one.name)
        late = visit.now - (at or visit.site.started_at) > one.every
        found.append((one.name, one.every, at, late))
    return found


async def question(visit: Visit) -> web.StreamResponse:
    """Whether a test call is meant: it rings a real phone. Raises Problem."""
    config = visit.config
    person = config.people.get(visit.request.query.get("person", ""))
    if person is None or person.phone is None:
        raise Problem("Nobody of that name with a number is in the config.")
    text, seconds = trial_words(person.name or person.key, person.language or config.language)
    told = {"person": person, "text": text, "seconds": seconds, "debug": config.gateway.debug}
    return await visit.page("question.html.j2", told)
