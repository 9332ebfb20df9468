"""Pydantic's findings, in an operator's words and with their place in the file."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.config.faults import Faults
from bridge.config.scalars import near, shown
from bridge.config.schema import File
from bridge.config.section import Section
from bridge.config.tree import Entry, Node, dotted

Location = Sequence[int | str]

# What to write where a required key is missing.
EXAMPLES = {
    "at": "at: 2026-12-24T03:00:00Z",
    "api_key_file": "api_key_file: secrets/api_key",
    "call": "call: [alice]",
    "credentials_file": "credentials_file: secrets/alertmanager_token",
    "config": "config: callbridge.yaml",
    "end_time": 'end_time: "17:00"',
    "every": "every: 1w",
    "from": "from: 2026-12-24 00:00",
    "gateway": "gateway: {api_key_file: secrets/api_key}",
    "hmac_secret_file": "hmac_secret_file: secrets/grafana_hmac",
    "ca_file": "ca_file: secrets/ca.pem",
    "password_file": "password_file: secrets/alertmanager_password",
    "matchers": "matchers: ['alertname=\"Watchdog\"']",
    "name": "name: and a name",
    "people": "people: and a map of those who can be called",
    "person": "person: alice",
    "policies": "policies: {default: {steps: [{call: [alice]}]}}",
    "policy": "policy: default",
    "route": "route: {policy: default}",
    "start": "start: 2026-01-05 09:00",
    "start_time": 'start_time: "09:00"',
    "expect": "expect: {people: [alice]}",
    "steps": "steps: [{call: [alice]}], or steps: [] to record and call nobody",
    "tests": "tests: and a list of them",
    "until": "until: 2026-12-27 00:00",
    "username": "username: callbridge",
    "url": "url: http://alertmanager:9093",
}

# Keys of Alertmanager's file, which people will bring along, and the plain secrets that must not stand in a file.
FOREIGN = {
    "receiver": "Alertmanager's receiver is called policy here",
    "receivers": "who is called stands in people and policies",
    "group_by": "grouping stays in Alertmanager; leave it out",
    "group_wait": "grouping stays in Alertmanager; leave it out",
    "group_interval": "grouping stays in Alertmanager; leave it out",
    "repeat_interval": "repeating stays in Alertmanager; leave it out, or set acknowledged_for in the policy",
    "inhibit_rules": "inhibition stays in Alertmanager; leave it out",
    "api_key": "secrets live in files of their own; write api_key_file",
    "credentials": "secrets live in files of their own; write credentials_file",
    "password": "secrets live in files of their own; write password_file",
    "bearer_token": "secrets live in files of their own; write authorization: {credentials_file: …}",
    "bearer_token_file": "write authorization: {credentials_file: …}",
    "hmac_secret": "secrets live in files of their own; write hmac_secret_file",
    "token": "secrets live in files of their own; write token_file",
    "signing_key": "secrets live in files of their own; write signing_key_file",
}


def tell_all(error: ValidationError, root: Node, faults: Faults, shape: type[Section] = File) -> None:
    """Put every finding of `error` down, each in words and at its place; `shape` is what the file should look like."""
    for detail in error.errors(include_url=False, include_input=False):
        _tell(detail, root, faults, shape)


def _tell(detail: ErrorDetails, root: Node, faults: Faults, shape: type[Section]) -> None:
    location = [step for step in detail["loc"] if step != "[key]"]
    at_key = detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",)
    if detail["type"] == "at" and detail["ctx"]["key"]:
        location.append(detail["ctx"]["key"])
    line, column, node = place(root, location, at_key=at_key)
    faults.tell(line, column, path(location), _what(detail, location, node, shape))


def path(location: Location) -> str:
    """`policies.default.steps[0].call[1]`"""
    where = ""
    for step in location:
        where = f"{where}[{step}]" if isinstance(step, int) else dotted(where, step)
    return where


def place(root: Node, location: Location, *, at_key: bool = False) -> tuple[int, int, Node | None]:
    """Where `location` stands, and its node; for what is missing the place of the map in which it is."""
    node, holder = root, Entry(root.line, root.column, root)
    for step in location:
        if isinstance(step, int) and node.rows is not None:
            node = node.rows[step]
            holder = Entry(node.line, node.column, node)
        elif isinstance(step, str) and node.entries is not None and step in node.entries:
            holder = node.entries[step]
            node = holder.value
        else:
            return holder.line, holder.column, None
    if at_key or node.kind == "nothing":
        return holder.line, holder.column, node
    return node.line, node.column, node


def _what(detail: ErrorDetails, location: Location, node: Node | None, shape: type[Section]) -> str:
    key = str(location[-1]) if location else ""
    match detail["type"]:
        case "missing":
            return f"missing; write {EXAMPLES.get(key, key)}"
        case "extra_forbidden":
            return _unknown(key, location, shape)
        case "list_type":
            return f"{node.kind if node else 'nothing'} stands here; write a list{_as_list(node)}"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{node.kind if node else 'nothing'} stands here; write a map, key: value"
        case "too_short":
            return f"an empty list; write at least one: {EXAMPLES.get(key, f'{key}: [alice]')}"
        case "at":
            return str(detail["ctx"]["what"])
        case _:
            return detail["msg"].removeprefix("Value error, ")


def _as_list(node: Node | None) -> str:
    # Only a short word is said again: it shows how to write the list, and a long one would hide that.
    if node is None or not node.text or shown(node.text) != f'"{node.text}"':
        return ""
    return f", [{node.text}]"


def _unknown(key: str, location: Location, shape: type[Section]) -> str:
    known = _keys(location[:-1], shape)
    if key in FOREIGN:
        return f"unknown key; {FOREIGN[key]}"
    guess = near(key, known)
    return f"unknown key{guess}" if guess else f"unknown key; known here are {', '.join(known)}"


def _keys(location: Location, shape: object) -> list[str]:
    """The keys that the map at `location` of `shape` may have."""
    for step in location:
        fields = _fields(shape)
        shape = _bare(fields[step] if isinstance(step, str) and step in fields else _inside(shape))
    return list(_fields(shape))


def _fields(shape: object) -> dict[str, object]:
    if not isinstance(shape, type) or not issubclass(shape, Section):
        return {}
    return {field.alias or name: field.annotation for name, field in shape.model_fields.items()}


def _inside(shape: object) -> object:
    """What a list or a map of names holds: the last of its arguments."""
    return (get_args(shape) or (None,))[-1]


def _bare(shape: object) -> object:
    """The type without `| None` and without the notes of Annotated."""
    if get_origin(shape) in (Annotated, Union, UnionType):
        return _bare(get_args(shape)[0])
    return shape
