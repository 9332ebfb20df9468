"""Keys of the config made of other systems' names."""

from __future__ import annotations

import re
from collections.abc import Container

LONGEST = 60


def printable(text: str) -> str:
    """A stranger's text on one line, without what no YAML file can hold."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def key_of(name: str, taken: Container[str], otherwise: str) -> str:
    """A key like `name` that is not `taken`: small letters, digits, `-`, `_`; `otherwise` where none is left."""
    word = re.sub(r"[^\w-]+", "-", printable(name).lower()).strip("-_")[:LONGEST] or otherwise
    number, key = 1, word
    while key in taken:
        number += 1
        key = f"{word}-{number}"
    return key
