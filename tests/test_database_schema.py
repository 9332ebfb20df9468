"""The schema: what the migrations make is what the tables say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, Index, MetaData, Text, create_engine, inspect, text

from bridge.database import Database
from bridge.database.schema import NEWEST, upgrade
from bridge.database.tables import metadata
from bridge.errors import CallbridgeError
from tests.storing import in_memory

LOADED = """
import asyncio, sys
from bridge.database import Database
database = Database(sys.argv[1])
async def main():
    await database.start()
    await database.close()
asyncio.run(main())
print("alembic" in sys.modules)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/bridge.db"


@contextmanager
def empty() -> Iterator[Connection]:
    with in_memory() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("CREATE SCHEMA fresh"))
            connection.execute(text("SET LOCAL search_path = fresh"))
            yield connection
            return
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'fresh'",
}


def described(connection: Connection) -> dict[str, object]:
    """All that there is, by name: columns and keys as inspected, and the words of each definition."""
    inspector = inspect(connection)
    found: dict[str, object] = {}
    for table in inspector.get_table_names():
        columns = [{**column, "type": str(column["type"])} for column in inspector.get_columns(table)]
        found[table] = (columns, inspector.get_pk_constraint(table))
    for name, words in connection.execute(text(INDEXES[connection.dialect.name])):
        found[f"{name}: words"] = sorted(words.replace(",", " ").replace("(", " ( ").replace(")", " ) ").split())
    return {name: what for name, what in found.items() if not name.startswith(("alembic_version", "sqlite_sequence"))}


def migrated() -> dict[str, object]:
    with empty() as connection:
        upgrade(connection)
        return described(connection)


def fresh(wanted: MetaData) -> dict[str, object]:
    with empty() as connection:
        wanted.create_all(connection)
        return described(connection)


@pytest.mark.usefixtures("kind")
def test_migrations_make_the_schema_of_the_tables() -> None:
    """A database that went through the migrations is the same as one that is made anew from the tables."""
    assert migrated() == fresh(metadata)


@pytest.mark.usefixtures("kind")
def test_alembic_sees_no_difference() -> None:
    """Nothing is left that Alembic would write into another migration."""
    with empty() as connection:
        upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def _without_index(copy: MetaData) -> None:
    table = copy.tables["calls"]
    table.indexes.remove(next(one for one in table.indexes if one.name == "calls_due"))


def _other_condition(copy: MetaData) -> None:
    table = copy.tables["incidents"]
    table.indexes.remove(next(one for one in table.indexes if one.name == "incidents_open"))
    columns = (table.c.stream, table.c.policy)
    closed = table.c.closed_at.is_not(None)
    Index("incidents_open", *columns, unique=True, sqlite_where=closed, postgresql_where=closed)


def _other_storage(copy: MetaData) -> None:
    copy.tables["pages"].dialect_options["sqlite"]["with_rowid"] = True
    copy.tables["pages"].c.id.type = Text()  # by the locale's order


def _nullable(copy: MetaData) -> None:
    copy.tables["alerts"].c.labels.nullable = True


def _another_column(copy: MetaData) -> None:
    copy.tables["journal"].append_column(Column("mood", Text))


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("change", [_without_index, _other_condition, _other_storage, _nullable, _another_column])
def test_a_difference_would_be_seen(change: Callable[[MetaData], None]) -> None:
    """The comparison above fails as soon as the tables say anything else than the migrations."""
    copy = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(copy)
    assert fresh(copy) == migrated()
    change(copy)
    assert fresh(copy) != migrated()


# --- starting with it


async def test_a_newer_database_is_refused_and_let_go(url: str) -> None:
    """What a newer callbridge has written is not touched: the operator reads what to do, and the file stays free."""
    database = Database(url)
    await database.start()
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    await database.close()
    for _ in range(2):
        with pytest.raises(CallbridgeError, match=f"schema 9999.*newer callbridge.*{NEWEST}.*restore a backup"):
            await Database(url).start()


async def test_a_strange_database_is_refused_as_a_whole(url: str) -> None:
    """A file that somebody else uses is named, and nothing of ours is left in it."""
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE pages (mine TEXT)"))
    connection.engine.dispose()
    with pytest.raises(CallbridgeError, match=r"bridge\.db.*pages already exists.*database of its own"):
        await Database(url).start()
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == ["pages"]
    engine.dispose()


def test_only_an_outdated_database_needs_alembic(url: str) -> None:
    """The first start migrates; every later one is spared the load of the library that does."""
    said = [subprocess.check_output([sys.executable, "-c", LOADED, url], text=True).strip() for _ in range(3)]
    assert said == ["True", "False", "False"]
