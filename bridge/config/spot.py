"""A value of the file with its place and its path: what every check looks at, and what every finding points to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.config.tree import Node, dotted


@dataclass(frozen=True, slots=True)
class Spot:
    """One value. `line` and `column` are those of its key where it has one: there an operator looks for it."""

    where: str
    line: int
    column: int
    node: Node

    @property
    def text(self) -> str | None:
        """The scalar; None for a list, a map or nothing."""
        return self.node.text

    @property
    def texts(self) -> tuple[str, ...] | None:
        """The scalars of a list; None where there is no list. What is no scalar in it is left out."""
        if self.node.rows is None:
            return None
        return tuple(row.text for row in self.node.rows if row.text is not None)

    def at(self, key: str) -> Spot | None:
        """What stands under `key`; None where nothing does (also where it is written and left empty)."""
        entry = (self.node.entries or {}).get(key)
        if entry is None or entry.value.kind == "nothing":
            return None
        return Spot(dotted(self.where, key), entry.line, entry.column, entry.value)

    def each(self, key: str) -> Iterator[Spot]:
        """The rows of the list under `key`."""
        found = self.at(key)
        for index, row in enumerate((found.node.rows if found else None) or ()):
            yield Spot(f"{found.where if found else ''}[{index}]", row.line, row.column, row)

    def entries(self) -> Iterator[tuple[str, Spot]]:
        """Every key of a map with its value, in the order of the file; also what is written and left empty."""
        for key, entry in (self.node.entries or {}).items():
            yield key, Spot(dotted(self.where, key), entry.line, entry.column, entry.value)


def root_of(node: Node) -> Spot:
    """The whole file as a spot."""
    return Spot("", node.line, node.column, node)
