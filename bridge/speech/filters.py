"""The filters an Alertmanager user knows, and the few of Jinja's own that can be bounded. All pure.

Names and behaviour: Alertmanager's template.DefaultFuncs and prometheus/common's helpers/templates; where a filter says
nothing else, it is the function of that name.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, unquote_plus
from zoneinfo import ZoneInfo

import re2
from jinja2 import Undefined
from jinja2.exceptions import FilterArgumentError, SecurityError
from markupsafe import Markup

from bridge.speech.budget import LONGEST_TEXT, RENDERING, short
from bridge.speech.pairs import Pair, Pairs, SortedPairs

_WORD = re.compile(r"\w+(?:['’.:·]\w+)*")
_EXPANSION = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)
_STRIP_TAGS = re.compile(r"<[^<>]*>")
_MOST_MEMBERS = 10_000

# Go's reference time, Mon Jan 2 15:04:05 MST 2006, part by part; the longer spellings first.
_GO_LAYOUT = {
    "2006": "%Y", "January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "MST": "%Z", "Z07:00": "%:z",
    "-07:00": "%:z",
    "-0700": "%z", "15": "%H", "01": "%m", "02": "%d", "03": "%I", "04": "%M", "05": "%S", "06": "%y", "PM": "%p",
    "_2": "%e",
    "1": "%-m", "2": "%-d", "3": "%-I", "4": "%-M", "5": "%-S",
}  # fmt: skip
_GO_PART = re.compile("|".join(map(re.escape, _GO_LAYOUT)))


def text_of(value: object) -> str:
    """`value` as text: what a template may write. Raises FilterArgumentError for what has no words of its own."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, and names what there is not
    if value is None:
        return ""
    if isinstance(value, bool | int | float | datetime | timedelta | Pairs | SortedPairs | Pair):
        return str(value)
    if isinstance(value, list | tuple):
        return join(value, ", ")
    raise FilterArgumentError(f"a {type(value).__name__} cannot be spoken: name one of its parts")


def title(value: object) -> str:
    """Every word with a capital and the rest small, as x/text's cases.Title: "it's HTTP" is "It's Http"."""
    return _WORD.sub(lambda match: _titled(match[0]), text_of(value))


def _titled(word: str) -> str:
    """`3rd` is "3Rd": what gets the capital is the first letter, wherever it stands."""
    first = next((at for at, character in enumerate(word) if character.isalpha()), 0)
    return word[:first] + word[first : first + 1].title() + word[first + 1 :].lower()


def join(values: Iterable[object], separator: str = "", attribute: str | None = None) -> str:
    parts: list[str] = []
    size = 0
    for value in values:
        if isinstance(value, list | tuple) and not isinstance(value, Pair | SortedPairs):
            raise FilterArgumentError("a list within a list cannot be joined")
        parts.append(text_of(getattr(value, attribute) if attribute in ("name", "value") else value))
        size += len(parts[-1]) + len(separator)
        if size > LONGEST_TEXT:
            raise SecurityError(f"join builds more than {LONGEST_TEXT} characters")
    return separator.join(parts)


def replace(value: object, old: str, new: str, most: int = -1) -> str:
    text = text_of(value)
    if len(text) + text.count(old) * len(new) > LONGEST_TEXT:
        raise SecurityError(f"replace builds more than {LONGEST_TEXT} characters")
    return text.replace(old, new, most)


def match(value: object, pattern: str) -> bool:
    """Whether RE2 `pattern` is found anywhere in it."""
    return _compiled(pattern).search(text_of(value)) is not None


def re_replace_all(value: object, pattern: str, replacement: str) -> str:
    """All matches of RE2 `pattern` replaced; `$1`, `${1}`, `$$` as in Go (`$1x` is the group "1x": empty)."""
    text = text_of(value)
    parts: list[str] = []
    done = size = 0
    for found in _compiled(pattern).finditer(text):
        if found.start() == found.end() == done and done > 0:
            continue  # Go finds no empty match right behind another one
        parts += (text[done : found.start()], _expand(replacement, found))
        done = found.end()
        size += len(parts[-1]) + len(parts[-2])
        if size > LONGEST_TEXT:
            raise SecurityError(f"re_replace_all builds more than {LONGEST_TEXT} characters")
    return "".join((*parts, text[done:]))


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise FilterArgumentError(f"not an RE2 pattern: {error}") from None


def _expand(replacement: str, found: Any) -> str:
    return _EXPANSION.sub(lambda part: "$" if part[1] else _group(found, part[2] or part[3]), replacement)


def _group(found: Any, name: str) -> str:
    if name.isdecimal():
        return (found.group(int(name)) or "") if int(name) <= found.re.groups else ""
    return (found.group(name) or "") if name in found.re.groupindex else ""


def sorted_pairs(pairs: Pairs) -> SortedPairs:
    return _pairs(pairs).sorted()


def names(pairs: Pairs) -> list[str]:
    return [pair.name for pair in _pairs(pairs).sorted()]


def values(pairs: Pairs) -> list[str]:
    return [pair.value for pair in _pairs(pairs).sorted()]


def remove(pairs: Pairs, dropped: Iterable[str]) -> Pairs:
    return _pairs(pairs).without([dropped] if isinstance(dropped, str) else dropped)


def _pairs(value: object) -> Pairs:
    if isinstance(value, Pairs):
        return value
    if isinstance(value, Mapping):
        return Pairs((text_of(name), text_of(entry)) for name, entry in value.items())
    raise FilterArgumentError("only labels and annotations have names and values")


