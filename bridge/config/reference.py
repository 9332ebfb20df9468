"""What the schema says, for editors (docs/config.schema.json) and for readers (docs/configuration.md).

The meaning of each key is its docstring in `schema`, and stands nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from bridge.config.scalars import brief
from bridge.config.schema import File

INTRODUCTION = """\
# Every key of the file

Written by `python -m bridge.config` from the schema that the program itself reads the file with: do not edit it here.
[config.example.yaml](../config.example.yaml) has the same keys in one file, and
[config.schema.json](config.schema.json) has them for editors; begin your file with
`# yaml-language-server: $schema=` and where you keep it. `callbridge check-config FILE` tells every fault at once,
with line and column.

Every scalar is text and means what it looks like (`+49…`, `17:00`, `0777`, `no`). Unknown and duplicate keys are
errors. Secrets live in files of their own, one each. Relative paths start at the file's folder. Durations are written
`1h30m`, `90s`, `0`. Nothing is taken from the environment.
"""
DURATION = "duration"
# In this order: what a scalar's JSON Schema has, and what a reader is told of it.
PATTERNS = {
    "^(0|([0-9]+(ms|[ywdhms]))+)$": DURATION,
    "^[0-9]+[hdw]$": "period: `12h`, `1d`, `2w`",
    r"^[0-9]+\s+per\s+\S+$": "rate: `3 per 15m`",
    r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?$": "local time: `2026-01-05 09:00`",
    r"^[0-9]+(\.[0-9]+)?$": "number",
}
DEFAULT = re.compile(r" \(default:? ([^()]*)\)")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file; durations in it are written as they are in the file."""
    schema = File.model_json_schema(by_alias=True)
    _plain_durations(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "callbridge"}


def _plain_durations(node: Any) -> None:
    """Put `30s` where pydantic writes `PT30S`, which nobody may write into the file."""
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _plain_durations(one)
    if isinstance(node, dict) and PATTERNS.get(str(node.get("pattern"))) == DURATION and "default" in node:
        length = TypeAdapter(timedelta).validate_python(node["default"])
        node["default"] = brief(length) if length else "0"


@dataclass(frozen=True, slots=True)
class Key:
    """One line of the reference. `needed`: the file is refused without it where its section stands."""

    name: str
    kind: str
    default: str
    meaning: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A map of the file, such as `policies.NAME.steps[]`, and what may stand in it."""

    where: str
    meaning: str
    keys: tuple[Key, ...]


def reference() -> str:
    """docs/configuration.md."""
    return "\n".join([INTRODUCTION, *(_section(place) for place in places(json_schema()))])


def places(schema: dict[str, Any]) -> Iterator[Place]:
    """Every map of the file in its order, each once: what stands inside itself (`route.routes[]`) is not repeated."""
    seen: set[str] = set()

    def below(where: str, node: dict[str, Any], meaning: str) -> Iterator[Place]:
        needed = node.get("required", ())
        keys = [_key(schema, name, one, name in needed) for name, one in node["properties"].items()]
        yield Place(where, meaning, tuple(keys))
        for name, one in node["properties"].items():
            path, inner = _inner(schema, name if not where else f"{where}.{name}", one)
            if inner is not None and inner["title"] not in seen:
                seen.add(inner["title"])
                yield from below(path, inner, inner["description"])

    yield from below("", schema, schema["description"])


def _inner(schema: dict[str, Any], path: str, node: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """The map that stands at `path`, or in the list or under the names that do."""
    node = _set(node)
    if "$ref" in node:
        return path, schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    if "items" in node:
        return _inner(schema, f"{path}[]", node["items"])
    if "additionalProperties" in node:
        return _inner(schema, f"{path}.NAME", node["additionalProperties"])
    return path, None


def _set(node: dict[str, Any]) -> dict[str, Any]:
    """What a key that may be left out is, where it is not."""
    return next((one for one in node.get("anyOf", ()) if one.get("type") != "null"), node)


def _key(schema: dict[str, Any], name: str, node: dict[str, Any], needed: bool) -> Key:
    inner = _inner(schema, name, node)[1]
    meaning = node.get("description") or (inner or {}).get("description", "")
    told = DEFAULT.search(meaning)
    default = _default(node.get("default"))
    if told is not None:
        meaning, default = meaning.replace(told[0], "", 1), told[1]
    return Key(name, _kind(node), default, meaning, needed)


def _default(value: Any) -> str:
    if value is None or value == []:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(node: dict[str, Any]) -> str:
    node = _set(node)
    if "items" in node:
        return f"list of {_plural(_kind(node['items']))}"
    if "$ref" in node:
        return "map"
    if "additionalProperties" in node:
        return f"map of names to {_plural(_kind(node['additionalProperties']))}"
    if "enum" in node:
        words = node["enum"]
        return "`true` or `false`" if True in words else " or ".join(f"`{word}`" for word in words)
    if "maximum" in node:
        return f"whole number, {node['minimum']} to {node['maximum']}"
    if "pattern" in node:
        return PATTERNS[node["pattern"]]
    return {"uri": "address", "path": "path"}.get(node.get("format", ""), "text")


def _plural(kind: str) -> str:
    word, colon, example = kind.partition(":")
    if word in ("text", "map of names to text") or " or " in word:
        return kind
    return f"{word}{'es' if word.endswith('s') else 's'}{colon}{example}"


def _section(place: Place) -> str:
    head = f"## `{place.where}`\n\n{place.meaning}\n" if place.where else "## The whole\n"
    table = ["| key | what | default | meaning |", "|---|---|---|---|", *(_row(key) for key in place.keys)]
    return "\n".join([head, *table, ""])


def _row(key: Key) -> str:
    cells = (f"`{key.name}`", key.kind, "**needed**" if key.needed else key.default, key.meaning)
    return "".join(f"| {cell.replace('|', chr(92) + '|')} " for cell in cells) + "|"
