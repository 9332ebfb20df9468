"""Telephone numbers and spoken words as the simulated gateway understands them."""

from __future__ import annotations

import html
import re

HOME = "49"  # the account's country: a national number (0171 …) is one of it
CHARACTERS_PER_SECOND = 15.0

_NUMBER = re.compile(r"[+]?[0-9][0-9 ()/.-]*")
_TAG = re.compile(r"<[^<>]*>")
_TWIML_PAUSE = re.compile(r"<Pause\b(?:[^<>]*?\blength=[\"'](\d{1,4})[\"'])?[^<>]*>")
_SSML_BREAK = re.compile(r"<break\b[^<>]*?\btime=[\"'](\d{1,6}(?:\.\d{1,6})?)(ms|s)[\"'][^<>]*>")


def read_number(written: str) -> str | None:
    """The bare digits (49171…) of 0049171…, 0171…, 49171… or +49171…; None if it is no number (sms77 page, `to`)."""
    if not _NUMBER.fullmatch(written.strip()):
        return None
    digits = re.sub(r"\D", "", written)
    if written.strip().startswith("+"):
        found = digits
    elif digits.startswith("00"):
        found = digits[2:]
    elif digits.startswith("0"):
        found = HOME + digits[1:]
    else:
        found = digits
    return found if 7 <= len(found) <= 15 and not found.startswith("0") else None


def masked(digits: str) -> str:
    """`+49 171 …67`: enough to tell people apart, too little to ring them."""
    return f"+{digits[:2]} {digits[2:5]} …{digits[-2:]}"


def spoken(text: str) -> str:
    """The words that are read out: without tags, entities read, spaces joined."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split()) if "<" in text else " ".join(text.split())


def speech_seconds(text: str) -> float:
    """How long it takes to read `text` out, in seconds, with the pauses of its XML or SSML."""
    pauses = sum(float(found or 1) for found in _TWIML_PAUSE.findall(text))
    breaks = sum(float(length) / (1000 if unit == "ms" else 1) for length, unit in _SSML_BREAK.findall(text))
    return max(1.0, len(spoken(text)) / CHARACTERS_PER_SECOND) + pauses + breaks
