"""The list that everything wrong with one file is put down in."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.errors import Fault

LONGEST_PATH = 200


@dataclass(slots=True)
class Faults:
    """All that was found in the file called `file` (as the operator calls it)."""

    file: str
    found: dict[Fault, None] = field(default_factory=dict)

    def tell(self, line: int, column: int, where: str, what: str, *, warning: bool = False) -> None:
        """Put down one fault; the same thing said twice (by an alias used twice) stays one."""
        shown = where if len(where) <= LONGEST_PATH else f"{where[:LONGEST_PATH]}…"
        self.found.setdefault(Fault(self.file, line, column, shown, what, warning))

    @property
    def fatal(self) -> bool:
        """Whether the file cannot be used."""
        return any(not fault.warning for fault in self.found)

    def below(self, where: str) -> bool:
        """Whether something at or below `where` is wrong already, so that looking closer would say it twice."""
        return any(
            not fault.warning and (fault.where == where or fault.where.startswith((f"{where}.", f"{where}[")))
            for fault in self.found
        )

    def in_order(self) -> tuple[Fault, ...]:
        """Everything in the order of the file."""
        return tuple(sorted(self.found, key=lambda fault: (fault.line, fault.column)))
