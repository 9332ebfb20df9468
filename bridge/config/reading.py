"""From the file's bytes to a Config: read, compose, check the shape, check what hangs together, build."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from bridge.config.build import build
from bridge.config.checks import check_tree
from bridge.config.faults import Faults
from bridge.config.schema import File
from bridge.config.settings import Config
from bridge.config.showing import shown_file
from bridge.config.tree import Node, compose
from bridge.config.wording import place, tell_all
from bridge.errors import ConfigError, Fault
from bridge.route import shadowed

MOST_BYTES = 16 << 20


def load(path: Path) -> Config:
    """The Config of the file at `path`. Raises ConfigError with every fault, in the order of the file."""
    config, faults = _read(path)
    if config is None:
        raise ConfigError([fault for fault in faults.in_order() if not fault.warning])
    return replace(config, warnings=faults.in_order())


def check(path: Path) -> tuple[Fault, ...]:
    """Every fault and every warning of the file at `path`, in its order; raises nothing for what is in the file."""
    return _read(path)[1].in_order()


def _read(path: Path) -> tuple[Config | None, Faults]:
    faults = Faults(str(path))
    raw = _bytes(path, faults)
    if raw is None:
        return None, faults
    text = _text(raw, faults)
    root = compose(text, faults.tell) if text is not None else None
    if root is None:
        return None, faults
    if root.entries is None:
        faults.tell(root.line, root.column, "file", f"{root.kind} stands here; write a map, with gateway, people, …")
        return None, faults
    file = _shape(root, faults)
    # The paths in the file start at its folder, wherever the program was started.
    path = path.absolute()
    check_tree(root, path.parent, faults)
    if file is None or faults.fatal:
        return None, faults
    config = build(file, path, int.from_bytes(hashlib.md5(raw, usedforsecurity=False).digest()[:6], "little"))
    _check_reach(config, root, faults)
    return replace(config, shown=shown_file(root.plain)), faults


def _bytes(path: Path, faults: Faults) -> bytes | None:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        faults.tell(1, 1, "file", f"cannot be read: {reason}; name a file that this user can read")
        return None
    if len(raw) > MOST_BYTES:
        faults.tell(1, 1, "file", f"is longer than {MOST_BYTES >> 20} MiB; name the right file")
        return None
    return raw


def _text(raw: bytes, faults: Faults) -> str | None:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        faults.tell(before.count(b"\n") + 1, column, "file", "not UTF-8; save the file in UTF-8")
        return None


def _shape(root: Node, faults: Faults) -> File | None:
    try:
        return File.model_validate(root.plain)
    except ValidationError as error:
        tell_all(error, root, faults)
        return None


def _check_reach(config: Config, root: Node, faults: Faults) -> None:
    for found in shadowed(config.route):
        location: list[int | str] = ["route"]
        for index in found.path:
            location += ["routes", index]
        line, column, _ = place(root, location)
        where, _, what = str(found).partition(" ")
        faults.tell(line, column, where, what, warning=True)
