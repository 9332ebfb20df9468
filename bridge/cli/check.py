"""`callbridge check-config`: every fault of the file at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridge import config
from bridge.cli.words import Commands, add_command
from bridge.errors import ConfigError, Fault
from bridge.speech import Speaker


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "check-config", "tell every fault of a config")
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("--strict", action="store_true", help="warnings fail as well")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where the file can be served, 1 where it cannot (or, with --strict, where something is doubtful)."""
    faults = list(config.check(arguments.file))
    if not any(not fault.warning for fault in faults):
        faults += _further(arguments.file)
    for fault in faults:
        print(fault)
    errors = sum(not fault.warning for fault in faults)
    warnings = len(faults) - errors
    failed = errors > 0 or (arguments.strict and warnings > 0)
    said = ", ".join(
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((errors, "fault"), (warnings, "warning")) if count
    )
    print(f"{arguments.file}: {'FAILED' if failed else 'SUCCESS'}{': ' + said if said else ''}")
    return 1 if failed else 0


def _further(path: Path) -> list[Fault]:
    """What only shows once the whole file is read: templates that cannot be used."""
    try:
        loaded = config.load(path)
    except ConfigError as error:
        return list(error.faults)
    speaker = Speaker(loaded.templates)
    return [
        Fault(str(path), 1, 1, f"policies.{policy.name}.template", fault)
        for policy in loaded.policies.values()
        for fault in speaker.check(policy.template)
    ]
