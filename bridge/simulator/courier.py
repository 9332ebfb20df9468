"""Delivers reports to the hooks of the account, with the vendor's patience and the faults that are set."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import aiohttp
from yarl import URL

from bridge.simulator.dialect import Era
from bridge.simulator.people import Happening
from bridge.simulator.records import FINAL, Delivery, Hook, PhoneCall
from bridge.simulator.reports import (
    EVENTS,
    Letter,
    Report,
    gather_action,
    gathered,
    own_headers,
    signed,
    voice_status,
    write,
)
from bridge.simulator.world import World

TIMEOUT_SECONDS = 5.0  # real ones: what the vendor waits for a receiver's answer
_MINUTE, _HOUR = 60.0, 3600.0
# The vendor's page of 2021: hourly, six times in all. The newer one: fourteen over some three and a half days, of which
# the first six are documented and the rest is spread over what remains.
_OLD_GAPS = (_HOUR,) * 5
_NEW_GAPS = (
    *(_MINUTE, 5 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR),
    *(4 * _HOUR, 6 * _HOUR, 8 * _HOUR, 12 * _HOUR, 12 * _HOUR, 12 * _HOUR, 12 * _HOUR, 12 * _HOUR),
)
_AGAIN = frozenset({429, 500, 502, 503, 504})


class Courier:
    """Takes reports to the hooks: first tries in the order of the call's life, retries as they come due."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._session: aiohttp.ClientSession | None = None
        self._held: dict[int, list[Report]] = {}

    async def start(self) -> None:
        # A connection is never kept: a receiver that restarts between two reports must not cost one.
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def report(self, call: PhoneCall, status: Happening) -> None:
        """Tell the hooks that `call` has just come to `status`."""
        world = self._world
        word = world.faults.word("unknown_status") if status is Happening.IN_PROGRESS else None
        made = voice_status(
            call,
            word or status.value,
            call.statuses[-1][1],
            era=world.account.era,
            numbers=world.faults.flag("number_ids"),
            foreign_id=not world.faults.flag("omit_foreign_id"),
        )
        if status is Happening.INITIATED and world.faults.flag("reverse_reports"):
            self._held[call.id] = []
        if call.id not in self._held:
            return self.send(made, call)
        self._held[call.id].append(made)
        if status in FINAL:
            for held in reversed(self._held.pop(call.id)):
                self.send(held, call)
        return None

    def send(self, report: Report, call: PhoneCall | None = None) -> None:
        """Send `report` to every hook that listens for it, if the era has it; those of one call keep their order."""
        faults = self._world.faults
        if report.event not in EVENTS[self._world.account.era]:
            return
        if faults.flag("drop_reports"):
            self._world.note("drop", call=report.call, words=f"{report.event} {report.status}".strip())
            return
        copies = 2 if faults.flag("duplicate_reports") else 1
        delay = faults.number("delay_reports") or 0.0
        shape = faults.word("report_shape")
        turn = call.turn if call is not None else asyncio.Lock()
        for hook in self._listeners(report):
            for _ in range(copies):
                self._world.spawn(self._deliver(hook, report, shape, delay, turn))

    def _listeners(self, report: Report) -> list[Hook]:
        return [hook for hook in self._world.hooks.values() if _listens(hook, report)]

    async def _deliver(self, hook: Hook, report: Report, shape: str | None, delay: float, turn: asyncio.Lock) -> None:
        world = self._world
        await world.sleep_until(world.after(report.at, delay))
        async with turn:
            done = await self._attempt(hook, report, shape, 1)
        for attempt, gap in enumerate(self._gaps(), start=2):
            if done:
                return
            await world.sleep_until(world.after(world.now(), gap))
            done = await self._attempt(hook, report, shape, attempt)

    def _gaps(self) -> Sequence[float]:
        return _NEW_GAPS if self._world.account.era is Era.SEVEN_2024 else _OLD_GAPS

    async def _attempt(self, hook: Hook, report: Report, shape: str | None, attempt: int) -> bool:
        """Whether that was the end of it: kept, or refused for good."""
        answer, error = await self._post(hook, report, shape)
        made = Delivery(self._world.now(), hook.id, report.event, report.call, report.status, attempt, answer, error)
        self._world.deliveries.append(made)
        self._world.stir()
        if made.kept:
            return True
        words = f"hook {hook.id}, attempt {attempt}: {error or f'answered {answer}'}"
        self._world.note("unkept", call=report.call, words=words)
        return not self._again(answer)

    def _again(self, answer: int | None) -> bool:
        if answer is None:
            return True
        return answer in _AGAIN if self._world.account.era is Era.SEVEN_2024 else answer == 500

    def gather(self, call: PhoneCall, digit: str) -> None:
        """Bring a pressed key to the address that the call's XML names, as Twilio does (`<Gather action>`)."""
        url = gather_action(call.text) if call.xml and self._world.account.era is not Era.SEVEN_2024 else None
        if url is not None:
            self._world.spawn(self._gather(call, gathered(call, url, digit)))

    async def _gather(self, call: PhoneCall, letter: Letter) -> None:
        async with call.turn:
            answer, error = await self._request(letter, {})
        made = Delivery(self._world.now(), 0, "gather", call.id, "", 1, answer, error)
        self._world.deliveries.append(made)
        self._world.stir()

    async def _post(self, hook: Hook, report: Report, shape: str | None) -> tuple[int | None, str]:
        account = self._world.account
        letter = write(report, hook, shape, account.era)
        headers = own_headers(hook)
        if account.signing_key:
            headers |= signed(account.signing_key, letter, self._world.now(), secrets.token_hex(16))
        return await self._request(letter, headers)

    async def _request(self, letter: Letter, headers: dict[str, str]) -> tuple[int | None, str]:
        assert self._session is not None, "the courier was not started"
        if letter.content_type:
            headers["Content-Type"] = letter.content_type
        body = letter.body or None
        try:
            # The URL is signed, so it must go out exactly as it was written.
            url = URL(letter.url, encoded=True)
            async with self._session.request(
                letter.method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status, ""
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # Only the kind: the text of the error would carry the receiver's URL, and with it its token.
            return None, type(error).__name__


def _listens(hook: Hook, report: Report) -> bool:
    if not hook.enabled or hook.event not in ("all", report.event):
        return False
    # A filter is for inbound numbers; on any other event it prevents delivery (documented in 2026).
    return not hook.filter or (report.event == "sms_mo" and report.fields.get("system") == hook.filter)
