"""Strangers' text made harmless: no control characters, nothing that could be taken for markup."""

from __future__ import annotations

import re
import unicodedata

# Zero-width joiner and non-joiner are part of words in several scripts; every other format character only hides things.
_JOINERS = "\u200c\u200d"
_SPACES = re.compile(r"\s+")
_PLAIN = re.compile(r"[ -~\n]*\Z")


def legal(text: str) -> str:
    """`text` without control, format, private and unassigned characters and without lone surrogates: fit for XML 1.0.

    Controls and separators of lines become spaces, the others vanish.
    """
    if _PLAIN.match(text):
        return text
    return "".join(map(_legal, text))


def _legal(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return "\n" if character == "\n" else " "
    if category[0] != "C" or character in _JOINERS:
        return character
    return ""


def plain(text: str, ampersand: str = "and") -> str:
    """One line of plain text: legal, white space collapsed, `&` as a word, and no angle brackets."""
    worded = legal(text).replace("&", f" {ampersand} ").replace("<", " ").replace(">", " ")
    return _SPACES.sub(" ", worded).strip()
