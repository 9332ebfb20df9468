"""The control API of a running simulator: JSON in and out, on the same port, without a key, never for a web page.

GET  /control/calls                          every call: number, words, statuses with times, overlap, …
GET  /control/messages                       every SMS that the account sent, and its receipt
GET  /control/requests                       every request of the API: method, url, parameters; the key left out
GET  /control/deliveries                     every attempt to deliver a report, and what the receiver answered
GET  /control/events                         the story so far, line by line
POST /control/people   {"number": "+49 171 1234567", "answers": ["sleeps", "presses:5", {"kind": "mailbox"}]}
                       and "sms": ["replies:OK"] for the SMS they get; either may be left out
POST /control/faults   {"hang_after": true, "times": 1, "on": "voice"}     see bridge.simulator.faults; {} takes all off
POST /control/hooks    {"url": "http://…", "event": "all", "method": "POST", "headers": "Name: value"}
POST /control/sms      {"from": "+49 171 1234567", "text": "OK"}   somebody sends an SMS: the event sms_mo
POST /control/keypress {"from": "+49 171 1234567", "digit": "1"}   somebody presses a key: voice_dtmf
POST /control/inbound  {"from": "+49 171 1234567"}                 somebody calls the account: voice_call
POST /control/account  {"balance": 50, "era": "seven-2024", "sandbox": false, "strict_parameters": false, …}
POST /control/reset                          forgets people, calls, hooks, faults and the story

Answers 200 with what was set, or 400 with {"error": "one line"}.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

from aiohttp import web

from bridge.simulator.dialect import Era
from bridge.simulator.neighbours import subscribe
from bridge.simulator.numbers import read_number
from bridge.simulator.people import Answer, Person, ScriptError, make_answer, parse_answer
from bridge.simulator.records import Delivery, Received
from bridge.simulator.reports import EVENTS, voice_call
from bridge.simulator.voice import House
from bridge.simulator.world import SHARED_NUMBER

Said = Mapping[str, object]
Order = Callable[[House, Said], object]
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(house: House) -> list[web.RouteDef]:
    """The paths under /control."""
    orders: dict[str, Order] = {
        "people": _people,
        "faults": _faults,
        "hooks": _hooks,
        "sms": _sms,
        "keypress": _keypress,
        "inbound": _inbound,
        "account": _account,
    }
    views: dict[str, Callable[[House], object]] = {
        "calls": lambda house: [call.as_json() for call in house.world.calls],
        "messages": lambda house: [message.as_json() for message in house.world.messages],
        "requests": lambda house: [_request(received) for received in house.world.requests],
        "deliveries": lambda house: [_delivery(delivery) for delivery in house.world.deliveries],
        "events": lambda house: [event.as_json() for event in house.world.events],
    }
    posts = [web.post(f"/control/{name}", _ordered(house, order)) for name, order in orders.items()]
    gets = [web.get(f"/control/{name}", _viewed(house, view)) for name, view in views.items()]
    return [*posts, *gets, web.post("/control/reset", _reset(house))]


def answers_of(said: object) -> list[Answer]:
    """Answers from a list of short forms or of objects with `kind`; raises ScriptError."""
    if not isinstance(said, list) or not said:
        raise ScriptError('answers must be a list such as ["sleeps", "presses:5"]')
    return [_answer(each) for each in said]


def _answer(said: object) -> Answer:
    if isinstance(said, str):
        return parse_answer(said)
    if not isinstance(said, dict) or not isinstance(said.get("kind"), str):
        raise ScriptError(f'an answer is a word such as "sleeps" or an object with "kind", not {said!r}')
    return make_answer(said["kind"], {key: value for key, value in said.items() if key != "kind"})


def _ordered(house: House, order: Order) -> Handle:
    async def carry_out(request: web.Request) -> web.Response:
        try:
            _not_from_a_page(request)
            return web.json_response(order(house, _object(await request.read())))
        except ScriptError as error:
            return web.json_response({"error": str(error)}, status=400)

    return carry_out


def _viewed(house: House, view: Callable[[House], object]) -> Handle:
    async def show(request: web.Request) -> web.Response:
        return web.json_response(view(house))

    return show


def _reset(house: House) -> Handle:
    async def reset(request: web.Request) -> web.Response:
        try:
            _not_from_a_page(request)
        except ScriptError as error:
            return web.json_response({"error": str(error)}, status=400)
        await house.world.forget()
        return web.json_response({})

    return reset


def _not_from_a_page(request: web.Request) -> None:
    """A page in the operator's browser can post to loopback; nothing that comes from one is obeyed."""
    if "Origin" in request.headers:
        raise ScriptError("the control API takes no orders from web pages (the request has an Origin header)")


