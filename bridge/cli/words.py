"""What several commands say or ask alike."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from bridge.alert import Group, Source, parse_group, parse_time
from bridge.clock import SystemClock
from bridge.errors import CallbridgeError, NotAWebhook

# A captured webhook and its resolution, for the demo and for trying things on a real alert.
PAYLOADS = resources.files("bridge.cli") / "payloads"

Commands = Any  # argparse keeps the type of its sub-parsers to itself


def add_command(commands: Commands, name: str, summary: str, **more: Any) -> argparse.ArgumentParser:
    """A command with its one line of help; abbreviated flags are not accepted, for they change their meaning later."""
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False, **more
    )
    return made


def add_config(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The flag --config.file."""
    command.add_argument(
        "--config.file", dest="config", metavar="FILE", type=Path, required=required, help="the config"
    )


def add_at(command: argparse.ArgumentParser) -> None:
    """The flag --at."""
    command.add_argument(
        "--at", metavar="TIME", type=at_time, default=None, help="at that time (RFC 3339; default: now)"
    )


def at_time(text: str) -> datetime:
    """The time of --at; one without a zone is UTC."""
    try:
        return parse_time(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 2026-12-24T03:00:00Z") from None


def now_or(at: datetime | None) -> datetime:
    """The time that a command speaks of."""
    return at or SystemClock().now()


def plain(text: str) -> str:
    """A stranger's text as a terminal may be given it: nothing moves the cursor or turns the direction of reading."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def text_of_others(path: Path, most: int, remedy: str) -> str:
    """The text of another program's file, of at most `most` bytes; `remedy`: what to do with one that is no UTF-8.

    Raises CallbridgeError that names the file.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise CallbridgeError(f"{path}: {error.strerror}") from None
    if len(raw) > most:
        raise CallbridgeError(f"{path}: longer than {most >> 20} MiB; name the right file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CallbridgeError(f"{path}: not UTF-8 text; {remedy}") from None


def read_payload(path: Path) -> Group:
    """A webhook body from a file. Raises CallbridgeError that names it."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise CallbridgeError(f"{path}: {error.strerror}") from None
    try:
        source = Source.GRAFANA if b'"orgId"' in body else Source.ALERTMANAGER
        return parse_group(body, source)
    except NotAWebhook as error:
        raise CallbridgeError(f"{path}: {error}") from None
