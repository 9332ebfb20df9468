"""The telephone company as one object: start it, script its people, look at what it did."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from bridge.clock import Clock, SystemClock
from bridge.errors import CallbridgeError
from bridge.simulator import control, doors
from bridge.simulator.courier import Courier
from bridge.simulator.dialect import Era
from bridge.simulator.exchange import Exchange
from bridge.simulator.faults import Faults
from bridge.simulator.neighbours import subscribe
from bridge.simulator.numbers import read_number
from bridge.simulator.people import Answer, Person, ScriptError
from bridge.simulator.records import Delivery, Event, Hook, PhoneCall, Received, TextMessage
from bridge.simulator.voice import House
from bridge.simulator.world import Account, World


class Simulator:
    """A fake telephone company: speaks the gateway's API, rings scripted people, sends reports, never dials.

    One second of its world lasts `scale` seconds on `clock`; `balance` is in euro; `verified` are the allowed caller
    ids (None: any); whoever is not scripted sleeps; `tell` is given each line of the story. Its time is the clock's
    alone, so that a ManualClock drives it; only the 5 s that a receiver of reports may take are real.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        era: Era = Era.SEVEN_2024,
        key: str = "simulator-key",
        balance: float = 50.0,
        scale: float = 1.0,
        signing_key: str = "",
        verified: Iterable[str] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        senders = None if verified is None else frozenset(_digits(number) for number in verified)
        self.account = Account(era, key, balance, signing_key=signing_key, verified=senders)
        self._world = World(clock, self.account, scale, tell)
        self._courier = Courier(self._world)
        self._exchange = Exchange(self._world, self._courier)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the API's base address (`http://127.0.0.1:…/api`).

        Raises CallbridgeError for a host that is not loopback or a port that is taken.
        """
        address = _loopback(host)
        house = House(self._world, self._exchange, self._courier)
        app = web.Application()
        app.add_routes([*doors.routes(house), *control.routes(house)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as error:
            await runner.cleanup()
            raise CallbridgeError(f"the simulator cannot listen on {host}:{port}: {error.strerror}") from error
        await self._courier.start()
        self._world.stopping.clear()
        self._runner = runner
        bound = runner.addresses[0][1]
        self.url = f"http://[{address}]:{bound}/api" if ":" in address else f"http://{address}:{bound}/api"
        return self.url

    async def stop(self) -> None:
        """Stop within a few seconds, whatever hangs; raises what went wrong inside, if anything did.

        Calls and retries end with it; what happened is remembered, and `start` may be called again.
        """
        runner, self._runner = self._runner, None
        try:
            await self._world.stop()
        finally:
            await self._courier.stop()
            if runner is not None:
                await runner.cleanup()

    async def __aenter__(self) -> Self:
        if self._runner is None:
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def script(self, number: str, *answers: Answer) -> Person:
        """Let whoever has `number` (in any form) behave so on their next calls, in turn; the last repeats."""
        before = self._world.people.get(_digits(number))
        person = Person(_digits(number), list(answers), texts=before.texts if before else [])
        self._world.people[person.number] = person
        return person

    def script_sms(self, number: str, *answers: Answer) -> Person:
        """Let whoever has `number` behave so on their next SMS, in turn; the last repeats (see `Person`)."""
        digits = _digits(number)
        person = self._world.people.setdefault(digits, Person(digits, [self._world.stranger]))
        person.texts = list(answers)
        return person

    def messages_to(self, number: str) -> list[TextMessage]:
        """The SMS to `number` (in any form), in the order in which they were accepted."""
        digits = _digits(number)
        return [message for message in self._world.messages if message.to == digits]

    def subscribe(self, url: str, *, event: str = "all", method: str = "POST", headers: str = "") -> Hook:
        """Send reports to `url`: as a form (POST), in the query (GET) or as JSON; raises ScriptError."""
        return subscribe(self._world, url, event, method, headers)

    def send_sms(self, number: str, text: str) -> None:
        """Let whoever has `number` send an SMS to the account now."""
        self._exchange.text_from(_digits(number), text)

    def press(self, number: str, digit: str) -> None:
        """Let whoever has `number` press a key now."""
        self._exchange.press(_digits(number), digit)

    def calls_to(self, number: str) -> list[PhoneCall]:
        """The calls to `number` (in any form), in the order in which they were requested."""
        digits = _digits(number)
        return [call for call in self._world.calls if call.to == digits]

    async def until(self, predicate: Callable[[], object], timeout: float = 5.0) -> None:
        """Return once `predicate()` holds, asked again whenever something happens here; `timeout` in real seconds.

        Raises TimeoutError with the story so far.
        """
        await self._world.until(predicate, timeout)

    async def settled(self, timeout: float = 5.0) -> None:
        """Return once all that is due on the clock has happened and its reports have been tried."""
        await self._world.until(self._world.settled, timeout)

    @property
    def stranger(self) -> Answer:
        """How those behave whom nobody scripted."""
        return self._world.stranger

    @stranger.setter
    def stranger(self, answer: Answer) -> None:
        self._world.stranger = answer

    @property
    def era(self) -> Era:
        return self.account.era

    @property
    def balance(self) -> float:
        """Euro."""
        return self.account.balance

    @balance.setter
    def balance(self, euro: float) -> None:
        self.account.balance = euro

    @property
    def faults(self) -> Faults:
        return self._world.faults

    @property
    def people(self) -> Mapping[str, Person]:
        return self._world.people

    @property
    def calls(self) -> list[PhoneCall]:
        return self._world.calls

    @property
    def requests(self) -> list[Received]:
        return self._world.requests

    @property
    def messages(self) -> list[TextMessage]:
        return self._world.messages

    @property
    def hooks(self) -> Mapping[int, Hook]:
        return self._world.hooks

    @property
    def deliveries(self) -> list[Delivery]:
        return self._world.deliveries

    @property
    def events(self) -> list[Event]:
        return self._world.events


async def run(
    host: str,
    port: int,
    era: Era,
    key: str,
    people: Mapping[str, list[Answer]],
    hook_url: str | None,
    tell: Callable[[str], None],
    *,
    scale: float = 1.0,
    clock: Clock | None = None,
    readers: Mapping[str, list[Answer]] | None = None,
) -> None:
    """Be a telephone company until cancelled: the face for the command line. `readers`: what people do with an SMS.

    Raises CallbridgeError if it cannot start, ScriptError for a number or a URL that is none.
    """
    simulator = Simulator(clock or SystemClock(), era=era, key=key, scale=scale, tell=tell)
    for number, answers in people.items():
        simulator.script(number, *answers)
    for number, answers in (readers or {}).items():
        simulator.script_sms(number, *answers)
    if hook_url is not None:
        simulator.subscribe(hook_url)
    await simulator.start(host, port)
    async with simulator:
        tell(f"a telephone company that never dials: {simulator.url}")
        tell(f"it takes orders at {simulator.url.removesuffix('api')}control")
        await asyncio.get_running_loop().create_future()


def _loopback(host: str) -> str:
    """The address to bind; only this machine's own may be asked for, since there is no lock on the control API."""
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        if ipaddress.ip_address(address).is_loopback:
            return address
    except ValueError:
        pass
    raise CallbridgeError(f"the simulator listens on loopback only, not on {host!r}: use 127.0.0.1")


def _digits(number: str) -> str:
    digits = read_number(number)
    if digits is None:
        raise ScriptError(f"{number!r} is no telephone number (such as +49 171 1234567)")
    return digits
