"""What callbridge says to its operator: one line per event, in logfmt or JSON, without a secret or a full phone number.

    logs.set_up("info", "logfmt", sys.stderr)
    log.info("The call was placed", extra=fields(call=call.id, person=call.person))

    ts=2026-11-23T06:11:27.197Z level=info component=worker msg="The call was placed" call=01JD person=alice

Messages, fields and tracebacks may hold text of strangers, so three things happen to each of them, in this order:
registered secrets (`conceal`) are replaced by `<secret>`, what looks like a phone number is masked, and what could end
the line, move the cursor or turn the direction of reading is escaped.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TextIO
from urllib.parse import quote, quote_plus

Value = str | int | float | bool
Line = dict[str, Value]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

# A shorter one would be found inside ordinary words and make the log unreadable.
SHORTEST_SECRET = 4
# Characters. A stranger may send megabytes, and a line must stay readable. What is read beyond the end, and then
# dropped, is so long that a secret that the cut goes through lies in it whole.
LONGEST_VALUE = 8192
BEYOND = 1024

# Fields whose digits are no phone number, beside those that end in one of NUMERIC_ENDS, as long as all of it is an id.
NUMERIC = frozenset({"bytes", "call", "duration", "id", "incident", "page", "pid", "port", "seconds", "seq"})
NUMERIC_ENDS = ("_id", "_at", "_bytes", "_seconds")

_UUID = r"(?P<uuid>\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b)"
# +49 171 1234567, or %2B491711234567 as a URL has it: E.164 has at most 15 digits, and no number has fewer than 7.
_INTERNATIONAL = r"(?:\+|%2[Bb])[0-9](?:[ ()/.\-]{0,3}[0-9]){6,14}(?![0-9])"
# 0171 1234567, (0171) 123 45 67; not the end of a time, a date or a fraction
_NATIONAL = r"(?<![A-Za-z0-9])(?<![0-9][.:\-])0[0-9]{1,4}[ /)\-]{1,2}[0-9](?:[ /\-]?[0-9]){3,10}(?![A-Za-z0-9])"
# 491711234567; neither a fraction, nor a float, nor a part of a word or of a hexadecimal id
_BARE = r"(?<![A-Za-z0-9])(?<![0-9]\.)[0-9]{7,15}(?![A-Za-z0-9]|\.[0-9])"
_PHONE = re.compile("|".join((_UUID, _INTERNATIONAL, _NATIONAL, _BARE)))

# Control characters, ends of lines and paragraphs, marks that turn the direction of reading, halves of surrogate pairs.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_PLAIN = re.compile(r'[^\s"=\\]+')


def set_up(level: str = "info", log_format: str = "logfmt", stream: TextIO | None = None) -> None:
    """Send the program's log to `stream` (default: stderr) from `level` on; a second time replaces the first.

    Other people's libraries speak from `warn` on only: at lower levels they tell what they were given.
    Raises ValueError if `level` is not in LEVELS or `log_format` not in FORMATS.
    """
    if level not in LEVELS or log_format not in FORMATS:
        raise ValueError(f"log level is one of {', '.join(LEVELS)}, log format one of {', '.join(FORMATS)}")
    lines = _Lines(sys.stderr if stream is None else stream)
    lines.setFormatter(_Formatter(_json if log_format == "json" else _logfmt))
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Lines)]:
        root.removeHandler(former)
    root.addHandler(lines)
    root.setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("bridge").setLevel(LEVELS[level])
    # A line per request halves the throughput, and the metrics count them.
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL + 1)
    logging.captureWarnings(True)


def fields(**values: object) -> dict[str, object]:
    """What an event is about, for the `extra` of a log call; a value that is None is left out of the line."""
    return {"fields": values}


def conceal(secret: str) -> None:
    """From now on `secret` appears in no log line, neither as it is nor as a URL or a repr would write it.

    One with fewer than SHORTEST_SECRET characters is not concealed.
    """
    if len(secret) < SHORTEST_SECRET:
        return
    in_urls = {quote(secret), quote(secret, safe=""), quote(secret, safe="/!$&'()*+,;=:@"), quote_plus(secret)}
    _secrets.add({secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]} | in_urls)


def mask(number: str) -> str:
    """A phone number that can be recognised by who knows it, and not be dialled: `+4917*****67`.

    The first five characters and the last two are kept; of fewer than eleven, the first two and the last. The stars are
    always five, so that they do not tell how long it is.
    """
    compact = re.sub(r"[^0-9A-Za-z+]", "", number)
    if len(compact) >= 11:
        return f"{compact[:5]}*****{compact[-2:]}"
    return f"{compact[:2]}*****{compact[-1]}" if len(compact) >= 7 else "*****"


def redact(text: str) -> str:
    """`text` without registered secrets and with its phone numbers masked."""
    return _PHONE.sub(_masked, _secrets.remove(text))


def without_secrets(text: str) -> str:
    """`text` without registered secrets; phone numbers stay."""
    return _secrets.remove(text)


def _masked(found: re.Match[str]) -> str:
    return found.group() if found["uuid"] else mask(found.group().replace("%2B", "+").replace("%2b", "+"))


class _Secrets:
    """The registered secrets and one pattern that finds any of them, the longest first."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, spellings: set[str]) -> None:
        self._known |= spellings
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._known, key=len, reverse=True))))

    def remove(self, text: str) -> str:
        return self._pattern.sub("<secret>", text) if self._pattern else text


