"""`callbridge check-config`: every fault of the file at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridge import config
from bridge.cli.against import compare
from bridge.cli.hearing import hearing_doubts
from bridge.cli.lengths import length_doubts
from bridge.cli.rosters import roster_faults, roster_notes
from bridge.cli.words import Commands, add_command, now_or
from bridge.dispatch.world import template_faults
from bridge.errors import CallbridgeError, ConfigError, Fault
from bridge.speech import Speaker


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "check-config", "tell every fault of a config")
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("--strict", action="store_true", help="warnings fail as well")
    command.add_argument("--against", metavar="OLD.yaml", type=Path, help="tell which webhooks would go elsewhere")
    command.add_argument("--payloads", metavar="DIR", type=Path, help="where the recorded bodies (*.json) are")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where the file can be served, 1 where it cannot (or, with --strict, where something is doubtful)."""
    faults, notes = list(config.check(arguments.file)), list[Fault]()
    if not any(not fault.warning for fault in faults):
        further, notes = _further(arguments.file)
        faults = sorted([*faults, *further], key=lambda fault: (fault.line, fault.column))
    for line in (*faults, *notes):
        print(line)
    errors = sum(not fault.warning for fault in faults)
    warnings = len(faults) - errors
    elsewhere = 0 if errors else _elsewhere(arguments)
    failed = errors > 0 or (arguments.strict and warnings + elsewhere > 0)
    said = ", ".join(
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((errors, "fault"), (warnings, "warning")) if count
    )
    print(f"{arguments.file}: {'FAILED' if failed else 'SUCCESS'}{': ' + said if said else ''}")
    return 1 if failed else 0


def _elsewhere(arguments: argparse.Namespace) -> int:
    """How many alerts of the recorded webhooks go elsewhere than under --against; 0 where that is not asked."""
    if (arguments.against is None) != (arguments.payloads is None):
        missing = "--payloads=DIR" if arguments.payloads is None else "--against=OLD.yaml"
        raise CallbridgeError(f"{missing} is missing: --against and --payloads belong together")
    if arguments.against is None:
        return 0
    return compare(arguments.file, arguments.against, arguments.payloads).elsewhere


def _further(path: Path) -> tuple[list[Fault], list[Fault]]:
    """What only shows once the whole file is read: templates that cannot be used, nights without anybody; and notes."""
    try:
        loaded = config.load(path)
    except ConfigError as error:
        return list(error.faults), []
    speaker = Speaker(loaded.templates)
    found = list(template_faults(loaded, speaker))
    if not found:
        found += [*_hang_up_doubts(path, loaded, speaker), *length_doubts(path, loaded), *hearing_doubts(path, loaded)]
    return found + roster_faults(path, loaded, now_or(None)), roster_notes(path, loaded)


def _hang_up_doubts(path: Path, loaded: config.Config, speaker: Speaker) -> list[Fault]:
    """Under `hang_up: true` the templates by which hanging up takes nothing all the same."""
    if not loaded.acknowledgement.hang_up:
        return []
    return [
        Fault(str(path), 1, 1, f"policies.{policy.name}.template", doubt, warning=True)
        for policy in loaded.policies.values()
        if policy.steps
        for doubt in speaker.doubts(policy.template)
    ]
