"""What a template would say that nobody understands, and where it says it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bridge.speech.aloud import words_heard
from bridge.speech.budget import WRITTEN, Written
from bridge.speech.speaker import Speaker
from bridge.speech.unspeakable import Unspeakable, unspeakable
from bridge.speech.values import Limits, Subject

# So much that nothing is cut, and each incident is told.
_UNCUT = Limits(characters=1_000_000, seconds=3600.0)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that nobody understands, at a line of a template file (a name without folder, where that is all)."""

    file: str
    line: int
    what: Unspeakable


def lint(
    speaker: Speaker, template: str, language: str, timezone: ZoneInfo, subjects: Sequence[Subject], now: datetime
) -> tuple[Remark, ...]:
    """All that the template would say of these incidents, each kind once a line."""
    written: list[Written] = []
    token = WRITTEN.set(written)
    try:
        speech = speaker.within(_UNCUT).speak(
            template=template,
            language=language,
            timezone=timezone,
            person="Alice",
            subjects=subjects,
            total=len(subjects),
            now=now,
            keypress=True,
        )
    finally:
        WRITTEN.reset(token)
    if speech.fallback:
        return ()  # what is wrong with it is told as a fault
    found: dict[tuple[str, int, str], Remark] = {}
    for what in unspeakable(words_heard(speech.text, speech.kind)):
        file, line = _place(what.text, written, speech.template)
        found.setdefault((file, line, what.what), Remark(file, line, what))
    return tuple(found.values())


def _place(text: str, written: Sequence[Written], template: str) -> tuple[str, int]:
    """Where the text was written: by the innermost expression that has it, else where it stands in the file."""
    for one in written:
        if text in one.text:
            return one.file, one.line
    file = next((one.file for one in written), template)
    with suppress(OSError, ValueError):
        for number, line in enumerate(Path(file).read_text(encoding="utf-8").splitlines(), 1):
            if text in line:
                return file, number
    return file, 1
