"""What this version reads but does not act upon: told aloud, so that no key is silently without effect."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config.faults import Faults
from bridge.config.tree import Node, select


@dataclass(frozen=True, slots=True)
class NotYet:
    """A place of the file; `words`: only where its text begins with one of these; `fault`: with these no start."""

    where: str
    what: str
    words: tuple[str, ...] = ()
    fault: bool = False


NOT_YET = (
    NotYet(
        "storage.url",
        "this version keeps its incidents in SQLite only; write sqlite:///callbridge.db",
        ("postgresql:", "postgres:"),
        fault=True,
    ),
    NotYet("alertmanagers", "this version does not ask Alertmanager yet; nothing is re-checked or silenced there"),
)


def check_not_yet(root: Node, faults: Faults) -> None:
    """Tell of every place of NOT_YET that the file uses."""
    for row in NOT_YET:
        for where, node in select(root, row.where):
            if _used(node) and not faults.below(where) and (not row.words or (node.text or "").startswith(row.words)):
                faults.tell(node.line, node.column, where, row.what, warning=not row.fault)


def blocked(where: str, text: str) -> str:
    """Why `text`, read from elsewhere, cannot stand for `where` in this version; "" if it can."""
    rows = (row for row in NOT_YET if row.where == where and row.fault)
    return next((row.what for row in rows if text.startswith(row.words)), "")


def _used(node: Node) -> bool:
    return bool(node.text or node.entries or node.rows)
