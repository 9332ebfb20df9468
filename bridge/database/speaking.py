"""What processes on one database say to each other, and what only one of them may do at a time.

Where nobody shares the database, nothing is said and nobody is waited for.
"""

from __future__ import annotations

import zlib

from sqlalchemy import Connection, text

CHANNEL = "callbridge"

_NOTIFY = text("SELECT pg_notify(:channel, :word)")
_TRY = text("SELECT pg_try_advisory_xact_lock(:name)")
_WAIT = text("SELECT pg_advisory_xact_lock(:name)")


def say(connection: Connection, word: str) -> None:
    """Tell all processes, this one too, once the transaction is committed."""
    if _shared(connection):
        connection.execute(_NOTIFY, {"channel": CHANNEL, "word": word})


def alone(connection: Connection, what: str) -> None:
    """Wait until no other transaction is at `what`, and keep others from it until this one ends."""
    if _shared(connection):
        connection.execute(_WAIT, {"name": _number(what)})


def try_alone(connection: Connection, what: str) -> bool:
    """As `alone`, but False instead of waiting where somebody else is at it."""
    return not _shared(connection) or bool(connection.execute(_TRY, {"name": _number(what)}).scalar_one())


def _shared(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _number(what: str) -> int:
    # Two names with the same number only wait for each other without need.
    return zlib.crc32(what.encode()) | (0xCA11 << 40)
