"""What a template wrote, read back as the phone will say it: cleaned, checked, and timed."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from bridge.sms import cheaper
from bridge.speech.budget import Marks
from bridge.speech.clean import legal, plain
from bridge.speech.estimate import quickest_of_markup, quickest_of_text, seconds_of_markup, seconds_of_text
from bridge.speech.languages import words_of
from bridge.speech.markup import MarkupError, check_markup
from bridge.speech.values import Kind
from bridge.speech.window import Times


@dataclass(frozen=True, slots=True)
class Heard:
    """What is said, its estimated seconds, and the times of it where it asks to hang up."""

    text: str
    seconds: float
    times: Times | None = None


def new_marks(kind: Kind) -> Marks:
    """Marks for one rendering. Strangers' text cannot hold them: nobody knows them before."""
    name = f"mark{secrets.token_hex(8)}"
    if kind is Kind.TEXT:
        return Marks(f"{name}b", f"{name}e", markup=False)
    return Marks(f"<?{name}b?>", f"<?{name}e?>", markup=True)


def read_text(raw: str, language: str, marks: Marks | None) -> Heard:
    """Plain text. Raises MarkupError if it says nothing."""
    marked = plain(raw, words_of(language).symbols["&"])
    text = _unmarked(marked, marks)
    if not text:
        raise MarkupError("it says nothing")
    seconds = seconds_of_text(text, language)
    if marks is None or not _asks(marked, marks):
        return Heard(text, seconds)
    message, asked = (
        seconds_of_text(_unmarked(marked.partition(mark)[0], marks), language) for mark in (marks.begin, marks.end)
    )
    return Heard(text, seconds, Times(message, asked, seconds, quickest_of_text(text)))


def read_sms(raw: str) -> Heard:
    """What stands in an SMS: one line, read by an eye and by nothing that knows markup. MarkupError if it is empty."""
    text = " ".join(cheaper(legal(raw)).split())
    if not text:
        raise MarkupError("it says nothing")
    return Heard(text, 0.0)


def read_markup(raw: str, kind: Kind, language: str, marks: Marks | None) -> Heard:
    """TwiML or SSML. Raises MarkupError if it is not well-formed or says nothing."""
    marked = legal(raw).strip()
    text = _unmarked(marked, marks)
    check_markup(text, kind)
    seconds = seconds_of_markup(text, language)
    if seconds == 0:
        raise MarkupError("it says nothing")
    if marks is None or not _asks(marked, marks):
        return Heard(text, seconds)
    message, asked = (seconds_of_markup(marked, language, mark[2:-2]) for mark in (marks.begin, marks.end))
    return Heard(text, seconds, Times(message, asked, seconds, quickest_of_markup(text)))


def _asks(marked: str, marks: Marks) -> bool:
    """Whether the words that ask to hang up are there, whole, and in order."""
    return 0 <= marked.find(marks.begin) < marked.find(marks.end)


def _unmarked(text: str, marks: Marks | None) -> str:
    """Without marks, also such as another filter has written in capitals."""
    if marks is None:
        return text
    bare = re.compile("|".join(map(re.escape, (marks.begin, marks.end))), re.IGNORECASE).sub("", text)
    return bare if marks.markup else " ".join(bare.split())
