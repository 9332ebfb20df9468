"""Whose page a browser acts for: it sends our credentials along by itself, also for another site's."""

from __future__ import annotations

from collections.abc import Mapping

SAFE_METHODS = ("GET", "HEAD")


def for_another_site(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site's page made it send this request; programs say nothing of the kind."""
    if method in SAFE_METHODS:
        return False
    return headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
