"""Reads a request to the gateway: parameters and key from anywhere; the key stays out of the record."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web

from bridge.simulator.dialect import Era
from bridge.simulator.records import Auth, Received
from bridge.simulator.reports import signature

SIGNATURE_SECONDS = 30  # how old a signed request may be (docs.seven.io signing page)
_KEY_HEADERS = ("x-api-key", "authorization")


@dataclass(frozen=True, slots=True)
class Admission:
    """A request and whether its key is the account's."""

    received: Received
    admitted: bool


async def read(request: web.Request, key: str, now: datetime) -> Admission:
    """Parameters of query and body (form, or JSON whatever its content type says); the body wins."""
    form = _parameters(await request.read(), request.content_type)
    query = dict(request.query)
    auth, given = _key(request, query, form)
    received = Received(
        at=now,
        method=request.method,
        path=request.path,
        url=_without_key(request, key),
        query=_hidden(query),
        form=_hidden(form),
        content_type=request.content_type,
        headers={name: value for name, value in request.headers.items() if name.lower() not in _KEY_HEADERS},
        auth=auth,
        key_in_url=bool(key) and key in str(request.rel_url),
    )
    return Admission(received, bool(key) and hmac.compare_digest(given.encode(), key.encode()))


def wants_json(era: Era, received: Received) -> bool:
    """json=1 in any era; from 2024 on also `Accept: application/json`."""
    if received.parameters.get("json", "").lower() in ("1", "true"):
        return True
    return era is Era.SEVEN_2024 and "application/json" in _header(received, "Accept")


async def signature_holds(request: web.Request, key: str, now: datetime, nonces: set[str]) -> bool:
    """A signature is optional; one that is sent must be right, fresh and its nonce new (docs.seven.io signing page)."""
    given = request.headers.get("X-Signature")
    if given is None:
        return True
    timestamp, nonce = request.headers.get("X-Timestamp", ""), request.headers.get("X-Nonce", "")
    at = whole_number(timestamp)
    if at is None or now.timestamp() - at > SIGNATURE_SECONDS or nonce in nonces:
        return False
    nonces.add(nonce)
    body = await request.read()
    made = signature(key, timestamp=timestamp, nonce=nonce, method=request.method, url=str(request.url), body=body)
    return hmac.compare_digest(made.encode(), given.lower().encode())


def whole_number(said: str | None) -> int | None:
    """A number of at most twelve digits, or None."""
    return int(said) if said and said.isascii() and said.isdigit() and len(said) <= 12 else None


def _parameters(body: bytes, content_type: str) -> dict[str, str]:
    text = body.decode(errors="replace")
    if "json" in content_type or text.lstrip().startswith("{"):
        return _json_parameters(text)
    return dict(parse_qsl(text, keep_blank_values=True)) if "multipart" not in content_type else {}


def _json_parameters(text: str) -> dict[str, str]:
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return {_word(key): _word(said) for key, said in value.items()} if isinstance(value, dict) else {}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return ",".join(_word(each) for each in value)
    # JSON may spell half a surrogate pair, which no encoding can carry on.
    return "" if value is None else str(value).encode(errors="replace").decode()


def _key(request: web.Request, query: Mapping[str, str], form: Mapping[str, str]) -> tuple[Auth, str]:
    header = request.headers.get("X-Api-Key")
    if header is not None:
        return Auth.HEADER, header
    scheme, _, basic = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return Auth.BASIC, basic.strip()
    if "p" in form:
        return Auth.BODY, form["p"]
    return (Auth.QUERY, query["p"]) if "p" in query else (Auth.NONE, "")


def _without_key(request: web.Request, key: str) -> str:
    url = request.rel_url.update_query(p="hidden") if "p" in request.query else request.rel_url
    return str(url).replace(key, "hidden") if key else str(url)


def _hidden(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: "hidden" if name == "p" else value for name, value in parameters.items()}


def _header(received: Received, name: str) -> str:
    return next((value for key, value in received.headers.items() if key.lower() == name.lower()), "")