def date(moment: datetime, layout: str) -> str:
    """The time in a layout of Go ("2006-01-02 15:04") or, if it has a `%`, of strftime ("%d.%m. %H:%M")."""
    if "%" in layout:
        return moment.strftime(short(layout))
    return _GO_PART.sub(lambda part: _go_part(moment, part[0]), layout)


def _go_part(moment: datetime, part: str) -> str:
    code = _GO_LAYOUT[part]
    if code == "%:z":
        offset = moment.strftime("%z")
        return "Z" if part.startswith("Z") and offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    if code.startswith("%-"):
        return moment.strftime(f"%{code[2:]}").lstrip("0") or "0"
    return moment.strftime(code)


def tz(moment: datetime, name: str) -> datetime:
    try:
        return moment.astimezone(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise FilterArgumentError(f'there is no time zone "{name}"') from None


def to_date(value: object, layout: str) -> datetime:
    """The time written in `value`, in a layout as `date` has it; without an offset in it, UTC."""
    pattern = layout if "%" in layout else _GO_PART.sub(lambda part: _parsing_code(part[0]), layout)
    try:
        parsed = datetime.strptime(text_of(value), pattern)  # noqa: DTZ007 - the next line gives it its zone
    except ValueError as error:
        raise FilterArgumentError(str(error)) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _parsing_code(part: str) -> str:
    return _GO_LAYOUT[part].replace("%-", "%").replace("%:z", "%z").replace("%e", "%d")


def since(moment: datetime) -> timedelta:
    """How long ago that was; it can be fed to `humanize_duration` and to `duration`."""
    return RENDERING.get().now - moment


def humanize_duration(value: object) -> str:
    """Seconds or a duration as Prometheus writes it: `1d 2h 3m 4s`, `5.123s`, `1.5ms`."""
    number = number_of(value)
    if math.isnan(number) or math.isinf(number):
        return "NaN" if math.isnan(number) else f"{'+' if number > 0 else '-'}Inf"
    if number == 0:
        return "0s"
    return _long_duration(number) if abs(number) >= 1 else _short_duration(number)


def _long_duration(number: float) -> str:
    sign, whole = ("-" if number < 0 else ""), int(abs(number))
    days, hours, minutes, seconds = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{abs(number):.4g}s"


def _short_duration(number: float) -> str:
    """Below a second: the first of milli, micro, nano … that makes it one at least."""
    power, prefix = next(
        ((power, prefix) for power, prefix in enumerate("munpfaz", start=1) if abs(number) * 1000.0**power >= 1),
        (8, "y"),
    )
    return f"{number * 1000.0**power:.4g}{prefix}s"


def number_of(value: object) -> float:
    """A number, a duration in seconds, or a text that holds one."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(text_of(value))
    except ValueError:
        raise FilterArgumentError(f'"{text_of(value)[:40]}" is not a number') from None


def tojson(value: object) -> str:
    left = [_MOST_MEMBERS]
    return short(json.dumps(_json(value, left, 10), ensure_ascii=False, sort_keys=True))


def _json(value: object, left: list[int], depth: int) -> object:
    left[0] -= 1
    if left[0] < 0 or depth == 0:
        raise SecurityError(f"tojson writes more than {_MOST_MEMBERS} members")
    if isinstance(value, Mapping):
        return {text_of(name): _json(entry, left, depth - 1) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry, left, depth - 1) for entry in value]
    return value if isinstance(value, str | int | float | bool) or value is None else text_of(value)


def base64encode(value: object) -> str:
    return base64.urlsafe_b64encode(text_of(value).encode()).decode()


def base64decode(value: object) -> str:
    try:
        return base64.urlsafe_b64decode(text_of(value).encode()).decode("utf-8", "replace")
    except ValueError:
        raise FilterArgumentError("not base64") from None


def truncate(value: object, length: int = 255, end: str = "…") -> str:
    """At most `length` characters, cut at a word."""
    text = text_of(value)
    if len(text) <= length:
        return text
    beginning = text[: max(length - len(end), 0)]
    return (beginning.rpartition(" ")[0] or beginning) + end


def round_(value: object, precision: int = 0) -> float:
    if abs(precision) > 15:
        raise FilterArgumentError("round takes -15 to 15 digits")
    return round(number_of(value), precision)


def on_text(change: Callable[[str], str]) -> Callable[[object], str]:
    """A filter from a function of text, for values of any kind."""
    return lambda value: change(text_of(value))


FILTERS: dict[str, Callable[..., Any]] = {
    "title": title,
    "join": join,
    "replace": replace,
    "match": match,
    "re_replace_all": re_replace_all,
    "sorted_pairs": sorted_pairs,
    "names": names,
    "values": values,
    "remove": remove,
    "date": date,
    "tz": tz,
    "to_date": to_date,
    "since": since,
    "humanize_duration": humanize_duration,
    "tojson": tojson,
    "to_json": tojson,
    "urlquery": on_text(quote_plus),
    "urldecode": on_text(unquote_plus),
    "url_unescape": on_text(unquote_plus),
    "base64encode": base64encode,
    "base64decode": base64decode,
    "upper": on_text(str.upper),
    "to_upper": on_text(str.upper),
    "lower": on_text(str.lower),
    "to_lower": on_text(str.lower),
    "trim": on_text(str.strip),
    "trim_space": on_text(str.strip),
    "capitalize": on_text(str.capitalize),
    "string": on_text(str),
    "striptags": on_text(lambda text: _STRIP_TAGS.sub("", text)),
    "wordcount": lambda value: len(text_of(value).split()),
    "truncate": truncate,
    "round": round_,
    "safe_html": lambda value: Markup(text_of(value)),  # noqa: S704 - the operator's own word that it is markup
}
