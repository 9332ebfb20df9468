"""The doors beside calls: hooks, SMS, number lookup, caller id validation. Nothing is sent and nobody is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from yarl import URL

from bridge.simulator import dialect
from bridge.simulator.dialect import SMS_PARAMETERS, Era, Reply
from bridge.simulator.numbers import read_number
from bridge.simulator.people import REPLY_SECONDS, Answer, Kind, ScriptError
from bridge.simulator.reception import wants_json
from bridge.simulator.records import Hook, Received, TextMessage
from bridge.simulator.reports import EVENTS, METHODS, dlr
from bridge.simulator.voice import House, refusal, sender_allowed
from bridge.simulator.world import World
from bridge.sms import gsm, parts

RELOAD_LOCK = timedelta(seconds=180)  # the same SMS to the same number within it is not sent again (code 402)
LONGEST_SMS = 1520
SMS_PRICE = 0.075
DELIVERY_SECONDS = 3.0


def subscribe(
    world: World, url: str, event: str = "all", method: str = "POST", headers: str = "", filter: str | None = None
) -> Hook:
    """A new subscription; raises ScriptError in the gateway's own words."""
    if event not in EVENTS[world.account.era]:
        raise ScriptError(f"Invalid event type ({event})")
    if method.upper() not in METHODS:
        raise ScriptError(f"Invalid request method ({method})")
    if not _is_target(url):
        raise ScriptError("Invalid URL")
    hook = Hook(world.next_id("hook"), url, event, method.upper(), world.now(), headers, filter or None)
    world.hooks[hook.id] = hook
    world.stir()
    return hook


def hooks(house: House, received: Received) -> Reply:
    """GET, POST, DELETE /hooks, and the older action=read, subscribe, unsubscribe."""
    era = house.world.account.era
    action = received.parameters.get("action") or _verb(era, received.method)
    if action == "read":
        return dialect.hooks(era, house.world.hooks.values())
    if action == "subscribe":
        return _subscribe(house.world, received.parameters)
    if action == "unsubscribe":
        return dialect.as_json(era, {"success": _unsubscribe(house.world, received.parameters)})
    return dialect.not_subscribed(era, "Invalid action")


def _verb(era: Era, method: str) -> str:
    verbs = {"GET": "read", "POST": "subscribe", "DELETE": "unsubscribe"}
    return verbs.get(method, "") if era is Era.SEVEN_2024 else ""


def _subscribe(world: World, asked: Mapping[str, str]) -> Reply:
    era, event = world.account.era, asked.get("event_type", "")
    if era is Era.SMS77_2021 and event == "all" and "request_method" not in asked:
        return dialect.not_subscribed(era, "Invalid event type (all)")  # as recorded in 2021
    method, headers = asked.get("request_method", "POST"), asked.get("headers", "")
    try:
        hook = subscribe(world, asked.get("target_url", ""), event, method, headers, asked.get("event_filter"))
    except ScriptError as error:
        return dialect.not_subscribed(era, str(error))
    return dialect.subscribed(era, hook.id)


def _unsubscribe(world: World, asked: Mapping[str, str]) -> bool:
    wanted = (asked.get("target_url"), asked.get("event_type"), asked.get("request_method", "POST"))
    for hook in list(world.hooks.values()):
        if str(hook.id) == asked.get("id") or (hook.url, hook.event, hook.method) == wanted:
            del world.hooks[hook.id]
            return True
    return False


def _is_target(url: str) -> bool:
    try:
        target = URL(url, encoded=True)
        port = target.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and target.scheme in ("http", "https") and bool(target.host and port)


def sms(house: House, received: Received) -> Reply:
    """POST /sms: accepted, never sent; its receipt follows, and its reader's reply. The same within 180 s: 402."""
    world, asked = house.world, received.parameters
    number = read_number(asked.get("to", ""))
    code = _sms_objection(world, asked, number)
    if code is not None or number is None:
        return refusal(house, received, code or 202)
    debug = world.account.sandbox or asked.get("debug") in ("1", "true")
    answer = Answer(Kind.SILENT) if debug else house.exchange.text_answer_of(number)
    if answer.kind is Kind.REFUSED:
        world.note("refuse", number, words=f"code {answer.code} for an SMS")
        return refusal(house, received, answer.code)
    message = _written(world, asked, number, answer)
    if not debug:
        world.messages.append(message)
        world.note("sms", number, words=f"sent by the account: {message.text!r}")
        world.spawn(_live(house, message))
    account = world.account
    json = wants_json(account.era, received)
    return dialect.sms(account.era, message, balance=account.balance, debug=debug, wants_json=json)


