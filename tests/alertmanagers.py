"""An Alertmanager on loopback that does what a test says: its API v2 as callbridge asks it, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bridge.alert import fingerprint, parse_time
from bridge.clock import Clock
from bridge.route import Matcher, MatchOp, all_hold, parse_matchers


@dataclass
class FakeAlertmanager:
    """What it knows. `fails`: the status it answers everything with; `hangs`: it takes requests and answers none.

    `refuses`: operations answered 400; `asked`: every request as "METHOD path?query"; `credentials`: what it wants.
    """

    clock: Clock
    started_at: datetime
    url: str = ""
    config: str = ""
    receiver: str = "pager"
    group_by: tuple[str, ...] = ("alertname",)
    credentials: str = ""
    fails: int = 0
    without: frozenset[str] = frozenset()
    hangs: bool = False
    loses: int = 0
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    silences: dict[str, dict[str, Any]] = field(default_factory=dict)
    inhibited: dict[str, str] = field(default_factory=dict)
    muted: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    made: int = 0

    # --- what a test does

    def fires(
        self, name: str, *, severity: str = "critical", receiver: str = "", starts: str = "", **labels: str
    ) -> str:
        """An alert fires; returns its fingerprint. The same labels as `tests.stories.night.alert`."""
        own = {"alertname": name, "severity": severity, **labels}
        print_ = fingerprint(own)
        self.alerts[print_] = {
            "labels": own,
            "annotations": {"summary": f"{name} is wrong"},
            "startsAt": starts or "2026-11-23T21:59:00Z",
            "receiver": receiver or self.receiver,
        }
        return print_

    def resolves(self, name: str, *, severity: str = "critical", **labels: str) -> None:
        """It fires no longer: it is gone at once."""
        del self.alerts[fingerprint({"alertname": name, "severity": severity, **labels})]

    def human_silences(self, *matchers: str, by: str = "carol", hours: float = 2, comment: str = "known") -> str:
        """Somebody sets a silence with these matchers, in the page of Alertmanager; returns its id."""
        parsed = [one for text in matchers for one in parse_matchers(text).matchers]
        ends = self.clock.now() + timedelta(hours=hours)
        return self._keep(parsed, self.clock.now(), ends, by, comment, None)

    def expires(self, silence: str) -> None:
        """Somebody ends a silence."""
        self.silences[silence]["ends"] = self.clock.now()

    def lasting(self) -> list[dict[str, Any]]:
        """The silences that are in force."""
        return [one for one in self.silences.values() if one["ends"] > self.clock.now()]

    def requests(self, start: str) -> list[str]:
        """What was asked that begins so."""
        return [one for one in self.asked if one.startswith(start)]

    # --- how it answers

    def _keep(
        self, matchers: list[Matcher], starts: datetime, ends: datetime, by: str, comment: str, known: str | None
    ) -> str:
        if known is None:
            self.made += 1
            known = f"00000000-0000-4000-8000-{self.made:012}"
        self.silences[known] = {
            "id": known, "matchers": matchers, "starts": starts, "ends": ends, "by": by, "comment": comment
        }  # fmt: skip
        return known

    def _silenced_by(self, labels: Mapping[str, str]) -> list[str]:
        return [one["id"] for one in self.lasting() if all_hold(one["matchers"], labels)]

    def _shown(self, print_: str) -> dict[str, Any]:
        one = self.alerts[print_]
        status: dict[str, Any] = {
            "silencedBy": self._silenced_by(one["labels"]),
            "inhibitedBy": [self.inhibited[print_]] if print_ in self.inhibited else [],
            "mutedBy": [self.muted[print_]] if print_ in self.muted else [],
        }
        status["state"] = "suppressed" if any(status.values()) else "active"
        return {
            "labels": one["labels"],
            "annotations": one["annotations"],
            "fingerprint": print_,
            "startsAt": one["startsAt"],
            "endsAt": (self.clock.now() + timedelta(minutes=4)).isoformat(),
            "updatedAt": self.clock.now().isoformat(),
            "generatorURL": "",
            "receivers": [{"name": one["receiver"]}],
            "status": status,
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Any request: counted, let in or not, and answered."""
        self.asked.append(f"{request.method} {request.path_qs.removeprefix('/am/api/v2')}")
        if self.hangs:
            await self.gate.wait()
        if self.credentials and request.headers.get("Authorization") != self.credentials:
            return web.Response(status=401, text="Unauthorized")
        if self.fails:
            return web.Response(status=self.fails, text="not now")
        what = request.match_info["what"]
        if what in self.without:
            return web.Response(status=404, text="404 page not found")
        return await self._answer(request, what)

    async def _answer(self, request: web.Request, what: str) -> web.Response:
        match request.method, what:
            case "GET", "alerts":
                return web.json_response(list(self._chosen(request)))
            case "GET", "alerts/groups":
                return web.json_response(self._groups(request))
            case "GET", "silences":
                return web.json_response([_silence(one, self.clock.now()) for one in self.silences.values()])
            case "GET", "status":
                return web.json_response(
                    {"uptime": self.started_at.isoformat(), "config": {"original": self.config}, "cluster": {}}
                )
            case "POST", "silences":
                return await self._set(request)
            case "DELETE", _ if what.startswith("silence/") and what.removeprefix("silence/") in self.silences:
                self.expires(what.removeprefix("silence/"))
                return web.Response()
        return web.Response(status=404, text="404 page not found")

    def _chosen(self, request: web.Request) -> list[dict[str, Any]]:
        wanted = [one for text in request.query.getall("filter", []) for one in parse_matchers(text).matchers]
        receiver = Matcher("receiver", MatchOp.REGEX, request.query.get("receiver", ".*"))
        chosen = [
            self._shown(print_)
            for print_, one in self.alerts.items()
            if all_hold(wanted, one["labels"]) and receiver.holds(one["receiver"])
        ]
        if request.query.get("silenced") == "false":
            chosen = [one for one in chosen if not one["status"]["silencedBy"]]
        return chosen

    def _groups(self, request: web.Request) -> list[dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for one in self._chosen(request):
            labels = {name: one["labels"][name] for name in self.group_by if name in one["labels"]}
            receiver = one["receivers"][0]["name"]
            key = (receiver, json.dumps(labels))
            found.setdefault(key, {"labels": labels, "receiver": {"name": receiver}, "alerts": []})
            found[key]["alerts"].append(one)
        return list(found.values())

    async def _set(self, request: web.Request) -> web.Response:
        told = await request.json()
        matchers = [Matcher(one["name"], MatchOp.EQUAL, one["value"]) for one in told["matchers"]]
        assert all(one["isEqual"] and not one["isRegex"] for one in told["matchers"])
        starts, ends = parse_time(told["startsAt"]), parse_time(told["endsAt"])
        id_ = self._keep(matchers, starts, ends, told["createdBy"], told["comment"], told.get("id"))
        if self.loses:
            self.loses -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"silenceID": id_})


def _silence(one: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "id": one["id"],
        "matchers": [
            {
                "name": matcher.name,
                "value": matcher.value,
                "isRegex": matcher.op in (MatchOp.REGEX, MatchOp.NOT_REGEX),
                "isEqual": matcher.op in (MatchOp.EQUAL, MatchOp.REGEX),
            }
            for matcher in one["matchers"]
        ],
        "startsAt": one["starts"].isoformat(),
        "endsAt": one["ends"].isoformat(),
        "updatedAt": one["starts"].isoformat(),
        "createdBy": one["by"],
        "comment": one["comment"],
        "status": {"state": "active" if one["ends"] > now else "expired"},
    }


@asynccontextmanager
async def fake_alertmanager(clock: Clock, **more: Any) -> AsyncIterator[FakeAlertmanager]:
    """One on a free port, with a route prefix; it runs since long ago unless `started_at` says otherwise."""
    more.setdefault("started_at", clock.now() - timedelta(days=1))
    fake = FakeAlertmanager(clock, **more)
    application = web.Application()
    application.router.add_route("*", "/am/api/v2/{what:.*}", fake.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/am"
        yield fake
    finally:
        fake.gate.set()
        await runner.cleanup()
