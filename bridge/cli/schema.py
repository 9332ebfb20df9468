"""`callbridge db`: the schema of the database, for those who run it on PostgreSQL (a file brings itself up to date)."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bridge import config
from bridge.cli.words import Commands, add_command, add_config
from bridge.config import redacted
from bridge.database import Database
from bridge.database.schema import NEWEST, newer, too_new
from bridge.errors import CallbridgeError

T = TypeVar("T")


def add_to(commands: Commands) -> None:
    """Add the commands."""
    actions = add_command(commands, "db", "look at the database's schema, or bring it up to date").add_subparsers(
        dest="action", metavar="ACTION", required=True
    )
    for name, summary, run in (
        ("upgrade", "bring the schema up to date; stop the servers that use it before", upgrade),
        ("check", "say whether the schema is what this version needs: 0, or 1 if not", check),
    ):
        action = add_command(actions, name, summary)
        add_config(action)
        action.set_defaults(run=run)


def upgrade(arguments: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    url = config.load(arguments.config).storage.url
    before, after = _with(url, Database.upgrade)
    was = "was empty" if before is None else "was up to date" if before == after else f"had schema {before}"
    print(f"{redacted(url)}: {was}, has schema {after}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Say what schema there is."""
    url = config.load(arguments.config).storage.url
    present = _with(url, Database.revision)
    if present == NEWEST:
        print(f"{redacted(url)}: schema {present}, up to date")
        return 0
    if present is not None and newer(present):
        raise CallbridgeError(too_new(present))
    what = "is empty" if present is None else f"has schema {present}"
    raise CallbridgeError(
        f"{redacted(url)}: {what}, this version needs {NEWEST}; run: callbridge db upgrade --config.file="
        f"{arguments.config}"
    )


def _with(url: str, ask: Callable[[Database], Awaitable[T]]) -> T:
    async def asked() -> T:
        database = Database(url)
        try:
            return await ask(database)
        finally:
            await database.close()

    return asyncio.run(asked())
