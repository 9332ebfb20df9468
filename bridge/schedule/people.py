"""People: who can be called at all, and whom a calendar's text means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# What stands between the parts of a summary: "On Call - Alice Example", "Alice (primary)", "Alice <alice@example.com>".
_BETWEEN = re.compile(r"\s[-–—]\s|[–—:|/,;()\[\]<>]")
_DUTY = re.compile(r"^(?:on[- ]?call)\b[\s:-]*|[\s:-]*\b(?:is )?on[- ]?call$")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be called; `phone` is E.164 (`+49…`) or None, `language` a BCP 47 tag (`de-DE`)."""

    key: str
    name: str
    phone: str | None
    language: str
    email: str = ""


class Names:
    """Everything people are called by in calendars: their key, name and e-mail address, in any case of letters."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._keys = {_folded(key): key for key in people}
        self._named: dict[str, set[str]] = {}
        for key, person in people.items():
            for name in filter(None, (_folded(person.name), _folded(person.email))):
                self._named.setdefault(name, set()).add(key)

    def person_of(self, summary: str) -> str | None:
        """The key of the one person whom `summary` names; None if it is nobody known, or more than one.

        The whole summary first; then its parts, as on-call systems export them: "On call - Alice Example", "alice
        on-call", "Alice Example (primary)"; last a full name or an address inside other words ("Shift of Al Example").
        """
        text = _folded(summary)
        for found in (self._meant((text,)), self._meant(_parts(text)), self._inside(text)):
            if found:
                return found.pop() if len(found) == 1 else None
        return None

    def _meant(self, parts: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for part in parts:
            found |= {self._keys[part]} if part in self._keys else self._named.get(part, set())
        return found

    def _inside(self, text: str) -> set[str]:
        # One word alone ("May", "Mark") is too easily something else; an address or a full name is not.
        names = [name for name in self._named if (" " in name or "@" in name) and _stands_in(name, text)]
        longest = [name for name in names if not any(name != other and name in other for other in names)]
        return self._meant(longest)


def person_of(summary: str, people: Mapping[str, Person]) -> str | None:
    """The key of the one person whom a calendar event's summary names, or None; see `Names.person_of`."""
    return Names(people).person_of(summary)


def _parts(text: str) -> list[str]:
    """The parts of a summary, each also without the words "on call" around it."""
    parts = [part.strip() for part in (text, *_BETWEEN.split(text))]
    return [shown for part in parts for shown in (part, _DUTY.sub("", part).strip()) if shown]


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.@-]){re.escape(name)}(?!\.?[\w@-])", text) is not None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
