"""The client and the simulated telephone company, written apart from one fact sheet: do they understand each other?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.call import CallStatus, Report
from bridge.clock import ManualClock
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import (
    Dialect,
    Gateway,
    HookMethod,
    Keypress,
    Reply,
    Request,
    Told,
    open_session,
    read_reports,
    verify_signature,
)
from bridge.simulator import Auth, Era, Simulator, answers, presses, replies, sleeps

KEY = "simulator-key"
SIGNING_KEY = "signing-key"
NUMBER = "+491719990001"
CALL = Request(NUMBER, "Disk full on db1.", foreign_id="01J-CALL")
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RING_TIME = timedelta(seconds=30)

ERAS = [(Era.SMS77_2021, Dialect.SMS77), (Era.SEVEN_2023, Dialect.SMS77), (Era.SEVEN_2023, Dialect.SEVEN)]
ERAS += [(Era.SEVEN_2024, Dialect.SEVEN), (Era.SEVEN_2024, Dialect.SMS77)]


@dataclass
class Line:
    """A company, its clock, and one client of it; `hasty` is the same with little patience for an answer."""

    clock: ManualClock
    company: Simulator
    gateway: Gateway
    hasty: Gateway


@pytest.fixture
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    era, dialect = request.param
    clock = ManualClock(NOW)
    async with Simulator(clock, era=era, key=KEY, signing_key=SIGNING_KEY) as company, open_session() as session:

        def gateway(seconds: float) -> Gateway:
            return Gateway(
                session,
                api_url=company.url,
                dialect=dialect,
                key=lambda: KEY,
                sender=None,
                ring_time=RING_TIME,
                timeout=timedelta(seconds=seconds),
                debug=False,
            )

        yield Line(clock, company, gateway(10), gateway(0.3))


every_era = pytest.mark.parametrize("line", ERAS, indirect=True, ids=[f"{era}-{dialect}" for era, dialect in ERAS])


@every_era
async def test_a_call_is_placed(line: Line) -> None:
    """In every era the company rings the number with the text, knows the id, and saw the key in the header alone."""
    placed = await line.gateway.place(CALL)
    (call,) = line.company.calls
    assert (call.to, call.text, str(call.id)) == ("491719990001", CALL.text, placed.gateway_id)
    assert not placed.debug
    assert [(asked.auth, asked.key_in_url) for asked in line.company.requests] == [(Auth.HEADER, False)]


def _break(company: Simulator, fault: str) -> None:
    knobs: dict[str, Any] = {fault: True}
    company.faults.set(times=1, **knobs)


@every_era
@pytest.mark.parametrize("fault", ["hang_after", "reset_after", "reply_502_after", "empty_body", "truncated_body"])
async def test_a_call_whose_answer_is_lost_is_found(line: Line, fault: str) -> None:
    """However the answer is lost, the call is uncertain and the logbook has it."""
    _break(line.company, fault)
    with pytest.raises(GatewayUncertain):
        await (line.hasty if fault.startswith("hang") else line.gateway).place(CALL)
    row = await line.gateway.find(NUMBER, CALL.text, NOW, line.clock.now())
    assert row is not None
    assert row.gateway_id == str(line.company.calls[0].id)


@every_era
@pytest.mark.parametrize("fault", ["hang_before", "reset_before", "reply_502"])
async def test_a_call_that_was_never_requested_is_not_found(line: Line, fault: str) -> None:
    """Where the company never had the request, the logbook does not make one up."""
    _break(line.company, fault)
    with pytest.raises(GatewayUncertain):
        await (line.hasty if fault.startswith("hang") else line.gateway).place(CALL)
    assert await line.gateway.find(NUMBER, CALL.text, NOW, line.clock.now()) is None


@every_era
@pytest.mark.parametrize("form", ["number", "string", "object"])
@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        (202, GatewayRefused, Reason.NUMBER_INVALID),
        (402, GatewayUncertain, Reason.DUPLICATE),
        (403, GatewayRefused, Reason.RECIPIENT_LIMIT),
        (500, GatewayUnavailable, Reason.NO_CREDIT),
        (600, GatewayUnavailable, Reason.CARRIER),
        (900, GatewayUnavailable, Reason.AUTHENTICATION),
    ],
)
async def test_codes_in_every_form(line: Line, form: str, code: int, error: type[GatewayError], reason: Reason) -> None:
    """A code means the same in every era and however it is written."""
    line.company.faults.set(code=code, error_form=form)
    with pytest.raises(error) as raised:
        await line.gateway.place(CALL)
    assert (raised.value.reason, raised.value.code) == (reason, code)
    assert line.company.calls == []


@every_era
async def test_strict_parameters_still_ring(line: Line) -> None:
    """A company that refuses what it does not know rings nevertheless, and once."""
    line.company.account.strict_parameters = True
    await line.gateway.place(CALL)
    await line.gateway.place(CALL)
    assert len(line.company.calls) == 2


@every_era
async def test_the_neighbouring_doors(line: Line) -> None:
    """Balance and subscriptions are understood in every era."""
    assert await line.gateway.balance() == 50.0
    hook = await line.gateway.subscribe("http://127.0.0.1:9/hook", "voice_status", "JSON")
    assert [(one.id, one.event_type, one.request_method) for one in await line.gateway.hooks()] == [
        (hook, "voice_status", "JSON")
    ]
    assert await line.gateway.unsubscribe(hook) is True
    assert await line.gateway.hooks() == ()


@pytest.mark.parametrize("line", [(Era.SEVEN_2024, Dialect.SEVEN)], indirect=True)
async def test_hanging_up(line: Line) -> None:
    """A ringing call cannot be ended; one in progress can."""
    line.company.script(NUMBER, answers(after=4, listens=60))
    placed = await line.gateway.place(CALL)
    assert placed.gateway_id is not None
    assert await line.gateway.hang_up(placed.gateway_id) is False
    (call,) = line.company.calls
    while call.status != "in-progress":
        line.clock.advance(timedelta(seconds=1))
        await line.company.settled()
    assert await line.gateway.hang_up(placed.gateway_id) is True
    await line.company.until(lambda: call.over)
    row = (await line.gateway.journal(number=NUMBER, since=NOW, until=line.clock.now()))[0]
    assert (row.gateway_id, row.status, row.text) == (placed.gateway_id, CallStatus.COMPLETED, CALL.text)


@dataclass
class Receiver:
    """Where reports are delivered: what was told, and whether each was signed."""

    clock: ManualClock
    told: list[Told] = field(default_factory=list)
    genuine: list[bool] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        content_type, query = request.headers.get("Content-Type", ""), request.rel_url.raw_query_string
        self.told += read_reports(content_type=content_type, query=query, body=body)
        url = f"http://{request.host}{request.raw_path}"
        nonce = verify_signature(
            key=SIGNING_KEY, headers=request.headers, method=request.method, url=url, body=body, now=self.clock.now()
        )
        self.genuine.append(nonce is not None)
        return web.Response()


@every_era
@pytest.mark.parametrize("method", ["POST", "GET", "JSON"])
async def test_reports_are_understood(line: Line, method: HookMethod) -> None:
    """Each report of a call's life, a pressed key and a reply arrive signed, and say whom they are of."""
    receiver = Receiver(line.clock)
    app = web.Application()
    app.router.add_route("*", "/hook", receiver.take)
    async with TestServer(app) as server:
        await line.gateway.subscribe(str(server.make_url("/hook")), "all", method)
        line.company.script(NUMBER, presses("5", after=2, listens=3), replies("on it", after=2, listens=3), sleeps())
        for _ in range(3):
            await line.gateway.place(CALL)
            while not all(call.over for call in line.company.calls):
                line.clock.advance(timedelta(seconds=1))
                await line.company.settled()
    reports = [one for one in receiver.told if isinstance(one, Report)]
    assert {one.gateway_id for one in reports} == {str(call.id) for call in line.company.calls}
    assert {one.recipient for one in reports} == {"491719990001"}
    finals = [one.status for one in reports if one.status in (CallStatus.COMPLETED, CallStatus.NO_ANSWER)]
    assert finals == [CallStatus.COMPLETED, CallStatus.COMPLETED, CallStatus.NO_ANSWER]
    assert CallStatus.UNKNOWN not in {one.status for one in reports}
    pressed = [("491719990001", "5")] if line.company.era is Era.SEVEN_2024 else []  # there was no such event before
    assert [(one.number, one.digit) for one in receiver.told if isinstance(one, Keypress)] == pressed
    assert [one for one in receiver.told if isinstance(one, Reply)] == [Reply("491719990001", "on it")]
    assert receiver.genuine
    assert all(receiver.genuine)
