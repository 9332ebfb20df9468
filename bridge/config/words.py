"""The kinds of word that the file knows: what a scalar of each is read as, and what an editor may expect of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from bridge.call import Rate
from bridge.config import scalars
from bridge.config.settings import Dialect, Reports
from bridge.schedule import Period, parse_period

T = TypeVar("T")

# Editors read the file by YAML's own rules, where a bare word may be a number or a boolean: both are text here.
DURATION_JSON = WithJsonSchema(
    {"type": ["string", "integer"], "pattern": "^(0|([0-9]+(ms|[ywdhms]))+)$", "examples": ["1h30m", "90s"]}
)
_BOOLEAN_JSON = {"type": ["boolean", "string"], "enum": [True, False, "true", "false", "yes", "no", "on", "off"]}
_TEXT_JSON = {"type": ["string", "number", "boolean"]}
_PHONE_JSON = {"type": ["string", "integer"], "examples": ["+49 171 1234567"]}


def _reader(read: Callable[[str], T], expected: str) -> BeforeValidator:
    """A validator that reads one scalar; lists and maps are refused in words."""

    def convert(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError(f"{_kind(value)} stands here; write {expected}")
        return read(value)

    return BeforeValidator(convert)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else "a map"


def _between(least: str, most: str, *, above: bool) -> Callable[[str], timedelta]:
    """A reader of durations from `least` (`above`: more than that) to `most` ("": without end)."""
    lowest, highest = scalars.duration(least), scalars.duration(most) if most else scalars.LONGEST
    bounds = f"{least} to {most}" if most else f"{'more than' if above else 'at least'} {least}"

    def read(text: str) -> timedelta:
        asked = scalars.duration(text)
        if asked > highest:
            raise ValueError(f"{text} is longer than {most}; write {bounds}")
        if asked < lowest or (above and asked == lowest):
            raise ValueError(f"{text} is too short; write {bounds}")
        return asked

    return read


def _at_least(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        count = scalars.whole(text)
        if not least <= count <= most:
            raise ValueError(f"{text} is too {'small' if count < least else 'great'}; write {least} to {most}")
        return count

    return read


def whole(least: int, most: int) -> tuple[BeforeValidator, WithJsonSchema]:
    pattern = {"type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": "^[0-9]+$"}
    return _reader(_at_least(least, most), "a whole number"), WithJsonSchema(pattern)


def span(least: str, most: str = "", *, above: bool = False) -> BeforeValidator:
    return _reader(_between(least, most, above=above), "a duration like 5m")


def _text(read: Callable[[str], T], expected: str, **extra: object) -> tuple[BeforeValidator, WithJsonSchema]:
    return _reader(read, expected), WithJsonSchema({**_TEXT_JSON, **extra})


_NAME, _NAME_JSON = _text(scalars.name, "a name")
_TARGET, _TARGET_JSON = _text(scalars.target_name, "a name")
_PATH, _PATH_JSON = _text(scalars.text_of, "a file's path", format="path")
_ANY, _ANY_JSON = _text(str, "text")
_SOME, _SOME_JSON = _text(scalars.text_of, "text")

Any_ = Annotated[str, _ANY, _ANY_JSON]
Some = Annotated[str, _SOME, _SOME_JSON]
Name = Annotated[str, _NAME, _NAME_JSON]
TargetName = Annotated[str, _TARGET, _TARGET_JSON]
FilePath = Annotated[str, _PATH, _PATH_JSON]
Duration = Annotated[timedelta, span("0"), DURATION_JSON]
Positive = Annotated[timedelta, span("0", above=True), DURATION_JSON]
Boolean = Annotated[bool, _reader(scalars.boolean, "true or false"), WithJsonSchema(_BOOLEAN_JSON)]
Amount = Annotated[
    float,
    _reader(scalars.number, "a number"),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "pattern": r"^[0-9]+(\.[0-9]+)?$"}),
]
Times = Annotated[int, *whole(1, 1000)]
Zone = Annotated[ZoneInfo, *_text(scalars.zone, "a time zone like Europe/Berlin", examples=["Europe/Berlin", "UTC"])]
Region = Annotated[str, *_text(scalars.region, "a country like DE", examples=["DE"])]
Language = Annotated[str, *_text(scalars.language, "a language like en-US", examples=["en-US", "de-DE"])]
LocalTime = Annotated[
    datetime,
    _reader(scalars.local_time, "a local time like 2026-01-05 09:00"),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?$"}),
]
Turn = Annotated[
    Period,
    _reader(parse_period, "a period like 1w"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+[hdw]$", "examples": ["1w", "12h"]}),
]
Address = Annotated[
    str,
    _reader(scalars.web_address, "an address"),
    WithJsonSchema({"type": "string", "format": "uri"}),
]
SecretAddress = Annotated[
    str,
    _reader(scalars.secret_address, "an address"),
    WithJsonSchema({"type": "string", "format": "uri"}),
]
ReceiverPattern = Annotated[
    str, *_text(scalars.receiver_pattern, "a regular expression", examples=["callbridge|page-.*"])
]
Phone = Annotated[str, _reader(str, "a phone number"), WithJsonSchema(_PHONE_JSON)]
# What a person reads at most: a storm is a few SMS, and the first of them comes at once.
SMS_PER_PERSON = tuple(map(scalars.rate, ("1 per 1m", "5 per 15m", "11 per 1h", "21 per 3h")))
PerPerson = Annotated[
    Rate,
    _reader(scalars.rate, "a rate like 3 per 15m"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+\s+per\s+\S+$", "examples": ["3 per 15m"]}),
]


def _choice(*words: str) -> BeforeValidator:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{scalars.shown(text)} is not known here; write {', '.join(words[:-1])} or {words[-1]}")
        return text

    return _reader(read, " or ".join(words))


DialectWord = Annotated[Dialect, _choice("seven", "sms77")]
ReportsWord = Annotated[Reports, _choice("webhook", "poll", "both")]
SmsWhenWord = Annotated[Literal["begin", "unreached"], _choice("begin", "unreached")]
SmsParts = Annotated[int, *whole(1, 10)]
Retention = Annotated[timedelta, span("1h"), DURATION_JSON]
RingTime = Annotated[timedelta, span("5s", "60s"), DURATION_JSON]
RequestTime = Annotated[timedelta, span("1ms", "10m"), DURATION_JSON]
Refresh = Annotated[timedelta, span("1m"), DURATION_JSON]
Answer = Annotated[timedelta, span("1ms", "30s"), DURATION_JSON]
Beat = Annotated[timedelta, span("10s", "1d"), DURATION_JSON]
CallsAtOnce = Annotated[int, *whole(1, 1000)]
CallsPerMinute = Annotated[int, *whole(1, 10_000)]
TemplateName = Annotated[str, *_text(scalars.template_name, "a template's name like call")]
