"""Files to be read as the config, and what is told of them."""

from __future__ import annotations

from pathlib import Path

from bridge.config import check
from bridge.errors import Fault

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
EXAMPLE = ROOT / "config.example.yaml"

SMALL = """
gateway: {api_key_file: key}
people: {alice: {phone: +49 171 1234567}}
policies: {default: {steps: [{call: [alice]}]}}
route: {policy: default}
"""


def write(folder: Path, text: str) -> Path:
    """The file `callbridge.yaml` with `text` in `folder`."""
    path = folder / "callbridge.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[Fault]:
    """What keeps the file from being used."""
    return [fault for fault in check(path) if not fault.warning]


def about(found: tuple[Fault, ...], where: str) -> list[Fault]:
    """What is told of one place."""
    return [fault for fault in found if fault.where == where]
