"""Any night: alerts, people, reports, clock steps and deaths of the program in any order, against a small model."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bridge.clock import ManualClock
from bridge.simulator import (
    Answer,
    PhoneCall,
    Simulator,
    answers,
    busy,
    fails,
    hangs_up,
    mailbox,
    presses,
    replies,
    silent,
    sleeps,
)  # fmt: skip
from tests.stories.night import ALICE, BOB, DUSK, TOKEN, Night, alert, body, both, running, with_policies

# How many nights, and how long each is; `NIGHTS=500` looks for longer.
NIGHTS = int(os.environ.get("NIGHTS", "6"))
LENGTH = 18
CHAINS = """policies:
  default:
    steps:
      - {call: [alice], wait: 5m, attempts: 2, retry_after: 1m}
      - {call: [bob, alice], wait: 3m}
    rounds: 2
  again: {steps: [{call: [bob], wait: 2m}], acknowledged_for: 10m}
  nobody: {steps: []}
"""
ROUTES = """route:
  policy: default
  routes:
    - {{matchers: ['alertname="Quiet"'], policy: nobody}}
    - {{matchers: ['alertname="Again"'], policy: again}}
    - {{matchers: ['alertname="Disk"'], policy: default, continue: true}}
    - {{matchers: ['alertname="Disk"'], policy: again}}
