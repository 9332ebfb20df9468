"""The locked packages as files, fetched once by the pip of this machine, for tests that install callbridge anew."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.serving import ROOT

LOCKS = ("requirements.lock", "requirements-build.lock")


@cache
def wheelhouse() -> Path:
    """A folder with every package that running and building needs, checked against the locks' hashes."""
    folder = Path(tempfile.mkdtemp(prefix="wheels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    wanted = [word for lock in LOCKS for word in ("-r", str(ROOT / lock))]
    told = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", *wanted, "-d", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if told.returncode == 0:
        return folder
    advice = f"the locked packages cannot be fetched: {told.stderr.strip().splitlines()[-1]}"
    if os.environ.get("CI") == "true":
        pytest.fail(advice, pytrace=False)
    pytest.skip(advice)


def pip_conf(folder: Path, wheels: str) -> Path:
    """A pip.conf by which pip knows the packages in `wheels` and no others; it compiles none."""
    # `no-compile = no` is how pip spells the flag in a file.
    path = folder / "pip.conf"
    path.write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n[install]\nno-compile = no\n")
    return path
