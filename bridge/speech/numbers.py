"""Numbers as they are said: rounded for the ear, with their units."""

from __future__ import annotations

import math
import re

from bridge.speech.words import UNITS, Words

# What strangers send is bounded here: no number is longer than a machine writes one.
NUMBER = r"[+-]?\d{1,30}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?"


def is_number(word: str) -> bool:
    """Whether the whole word is a number as machines write them: `-5`, `93.2`, `1.07e+09`."""
    return re.fullmatch(NUMBER, word) is not None


def number(text: str, words: Words) -> str:
    """A number rounded for the ear: "93.28471" is "93.3", "1073741824" is "1.07 billion"; "007" is no number."""
    if text.isdecimal() and len(text) > 1 and text[0] == "0":
        return digits(text)
    value = float(text)
    if math.isinf(value):
        return words.symbols["infinite"]
    sign = f"{words.symbols['minus']} " if value < 0 else f"{words.symbols['plus']} " if text.startswith("+") else ""
    return sign + _magnitude(abs(value), words)


def _magnitude(value: float, words: Words) -> str:
    if value >= 1e16:
        exponent = int(math.log10(value))
        return f"10 {words.symbols['power']} {exponent}"
    for scale, (singular, plural) in words.scales:
        if value >= scale:
            shown = rounded(value / scale, words)
            return f"{shown} {singular if shown == '1' else plural}"
    return rounded(value, words)


def rounded(value: float, words: Words) -> str:
    """At most three digits that matter, whole numbers whole; with the language's decimal sign."""
    if value == int(value):
        return str(int(value))
    if value >= 1000:
        return str(round(value))
    places = 2 if value < 10 else 1
    if value < 0.1:
        places = min(1 - math.floor(math.log10(value)), 12)
    shown = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return shown.replace(".", words.decimal)


def measure(count: str, unit: str, words: Words) -> str:
    """A number with its unit: ("5", "GB") is "5 gigabytes"."""
    shown = number(count, words)
    singular, plural = words.units[UNITS[unit]]
    return f"{shown} {singular if shown == '1' else plural}"


def digits(text: str) -> str:
    """Digits one by one."""
    return " ".join(text)
