"""Many rows in one statement, handed to the driver as they are.

SQLAlchemy's own work on every value of every row costs two to three times what SQLite itself needs (measured), so the
statements that a storm of alerts runs through go past it: they are rendered once, and the rows come as plain tuples.
SQLite runs such a statement once for each row; PostgreSQL gets all rows at once, as one list for each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, update
from sqlalchemy.sql.dml import UpdateBase

from bridge.database.speaking import number_of

Row = tuple[object, ...]
Names = tuple[str, ...]


def insert_many(connection: Connection, table: Table, names: Names, rows: Sequence[Row]) -> None:
    """Insert `rows`: the values of the columns `names`, in that order, as the driver takes them (no Instant)."""
    if not rows:
        return
    if _takes_lists(connection):
        connection.exec_driver_sql(_insert_lists(connection.dialect, table, names), _columns(rows))
        return
    connection.exec_driver_sql(_insert(connection.dialect, table, names), list(rows))


def insert_numbered(connection: Connection, table: Table, names: Names, number: str, rows: Sequence[Row]) -> list[int]:
    """As `insert_many`, into a table that numbers its rows in the column `number`; returns their numbers, in order.

    Over all processes numbers are committed in their order: when one can be read, so can all that are smaller. It is
    one statement, so that a process that is stopped in the middle keeps nobody else waiting.
    """
    if not rows:
        return []
    if _takes_lists(connection):
        return list(
            connection.exec_driver_sql(
                _number_lists(connection.dialect, table, names, number), _columns(rows)
            ).scalars()
        )
    insert_many(connection, table, names, rows)
    # One connection writes: nobody else's rows are among ours.
    last = int(connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one())
    return list(range(last - len(rows) + 1, last + 1))


def update_many(connection: Connection, table: Table, names: Names, keys: Names, rows: Sequence[Row]) -> int:
    """Set the columns `names` of the rows that the columns `keys` find; each row: new values, then what finds it.

    Returns how many rows were found, of all together.
    """
    if not rows:
        return 0
    if _takes_lists(connection):
        return connection.exec_driver_sql(
            _update_lists(connection.dialect, table, names, keys), _columns(rows)
        ).rowcount
    return connection.exec_driver_sql(_update(connection.dialect, table, names, keys), list(rows)).rowcount


# --- row by row


@lru_cache(maxsize=64)
def _insert(dialect: Dialect, table: Table, names: Names) -> str:
    return _rendered(dialect, insert(table).values({name: bindparam(name) for name in names}), names)


@lru_cache(maxsize=64)
def _update(dialect: Dialect, table: Table, names: Names, keys: Names) -> str:
    finds = [table.c[key] == bindparam(f"found_{key}") for key in keys]
    statement = update(table).where(*finds).values({name: bindparam(name) for name in names})
    return _rendered(dialect, statement, (*names, *(f"found_{key}" for key in keys)))


def _rendered(dialect: Dialect, statement: UpdateBase, order: Names) -> str:
    compiled = statement.compile(dialect=dialect)
    places = getattr(compiled, "positiontup", None)
    assert places == list(order), f"name the columns in the order of the table: {places}, not {order}"
    return str(compiled)


# --- all rows at once


def _takes_lists(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _columns(rows: Sequence[Row]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


@lru_cache(maxsize=64)
def _insert_lists(dialect: Dialect, table: Table, names: Names) -> str:
    places = [name for name in table.c.keys() if name in names]  # noqa: SIM118 - not a dict: `in` needs its keys
    assert places == list(names), f"name the columns in the order of the table: {places}, not {names}"
    columns = ", ".join(_quoted(dialect, name) for name in names)
    # In the order of the list, so that numbers are given in it too.
    numbered = f"{_lists(dialect, table, names)} WITH ORDINALITY AS given({columns}, ordinality)"
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {numbered} ORDER BY ordinality"  # noqa: S608 - names of our own tables


@lru_cache(maxsize=64)
def _number_lists(dialect: Dialect, table: Table, names: Names, number: str) -> str:
    turn = f"(SELECT pg_advisory_xact_lock({number_of(table.name)})) AS turn, unnest("
    return _insert_lists(dialect, table, names).replace("unnest(", turn, 1) + f" RETURNING {number}"


@lru_cache(maxsize=64)
def _update_lists(dialect: Dialect, table: Table, names: Names, keys: Names) -> str:
    given = [f"set_{name}" for name in names] + [f"found_{key}" for key in keys]
    values = ", ".join(f"{_quoted(dialect, name)} = given.set_{name}" for name in names)
    finds = " AND ".join(f"{table.name}.{_quoted(dialect, key)} = given.found_{key}" for key in keys)
    lists = f"{_lists(dialect, table, (*names, *keys))} AS given({', '.join(given)})"
    return f"UPDATE {table.name} SET {values} FROM {lists} WHERE {finds}"  # noqa: S608 - names of our own tables


def _lists(dialect: Dialect, table: Table, names: Names) -> str:
    # Without its collation: a list has none.
    kinds = (table.c[name].type.compile(dialect=dialect).partition(" COLLATE")[0] for name in names)
    return f"unnest({', '.join(f'${place}::{kind}[]' for place, kind in enumerate(kinds, 1))})"


def _quoted(dialect: Dialect, name: str) -> str:
    return str(dialect.identifier_preparer.quote(name))
