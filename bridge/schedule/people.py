"""People: who can be called at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be called; `phone` is E.164 (`+49…`) or None, `language` a BCP 47 tag (`de-DE`)."""

    key: str
    name: str
    phone: str | None
    language: str
    email: str = ""
