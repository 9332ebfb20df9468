"""Who behaves how: `alice:no,bob:yes`, and call by call `alice:no+key`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bridge.errors import CallbridgeError
from bridge.rehearsal.telephone import Manner


class AnswersError(CallbridgeError, ValueError):
    """What was said of somebody's answers cannot be played; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Answers:
    """How people behave, call by call; the last manner repeats. Whoever is not named does not hear the phone."""

    by_person: Mapping[str, tuple[Manner, ...]] = field(default_factory=dict)

    def of(self, person: str, before: int) -> Manner:
        """How `person` behaves on a call that `before` others to them came before."""
        manners = self.by_person.get(person, (Manner.NO,))
        return manners[min(before, len(manners) - 1)]


def parse_answers(text: str, people: Collection[str]) -> Answers:
    """Read `alice:no,bob:no+key`. Raises AnswersError for a person who is not one of `people`, or an unknown word."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        person, colon, words = part.rpartition(":")
        if not colon:
            raise AnswersError(f"{part!r} is no answer; write PERSON:ANSWER, such as alice:no,bob:key")
        if person.strip() in pairs:
            raise AnswersError(f"{person.strip()!r} is named twice; write one answer a call with +: alice:no+key")
        pairs[person.strip()] = words
    return make_answers(pairs, people)


def make_answers(said: Mapping[str, str], people: Collection[str]) -> Answers:
    """The same from a map of people and words. Raises AnswersError."""
    for person in said:
        if person not in people:
            raise AnswersError(f"nobody has the key {person!r}; there is {', '.join(people)}")
    return Answers({person: _manners(person, words) for person, words in said.items()})


def _manners(person: str, words: str) -> tuple[Manner, ...]:
    try:
        return tuple(Manner(word.strip()) for word in words.split("+"))
    except ValueError:
        known = ", ".join(Manner)
        raise AnswersError(f"{person}: nobody answers like {words!r}; there are {known}, one a call: no+key") from None
