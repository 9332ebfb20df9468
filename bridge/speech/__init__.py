"""Pages of one call -> what the phone says: text, XML or SSML, within seconds and characters.

`Speaker.speak` turns the incidents of one call (`Subject`) into one `Speech`. Templates are Jinja2 in a sandbox; what
they see and which filters they have is in docs/templates.md. Nothing here raises at run time: a template that fails
gives the plain sentence, and the reason in `Speech.problem`. `wav_of` lets espeak-ng say it, where that is installed.
"""

from bridge.speech.aloud import can_speak, play, wav_of, wav_of_text, words_heard
from bridge.speech.library import shipped_templates
from bridge.speech.lint import lint
from bridge.speech.say import say
from bridge.speech.speaker import Speaker
from bridge.speech.trial import trial_words
from bridge.speech.values import Kind, Limits, Speech, Subject

__all__ = [
    "Kind",
    "Limits",
    "Speaker",
    "Speech",
    "Subject",
    "can_speak",
    "lint",
    "play",
    "say",
    "shipped_templates",
    "trial_words",
    "wav_of",
    "wav_of_text",
    "words_heard",
]
