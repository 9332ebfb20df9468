"""What this version reads but does not act upon: told aloud, so that no key is silently without effect."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config.faults import Faults
from bridge.config.tree import Node, select


@dataclass(frozen=True, slots=True)
class NotYet:
    """A place of the file, and what of it this version leaves undone."""

    where: str
    what: str


NOT_YET = (NotYet("heartbeat", "this version does not send it yet"),)


def check_not_yet(root: Node, faults: Faults) -> None:
    """Tell of every place of NOT_YET that the file uses."""
    for row in NOT_YET:
        for where, node in select(root, row.where):
            if _used(node) and not faults.below(where):
                faults.tell(node.line, node.column, where, row.what, warning=True)


def _used(node: Node) -> bool:
    return bool(node.text or node.entries or node.rows)
