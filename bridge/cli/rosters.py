"""What a config's schedules leave open, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bridge.config import Config
from bridge.config.tree import Node, compose, select
from bridge.errors import Fault
from bridge.rota import doubts, not_read, place, with_file_calendars

Places = dict[str, tuple[int, int]]


def roster_faults(path: Path, loaded: Config, now: datetime) -> list[Fault]:
    """What is doubtful of the schedules in the file at `path`: calendars, names, gaps from `now` on; all warnings."""
    filled = with_file_calendars(loaded, now)
    found = [replace(one, file=str(path)) for one in filled.warnings[len(loaded.warnings) :]]
    found += [Fault(str(path), 1, 1, where, what, warning=True) for where, what in doubts(filled, now)]
    if not found:
        return []
    places = _places(path)
    return [_at(one, places) for one in found]


def roster_notes(path: Path, loaded: Config) -> list[Fault]:
    """What could not be looked at from here: no doubt about the file."""
    notes = [Fault(str(path), 1, 1, where, f"note: {what}") for where, what in not_read(loaded)]
    places = _places(path) if notes else {}
    return [_at(one, places) for one in notes]


def _at(fault: Fault, places: Places) -> Fault:
    line, column = places.get(fault.where, (1, 1))
    return replace(fault, line=line, column=column)


def _places(path: Path) -> Places:
    """Where each schedule and its calendar stand. The file was read before, so nothing in it is wrong any more."""
    root = compose(path.read_text("utf-8-sig"), lambda *_place, warning=False: None)
    return dict(_keys(root)) if root is not None else {}


def _keys(root: Node) -> Iterator[tuple[str, tuple[int, int]]]:
    for _, schedules in select(root, "schedules"):
        for name, entry in (schedules.entries or {}).items():
            yield place(name), (entry.line, entry.column)
            ical = (entry.value.entries or {}).get("ical")
            if ical is not None:
                yield f"{place(name)}.ical", (ical.line, ical.column)