"""
CONFIG = with_policies(CHAINS).replace("route: {{policy: default}}\n", ROUTES)
POLICIES = {"Quiet": ["nobody"], "Again": ["again"], "Disk": ["default", "again"], "Cpu": ["default"]}

groups = st.sampled_from(("g", "h"))
names = st.lists(st.sampled_from(sorted(POLICIES)), min_size=1, max_size=3, unique=True)
people = st.sampled_from((ALICE, BOB))
manners = st.sampled_from(
    (
        sleeps(),
        answers(),
        answers(listens=2),
        presses("1"),
        mailbox(),
        busy(),
        fails(),
        silent(),
        hangs_up(1),
        replies(),
    )
)
LIVE = ("queued", "placing", "placed")
QUIET_STATES = ("acknowledged", "exhausted", "resolved")


@dataclass
class Model:
    """What must be true: which alerts of each group fire by the last word on them; `taken_away`: closed by a human."""

    firing: dict[tuple[str, str], bool] = field(default_factory=dict)
    taken_away: set[tuple[str, str, str]] = field(default_factory=set)
    journals: dict[str, list[Any]] = field(default_factory=dict)


class AnyNight(RuleBasedStateMachine):
    """The whole program and a telephone company on one clock. Each rule ends when nothing is under way any more."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock(DUSK)
        self.last: dict[str, Any] | None = None
        self.night: Night

    # --- the program lives and dies

    @initialize()
    def begins(self) -> None:
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.phones = Simulator(self.clock)
        await self.phones.__aenter__()
        await self._up()

    async def _up(self) -> None:
        ready: asyncio.Future[Night] = asyncio.get_running_loop().create_future()
        self.leave = asyncio.Event()
        self.hosting = asyncio.ensure_future(self._host(ready))
        await asyncio.wait([ready, self.hosting], return_when=asyncio.FIRST_COMPLETED)
        self.night = ready.result() if ready.done() else self.hosting.result()

    async def _host(self, ready: asyncio.Future[Night]) -> Any:
        with suppress(asyncio.CancelledError):
            async with running(Path(self.folder.name), self.phones, self.clock, text=CONFIG) as night:
                ready.set_result(night)
                await self.leave.wait()

    async def _down(self, *, killed: bool) -> None:
        if killed:
            await self.night.dies()
        self.leave.set()
        await asyncio.wait([self.hosting])

    def teardown(self) -> None:
        try:
            if hasattr(self, "night"):
                self.runner.run(self._down(killed=False))
                self.runner.run(self.phones.__aexit__(None, None, None))
        finally:
            self.runner.close()
            self.folder.cleanup()

    # --- what happens

    @rule(
        group=groups, fire=names, resolve=names, which=st.sampled_from(("fire", "resolve", "both")), twins=st.booleans()
    )
    def notified(self, group: str, fire: list[str], resolve: list[str], which: str, twins: bool) -> None:
        """Alerts fire, resolve, or both; an HA pair sends it twice at the same moment."""
        fire = fire if which != "resolve" else []
        resolve = [name for name in resolve if name not in fire] if which != "fire" else []
        ended = self.clock.now().isoformat()
        told = [alert(name) for name in fire] + [alert(name, status="resolved", ends=ended) for name in resolve]
        if told:
            self.runner.run(self._notified(body(told, group=group), 1 + twins))

    @precondition(lambda self: self.last is not None)
    @rule()
    def told_again(self) -> None:
        """The last notification once more: a repeat, a retry, or one that was overtaken."""
        self.runner.run(self._notified(self.last or {}, 1))

    async def _notified(self, sent: dict[str, Any], times: int) -> None:
        url, text = f"{self.night.url}/webhook/alertmanager", json.dumps(sent)

        async def send() -> int:
            async with self.night.session.post(url, data=text) as response:
                return response.status

        assert set(await asyncio.gather(*(send() for _ in range(times)))) == {200}
        self.last = sent
        group = sent["groupKey"].partition('g="')[2].rstrip('"}')
        for one in sent["alerts"]:
            name, fires = one["labels"]["alertname"], one["status"] == "firing"
            if fires or (group, name) in self.model.firing:
                self.model.firing[group, name] = fires
            self.model.taken_away -= {(group, name, policy) for policy in POLICIES[name]}
        await self.night.settle()

    @rule(number=people, manner=manners)
    def somebody_changes(self, number: str, manner: Answer) -> None:
        """From now on they sleep, answer, press a key, are engaged, …"""
        self.phones.script(number, manner)

    @rule(seconds=st.sampled_from((1, 7, 45, 200, 900, 2000)))
    def time_passes(self, seconds: int) -> None:
        """From deadline to deadline. Where nothing is triggered, and nothing can come back, nobody is called."""
        self.runner.run(self._passes(seconds))

    async def _passes(self, seconds: int) -> None:
        before, listed = len(self.phones.calls), await self.night.incidents()
        rests = all(one["state"] in QUIET_STATES and one["due_at"] is None for one in listed)
        pending = any(not call.over for call in self.phones.calls)
        await self.night.passes(seconds=seconds)
        if rests and not pending:
            assert len(self.phones.calls) == before, "somebody was called for what is taken or over"

    @rule(seconds=st.sampled_from((30, 400, 3000)))
    def the_clock_jumps(self, seconds: int) -> None:
        """A machine that slept: all that was due meanwhile is due at once."""
        self.clock.advance(timedelta(seconds=seconds))
        self.runner.run(self.night.settle())

    @rule(killed=st.booleans(), after=st.sampled_from((0, 20, 700)))
    def restarted(self, killed: bool, after: int) -> None:
        """Stopped, or killed where it stood; started again at once, or later."""
        self.runner.run(self._restarted(killed, after))

    async def _restarted(self, killed: bool, after: int) -> None:
        await self._down(killed=killed)
        self.clock.advance(timedelta(seconds=after))
        await self._up()
        await self.night.settle()

    @rule(action=st.sampled_from(("acknowledge", "escalate", "resolve")), index=st.integers(0, 5))
    def somebody_acts(self, action: str, index: int) -> None:
        """By the API, on an open incident."""
        self.runner.run(self._acts(action, index))

    async def _acts(self, action: str, index: int) -> None:
        opened = await self.night.incidents(state="open")
        if not opened:
            return
        one = opened[index % len(opened)]
        assert await self.night.post(f"/api/v1/incidents/{one['id']}/{action}", {"by": "bob"}) == 200
        if action == "resolve":
            group = one["group_key"].partition('g="')[2].rstrip('"}')
            for told in one["alerts"]:
                self.model.taken_away.add((group, told["labels"]["alertname"], one["policy"]))

    @rule(index=st.integers(0, 20), status=st.integers(0, 5), times=st.integers(1, 2))
    def a_report_comes_again(self, index: int, status: int, times: int) -> None:
        """Doubled, reversed or late: what was reported of a call once is reported of it again."""
        ended = [call for call in self.phones.calls if call.over and call.statuses]
        if ended:
            call = ended[index % len(ended)]
            self.runner.run(self._reports(call, call.statuses[status % len(call.statuses)][0].value, times))

    async def _reports(self, call: PhoneCall, status: str, times: int) -> None:
        for _ in range(times):
            told = {
                "webhook_event": "voice_status",
                "data": {"id": str(call.id), "status": status, "recipient": call.to},
            }
            assert await self.night.post(f"/webhook/sms77/{TOKEN}", told) == 200

    # --- what holds, whatever happened

    @invariant()
    def holds(self) -> None:
        """Everything below."""
        if hasattr(self, "night"):
            self.runner.run(self._holds())

    async def _holds(self) -> None:
        for_nothing = self._for_nothing(await self._stories())
        await self.night.passes(seconds=3)
        stories = listed = await self._stories()
        still = for_nothing & self._for_nothing(stories)
        assert not still, f"nobody hangs up {still}, whose incidents were taken or are over"
        for story in stories:
            self._goes_on(story)
            self._tells_in_order(story)
        self._kept(listed)
        await self._one_call_each()
        await self._counted(listed)

    async def _stories(self) -> list[dict[str, Any]]:
        listed = await self.night.incidents(limit="1000")
        return [await self.night.get(f"/api/v1/incidents/{one['id']}") for one in listed]

    def _for_nothing(self, stories: list[dict[str, Any]]) -> set[int]:
        """The calls under way of which nobody needs any page now, and that nobody asked to end."""
        needed = {page["call"] for story in stories if story["state"] not in QUIET_STATES for page in story["pages"]}
        asked = {request.path for request in self.phones.requests}
        live = [call for call in self.phones.calls if call.statuses and not call.over and call.foreign_id not in needed]
        return {call.id for call in live if f"/api/voice/{call.id}/hangup" not in asked}

    def _goes_on(self, story: dict[str, Any]) -> None:
        """What fires is awaited, rings, or was taken; and a known alert that fires keeps its incident open."""
        if story["state"] == "triggered" and story["policy"] != "nobody":
            under_way = any(page["state"] in ("queued", "calling") for page in story["pages"])
            assert story["due_at"] is not None or under_way, story
        if story["state"] == "resolved":
            assert not any(page["state"] in ("queued", "calling") for page in story["pages"]), story

    def _tells_in_order(self, story: dict[str, Any]) -> None:
        """Nothing that was told is told otherwise later, and time goes on in it."""
        told = [(line["at"], line["word"], line["who"]) for line in story["journal"]]
        before = self.model.journals.get(story["id"], [])
        assert told[: len(before)] == before, (before, told)
        assert [at for at, _, _ in told] == sorted(at for at, _, _ in told), told
        self.model.journals[story["id"]] = told

    def _kept(self, listed: list[dict[str, Any]]) -> None:
        """Every alert that fires by the last word on it is in one open incident of each of its policies."""
        opened = Counter(
            (one["group_key"].partition('g="')[2].rstrip('"}'), told["labels"]["alertname"], one["policy"])
            for one in listed
            if one["state"] != "resolved"
            for told in one["alerts"]
            if told["status"] == "firing"
        )
        fires = {
            (group, name, policy)
            for (group, name), is_so in self.model.firing.items()
            if is_so
            for policy in POLICIES[name]
        }
        assert set(opened) == fires - self.model.taken_away
        assert not opened or max(opened.values()) == 1

    async def _one_call_each(self) -> None:
        """Nobody is in two calls, by our books and by the telephone company's."""
        listed = (await self.night.get("/api/v1/calls?limit=1000"))["calls"]
        live = Counter(call["person"] for call in listed if call["state"] in LIVE)
        assert not live or max(live.values()) == 1, live
        mute = {call.to for call in self.phones.calls if not call.statuses}
        assert not any(call.overlap for call in self.phones.calls if call.to not in mute)

    async def _counted(self, listed: list[dict[str, Any]]) -> None:
        """The metrics say what the rows say."""
        states = Counter(one["state"] for one in listed)
        for state in ("triggered", *QUIET_STATES):
            assert await self.night.metric("callbridge_incidents", state=state) == states[state], state


@both
def test_any_night(kind: str) -> None:
    """Whatever happens in whatever order: nothing lost, nobody rung for nothing, nobody twice, the books agree."""
    how = settings(
        max_examples=NIGHTS if kind == "sqlite" else max(NIGHTS // 4, 1),
        stateful_step_count=LENGTH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(AnyNight, settings=how)


pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")
