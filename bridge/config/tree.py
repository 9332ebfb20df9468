"""YAML text → a tree of nodes that know their line and column. Everything in it is text: no tag is ever resolved.

Anchors, aliases and merge keys are taken as go-yaml takes them (an explicit key wins over a merged one, an earlier
merged map over a later), but the tree that comes of them is bounded: no file of a few lines can fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bridge.config.scalars import shown

MOST_NODES = 500_000
DEEPEST = 100
CORE_TAG = "tag:yaml.org,2002:"
NULLS = ("", "~", "null", "Null", "NULL")

# A fault as it is found: line and column from 1, where, what.
Tell = Callable[[int, int, str, str], None]


@dataclass(slots=True)
class Node:
    """One value of the file. Exactly one of `text`, `entries`, `rows` is set, or none where the value is null."""

    line: int
    column: int
    text: str | None = None
    entries: dict[str, Entry] | None = None
    rows: list[Node] | None = None
    weight: int = 1

    @property
    def kind(self) -> str:
        """What it is, in the words of an error."""
        if self.entries is not None:
            return "a map"
        if self.rows is not None:
            return "a list"
        return "nothing" if self.text is None else "text"

    @property
    def plain(self) -> object:
        """The bare value: dict, list, str or None."""
        if self.entries is not None:
            return {key: entry.value.plain for key, entry in self.entries.items()}
        if self.rows is not None:
            return [row.plain for row in self.rows]
        return self.text


@dataclass(slots=True)
class Entry:
    """A key of a map with its own place, and its value."""

    line: int
    column: int
    value: Node


class UnreadableError(Exception):
    """The text is no YAML that can be gone on with; the fault has been told."""


def dotted(where: str, key: str) -> str:
    """The path of `key` below `where`: `a.b`, or `a["b.c"]` where the key would be misread."""
    if key.replace("-", "").replace("_", "").isalnum():
        return f"{where}.{key}" if where else key
    return f"{where}[{shown(key)}]"


def select(node: Node, pattern: str, where: str = "") -> Iterator[tuple[str, Node]]:
    """Every value at `pattern`, with its path. Dots part its keys; `*` is any key of a map, `#` any row of a list."""
    head, _, rest = pattern.partition(".")
    if not head:
        yield where, node
    elif head == "#":
        for index, row in enumerate(node.rows or ()):
            yield from select(row, rest, f"{where}[{index}]")
    else:
        for key, entry in (node.entries or {}).items():
            if head in ("*", key):
                yield from select(entry.value, rest, dotted(where, key))


def compose(text: str, tell: Tell) -> Node | None:
    """The tree of the one document in `text`; None if that cannot be read at all. Every fault goes to `tell`."""
    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        return _Composer(_events(loader), tell).document()
    except UnreadableError:
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        tell(line, column, "yaml", _wording(error))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - (before.rfind("\n") + 1) + 1
        tell(before.count("\n") + 1, column, "yaml", "a character that YAML does not allow; write printable text")
    except (ValueError, OverflowError):
        # PyYAML converts escapes and version numbers without looking at their size.
        tell(loader.line + 1, loader.column + 1, "yaml", "a number or an escape that YAML does not know; write it out")
    return None


def _events(loader: yaml.SafeLoader) -> Iterator[Event]:
    while loader.check_event():
        yield loader.get_event()  # type: ignore[no-untyped-call]  # the stubs give this one no types


def _wording(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not YAML"
    if "'\\t'" in problem:
        return "a tab; YAML indents with spaces only, replace it"
    if "mapping values are not allowed" in problem:
        return 'a ": " where no key can be; put the value into quotes, or look at the indentation'
    context = f"{error.context}: " if error.context else ""
    return f"not YAML: {context}{problem}; look at the quotes, brackets and indentation here and just above"


@dataclass(slots=True)
class _Composer:
    events: Iterator[Event]
    tell: Tell
    anchors: dict[str, Node | None] = field(default_factory=dict)

    def document(self) -> Node:
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                break
        else:
            self._stop(1, 1, "", "the file is empty; it needs at least gateway, people, policies and route")
        root = self._node(next(self.events), "", 0)
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self._stop(*_place(event), "yaml", "a second document begins; write one document, without ---")
        return root

    def _node(self, event: Event, where: str, depth: int) -> Node:
        line, column = _place(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, where)
        assert isinstance(event, NodeEvent)
        if depth > DEEPEST:
            self._stop(line, column, where, f"nested deeper than {DEEPEST} levels; write it flatter")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and not str(tag).startswith(CORE_TAG):
            self.tell(line, column, where, f"the tag {shown(str(tag))} means nothing here; leave it out")
        if event.anchor:
            self.anchors[event.anchor] = None
        node = self._value(event, Node(line, column), where, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _value(self, event: Event, node: Node, where: str, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            quoted = event.style in ("'", '"', "|", ">")
            node.text = None if not quoted and event.value in NULLS else self._text(event, where)
        elif isinstance(event, SequenceStartEvent):
            self._rows(node, where, depth)
        elif isinstance(event, MappingStartEvent):
            self._entries(node, where, depth)
        return node

    def _text(self, event: ScalarEvent, where: str) -> str:
        """The scalar; what no file name, label or reply can hold (NUL, half a surrogate pair) is a fault."""
        value: str = event.value
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            self.tell(*_place(event), where, "holds a NUL or half a surrogate pair; write characters")
            return "?"
        return value

    def _rows(self, node: Node, where: str, depth: int) -> None:
        node.rows = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            row = self._node(event, f"{where}[{len(node.rows)}]", depth + 1)
            node.rows.append(row)
            self._weigh(node, row, where)

    def _entries(self, node: Node, where: str, depth: int) -> None:
        node.entries = {}
        merges: list[Node] = []
        while not isinstance(event := next(self.events), MappingEndEvent):
            line, column = _place(event)
            key = self._key(event, where, depth)
            value = self._node(next(self.events), dotted(where, key or "?"), depth + 1)
            self._weigh(node, value, where)
            if key is None:
                continue
            if key == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                merges.append(value)
            elif key in node.entries:
                first = node.entries[key].line
                self.tell(line, column, dotted(where, key), f"already given on line {first}; leave only one of them")
            else:
                node.entries[key] = Entry(line, column, value)
        for merge in merges:
            self._merge(node, merge, where)

    def _key(self, event: Event, where: str, depth: int) -> str | None:
        if isinstance(event, ScalarEvent):
            return event.value
        if isinstance(event, AliasEvent):
            node = self._alias(event, where)
            if node.text is not None:
                return node.text
        else:
            self._node(event, where, depth + 1)
        self.tell(*_place(event), where, "a key that is not plain text; write it as one word")
        return None

    def _merge(self, node: Node, merge: Node, where: str) -> None:
        assert node.entries is not None
        for source in merge.rows if merge.rows is not None else [merge]:
            if source.entries is None:
                self.tell(source.line, source.column, f"{where}.<<", "not a map; merge a map or a list of maps")
                continue
            for key, entry in source.entries.items():
                node.entries.setdefault(key, entry)

    def _alias(self, event: AliasEvent, where: str) -> Node:
        line, column = _place(event)
        if event.anchor not in self.anchors:
            self._stop(line, column, where, f"no &{event.anchor} comes before this; write that, or the value itself")
        node = self.anchors[event.anchor]
        if node is None:
            self._stop(line, column, where, f"*{event.anchor} stands inside &{event.anchor} itself; write the value")
        return node

    def _weigh(self, node: Node, child: Node, where: str) -> None:
        node.weight += child.weight
        if node.weight > MOST_NODES:
            self._stop(node.line, node.column, where, f"grows to more than {MOST_NODES} values; use fewer aliases")

    def _stop(self, line: int, column: int, where: str, what: str) -> NoReturn:
        self.tell(line, column, where or "yaml", what)
        raise UnreadableError


def _place(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None
    return mark.line + 1, mark.column + 1
