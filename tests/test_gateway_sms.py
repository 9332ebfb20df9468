"""Sending an SMS: what is asked, every form of the answer, and how one is found again whose answer was lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.clock import ManualClock
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import Dialect, Gateway, Operation, Request, open_session
from bridge.gateway.records import read_outbound
from bridge.gateway.replies import Answer, read_sent
from bridge.simulator import Era, Simulator, fails, refused, replies, silent
from bridge.sms import Delivery
from tests.gateway_company import HANG, RESET, Line, Say, open_line
from tests.simulating import ALICE, KEY, START, Receiver, receiving

TEXT = "callbridge: Disk full on db1. Reply OK to take it."
ONE = Request(f"+{ALICE}", TEXT, foreign_id="sms-1")
RECORDINGS = Path(__file__).parent / "data" / "gateway"


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as one:
        yield one


def recorded(year: int, name: str) -> str:
    entries = json.loads((RECORDINGS / f"{year}.json").read_text())
    return str(next(entry["response"]["body"] for entry in entries if entry["name"] == name))


@pytest.mark.parametrize(
    ("year", "name", "gateway_id", "price", "debug"),
    [
        (2021, "sms_default", None, None, False),
        (2021, "sms_json", None, 0.0, True),
        (2023, "sms_default", None, None, False),
        (2023, "sms_json", "77214945865", 0.075, False),
    ],
)
def test_the_recorded_answers_are_read(
    year: int, name: str, gateway_id: str | None, price: float | None, debug: bool
) -> None:
    """What the real gateway answered in both eras: a bare 100, or an object whose `debug` is a text."""
    placed = read_sent(Answer(200, recorded(year, name)))

    assert (placed.gateway_id, placed.price, placed.debug) == (gateway_id, price, debug)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(200, "202"), GatewayRefused, "number is not valid"),
        (Answer(200, '"900"'), GatewayUnavailable, "API key"),
        (Answer(200, "402"), GatewayUncertain, "same text"),
        (Answer(200, ""), GatewayUncertain, "the SMS may have been sent"),
        (Answer(502, "<html>"), GatewayUncertain, "the SMS may have been sent"),
    ],
)
def test_what_went_wrong_is_said_of_an_sms(answer: Answer, kind: type[GatewayError], said: str) -> None:
    """The same errors as of a call, and no word of a call where it is uncertain."""
    with pytest.raises(kind, match=said):
        read_sent(answer)


async def test_what_is_asked_in_each_dialect(line: Line) -> None:
    """Number, text and sender; our own id for seven, json=1 for the original API; never a ring time or xml."""
    for dialect in (Dialect.SEVEN, Dialect.SMS77):
        await line.gateway(dialect, Say("100")).send(ONE)

    plain = {"to": ALICE, "text": TEXT, "from": "49301234567"}
    assert [asked.path for asked in line.asked] == ["/api/sms", "/api/sms"]
    assert [asked.form for asked in line.asked] == [plain | {"foreign_id": "sms-1"}, plain | {"json": "1"}]
    assert line.observed == [(Operation.SMS, None)] * 2


async def test_what_the_gateway_refuses_is_left_out(line: Line) -> None:
    """An unknown parameter (308) and a sender that is not allowed (201) cost one more request, not the SMS."""
    gateway = line.gateway(Dialect.SEVEN, Say("308"), Say("201"), Say("100"), Say("100"))

    await gateway.send(ONE)
    await gateway.send(ONE)

    assert [sorted(asked.form) for asked in line.asked] == [
        ["foreign_id", "from", "text", "to"],
        ["from", "text", "to"],
        ["text", "to"],
        ["from", "text", "to"],
    ]


@pytest.mark.parametrize(("fault", "patience"), [(HANG, 0.6), (RESET, 10)])
async def test_a_lost_answer_is_uncertain(line: Line, fault: str, patience: float) -> None:
    """The phone may have it: nobody sends it again without looking."""
    gateway = line.gateway(Dialect.SEVEN, fault, timeout=timedelta(seconds=patience))

    with pytest.raises(GatewayUncertain):
        await gateway.send(ONE)


def test_the_journal_of_sms_is_read() -> None:
    """Rows with what they lack left out; a receipt in words nobody knows is unknown."""
    row = {
        "id": "77",
        "to": ALICE,
        "text": TEXT,
        "timestamp": "2026-01-05 09:00:00",
        "price": "0.075",
        "dlr": "DELIVERED",
    }
    rows, sent = read_outbound(Answer(200, json.dumps([row, row | {"id": None}, 7, row | {"id": "78", "dlr": "LOST"}])))

    assert [(one.gateway_id, one.delivery, one.cost) for one in rows] == [
        ("77", Delivery.DELIVERED, 0.075),
        ("78", Delivery.UNKNOWN, 0.075),
    ]
    assert sent == 4
    with pytest.raises(GatewayUnavailable):
        read_outbound(Answer(200, "600"))


# --- against the simulated company, written from the same fact sheet


class Company:
    """A company on a clock that stands, and a client of it."""

    def __init__(self, simulator: Simulator, clock: ManualClock, gateway: Gateway, receiver: Receiver) -> None:
        self.simulator, self.clock, self.gateway, self.receiver = simulator, clock, gateway, receiver

    async def advance(self, seconds: float) -> None:
        await self.simulator.settled()
        self.clock.advance(timedelta(seconds=seconds))
        await self.simulator.settled()


ERAS = [(Era.SMS77_2021, Dialect.SMS77), (Era.SEVEN_2023, Dialect.SMS77), (Era.SEVEN_2024, Dialect.SEVEN)]


@pytest.fixture(params=ERAS, ids=str)
async def company(request: pytest.FixtureRequest) -> AsyncIterator[Company]:
    era, dialect = request.param
    clock = ManualClock(START)
    async with Simulator(clock, era=era, key=KEY) as simulator, open_session() as session, receiving() as receiver:
        simulator.subscribe(receiver.url)
        gateway = Gateway(
            session,
            api_url=simulator.url,
            dialect=dialect,
            key=lambda: KEY,
            sender="+49 30 1234567",
            ring_time=timedelta(seconds=30),
            timeout=timedelta(seconds=10),
            debug=False,
        )
        yield Company(simulator, clock, gateway, receiver)


async def test_an_sms_is_sent_delivered_and_replied_to(company: Company) -> None:
    """Accepted with id and price, its receipt follows, and then the reply of its reader."""
    company.simulator.script_sms(ALICE, replies("Ok, mine"))

    placed = await company.gateway.send(ONE)
    await company.advance(30)

    (message,) = company.simulator.messages_to(ALICE)
    assert (placed.gateway_id, placed.price) == (message.id, 0.075)
    told = [letter.form for letter in company.receiver.letters]
    assert [one["webhook_event"] for one in told] == ["dlr", "sms_mo"]
    assert (told[0]["msg_id"], told[0]["status"]) == (message.id, "DELIVERED")
    assert (told[1]["sender"], told[1]["system"], told[1]["text"]) == (ALICE, "49301234567", "Ok, mine")
    assert company.simulator.balance == pytest.approx(50 - 0.075)


async def test_one_that_was_lost_is_found_again(company: Company) -> None:
    """The answer is lost, the journal has it: with its receipt, its price and, where it keeps ours, by our own id."""
    company.simulator.faults.set(reset_after=True, times=1, on="sms")
    with pytest.raises(GatewayUncertain):
        await company.gateway.send(ONE)
    await company.advance(5)

    row = await company.gateway.find_sms(f"+{ALICE}", TEXT, START, company.clock.now(), foreign_id="sms-1")
    other = await company.gateway.find_sms(f"+{ALICE}", "another text", START, company.clock.now(), foreign_id="sms-2")

    assert row is not None
    assert (row.gateway_id, row.delivery, row.cost) == (company.simulator.messages[0].id, Delivery.DELIVERED, 0.075)
    assert other is None


async def test_the_same_again_is_told_as_such(company: Company) -> None:
    """Within three minutes the gateway does not send the same text twice: 402 says that it has been."""
    await company.gateway.send(ONE)

    with pytest.raises(GatewayUncertain) as caught:
        await company.gateway.send(ONE)

    assert caught.value.reason is Reason.DUPLICATE
    assert len(company.simulator.messages) == 1


async def test_who_cannot_be_reached(company: Company) -> None:
    """A code refuses it, the network does not deliver it, or no receipt ever comes, as people are scripted."""
    company.simulator.script_sms(ALICE, refused(202), fails(), silent())

    with pytest.raises(GatewayRefused):
        await company.gateway.send(ONE)
    for text in ("second", "third"):
        await company.gateway.send(Request(f"+{ALICE}", text))
    await company.advance(30)

    assert [message.status for message in company.simulator.messages] == ["NOTDELIVERED", ""]


async def test_a_long_text_is_charged_by_parts(company: Company) -> None:
    """Unicode of 100 characters is two parts, and costs twice."""
    placed = await company.gateway.send(Request(f"+{ALICE}", "ж" * 100))

    assert placed.price == pytest.approx(0.15)
    assert company.simulator.messages[0].unicode
