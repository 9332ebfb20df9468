"""The accounts at the gateway, in the order of the file: which of them is asked for the next call, and which are out.

The first that is in order is used. One that takes no calls is out until a probe says that it is there again, and one
call shows that it takes them. Whatever follows a call (look-up, hang-up, journal) goes to the account of that call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp

from bridge.call import Call, CallState
from bridge.clock import Clock
from bridge.config import GatewaySettings
from bridge.errors import CallbridgeError, GatewayError, Reason
from bridge.gateway import (
    Circuit,
    Dialect,
    Gateway,
    Observe,
    Overhear,
    Placed,
    Request,
    State,
    another_may,
    answered,
    failed,
    nothing,
    probed,
    rests,
    there,
)
from bridge.logs import conceal, fields
from bridge.metrics import Metrics

log = logging.getLogger(__name__)

BALANCE_EVERY = timedelta(minutes=5)


def open_gateway(
    session: aiohttp.ClientSession,
    settings: GatewaySettings,
    observe: Observe = nothing,
    overhear: Overhear | None = None,
) -> Gateway:
    """The client of one account; its key is read anew for each request, and kept out of the log."""

    def key() -> str:
        if settings.api_key is None:
            raise CallbridgeError(f"{settings.name}.api_key_file: there is none; without a key nobody can be called")
        secret = settings.api_key.read()
        conceal(secret)
        return secret

    return Gateway(
        session,
        api_url=settings.api_url,
        dialect=Dialect(settings.dialect),
        key=key,
        sender=settings.sender,
        ring_time=settings.ring_time,
        timeout=settings.timeout,
        debug=settings.debug,
        observe=observe,
        overhear=overhear,
    )


@dataclass
class Account:
    """One account and how it is. `low`: its balance is below `min_balance`, and that has been said.

    `silent`: why it did not answer when it was asked for its balance last; "": it did. `back_at`: when it took calls
    again after it had been out.
    """

    settings: GatewaySettings
    gateway: Gateway
    circuit: Circuit = field(default_factory=Circuit)
    balance_at: datetime | None = None
    back_at: datetime | None = None
    asking: bool = False
    low: bool = False
    silent: str = ""

    @property
    def trouble(self) -> str:
        """What speaks against a call by it; "" as long as nothing does."""
        # On trial it answers, and only a call can show more: there may be none for days.
        if self.circuit.state is State.OPEN:
            return f"{self.name} takes no calls"
        if self.low:
            return f"the balance of {self.name} is below min_balance"
        return f"{self.name} does not answer: {self.silent}" if self.silent else ""

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def polls(self) -> bool:
        """Whether its journal is asked of calls that run."""
        return self.settings.reports != "webhook"


class Accounts:
    """The accounts of one config, at least one; a reload makes new ones, which are taken for being in order.

    `wake` is called when there may be work that could not be done before.
    """

    def __init__(self, accounts: Iterable[Account], metrics: Metrics, clock: Clock, wake: Callable[[], None]) -> None:
        self._all = tuple(accounts)
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        # An account has come back: calls that wait for their next try need not wait any longer.
        self.reopened = False
        self._in_force = True
        metrics.gateways({account.name: account.settings.min_balance for account in self._all})

    def retire(self) -> None:
        """Others have taken over: what is still under way here is not shown any more."""
        self._in_force = False

    def __iter__(self) -> Iterator[Account]:
        return iter(self._all)

    def of(self, name: str) -> Account:
        """The account of a call; the first, where the file knows none of that name (any more)."""
        return next((account for account in self._all if account.name == name), self._all[0])

    # --- which one

    def in_order(self, live: Sequence[Call], without: Collection[str] = ()) -> tuple[Account, int] | None:
        """The account for the next call, and how many of its lines are free (0: wait for one); None: all are out.

        `live`: the calls that are not over. Accounts named in `without` are passed over.
        """
        for account in self._all:
            state = account.circuit.state
            if account.name in without or state is State.OPEN:
                continue
            if rests(account.circuit, self._clock.now()) and not self._alone(account, without):
                continue
            free = self._free(account, live)
            if state is State.CLOSED or free > 0:
                return account, max(free, 0)
        return None

    def for_sms(self) -> list[Account]:
        """All of them in the order in which they are asked for an SMS; what one says to it changes nothing for calls.

        One that takes no calls may still send SMS, but is asked after those that are well.
        """
        return sorted(self._all, key=lambda account: account.circuit.state is State.OPEN)

    def _alone(self, account: Account, without: Collection[str] = ()) -> bool:
        """Whether no other account takes calls, but for those named in `without`."""
        others = (one for one in self._all if one is not account and one.name not in without)
        return all(one.circuit.state is not State.CLOSED for one in others)

    def _free(self, account: Account, live: Sequence[Call]) -> int:
        mine = [call for call in live if call.state is not CallState.QUEUED and self.of(call.account) is account]
        if account.circuit.state is State.TRIAL:
            # One that has a reason already is being looked up: its request is over.
            return 1 - sum(call.state is CallState.PLACING and not call.reason for call in mine)
        return account.settings.max_concurrent_calls - len(mine)

    @property
    def out(self) -> bool:
        """Whether no account at all takes calls."""
        return all(account.circuit.state is State.OPEN for account in self._all)

    @property
    def trouble(self) -> str:
        """What speaks against a call by each of them; "" if one has nothing against it."""
        found = [account.trouble for account in self._all]
        return "; ".join(found) if all(found) else ""

    def after(self, error: GatewayError, live: Sequence[Call], asked: Collection[str]) -> Account | None:
        """The account to ask at once for a call that those in `asked` did not take, for `error` at last; None: none."""
        choice = self.in_order(live, asked) if another_may(error) else None
        return choice[0] if choice is not None and choice[1] > 0 else None

    def troubled(self, call: Call) -> bool:
        """Whether the account of the call is out, or has been since the call was requested."""
        account, since = self.of(call.account), call.requested_at or call.created_at
        return account.circuit.state is not State.CLOSED or (account.back_at is not None and account.back_at >= since)

    def asked_at(self, now: datetime) -> datetime:
        """When the next account that is out is asked whether it is there again."""
        probes = (account.circuit.probe_at for account in self._all)
        return min((at for at in probes if at is not None), default=now)

    # --- what became of it

    async def place(self, account: Account, request: Request) -> Placed:
        """Request one call by `account`, and learn from the answer. Raises GatewayError."""
        try:
            placed = await account.gateway.place(request)
        except GatewayError as error:
            self._moved(account, failed(account.circuit, error, self._clock.now()), error)
            raise
        self.taken(account)
        if placed.balance is not None:
            self._balance(account, placed.balance)
        return placed

    def taken(self, account: Account) -> None:
        """A call was taken, be it known by an answer or later by the gateway's journal."""
        self._moved(account, answered(account.circuit))

    def unreachable(self, account: Account, error: GatewayError) -> None:
        """A lost call could not even be looked up: where there is no way to the gateway, the next would be lost too."""
        if account.circuit.state is State.CLOSED and error.reason in (Reason.CONNECTION, Reason.TIMEOUT):
            self._moved(account, failed(account.circuit, error, self._clock.now()), error)

    def _moved(self, account: Account, circuit: Circuit, error: GatewayError | None = None) -> None:
        before, account.circuit = account.circuit.state, circuit
        if before is circuit.state:
            return
        if self._in_force:
            self._metrics.gateway_up.labels(account.name).set(circuit.state is not State.OPEN)
        self.reopened = self.reopened or before is State.OPEN
        about = fields(gateway=account.name, err=None if error is None else str(error))
        match circuit.state:
            case State.OPEN:
                log.error(
                    "the gateway takes no calls: it is asked for its balance until it is there again", extra=about
                )
            case State.TRIAL:
                log.warning("the gateway may be there again: one call is let through", extra=about)
            case State.CLOSED:
                account.back_at = self._clock.now()
                log.warning("the gateway takes calls again", extra=about)
        self._wake()

    # --- balances and probes

    def upkeep(self, tasks: asyncio.TaskGroup) -> datetime:
        """Ask those accounts for their balance whose time has come; returns when to come back."""
        now = self._clock.now()
        for account in self._all:
            if not account.asking and self._ask_at(account, now) <= now:
                account.asking = True
                tasks.create_task(self._ask(account))
        # One that is being asked wakes the worker when it has answered.
        return min([now + BALANCE_EVERY, *(self._ask_at(one, now) for one in self._all if not one.asking)])

    def _ask_at(self, account: Account, now: datetime) -> datetime:
        if account.circuit.state is State.OPEN:
            return account.circuit.probe_at or now
        return account.balance_at or now

    async def _ask(self, account: Account) -> None:
        try:
            error = await self._balance_or_why(account)
            account.silent = "" if there(error) else str(error)
            circuit = probed(account.circuit, error, self._clock.now(), alone=self._alone(account))
            self._moved(account, circuit, error)
        except Exception:
            # A fault of ours must not end the worker: the account is asked again.
            log.exception("asking for the balance failed", extra=fields(gateway=account.name))
        finally:
            account.asking = False
            account.balance_at = self._clock.now() + BALANCE_EVERY
            self._wake()

    async def _balance_or_why(self, account: Account) -> GatewayError | None:
        try:
            self._balance(account, await account.gateway.balance())
        except GatewayError as error:
            about = fields(gateway=account.name, reason=error.reason.value, err=str(error))
            log.warning("cannot ask for the balance", extra=about)
            return error
        return None

    def _balance(self, account: Account, euros: float) -> None:
        """Show it, and say once that it is low."""
        if self._in_force and account is self._all[0]:
            self._metrics.gateway_balance_euros.set(euros)
        if self._in_force:
            self._metrics.gateway_account_balance_euros.labels(account.name).set(euros)
        least = account.settings.min_balance
        low = least is not None and euros < least
        if low and not account.low:
            about = fields(gateway=account.name, balance=euros, min_balance=least)
            log.warning("the account's balance is low: top it up before nobody can be called", extra=about)
        account.low = low
