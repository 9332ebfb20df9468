"""Shortening for the ear: at the end of a sentence where there is one, else at a word."""

from __future__ import annotations

import re
from collections.abc import Callable

_SENTENCE_END = re.compile(r"[.!?…](?=\s|\Z)")
_WORD_END = re.compile(r"(?<=\S)(?=\s|\Z)")


def first_sentences(text: str, longest: int) -> str:
    """`text` cut to at most `longest` characters."""
    return cut(text, lambda part: len(part) <= longest)


def cut(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of `text` that `fits`: whole sentences, else whole words, else characters; at worst "".

    `fits` must hold for every beginning of a text that it holds for.
    """
    if fits(text):
        return text
    for ends in (_SENTENCE_END, _WORD_END):
        if shorter := _longest(text, [match.end() for match in ends.finditer(text)], fits):
            return shorter
    return _longest(text, list(range(1, len(text))), fits)


def _longest(text: str, ends: list[int], fits: Callable[[str], bool]) -> str:
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        if fits(text[: ends[middle]]):
            low = middle + 1
        else:
            high = middle
    return text[: ends[low - 1]] if low else ""
