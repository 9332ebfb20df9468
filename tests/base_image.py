"""A base for the image, made of this machine's own Python, for where no registry of images is reached."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

# Of the standard library: what no server needs, and what this machine has installed into it.
LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "lib2to3", "__pycache__", "*.a")
# What a slim image of Python has, that the Dockerfile and its packages' wheels use.
PROGRAMS = ("/bin/sh", "/usr/bin/install")
LIBRARIES = ("libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libnss_dns.so.2", "libresolv.so.2",
             "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")  # fmt: skip


def make_base(root: Path) -> None:
    """Lay a small root with Python, a shell and `install` into `root`, everything at its own path."""
    library = Path(sysconfig.get_paths()["stdlib"])
    program = Path(os.path.realpath(sys.executable))
    shutil.copytree(library, _in(root, library), symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for path in (program, *map(Path, PROGRAMS)):
        _copy(path, root)
    for path in _needed([program, *map(Path, PROGRAMS), *(library / "lib-dynload").glob("*.so")]):
        _copy(path, root)
    (root / "usr/local/bin").mkdir(parents=True)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(program)
    for folder in ("dev", "proc", "tmp", "etc"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _in(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _copy(path: Path, root: Path) -> None:
    target = _in(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def _needed(files: Iterable[Path]) -> set[Path]:
    """The shared libraries of all these files, the loader among them."""
    told = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False, timeout=60).stdout
    found = {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(0x", told, re.MULTILINE)}
    beside = {path.parent for path in found}
    return found | {folder / name for folder in beside for name in LIBRARIES if (folder / name).exists()}
