"""`python -m bridge.config`: write docs/config.schema.json and docs/configuration.md anew."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.config import json_schema, reference

DOCS = Path(__file__).parent.parent.parent / "docs"
TARGET = DOCS / "config.schema.json"
REFERENCE = DOCS / "configuration.md"


def written() -> str:
    """The JSON Schema as it stands in its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
    REFERENCE.write_text(reference(), encoding="utf-8")
