"""The house keeps its own rules."""

from __future__ import annotations

from tests.requirements import require


async def test_probe() -> None:
    """x."""
    assert require("sh", "dash")
