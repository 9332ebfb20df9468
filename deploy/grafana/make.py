"""`python -m deploy.grafana.make`: writes the dashboards' JSON, which is committed beside it (`make dashboards`).

The same source gives the same bytes; a test sees that what is committed is current.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.internals import internals
from deploy.grafana.load import load
from deploy.grafana.overview import overview

FOLDER = Path(__file__).parent / "dashboards"


def written(board: Dashboard) -> str:
    """A dashboard as it stands in its file."""
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def dashboards() -> Mapping[str, str]:
    """The content of every file in dashboards/, by its name."""
    made = {"overview.json": overview(), "load.json": load(), "internals.json": internals()}
    return {name: written(board) for name, board in made.items()}


def main() -> None:
    """Write them all, and remove what is none any more."""
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
