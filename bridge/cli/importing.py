"""`callbridge import`: a first config from another system's, and what could not be taken along, line by line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sized
from pathlib import Path

from bridge.cli.words import Commands, add_command, plain, text_of_others
from bridge.clock import SystemClock
from bridge.importing import FILL_IN, Draft, from_oncall, from_sachet, written
from bridge.importing.draft import MOST_BYTES


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "import", "write a first config from that of another system")
    command.add_argument("system", choices=("sachet", "oncall"), help="sachet, or Grafana OnCall (docs/migration.md)")
    command.add_argument("file", metavar="FILE", type=Path)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The config on stdout, what it lacks on stderr; 0 where there is one, however much it lacks."""
    text = text_of_others(arguments.file, MOST_BYTES, "save it in UTF-8")
    draft = from_sachet(text, str(arguments.file)) if arguments.system == "sachet" else _oncall(text, arguments.file)
    made = written(draft)
    print(made, end="")
    for note in draft.notes:
        print(plain(str(note)), file=sys.stderr)
    carried: dict[str, Sized] = {"people": draft.people, "schedules": draft.schedules, "policies": draft.policies}
    said = ", ".join(f"{word}: {len(found)}" for word, found in carried.items())
    open_ = made.count(FILL_IN) - 1  # the head explains the mark
    print(f"{said}; places to fill in: {open_}; not taken along as it was: {len(draft.notes)}", file=sys.stderr)
    return 0


def _oncall(text: str, file: Path) -> Draft:
    return from_oncall(text, str(file), SystemClock().now())
