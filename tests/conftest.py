"""What holds for every test."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bridge.cli import main
from tests import postgres, serving, storing

# No deadline: how long one example takes says more of the machine than of the code. Where a change is judged, the same
# examples every time: a failure there is the change's, and it can be repeated.
settings.register_profile("house", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "house")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A PostgreSQL, started when the first test asks for it."""
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """One test after the other on both databases: `storing.in_memory` and `storing.a_database` are of this kind."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    with storing.on_postgresql(request.getfixturevalue("postgresql")):
        yield "postgresql"


@pytest.fixture(autouse=True)
def on_sqlite_unless_asked(request: pytest.FixtureRequest) -> Iterator[None]:
    """`kind` lasts for a whole file: a test between two that ask for it is not for PostgreSQL because of that."""
    if "kind" in request.fixturenames:
        yield
        return
    with storing.on_sqlite():
        yield


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """Commands set the log up for a process of their own."""
    root, ours = logging.getLogger(), logging.getLogger("bridge")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], log_as_before: None) -> serving.Run:
    """Run a command within this process: its exit code, stdout and stderr."""

    def ran(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A plain function that works on PostgreSQL runs where its statements can wait for the server."""
    return storing.run_where_it_can_wait(pyfuncitem)