def _written(world: World, asked: Mapping[str, str], number: str, answer: Answer) -> TextMessage:
    text = asked.get("text", "")
    count = parts(text)
    return TextMessage(
        id=str(world.next_id("sms")),
        to=number,
        sender=asked.get("from") or "SMS",
        text=text,
        at=world.now(),
        answer=answer,
        foreign_id=asked.get("foreign_id"),
        parts=count,
        unicode=not gsm(text),
        price=round(SMS_PRICE * count, 3),
    )


def _sms_objection(world: World, asked: Mapping[str, str], number: str | None) -> int | None:
    text = asked.get("text", "")
    since = world.now() - RELOAD_LOCK
    account = world.account
    objections = (
        (308, account.strict_parameters and bool(asked.keys() - SMS_PARAMETERS[account.era])),
        (301, not asked.get("to", "").strip()),
        (305, not text.strip()),
        (401, len(text) > LONGEST_SMS),
        (202, number is None),
        (201, not _sms_sender_allowed(account.verified, asked.get("from", ""))),
        (500, account.balance < SMS_PRICE),
        (402, any((sent.to, sent.text) == (number, text) and sent.at > since for sent in world.messages)),
    )
    return next((code for code, wrong in objections if wrong), None)


def _sms_sender_allowed(verified: frozenset[str] | None, sender: str) -> bool:
    """A name of at most eleven letters and digits, or a number as for calls."""
    if re.fullmatch(r"[A-Za-z0-9 ]{1,11}", sender) and not sender.isdigit():
        return True
    return sender_allowed(verified, sender)


async def _live(house: House, message: TextMessage) -> None:
    """The receipt, and the reply of whoever is scripted to send one."""
    world, kind = house.world, message.answer.kind
    if kind is Kind.SILENT:
        return
    due = world.after(message.at, DELIVERY_SECONDS)
    await world.sleep_until(due)
    world.account.balance -= message.price
    message.status = "NOTDELIVERED" if kind in (Kind.FAILS, Kind.BUSY, Kind.BARRED) else "DELIVERED"
    message.status_at = due
    house.courier.send(dlr(message.id, message.status, due))
    if kind is Kind.REPLIES:
        seconds = REPLY_SECONDS if message.answer.after is None else message.answer.after
        at = world.after(due, seconds)
        await world.sleep_until(at)
        house.exchange.text_from(message.to, message.answer.text, at)


def lookup(house: House, received: Received) -> Reply:
    """GET /lookup/format or /lookup?type=format, for German numbers; others are not known here."""
    era, number = house.world.account.era, read_number(received.parameters.get("number", ""))
    if number is None or not number.startswith("49"):
        return dialect.as_json(era, {"success": False})
    area, rest = number[2:5], number[5:]
    found = {
        "success": True,
        "national": f"0{area} {rest}",
        "international": f"+{number}",
        "international_formatted": f"+49 {area} {rest}",
        "country_name": "Germany",
        "country_code": "49",
        "country_iso": "DE",
        "carrier": "T-Mobile",
        "network_type": "mobile",
    }
    return dialect.as_json(era, found)


def validate(house: House, received: Received) -> Reply:
    """POST /validate_for_voice in its three forms; unlike the real one it calls nobody."""
    account, written = house.world.account, received.parameters.get("number", "")
    number = read_number(written)
    if account.sandbox:
        return dialect.as_json(account.era, {"success": True})
    if number is None:
        invalid = {"id": None, "sender": written, "formatted_output": None, "success": False}
        return dialect.as_json(account.era, invalid | {"error": "The number is invalid.", "voice": False})
    if account.verified is not None and number in account.verified:
        known = {"id": 12345, "sender": number, "formatted_output": f"+{number}", "success": True}
        return dialect.as_json(account.era, known | {"error": "The sender ID is already saved.", "voice": True})
    return dialect.as_json(account.era, {"success": True, "code": "396177", "error": None})
