"""How the words of the file are read: every scalar is text, and means what it looks like.

Each reader takes the text and returns the value, or raises ValueError with what is wrong and what would be right.
Durations are Prometheus' (common/model/time.go): `0`, or whole numbers with units in descending order, each once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers

from bridge.call import Rate
from bridge.route import Matcher, MatcherError, MatchOp

UNITS = ("y", "w", "d", "h", "m", "s", "ms")
MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile("".join(f"(?:(?P<{unit}>[0-9]{{1,12}}){unit})?" for unit in UNITS))
# Prometheus counts in signed 64-bit nanoseconds, and so refuses a little over 292 years.
LONGEST = timedelta(days=292 * 365)
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_RATE = re.compile(r"([0-9]{1,6})\s+per\s+(\S+)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_BAD_IN_NAMES = re.compile(r"[\x00-\x1f\x7f,]")
LONGEST_NAME = 128
SHOWN = 40


def shown(text: str) -> str:
    """A piece of the file as an error shows it: in quotes, on one line, not longer than a glance."""
    flat = text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
    return f'"{flat[:SHOWN]}…"' if len(flat) > SHOWN else f'"{flat}"'


def duration(text: str) -> timedelta:
    """A Prometheus duration such as `1h30m`, `90s` or `0`."""
    if text == "0":
        return timedelta(0)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{shown(text)} is not a duration; write it like 1h30m, 90s or 0{_why_no_duration(text)}")
    total = sum(int(count) * MILLISECONDS[unit] for unit, count in match.groupdict().items() if count)
    if total > LONGEST // timedelta(milliseconds=1):
        raise ValueError(f"{shown(text)} is longer than 292 years; write a shorter duration")
    return timedelta(milliseconds=total)


def brief(span: timedelta) -> str:
    """A duration as Prometheus writes it, in days at most: `3h38m`, `90d`, `0s`."""
    rest = span // timedelta(milliseconds=1)
    written = ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, MILLISECONDS[unit])
        written += f"{count}{unit}" if count else ""
    return written or "0s"


def _why_no_duration(text: str) -> str:
    if re.fullmatch(r"[0-9]+", text):
        return f" (a unit is missing: {text}s? {text}m?)"
    if re.fullmatch(r"([0-9]+\.[0-9]+)(ms|[ywdhms])", text):
        return " (whole numbers only: 1h30m, not 1.5h)"
    if re.fullmatch(r"([0-9]+(ms|[ywdhms]))+", text):
        return " (units from the greatest to the smallest, each once: y w d h m s ms)"
    return ""


def boolean(text: str) -> bool:
    """true or false, also as yes, no, on, off."""
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{shown(text)} is neither true nor false; write true or false")
    return _BOOLEANS[text.lower()]


def whole(text: str) -> int:
    """A whole number, zero or more."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{shown(text)} is not a whole number; write it in digits, like 3")
    return int(text)


def number(text: str) -> float:
    """A number, zero or more, such as `5` or `2.50`."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a number; write it like 5 or 2.50")
    return float(text)


def rate(text: str) -> Rate:
    """So many calls in any such span: `3 per 15m`."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not a rate; write it like 3 per 15m")
    span = duration(match.group(2))
    if int(match.group(1)) < 1 or not span:
        raise ValueError(f"{shown(text)} would never let anybody be called; write at least 1, per more than 0")
    return Rate(int(match.group(1)), span)


def local_time(text: str) -> datetime:
    """A wall-clock time without a zone (its schedule's is meant), as a naive datetime: `2026-01-05 09:00`."""
    if not _LOCAL.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a local time; write it like 2026-01-05 09:00{_why_no_time(text)}")
    try:
        # Naive on purpose: what instant it is depends on the schedule's zone, and on its rule for clock changes.
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no day and time of the calendar; write it like 2026-01-05 09:00") from None


def _why_no_time(text: str) -> str:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return " (the time of day is missing)"
    if re.search(r"\d(Z|[+-]\d{2}:?\d{2})$", text):
        return " (without an offset: the schedule's timezone is meant)"
    return ""


def zone(text: str) -> ZoneInfo:
    """A time zone of the IANA database, such as `Europe/Berlin`."""
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError):
        raise ValueError(
            f"{shown(text)} is not a time zone; write one like Europe/Berlin or UTC{near(text, available_timezones())}"
        ) from None


def region(text: str) -> str:
    """A country as two letters (ISO 3166), in capitals."""
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{shown(text)} is not a country; write its two letters, like DE, GB or US")
    return text.upper()


def language(text: str) -> str:
    """A language tag (BCP 47) such as `de-DE`."""
    if not _LANGUAGE.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a language; write it like en-US or de-DE")
    return text


def name(text: str) -> str:
    """A name that the file gives: it is printed in lists with commas, so it holds none."""
    if not text or text != text.strip() or _BAD_IN_NAMES.search(text) or len(text) > LONGEST_NAME:
        raise ValueError(
            f"{shown(text)} cannot be a name; write 1 to {LONGEST_NAME} characters, no comma, no control character,"
            " no space at either end"
        )
    return text


def target_name(text: str) -> str:
    """A name of a person or schedule: it stands in addresses and in `alice:no` too, so no slash and no colon."""
    if re.search(r"[/:?#]", name(text)):
        raise ValueError(f"{shown(text)} cannot be a name of a person or schedule; write it without / : ? #")
    return text


def text_of(text: str) -> str:
    """Any text but none."""
    if not text.strip():
        raise ValueError("is empty; write a value, or leave the key out")
    return text


def template_name(text: str) -> str:
    """A template's name without folder and ending, such as `call`, or with its kind, such as `call.xml`."""
    if not re.fullmatch(r"\w[\w.-]*", text) or ".." in text:
        raise ValueError(f"{shown(text)} is not a template; write its name without folder and ending, like call")
    return text.removesuffix(".j2")


def web_address(text: str) -> str:
    """An http or https address without credentials, query or a slash at the end."""
    try:
        parts = urlsplit(text)
        usable = parts.hostname and (parts.port is None or parts.port > 0) and parts.scheme in ("http", "https")
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable or re.search(r"[\s\x00-\x1f]", text):
        # Not shown: what was meant as an address may hold a password.
        raise ValueError("is not a web address; write it like https://host.example:9093/path")
    if parts.username is not None:
        raise ValueError("has credentials in it, and they would stand in this file; write it without user:password@")
    if parts.query or parts.fragment:
        raise ValueError("has a ? or # in it; write the address without them")
    return text.rstrip("/")


def secret_address(text: str) -> str:
    """An http or https address, letter by letter: its path and its query are often what lets one in."""
    web_address(text.partition("?")[0])
    if "#" in text or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError("has a # or a blank in it; write the address as it was given to you")
    return text


def receiver_pattern(text: str) -> str:
    """A regular expression (RE2) for the whole name of a receiver."""
    try:
        Matcher("receiver", MatchOp.REGEX, text_of(text))
    except MatcherError as error:
        raise ValueError(str(error)) from None
    return text


def near(text: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` if one of the `known` words is near."""
    by_lower = {word.lower(): word for word in known}
    found = get_close_matches(text.lower(), by_lower, n=1, cutoff=0.6)
    return f'; did you mean "{by_lower[found[0]]}"?' if found else ""
