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
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TextIO
from urllib.parse import quote, quote_plus

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

# A shorter one would be found inside ordinary words and make the log unreadable; config refuses secrets like that.
SHORTEST_SECRET = 4
# Characters of one value: a stranger may send ten megabytes, and one line must stay one line.
LONGEST_VALUE = 8192

# Fields whose digits are no phone number, beside those that end in `_id`, `_at`, `_bytes` or `_seconds`.
NUMERIC = frozenset({"bytes", "call", "duration", "id", "incident", "message", "page", "pid", "port", "seconds", "seq"})
NUMERIC_ENDS = ("_id", "_at", "_bytes", "_seconds")

# +49 171 1234567, (as a URL has it) %2B491711234567: E.164 has at most 15 digits, and no number has under 7.
_INTERNATIONAL = r"(?:\+|%2[Bb])[0-9](?:[ ()/.\-]{0,3}[0-9]){6,14}(?![0-9])"
# 0171 1234567, 0171/123 45 67
_NATIONAL = r"(?<![A-Za-z0-9.:\-])0[0-9]{1,4}[ /\-][0-9](?:[ /\-]?[0-9]){3,10}(?![A-Za-z0-9])"
# 491711234567; neither the fraction of a number nor a part of a word, a hexadecimal id or a UUID
_BARE = r"(?<![A-Za-z0-9])(?<![0-9]\.)(?<![0-9a-f]{4}-)[0-9]{7,15}(?![A-Za-z0-9]|\.[0-9]|-[0-9a-f]{4})"
_PHONE = re.compile(f"{_INTERNATIONAL}|{_NATIONAL}|{_BARE}")

# Control characters, line and paragraph ends, marks that turn the direction of reading, halves of surrogate pairs.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
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
    _secrets.update({secret, quote(secret), quote(secret, safe=""), quote_plus(secret)})
    _secrets.update({repr(secret)[1:-1], json.dumps(secret)[1:-1]})


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
    return _PHONE.sub(lambda found: mask(found.group().replace("%2B", "+").replace("%2b", "+")), _secrets.remove(text))


class _Secrets:
    """The registered secrets and one pattern that finds any of them, the longest first."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def update(self, spellings: set[str]) -> None:
        self._known |= spellings
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._known, key=len, reverse=True))))

    def remove(self, text: str) -> str:
        return self._pattern.sub("<secret>", text) if self._pattern else text


_secrets = _Secrets()


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be written is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Stay quiet: the library would print the bare record, unmasked, to the place that has just failed."""


class _Formatter(logging.Formatter):
    def __init__(self, write: Writer) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        return self._write(_told(record) | _fields(record) | _failure(self, record))


def _told(record: logging.LogRecord) -> dict[str, Value]:
    return {
        "ts": _instant(datetime.fromtimestamp(record.created, UTC)),
        "level": _level(record.levelno),
        "component": record.name.rpartition(".")[2],
        "msg": _clean(_message(record)),
    }