def _object(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body or b"{}")
        json.dumps(said, ensure_ascii=False).encode()  # half a surrogate pair could not be sent on
    except (ValueError, RecursionError):
        raise ScriptError("the body is not JSON") from None
    if not isinstance(said, dict):
        raise ScriptError("the body must be a JSON object")
    return said


def _people(house: House, said: Said) -> object:
    number = _number(said, "number")
    texts = answers_of(said["sms"]) if "sms" in said else []
    answers = answers_of(said.get("answers")) if "answers" in said or not texts else []
    house.world.people[number] = Person(number, answers, texts=texts)
    told: dict[str, object] = {"number": number, "answers": [answer.kind.value for answer in answers]}
    return told | ({"sms": [answer.kind.value for answer in texts]} if texts else {})


def _faults(house: House, said: Said) -> object:
    if not said:
        house.world.faults.clear()
    times, on = said.get("times"), said.get("on", "voice")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool)):
        raise ScriptError(f"times is {times!r}; it takes a whole number")
    knobs = {key: value for key, value in said.items() if key not in ("times", "on")}
    house.world.faults.set(times=times, on=str(on), **knobs)  # type: ignore[arg-type]  # it checks each value itself
    return house.world.faults.as_json()


def _hooks(house: House, said: Said) -> object:
    words = {key: _word(said, key) for key in ("url", "event", "method", "headers") if key in said}
    if "url" not in words:
        raise ScriptError("url is missing: where are the reports to go?")
    return {"id": subscribe(house.world, **words).id}


def _sms(house: House, said: Said) -> object:
    number = _number(said, "from")
    house.exchange.text_from(number, _word(said, "text"))
    return {"from": number}


def _keypress(house: House, said: Said) -> object:
    number, digit = _number(said, "from"), _word(said, "digit")
    _known_event(house, "voice_dtmf")
    make_answer("presses", {"digit": digit})
    house.exchange.press(number, digit)
    return {"from": number, "digit": digit}


def _inbound(house: House, said: Said) -> object:
    number = _number(said, "from")
    _known_event(house, "voice_call")
    house.world.note("inbound", number)
    house.courier.send(voice_call(number, SHARED_NUMBER, house.world.now()))
    return {"from": number}


def _known_event(house: House, event: str) -> None:
    era = house.world.account.era
    if event not in EVENTS[era]:
        raise ScriptError(f"the era {era.value} has no event {event}")


def _account(house: House, said: Said) -> object:
    account = house.world.account
    for key, value in [(key, _setting(key, value)) for key, value in said.items()]:
        setattr(account, key, value)
    return {"era": account.era.value, "balance": account.balance, "sandbox": account.sandbox}


def _setting(key: str, value: object) -> object:
    if key == "era":
        return _era(value)
    if key in ("sandbox", "strict_parameters", "journal_at_end", "ignores_debug") and isinstance(value, bool):
        return value
    if key in ("balance", "price") and type(value) in (int, float) and math.isfinite(float(str(value))):
        return float(str(value))
    raise ScriptError(f"{key} cannot be set to {value!r}")


def _era(value: object) -> Era:
    try:
        return Era(str(value))
    except ValueError:
        raise ScriptError(f"no era {value!r}; there are {', '.join(Era)}") from None


def _number(said: Said, key: str) -> str:
    written = _word(said, key)
    number = read_number(written)
    if number is None:
        raise ScriptError(f"{key} is {written!r}, which is no telephone number (such as +49 171 1234567)")
    return number


def _word(said: Said, key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise ScriptError(f"{key} is {'missing' if value is None else repr(value)}; it takes a text")
    return value


def _request(received: Received) -> dict[str, object]:
    return {
        "at": received.at.isoformat(),
        "method": received.method,
        "url": received.url,
        "form": dict(received.form),
        "content_type": received.content_type,
        "auth": received.auth.value,
        "key_in_url": received.key_in_url,
    }


def _delivery(delivery: Delivery) -> dict[str, object]:
    return {**asdict(delivery), "at": delivery.at.isoformat(), "kept": delivery.kept}
