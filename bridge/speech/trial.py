"""The words of a test call."""

from __future__ import annotations

from bridge.speech.clean import plain
from bridge.speech.estimate import seconds_of_text
from bridge.speech.languages import base_of

TEXTS = {
    "de": "Hallo {name}. Dies ist ein Probeanruf von callbridge. Es ist nichts passiert.",
    "en": "Hello {name}. This is a test call from callbridge. Nothing is wrong.",
}


def trial_words(name: str, language: str) -> tuple[str, float]:
    """What a test call says to `name`, and the estimated seconds of it."""
    text = TEXTS.get(base_of(language), TEXTS["en"]).format(name=plain(name))
    return text, seconds_of_text(text, language)
