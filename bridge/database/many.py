"""Many rows in one statement, handed to the driver as they are.

SQLAlchemy's own work on every value of every row costs two to three times what SQLite itself needs (measured), so the
statements that a storm of alerts runs through go past it: it renders them once, and the rows come as plain tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, update
from sqlalchemy.sql.dml import UpdateBase

Row = tuple[object, ...]


def insert_many(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert `rows`: the values of the columns `names`, in that order, as the driver takes them (no Instant)."""
    if rows:
        connection.exec_driver_sql(_insert(connection.dialect, table, names), list(rows))


def update_many(
    connection: Connection, table: Table, names: tuple[str, ...], keys: tuple[str, ...], rows: Sequence[Row]
) -> int:
    """Set the columns `names` of the rows that the columns `keys` find; each row: new values, then what finds it.

    Returns how many rows were found, of all together.
    """
    if not rows:
        return 0
    return connection.exec_driver_sql(_update(connection.dialect, table, names, keys), list(rows)).rowcount


@lru_cache(maxsize=64)
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    return _rendered(dialect, insert(table).values({name: bindparam(name) for name in names}), names)


@lru_cache(maxsize=64)
def _update(dialect: Dialect, table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    finds = [table.c[key] == bindparam(f"found_{key}") for key in keys]
    statement = update(table).where(*finds).values({name: bindparam(name) for name in names})
    return _rendered(dialect, statement, (*names, *(f"found_{key}" for key in keys)))


def _rendered(dialect: Dialect, statement: UpdateBase, order: tuple[str, ...]) -> str:
    compiled = statement.compile(dialect=dialect)
    places = getattr(compiled, "positiontup", None)
    assert places == list(order), f"name the columns in the order of the table: {places}, not {order}"
    return str(compiled)
