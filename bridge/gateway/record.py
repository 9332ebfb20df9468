"""An exchange with the gateway as others may see it: numbers, texts, addresses and keys replaced, all else as sent.

The form is that of the recordings which this client and the telephone company of its tests rest on. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from bridge.gateway.words import Exchange

LONGEST_BODY = 20_000
MOST_ROWS = 5

_NUMBERS: tuple[str, ...] = (
    "to",
    "from",
    "recipient",
    "sender",
    "caller",
    "callerId",
    "system",
    "number",
    "national",
    "international",
)
_NUMBERS += ("international_formatted", "formatted_output")
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(_NUMBERS, "number"),
    "text": "text",
    "target_url": "address",
    "headers": "headers",
    **dict.fromkeys(("p", "u"), "key"),
    **dict.fromkeys(("error", "error_text", "error_message"), "prose"),
}
_FIELD = re.compile(rf'"({"|".join(_KINDS)})"(\s*:\s*)("(?:[^"\\]|\\.)*"|\d+)')
_PLUS = re.compile(r"(?:\+|\b00)\d[\d ()/-]{5,}\d")
_LONG = re.compile(r"\d{7,}")
_LONGEST = re.compile(r"\d{10,}")


class Recording:
    """Exchanges in the order in which they were made; what stands for a number is the same in all of them."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self.entries: list[dict[str, object]] = []
        self._secrets = [secret for secret in secrets if secret]
        self._known: dict[tuple[str, str], str] = {}

    def add(self, name: str, exchange: Exchange) -> None:
        """Keep one exchange, under a name that says what it was for."""
        parts = urlsplit(exchange.url)
        query = self._form(dict(parse_qsl(parts.query, keep_blank_values=True)))
        url = f"{parts.scheme}://{parts.hostname}{parts.path}{'?' if query else ''}{query}"
        self.entries.append(
            {
                "name": name,
                "request": {
                    "method": exchange.method.lower(),
                    "url": self._scrubbed(url),
                    "body": self._scrubbed(self._form(exchange.form)),
                },
                "response": {
                    "status": exchange.status,
                    "content_type": exchange.content_type,
                    "date": exchange.date,
                    "body": self._scrubbed(self._body(exchange.body)),
                },
            }
        )

    def as_json(self) -> str:
        """All of it, as a file."""
        return json.dumps(self.entries, indent=1, ensure_ascii=False) + "\n"

    def _form(self, form: Mapping[str, str]) -> str:
        return urlencode({key: self._stand_in(_KINDS.get(key, ""), value) for key, value in form.items()})

    def _body(self, body: str) -> str:
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return _LONGEST.sub("…", _PLUS.sub("…", body))[:LONGEST_BODY]
        if isinstance(parsed, list) and len(parsed) > MOST_ROWS:
            # As the gateway writes it, but fewer.
            body = json.dumps(parsed[:MOST_ROWS], separators=(",", ":")).replace("/", "\\/")
        return _FIELD.sub(self._field, body)

    def _field(self, found: re.Match[str]) -> str:
        key, colon, value = found.groups()
        if not value.startswith('"'):
            return f'"{key}"{colon}{self._stand_in("number", value) if _KINDS[key] == "number" else value}'
        said = json.loads(value, strict=False)
        written = json.dumps(self._stand_in(_KINDS[key], said)).replace("/", "\\/")
        return f'"{key}"{colon}{written}'

    def _stand_in(self, kind: str, value: str) -> str:
        """What stands for `value`: of the same kind, and the same for the same value."""
        match kind:
            case "" | "prose":
                return _LONG.sub("…", _PLUS.sub("…", value)) if kind else value
            case "number" if not any(letter.isdigit() for letter in value):
                return value
            case "headers" | "text" | "address" | "key" if not value:
                return value
        digits = "".join(letter for letter in value if letter.isdigit()) if kind == "number" else value
        rank = sum(known == kind for known, _ in self._known) + 1
        stand_in = self._known.setdefault((kind, digits), _shown(kind, rank))
        return f"+{stand_in}" if kind == "number" and value.startswith("+") else stand_in

    def _scrubbed(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "<secret>")
        return text


def _shown(kind: str, rank: int) -> str:
    match kind:
        case "number":
            return f"491999999{rank:03}"
        case "address":
            return f"https://my.tld/webhook/{rank}"
        case _:
            return f"{kind} {rank}"
