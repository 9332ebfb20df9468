"""What strangers send: recorded webhooks and reports, changed in every way that is quick to think of; seeded."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.grafana import grafana_alert, grafana_body

PAYLOADS = Path(__file__).parent / "data" / "payloads"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
WEBHOOK, GRAFANA = "/webhook/alertmanager", "/webhook/grafana"


@dataclass(frozen=True, slots=True)
class Knock:
    """One request: `path` with its query, `body` as it goes over the wire."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


Mutation = Callable[[random.Random, Knock], Knock]

REPORTS: tuple[dict[str, object], ...] = (
    {"id": "284195", "status": "completed", "duration": "4", "recipient": "491999999002", "callerId": "491999999001"},
    {"id": "284195", "status": "ringing", "recipient": "491711234567", "foreign_id": "01JD0000000000000000000000"},
    {"webhook_event": "voice_dtmf", "data": {"id": 77, "dtmf_digit": 1, "recipient": "491711234567"}},
    {"webhook_event": "sms_mo", "data": {"sender": "491711234567", "text": "OK", "system": "4930123"}},
    {"webhook_event": "dlr", "data": {"msg_id": "77149843739", "status": "TRANSMITTED"}},
    {"webhook_event": "voice_status", "data": [{"id": 1, "status": "busy"}, {"id": 2, "status": "no-answer"}]},
)
NASTY: tuple[object, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, 2**64, -(2**70), 10**400, 1e308, 0.1, "", " ", "0", "-0", "NaN", "1e999",
    "a" * 70_000, "\x00", "\u2028\u202e\x1b[2J\r\nlevel=error msg=forged", "<break time='9s'/>&amp;]]>", "{{ 7*7 }}",
    "{% for a in range(9**9) %}x{% endfor %}", "'; DROP TABLE incidents; --", "../../../etc/passwd", "%n%s%x",
    "\U0001f4a9" * 50, "\ud800", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-02-30T25:61:61Z",
    "2026-11-23T21:59:00+99:99", [], {}, [[]], [None], {"": ""}, {"a": {"b": {"c": []}}}, ["a"] * 2000,
    {str(n): "x" for n in range(500)}, "+491711234567", "491711234567", "٤٩١٧", "completed", "OK", "1", "#", "*",
)  # fmt: skip
ENCODINGS = ("gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "x", "chunked", "\xe9")
TYPES = (
    JSON,
    FORM,
    "",
    "text/plain; charset=utf-16",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "a" * 500,
)


def webhooks(seed: int) -> Iterator[Knock]:
    """Without end: a recorded webhook of Alertmanager, or one of Grafana, changed once to four times."""
    chance = random.Random(seed)
    bodies = [path.read_bytes() for path in sorted(PAYLOADS.glob("*.json"))]
    originals = [Knock(WEBHOOK, body, {"Content-Type": JSON}) for body in bodies]
    originals += [Knock(GRAFANA, json.dumps(grafana_body(grafana_alert("Disk"))).encode(), {"Content-Type": JSON})] * 4
    yield from _changed(chance, originals)


def reports(seed: int, token: str) -> Iterator[Knock]:
    """Without end: a report of the gateway in one of its shapes, changed once to four times."""
    chance = random.Random(seed)
    path = f"/webhook/sms77/{token}"
    originals = []
    for report in REPORTS:
        flat = {**report, **inner} if isinstance(inner := report.get("data"), dict) else report
        form = urlencode({f"data[{key}]": value for key, value in flat.items()})
        originals += [
            Knock(path, json.dumps(report).encode(), {"Content-Type": JSON}),
            Knock(path, urlencode(flat).encode(), {"Content-Type": FORM}),
            Knock(path, form.encode(), {"Content-Type": FORM}),
            Knock(f"{path}?{urlencode(flat)}", b"", {}, "GET"),
        ]
    yield from _changed(chance, originals)


def _changed(chance: random.Random, originals: list[Knock]) -> Iterator[Knock]:
    while True:
        knock = chance.choice(originals)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            knock = chance.choice(MUTATIONS)(chance, knock)
        yield knock


# --- bytes


def _flip(chance: random.Random, knock: Knock) -> Knock:
    body = bytearray(knock.body)
    for _ in range(chance.randint(1, 8) if body else 0):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return replace(knock, body=bytes(body))


def _cut(chance: random.Random, knock: Knock) -> Knock:
    return replace(knock, body=knock.body[: chance.randint(0, len(knock.body))])


def _insert(chance: random.Random, knock: Knock) -> Knock:
    at = chance.randint(0, len(knock.body))
    more = chance.choice(
        (b"\x00", b"\xff\xfe", b'"', b"{", b"]", b"\\u0000", b"\\ud800", b"&" * 2000, b"%", b"\xef\xbb\xbf")
    )
    return replace(knock, body=knock.body[:at] + more + knock.body[at:])


def _repeat(chance: random.Random, knock: Knock) -> Knock:
    at, times = chance.randint(0, len(knock.body)), chance.choice((2, 3, 200))
    piece = knock.body[at : at + chance.randint(1, 200)]
    return replace(knock, body=knock.body[:at] + piece * times + knock.body[at:])


def _deep(chance: random.Random, knock: Knock) -> Knock:
    depth = chance.choice((50, 1_000, 100_000))
    opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"data":', b"}")))
    return replace(knock, body=opened * depth + (knock.body or b"1") + closed * depth)


def _raw_number(chance: random.Random, knock: Knock) -> Knock:
    numbers = (b"NaN", b"-Infinity", b"1" * 5_000, b"1e" + b"9" * 50, b"-0", b"0x1", b"01", b"1" + b"0" * 400 + b".5")
    return replace(
        knock, body=knock.body.replace(b'"4"', chance.choice(numbers)).replace(b":0", b":" + chance.choice(numbers))
    )


# --- JSON


def _value(chance: random.Random, knock: Knock) -> Knock:
    """Another value somewhere, a key that is gone, or one that nobody knows."""
    try:
        parsed = json.loads(knock.body)
    except (ValueError, RecursionError):
        return _query(chance, knock)
    try:
        places = list(_places(parsed))
        if not places:
            return knock
        holder, key = chance.choice(places)
        match chance.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(("", "x", "__class__", "alerts", "status", "a" * 300))] = holder.pop(key)
            case _:
                holder[key] = chance.choice(NASTY)
        return replace(
            knock, body=json.dumps(parsed, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        )
    except RecursionError:
        return knock


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def _twice(chance: random.Random, knock: Knock) -> Knock:
    """The same key twice, with another value the second time."""
    key = chance.choice(("alerts", "status", "groupKey", "receiver", "data", "id", "webhook_event", "labels"))
    told = json.dumps({key: chance.choice(NASTY)})[1:-1].encode("utf-8", "replace")
    return replace(knock, body=knock.body.replace(b"{", b"{" + told + b",", 1))


def _many(chance: random.Random, knock: Knock) -> Knock:
    """Very many small things."""
    many = (
        b"[" + b"{}," * 20_000 + b"{}]",
        b'{"alerts":[' + b"{}," * 20_000 + b'{}],"version":"4","groupKey":"g","receiver":"r","status":"firing"}',
        b"&".join(b"a%d=1" % n for n in range(3_000)),
        b"data[a]=1&" * 3_000,
        b'{"data":"' + b'[\\"a\\",' * 9_000 + b'"}',
    )
    return replace(knock, body=chance.choice(many))


# --- around it


def _query(chance: random.Random, knock: Knock) -> Knock:
    value = str(chance.choice(NASTY))[:1500]
    key = chance.choice(("id", "status", "data[status]", "data", "webhook_event", "", "x[y][z]"))
    told = f"{quote(key)}={quote(value, errors='replace')}"
    return replace(knock, path=f"{knock.path}{'&' if '?' in knock.path else '?'}{told}"[:4000])


def _content_type(chance: random.Random, knock: Knock) -> Knock:
    return replace(knock, headers={**knock.headers, "Content-Type": chance.choice(TYPES)})


def _encoding(chance: random.Random, knock: Knock) -> Knock:
    """Called compressed, rightly or not; a few are bombs of 40 MB."""
    body, encoding = knock.body, chance.choice(ENCODINGS)
    match chance.randrange(8):
        case 0:
            body, encoding = gzip.compress(body), "gzip"
        case 1:
            body, encoding = zlib.compress(body), "deflate"
        case 2:
            body, encoding = gzip.compress(body)[:-5], "gzip"
        case 3 if chance.random() < 0.2:
            body, encoding = BOMB, "gzip"
    return replace(knock, body=body, headers={**knock.headers, "Content-Encoding": encoding})


def _method(chance: random.Random, knock: Knock) -> Knock:
    return replace(knock, method=chance.choice(("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "BREW")))


def _address(chance: random.Random, knock: Knock) -> Knock:
    tails = ("/", "//", "/..", "%00", "%2e%2e%2f", "?", "#", ";x", "/%ff", "/" + "a" * 300)
    path, mark, query = knock.path.partition("?")
    return replace(knock, path=path + chance.choice(tails) + mark + query)


BOMB = gzip.compress(b"0" * 40_000_000)
MUTATIONS: tuple[Mutation, ...] = (
    _flip, _cut, _insert, _repeat, _deep, _raw_number, _value, _value, _value, _value, _value, _value, _twice, _many,
    _query, _content_type, _encoding, _method, _address,
)  # fmt: skip
