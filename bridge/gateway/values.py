"""Single values as strangers send them, read leniently and never raising: ids, digits, amounts, statuses, times."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bridge.call import CallStatus
from bridge.sms import Delivery

BERLIN = ZoneInfo("Europe/Berlin")

_LONGEST_WORD = 128
_PUNCTUATION = re.compile(r"[\s()+/.\-]+")
_NUMBERLIKE = re.compile(r"\d[\d ()/.\-]{3,}\d")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

# The documented words are the members of CallStatus; these are of the telephone stack behind the gateway (Twilio's).
_OTHER_WORDS = {
    "queued": CallStatus.INITIATED,
    "answered": CallStatus.IN_PROGRESS,
    "busy": CallStatus.NO_ANSWER,
    "canceled": CallStatus.FAILED,
    "cancelled": CallStatus.FAILED,
}


def word(value: object) -> str | None:
    """A short printable text, or None for what is none (also for null, lists, objects, the empty text)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text if 0 < len(text) <= _LONGEST_WORD and text.isprintable() else None


def identity(value: object) -> str | None:
    """An id, whether it came as 284195, "284195" or 284195.0; None for null, "" and 0, which stand for no id."""
    text = word(value)
    return None if text is None or not text.strip("0") else text


def digits(value: object) -> str | None:
    """A telephone number as bare digits without + or 00 ("49171…"); None if it is none, such as the sender "SMS"."""
    text = _PUNCTUATION.sub("", word(value) or "")
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    return text.removeprefix("00") or None


def number(value: object, most: float = 1e9) -> float | None:
    """A finite amount from 0 to `most`, from 4, 2.76, "4" or "0.045"; None for "", null and anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and 0 <= amount <= most else None


def seconds(value: object) -> float | None:
    """A call's duration in seconds; nothing that is longer than a day is believed."""
    return number(value, most=86_400)


def euros(value: object) -> float | None:
    """A price in euro; nothing above a thousand is believed."""
    return number(value, most=1000)


def flag(value: object) -> bool:
    """True for true, 1, "true" and "1"."""
    return isinstance(value, bool | int | str) and str(value).strip().lower() in {"true", "1"}


def status(value: object) -> CallStatus:
    """The gateway's word for a call, in any case and with _ or blanks for -; UNKNOWN for one that nobody knows."""
    text = "-".join((word(value) or "").lower().replace("_", " ").replace("-", " ").split())
    try:
        return CallStatus(text)
    except ValueError:
        return _OTHER_WORDS.get(text, CallStatus.UNKNOWN)


def delivery(value: object) -> Delivery:
    """The gateway's word for an SMS on its way, in any case; UNKNOWN for one that nobody knows."""
    text = (word(value) or "").lower().replace("_", "").replace(" ", "")
    try:
        return Delivery(text)
    except ValueError:
        return Delivery.UNKNOWN


def instant(value: object) -> datetime | None:
    """The instant in UTC of "2023-10-29 01:30:00" in German local time; of two in October's double hour the first."""
    try:
        local = datetime.fromisoformat(word(value) or "")
        return (local if local.tzinfo is not None else local.replace(tzinfo=BERLIN)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def readings(at: datetime) -> tuple[datetime, ...]:
    """All instants that the same local time may stand for: `at`, and in October's double hour the one an hour later."""
    again = at.astimezone(BERLIN).replace(fold=1).astimezone(UTC)
    return (at, again) if again > at else (at,)


def prose(value: object, most: int) -> str:
    """A text of at most `most` characters on one line, fit for a database: no control characters, no surrogates."""
    text = value if isinstance(value, str) else word(value) or ""
    return " ".join(_UNSPEAKABLE.sub(" ", text[: 4 * most]).split())[:most]


def plain(value: object, most: int = 200) -> str:
    """The gateway's own words fit for a log: as `prose`, with anything like a telephone number taken out."""
    return _NUMBERLIKE.sub("…", prose(value, most)) if isinstance(value, str) else ""
