"""The commands. They run the same pure functions as the server; flags are in Prometheus style (`--a.b=value`)."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Sequence
from typing import NoReturn

from bridge import __version__
from bridge.errors import CallbridgeError, ConfigError

# Each command and the module behind it, in the order of the help. A module is loaded when its command is asked for:
# all of them together take more than a second.
COMMANDS = {
    "serve": "serving",
    "check-config": "check",
    "routes": "routes",
    "oncall": "oncall",
    "explain": "explain",
    "test": "testing",
    "render": "render",
    "doctor": "doctor",
    "call": "call",
    "gateway": "gateway",
    "incidents": "incidents",
    "import": "importing",
    "db": "schema",
    "simulator": "simulate",
    "demo": "demo",
}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves with 1, as the programs around Prometheus do."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            flag = unknown.partition(" ")[0].partition("=")[0]
            message = (
                f"unknown long flag '{flag}', try --help"
                if flag.startswith("--")
                else f"unexpected {unknown!r}, try --help"
            )
        self.exit(1, f"{self.prog}: error: {' '.join(message.split())}\n")


def parser(argv: Sequence[str]) -> Parser:
    """The command line, as far as `argv` needs it: one command, or all of them for help and errors."""
    top = Parser(
        prog="callbridge",
        description="Wakes the right person by telephone, and can prove that it did.",
        allow_abbrev=False,
    )
    version = f"callbridge, version {__version__} (python {platform.python_version()}, {platform.system().lower()})"
    top.add_argument("--version", action="version", version=version)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = [argv[0]] if argv and argv[0] in COMMANDS else [] if "--version" in argv[:1] else COMMANDS
    for command in asked:
        importlib.import_module(f"bridge.cli.{COMMANDS[command]}").add_to(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 1 with what is wrong on stderr."""
    given = sys.argv[1:] if argv is None else argv
    arguments = parser(given).parse_args(given)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except CallbridgeError as error:
        return _said(error)
    except ExceptionGroup as group:
        # Tasks that run side by side fail as a group; what an operator can mend is told as it would be alone.
        known, rest = group.split(CallbridgeError)
        if known is None or rest is not None:
            raise
        return _said(_first(known))
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _said(error: Exception) -> int:
    print(error if isinstance(error, ConfigError) else f"callbridge: error: {error}", file=sys.stderr)
    return 1


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
