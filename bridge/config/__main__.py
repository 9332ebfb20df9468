"""`python -m bridge.config`: write docs/config.schema.json anew."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.config import json_schema

TARGET = Path(__file__).parent.parent.parent / "docs" / "config.schema.json"


def written() -> str:
    """The JSON Schema as it stands in its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
