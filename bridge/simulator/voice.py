"""The doors for calls: place one, end one, look them up, ask for the balance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.simulator import dialect
from bridge.simulator.courier import Courier
from bridge.simulator.dialect import PARAMETERS, Era, Recipient, Reply
from bridge.simulator.exchange import Exchange
from bridge.simulator.numbers import read_number
from bridge.simulator.people import Kind
from bridge.simulator.reception import wants_json, whole_number
from bridge.simulator.records import PhoneCall, Received
from bridge.simulator.world import SHARED_NUMBER, Account, World

LONGEST_TEXT = 10_000
LONGEST_SENDER = 16
RING_TIMES = range(5, 61)
LONGEST_JOURNAL = 100
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class House:
    """What a door needs: the world, and those who act in it."""

    world: World
    exchange: Exchange
    courier: Courier


def refusal(house: House, received: Received, code: int) -> Reply:
    """The answer `code`, in the form of the era and of what was asked for."""
    era = house.world.account.era
    form = house.world.faults.word("error_form")
    return dialect.refusal(era, code, wants_json(era, received), form)


def place(house: House, received: Received) -> Reply:
    """POST or GET /voice: to, text, and from, xml, json, debug, ringtime, foreign_id where the era has them."""
    asked = received.parameters
    numbers = _numbers(house.world, asked)
    code = _objection(house.world, asked) or (None if any(numbers) else 202)
    if code is None and house.world.account.balance < house.world.account.price * len(numbers):
        code = 500
    if code is not None:
        return refusal(house, received, code)
    account = house.world.account
    debug = account.sandbox or (asked.get("debug") in ("1", "true") and not account.ignores_debug)
    recipients = [_recipient(house, received, number, debug) for number in numbers]
    refused = recipients[0].code if len(recipients) == 1 else None
    return refusal(house, received, refused) if refused else _accepted(house.world, received, recipients, debug)


def _accepted(world: World, received: Received, recipients: list[Recipient], debug: bool) -> Reply:
    account = world.account
    return dialect.voice(
        account.era,
        recipients,
        sender=_sender(received.parameters),
        text=received.parameters["text"],
        price=account.price,
        balance=account.balance,
        debug=debug,
        wants_json=wants_json(account.era, received),
        string_ids=world.faults.flag("string_ids"),
    )


def _objection(world: World, asked: Mapping[str, str]) -> int | None:
    """The code for a request that cannot be, in the order in which the gateway's list names them."""
    account = world.account
    era = account.era
    objections = (
        (308, account.strict_parameters and bool(asked.keys() - PARAMETERS[era])),
        (301, not asked.get("to", "").strip()),
        (305, not asked.get("text", "").strip()),
        (401, len(asked.get("text", "")) > LONGEST_TEXT),
        (201, not sender_allowed(account.verified, asked.get("from", ""))),
        # Undocumented for a ring time out of bounds; the code for an unsupported parameter comes nearest.
        (308, era is Era.SEVEN_2024 and not _ring_time_allowed(asked.get("ringtime"))),
    )
    return next((code for code, wrong in objections if wrong), None)


def sender_allowed(verified: frozenset[str] | None, sender: str) -> bool:
    """Whether the account may show this number; none at all is allowed."""
    if not sender.strip():
        return True
    digits = read_number(sender)
    known = verified is None or digits in verified or digits == SHARED_NUMBER
    return digits is not None and len(digits) <= LONGEST_SENDER and known


def _ring_time_allowed(said: str | None) -> bool:
    return said is None or whole_number(said) in RING_TIMES


def _sender(asked: Mapping[str, str]) -> str:
    return read_number(asked.get("from", "")) or SHARED_NUMBER


def _numbers(world: World, asked: Mapping[str, str]) -> list[str | None]:
    """The recipients as digits, None for what is none. Only since 2024 may there be several."""
    to = asked.get("to", "")
    names = to.split(",") if world.account.era is Era.SEVEN_2024 else [to]
    contacts = world.account.contacts
    written = [number for name in names for number in contacts.get(name.strip(), name).split(",")]
    if world.account.era is not Era.SEVEN_2024:
        written = written if len(written) == 1 else [""]
    return [read_number(number) for number in written]


def _recipient(house: House, received: Received, number: str | None, debug: bool) -> Recipient:
    if number is None:
        return Recipient("", None, 202)
    if debug:
        return Recipient(number, None)
    answer = house.exchange.answer_of(number)
    if answer.kind is Kind.REFUSED:
        house.world.note("refuse", number, words=f"code {answer.code}")
        return Recipient(number, None, answer.code)
    era, asked = house.world.account.era, received.parameters
    said = whole_number(asked.get("ringtime")) if era is not Era.SMS77_2021 else None
    ring_time = float(said) if said is not None and said in RING_TIMES else house.world.account.ring_time
    call = house.exchange.connect(
        number,
        answer,
        sender=_sender(asked),
        text=asked["text"],
        xml=asked.get("xml") in ("1", "true"),
        foreign_id=asked.get("foreign_id") if era is Era.SEVEN_2024 else None,
        ring_time=ring_time,
        request=received,
    )
    return Recipient(number, call.id)


def hang_up(house: House, received: Received) -> Reply:
    """POST /voice/{id}/hangup: only a call that is in progress can be ended."""
    number = received.path.rsplit("/", 2)[1]
    call = next((call for call in house.world.calls if str(call.id) == number), None)
    if call is None:
        return dialect.as_json(house.world.account.era, {"success": False, "error": "Call not found"})
    ended = house.exchange.hang_up(call)
    error = None if ended else "Only calls with the status in-progress can be ended"
    return dialect.as_json(house.world.account.era, {"success": ended, "error": error})


def balance(house: House, received: Received) -> Reply:
    """GET /balance."""
    account = house.world.account
    return dialect.balance(account.era, account.balance, wants_json(account.era, received))


def journal(house: House, received: Received) -> Reply:
    """GET /journal?type= or /journal/voice, /journal/outbound: newest first.

    id, to, date_from and date_to (Berlin) filter, and the state of a call.
    """
    asked, account = received.parameters, house.world.account
    kind = received.path.rstrip("/").rpartition("/")[2]
    kind = asked.get("type", "") if kind == "journal" else kind
    offset = whole_number(asked.get("offset")) or 0
    limit = min(whole_number(asked.get("limit")) or LONGEST_JOURNAL, LONGEST_JOURNAL)
    if kind == "outbound":
        sent = [one for one in reversed(house.world.messages) if _found(one.id, one.to, one.at, asked)]
        return dialect.outbound(account.era, sent[offset : offset + limit])
    rows = [call for call in reversed(house.world.calls) if kind == "voice" and _listed(call, account, asked)]
    return dialect.journal(account.era, rows[offset : offset + limit])


def _listed(call: PhoneCall, account: Account, asked: Mapping[str, str]) -> bool:
    there = call.over or not account.journal_at_end
    same_state = asked.get("state", call.status) == call.status
    return there and same_state and _found(str(call.id), call.to, call.requested_at, asked)


def _found(id_: str, to: str, at: datetime, asked: Mapping[str, str]) -> bool:
    day = dialect.berlin(at)[:10]
    earliest, latest = asked.get("date_from", ""), asked.get("date_to", "")
    return (
        asked.get("id", id_) == id_
        and ("to" not in asked or read_number(asked["to"]) == to)
        and (not _DAY.fullmatch(earliest) or earliest <= day)
        and (not _DAY.fullmatch(latest) or day <= latest)
    )
