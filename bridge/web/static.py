"""Style, script and htmx, out of the package: read once, and kept by browsers until their content changes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    """One file; `version` changes with its content."""

    body: bytes
    kind: str
    version: str


@cache
def files() -> dict[str, File]:
    """Every file that browsers may have."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in KINDS:
            body = path.read_bytes()
            found[path.name] = File(body, KINDS[path.suffix], hashlib.sha256(body).hexdigest()[:12])
    return found


def address_of(name: str) -> str:
    """Where a page finds a file, below the site's base."""
    return f"/static/{name}?v={files()[name].version}"
