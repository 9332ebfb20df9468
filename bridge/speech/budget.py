"""What one rendering knows and may use up: language, zone, time, and a bounded number of steps and characters.

It travels in a context variable, for a macro that a template imports sees no variables of the template.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from jinja2.exceptions import SecurityError

# 50 incidents with 20 alerts and 15 labels each are 15,000 steps: an honest template stays far below.
MOST_STEPS = 100_000
MOST_CHARACTERS = 1_000_000
# The longest single text a template may build.
LONGEST_TEXT = 100_000


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands around the words that ask to hang up until they are timed; never spoken, for nobody can guess it."""

    begin: str
    end: str
    markup: bool


@dataclass(slots=True)
class Rendering:
    """One run of one template; without `marks` hanging up takes nothing, and what asks for it is not said."""

    language: str
    zone: ZoneInfo
    now: datetime
    marks: Marks | None = None
    steps: int = MOST_STEPS
    characters: int = MOST_CHARACTERS

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise SecurityError(f"the template does not come to an end: more than {MOST_STEPS} steps of its loops")

    def write(self, text: str) -> None:
        self.characters -= len(text)
        if self.characters < 0:
            raise SecurityError(f"the template writes more than {MOST_CHARACTERS} characters")


@dataclass(frozen=True, slots=True)
class Written:
    """What one expression of a template wrote, and where that stands."""

    text: str
    file: str
    line: int


# Where somebody wants to know what was written where: a macro's words first, then those of the line that calls it.
WRITTEN: ContextVar[list[Written] | None] = ContextVar("written", default=None)
RENDERING: ContextVar[Rendering] = ContextVar("rendering")


def short(text: str) -> str:
    """`text`, unless it is longer than a template may build: then SecurityError."""
    if len(text) > LONGEST_TEXT:
        raise SecurityError(f"the template builds a text of {len(text)} characters; {LONGEST_TEXT} are the most")
    return text
