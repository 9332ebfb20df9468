"""What nobody understands who only hears it: addresses, ids, hashes, long numbers, joined words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Unspeakable:
    """A piece of text, what it is, and the filter that makes words of it."""

    text: str
    what: str
    remedy: str

    @property
    def shown(self) -> str:
        """The text, cut for a line."""
        return self.text if len(self.text) <= LONGEST_SHOWN else f"{self.text[:LONGEST_SHOWN]}…"


_SAY, _HOST = "|say", "|say, or |host for its host alone"
_HEX = r"(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}"
# In this order: what was found is not looked at again.
_KINDS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("a URL", _HOST, re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\bwww\.\S+\.\S+", re.IGNORECASE)),
    ("a UUID", _SAY, re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)),
    ("an IP address of version 6", _SAY, re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,}[0-9a-f]{0,4}(?![\w:])", re.I)),
    ("a name that ends in a hash", _SAY, re.compile(r"\b[\w.]+(?:-[\w.]+)*-[a-z0-9]{7,10}-[a-z0-9]{5}\b")),
    ("a hash", _SAY, re.compile(rf"(?<![\w-])(?:{_HEX}|sha\d+:\w+)(?![\w-])", re.IGNORECASE)),
    ("words joined by underscores", _SAY, re.compile(r"[^\W_]\w*_\w+")),
    ("a long number", "|say, or |humanize and the like", re.compile(r"(?<![\w.,])\d{7,}(?![\w])|\d+[.,]\d{4,}")),
)


def unspeakable(words: str) -> Iterator[Unspeakable]:
    """Everything in `words` (text without markup) that is no word, in the order of the kinds."""
    for what, remedy, pattern in _KINDS:
        yield from (Unspeakable(found[0], what, remedy) for found in pattern.finditer(words))
        words = pattern.sub(" ", words)
