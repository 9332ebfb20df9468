"""What is found: where it stands, what happens because of it, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bridge.config.spot import Spot


class Level(StrEnum):
    """error: a page is lost. warning: one is doubled or late, or that is not clear. hint: worth a look."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in the file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    level: Level
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.level}: {self.where}: {self.what}; {self.remedy}"


@dataclass(slots=True)
class Findings:
    """All that was found in the file called `file` (as the operator calls it)."""

    file: str
    found: dict[Finding, None] = field(default_factory=dict)

    def tell(self, level: Level, spot: Spot, what: str, remedy: str) -> None:
        """Put down one finding; the same said twice of one place (by inheritance, by an alias) stays one."""
        self.found.setdefault(Finding(self.file, spot.line, spot.column, level, spot.where or "file", what, remedy))

    def error(self, spot: Spot, what: str, remedy: str) -> None:
        """A page is lost."""
        self.tell(Level.ERROR, spot, what, remedy)

    def warning(self, spot: Spot, what: str, remedy: str) -> None:
        """A page is doubled or late, or nobody can tell what becomes of it."""
        self.tell(Level.WARNING, spot, what, remedy)

    def hint(self, spot: Spot, what: str, remedy: str) -> None:
        """Nothing is wrong, and yet it is worth knowing."""
        self.tell(Level.HINT, spot, what, remedy)

    def in_order(self) -> tuple[Finding, ...]:
        """Everything in the order of the file."""
        return tuple(sorted(self.found, key=lambda one: (one.line, one.column)))
