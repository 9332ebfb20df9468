"""A PostgreSQL of the tests' own: started once, on a free port, by a user that may; a database for whoever asks."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from bridge.database import Database
from tests.ports import free_port
from tests.requirements import require

T = TypeVar("T")

# As it comes, but for what it may take of the machine.
SAFE = ("shared_buffers=64MB", "max_connections=200")
# Not on the disk for good: a test that is cut off needs nothing of it. Locks and visibility are what they always are.
HASTY = (*SAFE, "fsync=off", "full_page_writes=off")
# Not byte by byte: what needs that order must ask for it.
LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
TEMPLATE = "template_callbridge"


@dataclass
class Server:
    """A running PostgreSQL. `stop` with SIGINT (clients are cut off), SIGQUIT (as a crash); `start` again."""

    folder: Path
    port: int
    programs: Path
    user: str
    settings: tuple[str, ...] = HASTY
    process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=count)

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://callbridge@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        options = [f"-c{option}" for option in (*self.settings, f"port={self.port}", "unix_socket_directories=")]
        command = [str(self.programs / "postgres"), "-D", str(self.folder), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, user=self.user)
        until = time.monotonic() + 60
        while not _wait(_answers(self.url("postgres"))):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, and return once it is gone."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def create(self, template: str = TEMPLATE) -> str:
        """A new database with the present schema (or a copy of another); its URL."""
        name = f"night{next(self._names)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str, database: str = "postgres") -> None:
        """One statement by the administrator."""
        _wait(_execute(self.url(database), statement))


@contextmanager
def running(settings: tuple[str, ...] = HASTY) -> Iterator[Server]:
    """A PostgreSQL with a template of the present schema."""
    programs = Path(require("postgres", "postgresql")).parent
    # It refuses to run as root.
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if os.getuid() == 0:
        shutil.chown(folder, user, user)
    server = Server(folder, free_port(), programs, user, settings)
    try:
        command = [
            str(programs / "initdb"),
            "-D",
            str(folder),
            "--username=callbridge",
            "--auth=trust",
            "--no-sync",
            *LOCALE,
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, user=user)
        server.start()
        server.run(f"CREATE DATABASE {TEMPLATE}")
        _wait(_upgrade(server.url(TEMPLATE)))
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Whoever asks may be in a loop already: in a thread, there is none."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _upgrade(url: str) -> None:
    database = Database(url)
    await database.upgrade()
    await database.close()


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()