_secrets = _Secrets()


class _Lines(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Lose a line that cannot be written: the library would print it, unmasked, to the place that just failed."""


class _Formatter(logging.Formatter):
    def __init__(self, write: Callable[[Line], str]) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        return self._write(_told(record) | _about(record) | self._failure(record))

    def _failure(self, record: logging.LogRecord) -> Line:
        line: Line = {}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["err"] = _clean(f"{type(error).__name__}: {error}")
            line["traceback"] = _clean(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = _clean(record.stack_info)
        return line


def _told(record: logging.LogRecord) -> Line:
    return {
        "ts": _instant(datetime.fromtimestamp(record.created, UTC)),
        "level": next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "debug"),
        "component": record.name.rpartition(".")[2],
        "msg": _clean(_message(record)),
    }


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} (its arguments do not fit)"


def _about(record: logging.LogRecord) -> Line:
    values: dict[str, object] = getattr(record, "fields", {})
    return {name: _value(name, value) for name, value in values.items() if value is not None}


def _value(name: str, value: object) -> Value:
    match value:
        case bool():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case timedelta():
            return value.total_seconds()
        case datetime() if value.tzinfo is not None:
            return _instant(value)
        case Enum():
            return _value(name, value.value)
        case int() if _numeric(name) or abs(value) < 1_000_000:
            return value
        case _:
            text = str(value)
            return _clean(text, phones=not (_numeric(name) and _ID.fullmatch(text)))


def _numeric(name: str) -> bool:
    return name in NUMERIC or name.endswith(NUMERIC_ENDS)


def _clean(text: str, *, phones: bool = True) -> str:
    """`text` redacted, and cut if it is very long."""
    clean = redact if phones else _secrets.remove
    if len(text) <= LONGEST_VALUE:
        return clean(text)
    return clean(text[: LONGEST_VALUE + BEYOND])[:-BEYOND] + "…"


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(line: Line) -> str:
    return _escape(json.dumps(line, ensure_ascii=False))


def _logfmt(line: Line) -> str:
    return " ".join(f"{name}={_logfmt_value(value)}" for name, value in line.items())


def _logfmt_value(value: Value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if _PLAIN.fullmatch(text) and not _UNSEEN.search(text):
        return text
    return _escape(json.dumps(text, ensure_ascii=False))


def _escape(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
