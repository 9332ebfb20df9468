"""`callbridge doctor`: what in an Alertmanager config would lose or double a page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bridge import config
from bridge.app import parse_address
from bridge.cli.serving import DEFAULT_ADDRESS, external_url
from bridge.cli.words import Commands, add_command, add_config, text_of_others
from bridge.config import Config
from bridge.doctor import Finding, Level, Where, examine, surroundings
from bridge.errors import CallbridgeError

MOST_BYTES = 16 << 20


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "doctor", "tell what in an Alertmanager config would lose or double a page")
    command.add_argument("file", metavar="ALERTMANAGER.yml", type=Path)
    add_config(command, required=False)
    command.add_argument("--web.external-url", dest="external_url", metavar="URL", default="",
                         help="under which URL Alertmanager reaches callbridge")  # fmt: skip
    command.add_argument("--receiver", metavar="NAME", action="append", default=[],
                         help="a receiver that goes to callbridge although its URL does not show it")  # fmt: skip
    command.add_argument("--strict", action="store_true", help="warnings fail as well")
    command.add_argument("--output", choices=("text", "json"), default="text")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where no page is lost, 1 where one is (or, with --strict, where one is doubled, late, or in doubt)."""
    loaded = config.load(arguments.config) if arguments.config is not None else None
    where = Where(external_url(arguments.external_url), _default_port(), tuple(arguments.receiver))
    text = text_of_others(arguments.file, MOST_BYTES, "one that the Operator packed needs gunzip first")
    findings = examine(text, str(arguments.file), surroundings(where, loaded, _secret(loaded)))
    counts = {level: sum(one.level is level for one in findings) for level in Level}
    failed = counts[Level.ERROR] > 0 or (arguments.strict and counts[Level.WARNING] > 0)
    if arguments.output == "json":
        print(msgspec.json.encode({"failed": failed, "counts": counts, "findings": findings}).decode())
    else:
        _tell(arguments.file, findings, counts, failed=failed)
    return 1 if failed else 0


def _default_port() -> int:
    return parse_address(DEFAULT_ADDRESS)[1]


def _secret(loaded: Config | None) -> str | None:
    """What Alertmanager must send, if it can be read here; an operator's machine often has no copy."""
    if loaded is None or loaded.webhooks.alertmanager is None:
        return None
    try:
        return loaded.webhooks.alertmanager.read()
    except CallbridgeError:
        return None


def _tell(path: Path, findings: Sequence[Finding], counts: dict[Level, int], *, failed: bool) -> None:
    for finding in findings:
        print(finding)
    said = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count)
    verdict = "FAILED" if failed else "SUCCESS"
    print(f"{path}: {verdict}: {said or 'nothing found'} (what else may be wrong: amtool check-config {path})")
