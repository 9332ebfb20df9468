"""What processes on one database say to each other, and what only one of them may do at a time.

Where nobody shares the database, nothing is said and nobody is waited for.
"""

from __future__ import annotations

import zlib

from sqlalchemy import Connection, text

CHANNEL = "callbridge"
# The option of a connection that says whose it is, so that nobody listens to themselves.
SPEAKER = "speaker"

_NOTIFY = text("SELECT pg_notify(:channel, :word)")
_TRY = text("SELECT pg_try_advisory_xact_lock(:name)")
_WAIT = text("SELECT pg_advisory_xact_lock(:name)")


def say(connection: Connection, word: str) -> None:
    """Tell all other processes, once the transaction is committed."""
    if shared(connection):
        speaker = connection.get_execution_options()[SPEAKER]
        connection.execute(_NOTIFY, {"channel": CHANNEL, "word": f"{speaker} {word}"})


def alone(connection: Connection, what: str) -> None:
    """Wait until no other transaction is at `what`, and keep others from it until this one ends."""
    if shared(connection):
        connection.execute(_WAIT, {"name": number_of(what)})


def try_alone(connection: Connection, what: str) -> bool:
    """As `alone`, but False instead of waiting where somebody else is at it."""
    return not shared(connection) or bool(connection.execute(_TRY, {"name": number_of(what)}).scalar_one())


def shared(connection: Connection) -> bool:
    """Whether other processes may work on the same database."""
    return connection.dialect.name == "postgresql"


def number_of(what: str) -> int:
    """The number by which PostgreSQL knows what only one may do at a time."""
    # Two names with the same number only wait for each other without need.
    return zlib.crc32(what.encode()) | (0xCA11 << 40)
