"""Stories of how often the phone rings: by the hour of the day, by policy, and what the config lets one expect."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bridge.simulator import answers, refused
from tests.stories.night import ALICE, BOB, alert, night, with_policies, write_config

PLACED = "callbridge_calls_placed_total"
BY_POLICY = "callbridge_policy_calls_total"
TWO = with_policies(
    """policies:
  disks: {steps: [{call: [alice]}]}
  nets: {steps: [{call: [alice]}, {call: [bob]}]}
"""
).replace(
    "route: {{policy: default}}",
    "route: {{policy: disks, routes: [{{matchers: ['alertname=\"NetDown\"'], policy: nets}}]}}",
)


async def test_a_call_counts_for_each_policy_that_it_tells(tmp_path: Path) -> None:
    """Two incidents of two policies told in one call: one call at Berlin's hour, and one for either policy."""
    async with night(tmp_path, text=TWO) as it:
        it.phones.script(ALICE, answers())
        await it.passes(hours=3)
        await it.notify([alert("DiskFull"), alert("NetDown")])
        await it.passes(minutes=1)

        assert len(it.calls()) == 1
        assert await it.metric(PLACED, hour="02") == 1
        assert await it.metric(PLACED, hour="01") == 0
        assert await it.metric(BY_POLICY, policy="disks") == 1
        assert await it.metric(BY_POLICY, policy="nets") == 1


async def test_a_refused_call_rang_nobody(tmp_path: Path) -> None:
    """What the gateway did not take is no load: only the call to the next person counts."""
    async with night(tmp_path, text=TWO) as it:
        it.phones.script(ALICE, refused())
        it.phones.script(BOB, answers())
        await it.fires("NetDown")
        await it.passes(minutes=1)

        assert await it.metric("callbridge_calls_total", outcome="refused") == 1
        assert await it.metric(PLACED, hour="23") == 1
        assert await it.metric(BY_POLICY, policy="nets") == 1
        assert await it.metric(BY_POLICY, policy="disks") == 0


@pytest.mark.parametrize("fault", [{"reset_after": True}, {"slow": 1.5}], ids=["no answer", "late answer"])
async def test_a_call_that_reports_before_its_answer_counts_once(tmp_path: Path, fault: dict[str, Any]) -> None:
    """A report that is quicker than the gateway's answer, or comes without any, makes it a placed call, once."""
    async with night(tmp_path, text=TWO) as it:
        it.phones.faults.set(times=1, **fault)
        it.phones.script(ALICE, answers())
        await it.fires("DiskFull")
        await it.passes(minutes=5)

        assert len(it.calls(ALICE)) == 1
        assert await it.metric("callbridge_calls_total", outcome="answered") == 1
        assert await it.metric(PLACED, hour="23") == 1
        assert await it.metric(BY_POLICY, policy="disks") == 1


async def test_a_reload_changes_what_is_expected(tmp_path: Path) -> None:
    """New policies count from 0, and the bounds are those of the file in force."""
    extra = "schedules: {spare: {rotations: [{name: r, people: [bob], every: 1w, start: 2026-01-05 09:00}]}}\n"
    async with night(tmp_path, extra, text=TWO) as it:
        assert await it.metric(BY_POLICY, policy="nets") == 0
        assert await it.metric("callbridge_schedule_called", schedule="spare") == 0
        assert math.isnan(await it.metric("callbridge_gateway_min_balance_euros"))
        assert await it.metric("callbridge_reports_expected") == 1

        changed = TWO.replace("call: [bob]", "call: [spare]").replace("report_timeout: 3m", "min_balance: 7.5")
        changed = changed.replace("  timeout: 2s", "  timeout: 2s\n  reports: poll").replace("nets", "lines")
        watchdog = "watchdogs: [{name: am, matchers: ['alertname=\"W\"'], every: 10m, policy: disks}]\n"
        write_config(tmp_path, it.phones.url, extra + watchdog, text=changed)
        await it.app.reload()

        assert await it.metric(BY_POLICY, policy="lines") == 0
        assert await it.metric(BY_POLICY, policy="nets") == 0
        assert await it.metric("callbridge_schedule_called", schedule="spare") == 1
        assert await it.metric("callbridge_gateway_min_balance_euros") == 7.5
        assert await it.metric("callbridge_reports_expected") == 0
        assert await it.metric("callbridge_watchdog_every_seconds", watchdog="am") == 600
