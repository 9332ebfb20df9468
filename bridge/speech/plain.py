"""The plain sentence: what is said when a template cannot be used. It needs no template, no markup and no luck."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.speech.clean import plain
from bridge.speech.cut import first_sentences
from bridge.speech.languages import words_of
from bridge.speech.say import say
from bridge.speech.values import Subject, worst_first
from bridge.speech.view import view_of
from bridge.speech.words import Words

LONGEST_NAME = 120
LONGEST_SUMMARY = 300


def plain_sentence(subjects: Sequence[Subject], total: int, language: str, keypress: bool) -> str:
    """ "This is callbridge. 3 alerts are firing, the worst is Disk Full on db 1. Press any key to take it." """
    words = words_of(language)
    parts = [words.phrases["hello"], *_told(subjects, total, words)]
    if keypress:
        parts.append(words.phrases["key"])
    return plain(" ".join(parts), words.symbols["&"])


def _told(subjects: Sequence[Subject], total: int, words: Words) -> list[str]:
    ordered = worst_first(subjects)
    number = sum(len(subject.telling) + subject.truncated for subject in ordered) + max(total - len(ordered), 0)
    state = "resolved" if ordered and all(subject.status == "resolved" for subject in ordered) else "firing"
    phrase = words.phrases[f"{state} {'one' if number <= 1 else 'many'}"]
    worst = _worst(ordered[0], words) if ordered else words.phrases["nameless"]
    return [phrase.format(alerts=f"{number} {words.alerts[1]}", worst=worst), *_summary(ordered, words)]


def _worst(subject: Subject, words: Words) -> str:
    view = view_of(subject, most_alerts=1)
    name = first_sentences(say(view.name, words.tag), LONGEST_NAME).rstrip(".!?") or words.phrases["nameless"]
    place = first_sentences(say(view.places[0], words.tag), LONGEST_NAME).rstrip(".!?") if view.places else ""
    return words.phrases["on"].format(name=name, place=place) if place else name


def _summary(ordered: Sequence[Subject], words: Words) -> list[str]:
    summary = first_sentences(say(ordered[0].summary, words.tag), LONGEST_SUMMARY) if ordered else ""
    if not summary:
        return []
    return [summary if summary[-1] in ".!?" else f"{summary}."]
