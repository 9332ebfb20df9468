"""The accounts at the gateway: what is shown and said of them, and what the client of each is made of."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bridge.accounts import BALANCE_EVERY, Account, Accounts, open_gateway
from bridge.call import Call, CallState
from bridge.clock import ManualClock
from bridge.config import GatewaySettings, Secret
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import Circuit, Request, State, open_session
from bridge.metrics import Metrics
from bridge.simulator import Simulator

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
CALL = Request("+491711234567", "Disk full.", foreign_id="c1")
SETTINGS = GatewaySettings(
    name="main",
    api_url="",
    dialect="seven",
    api_key=None,
    sender=None,
    ring_time=timedelta(seconds=30),
    timeout=timedelta(seconds=2),
    report_timeout=timedelta(minutes=3),
    reports="webhook",
    max_concurrent_calls=2,
    debug=False,
    min_balance=5.0,
)
OUT = Circuit(State.OPEN, 3, 0, NOW, NOW + timedelta(seconds=5))


@dataclass
class Desk:
    """Two accounts at one telephone company, on a clock."""

    accounts: Accounts
    metrics: Metrics
    clock: ManualClock
    phones: Simulator
    woken: list[int]

    @property
    def main(self) -> Account:
        return next(iter(self.accounts))

    def shown(self, name: str, **labels: str) -> float | None:
        registry = self.metrics._registry
        return registry.get_sample_value(f"callbridge_{name}", labels)

    async def ask(self) -> datetime:
        """Ask whoever is due, and return when to come back."""
        async with asyncio.TaskGroup() as tasks:
            self.accounts.upkeep(tasks)
        async with asyncio.TaskGroup() as tasks:
            return self.accounts.upkeep(tasks)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock, metrics, woken = ManualClock(NOW), Metrics(CollectorRegistry()), [0]
    (tmp_path / "key").write_text("simulator-key")
    async with Simulator(clock) as phones, open_session() as session:
        main = replace(SETTINGS, api_url=phones.url, api_key=Secret(tmp_path / "key"))
        spare = replace(main, name="spare", min_balance=None, reports="poll")
        opened = [Account(one, open_gateway(session, one)) for one in (main, spare)]
        wake: Callable[[], None] = lambda: woken.__setitem__(0, woken[0] + 1)  # noqa: E731 - a counter, and no more
        yield Desk(Accounts(opened, metrics, clock, wake), metrics, clock, phones, woken)


async def test_a_low_balance_is_said_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """One line when it falls below min_balance, and another only after it was topped up; shown for each account."""

    def warned() -> int:
        return sum("balance is low" in record.message for record in caplog.records)

    caplog.set_level(logging.WARNING)
    assert math.isnan(desk.shown("gateway_account_balance_euros", gateway="main") or 0)
    for balance, lines in ((50.0, 0), (4.9, 1), (4.5, 1), (5.0, 1), (1.0, 2)):
        desk.phones.account.balance = balance
        assert await desk.ask() == desk.clock.now() + BALANCE_EVERY
        desk.clock.advance(BALANCE_EVERY)
        assert warned() == lines
        for name, labels in (
            ("gateway_balance_euros", {}),
            ("gateway_account_balance_euros", {"gateway": "main"}),
            ("gateway_account_balance_euros", {"gateway": "spare"}),
        ):
            assert desk.shown(name, **labels) == balance
    assert desk.shown("gateway_account_min_balance_euros", gateway="main") == 5.0
    assert desk.shown("gateway_account_min_balance_euros", gateway="spare") is None


async def test_a_call_tells_the_balance_too(desk: Desk) -> None:
    """The answer to a call has the balance in it, which is shown at once; only the first account is shown without a
    name."""
    spare = desk.accounts.of("spare")
    desk.phones.account.balance = 7.0
    await desk.accounts.place(spare, CALL)
    assert desk.shown("gateway_account_balance_euros", gateway="spare") == 7.0
    assert math.isnan(desk.shown("gateway_balance_euros") or 0)


async def test_an_account_is_out_and_comes_back(desk: Desk) -> None:
    """A refused key: shown as down, the worker is woken, the probe is on time, and one call closes the circuit."""
    desk.phones.faults.set(code=900, on="any")
    for account in desk.accounts:
        with pytest.raises(GatewayUnavailable):
            await desk.accounts.place(account, CALL)
    assert desk.accounts.out
    assert desk.accounts.trouble == "main takes no calls; spare takes no calls"
    assert desk.accounts.in_order([]) is None
    assert desk.accounts.asked_at(NOW) == NOW + timedelta(seconds=5)
    assert desk.shown("gateway_up", gateway="main") == 0
    assert not desk.accounts.reopened
    assert await desk.ask() == NOW + timedelta(seconds=5)

    desk.phones.faults.clear()
    desk.clock.advance(timedelta(seconds=5))
    woken = desk.woken[0]
    await desk.ask()
    assert desk.woken[0] > woken
    assert desk.accounts.reopened
    assert desk.main.circuit.state is State.TRIAL
    assert desk.shown("gateway_up", gateway="main") == 1
    assert desk.accounts.trouble == ""
    await desk.accounts.place(desk.main, CALL)
    assert desk.main.circuit == Circuit()


@pytest.mark.parametrize(
    ("circuit", "back_after", "troubled"),
    [
        (Circuit(), None, False),
        (Circuit(), -1, False),
        (Circuit(), 0, True),
        (Circuit(), 1, True),
        (OUT, None, True),
        (Circuit(State.TRIAL), -1, True),
    ],
)
async def test_a_call_of_an_outage(desk: Desk, circuit: Circuit, back_after: int | None, *, troubled: bool) -> None:
    """One that was requested while its account was out, or before it went out, was part of the outage."""
    desk.main.circuit = circuit
    desk.main.back_at = None if back_after is None else NOW + timedelta(minutes=back_after)
    assert desk.accounts.troubled(replace(call(PLACING), requested_at=NOW)) is troubled
    assert desk.accounts.troubled(replace(call(PLACING, "spare"), requested_at=NOW)) is False


def call(state: CallState, account: str = "main", reason: str = "") -> Call:
    return Call("c", "alice", "+491711234567", NOW, state=state, account=account, reason=reason)


PLACING, PLACED, QUEUED = CallState.PLACING, CallState.PLACED, CallState.QUEUED


@pytest.mark.parametrize(
    ("circuits", "live", "choice"),
    [
        ((Circuit(), Circuit()), [], ("main", 2)),
        ((Circuit(), Circuit()), [call(PLACED), call(QUEUED), call(PLACED, "spare")], ("main", 1)),
        ((Circuit(), Circuit()), [call(PLACED), call(PLACING)], ("main", 0)),
        ((Circuit(), Circuit()), [call(PLACED)] * 3, ("main", 0)),
        ((Circuit(), Circuit()), [call(PLACED, "a name of yesterday")], ("main", 1)),
        ((OUT, Circuit()), [call(PLACED)], ("spare", 2)),
        ((OUT, OUT), [], None),
        ((Circuit(State.TRIAL), Circuit()), [call(PLACED)], ("main", 1)),
        ((Circuit(State.TRIAL), Circuit()), [call(PLACING)], ("spare", 2)),
        ((Circuit(State.TRIAL), Circuit()), [call(PLACING, reason="timeout")], ("main", 1)),
        ((Circuit(State.TRIAL), OUT), [call(PLACING)], None),
        ((Circuit(State.TRIAL, trials=1, tried_at=NOW), Circuit()), [], ("spare", 2)),
        ((Circuit(State.TRIAL, trials=1, tried_at=NOW), OUT), [], ("main", 1)),
        ((Circuit(State.TRIAL, trials=1, tried_at=NOW), Circuit(State.TRIAL)), [], ("main", 1)),
        ((Circuit(State.TRIAL, trials=1, tried_at=NOW - timedelta(minutes=1)), Circuit()), [], ("main", 1)),
    ],
)
async def test_which_account_is_next(
    desk: Desk, circuits: tuple[Circuit, Circuit], live: list[Call], choice: tuple[str, int] | None
) -> None:
    """The first in order with its free lines; one on trial takes one call at a time, looked-up ones not counted."""
    for account, circuit in zip(desk.accounts, circuits, strict=True):
        account.circuit = circuit
    found = desk.accounts.in_order(live)
    assert (None if found is None else (found[0].name, found[1])) == choice


@pytest.mark.parametrize(
    ("error", "live", "following"),
    [
        (GatewayUnavailable(Reason.CARRIER), [], "spare"),
        (GatewayRefused(Reason.RECIPIENT_LIMIT), [], "spare"),
        (GatewayRefused(Reason.NUMBER_INVALID), [], None),
        (GatewayUncertain(Reason.TIMEOUT), [], None),
        (GatewayUnavailable(Reason.CARRIER), [call(PLACED, "spare")] * 2, None),
    ],
)
async def test_which_account_is_asked_next(
    desk: Desk, error: GatewayError, live: list[Call], following: str | None
) -> None:
    """Another is asked where nobody was called and it has a line free; none after the last."""
    found = desk.accounts.after(error, live, ["main"])
    assert (None if found is None else found.name) == following
    assert desk.accounts.after(error, live, ["main", "spare"]) is None


@pytest.mark.parametrize(
    ("reason", "out"), [(Reason.TIMEOUT, True), (Reason.CONNECTION, True), (Reason.CARRIER, False)]
)
async def test_a_look_up_that_cannot_be_made(desk: Desk, reason: Reason, *, out: bool) -> None:
    """Where there is no way to the gateway it counts like a call that was not taken; a journal that fails does not."""
    for _ in range(4):
        desk.accounts.unreachable(desk.main, GatewayUnavailable(reason))
    assert (desk.main.circuit.state is State.OPEN) is out
    assert (desk.shown("gateway_up", gateway="main") == 0) is out


async def test_a_fault_of_ours_does_not_end_the_upkeep(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """An account whose client breaks is told of and asked again later; the worker lives on."""

    class Broken:
        async def balance(self) -> float:
            raise ZeroDivisionError

    desk.main.gateway = Broken()  # type: ignore[assignment]  # what no real client does
    assert await desk.ask() == NOW + BALANCE_EVERY
    assert "asking for the balance failed" in caplog.text


async def test_accounts_of_yesterday_show_nothing(desk: Desk) -> None:
    """After a reload a late answer to the old ones changes no metric."""
    desk.accounts.retire()
    desk.phones.faults.set(code=900)
    with pytest.raises(GatewayUnavailable):
        await desk.accounts.place(desk.main, CALL)
    await desk.ask()
    assert desk.shown("gateway_up", gateway="main") == 1
    assert math.isnan(desk.shown("gateway_balance_euros") or 0)
    assert math.isnan(desk.shown("gateway_account_balance_euros", gateway="main") or 0)


async def test_without_a_key_nobody_can_be_called() -> None:
    """An account without a key says so in its own name, and sends nothing."""
    async with open_session() as session:
        with pytest.raises(GatewayUnavailable, match=r"main\.api_key_file: there is none"):
            await open_gateway(session, replace(SETTINGS, api_url="http://127.0.0.1:9/api")).place(CALL)
