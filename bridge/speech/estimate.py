"""How long a phone will speak: an estimate, on the long side.

The model: a voice reads about 15 characters a second in English and 14 in German (measured voices of the big clouds
lie between 13 and 17); a digit is a word ("7" is "seven"); a character of a script without spaces is a syllable; a
sentence ends with 0.4 s of silence and a comma costs 0.15 s. In markup `<break time>`, `<break strength>` and
`<Pause length>` count as they say, `<Say loop>` as often as it says, `<Gather timeout>` once, `<Play>` as nothing: its
length cannot be known here.

Beside it stands the quickest reading: 16 characters a second as they are written, a digit as one, no silence at all:
two thirds of the estimate, more or less. No call that runs to its end is shorter.
"""

from __future__ import annotations

import re

from bridge.speech.languages import words_of
from bridge.speech.markup import Element, elements
from bridge.speech.words import Words

SENTENCE_PAUSE = 0.4
COMMA_PAUSE = 0.15
LETTER_SECONDS = 0.3
SYLLABLE_SECONDS = 0.2
GATHER_TIMEOUT = 5.0
QUICKEST_CHARACTERS_PER_SECOND = 16.0
QUICKEST_SYLLABLE_SECONDS = 0.12
# Elements of TwiML that hold an address or a number, and no words.
UNSPOKEN = frozenset({"Play", "Redirect", "Record", "Dial", "Number", "Sip", "Client"})
BREAKS = {"none": 0.0, "x-weak": 0.25, "weak": 0.5, "medium": 0.75, "strong": 1.0, "x-strong": 1.25}

_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)")
_COMMA = re.compile(r"[,;:](?=\s|\Z)")
_DIGIT = re.compile(r"\d")
_LONE_LETTER = re.compile(r"(?<!\w)[^\W\d_](?!\w)")
# From CJK on upwards: scripts in which one character is about one syllable.
_SYLLABLE = re.compile("[\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{1,6})?)(ms|s)?\Z")


def seconds_of_text(text: str, language: str) -> float:
    """Seconds to speak plain text in the voice of `language`."""
    return _spoken(text, words_of(language))


def seconds_of_markup(markup: str, language: str, until: str = "") -> float:
    """Seconds to speak TwiML or SSML, or its beginning `until` a processing instruction of that name.

    Raises MarkupError if it is not well-formed.
    """
    words = words_of(language)
    return sum(_element(element, words) for element in elements(markup, until))


def quickest_of_text(text: str) -> float:
    """Seconds of plain text in the quickest voice."""
    flat = " ".join(text.split())
    syllables = len(_SYLLABLE.findall(flat))
    return (len(flat) - syllables) / QUICKEST_CHARACTERS_PER_SECOND + syllables * QUICKEST_SYLLABLE_SECONDS


def quickest_of_markup(markup: str) -> float:
    """Seconds of TwiML or SSML in the quickest voice, with the breaks of SSML alone: whether the gateway keeps those of
    TwiML is not documented. Raises MarkupError."""
    return sum(_quickest(element) for element in elements(markup) if element.name not in UNSPOKEN)


def _quickest(element: Element) -> float:
    return _break(element) if element.name == "break" else quickest_of_text(element.text)


def _element(element: Element, words: Words) -> float:
    if element.name == "break":
        return _break(element)
    if element.name == "Pause":
        return _number(element.attributes.get("length", ""), 1.0)
    if element.name == "Gather":
        waits = _number(element.attributes.get("timeout", ""), GATHER_TIMEOUT) if element.closed else 0.0
        return waits + _spoken(element.text, words)
    if element.name in UNSPOKEN:
        return 0.0
    looped = element.name == "Say" and element.closed
    times = _number(element.attributes.get("loop", ""), 1.0) if looped else 1.0
    return _spoken(element.text, words) * max(times, 1.0)


def _break(element: Element) -> float:
    if time := element.attributes.get("time"):
        return _number(time, BREAKS["medium"])
    return BREAKS.get(element.attributes.get("strength", "medium"), BREAKS["medium"])


def _number(text: str, otherwise: float) -> float:
    match = _TIME.match(text.strip())
    if not match:
        return otherwise
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def _spoken(text: str, words: Words) -> float:
    flat = " ".join(text.split())
    if not flat:
        return 0.0
    digits = len(_DIGIT.findall(flat))
    letters = len(_LONE_LETTER.findall(flat))
    syllables = len(_SYLLABLE.findall(flat))
    characters = len(flat) - digits - letters - syllables + digits * words.characters_per_digit
    pauses = len(_SENTENCE_END.findall(flat)) * SENTENCE_PAUSE + len(_COMMA.findall(flat)) * COMMA_PAUSE
    return characters / words.characters_per_second + letters * LETTER_SECONDS + syllables * SYLLABLE_SECONDS + pauses
