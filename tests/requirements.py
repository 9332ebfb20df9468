"""What a test needs that pip cannot install: a server or a tool of the system."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def require(command: str, package: str, *other_names: str, advice: str = "") -> str:
    """The path of `command`, or of the first of `other_names` that is there (Debian renames some servers).

    Where it is missing the test is skipped with one line that says what to install (`package`, by its Debian name, or
    `advice` where Debian has none); under `CI=true` it fails, for there a skip would be a check that nobody ran.
    """
    found = next((path for name in (command, *other_names) if (path := shutil.which(name, path=_places()))), None)
    if found is not None:
        return found
    advice = f"{command} is missing: {advice or f'apt-get install {package}'}"
    if os.environ.get("CI") == "true":
        pytest.fail(advice, pytrace=False)
    pytest.skip(advice)


def _places() -> str:
    """Beside our Python, the search path, and where Debian keeps PostgreSQL's programs: the newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), *map(str, versions)])
