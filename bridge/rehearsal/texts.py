"""The SMS of a rehearsal: who gets one, when, with which words, and what it costs. Nobody waits for any of them."""

from __future__ import annotations

from datetime import datetime

from bridge.call import allowed_at
from bridge.dispatch.world import World
from bridge.escalation import Channel
from bridge.logs import mask
from bridge.rehearsal.books import Books
from bridge.rehearsal.told import Happening, Told
from bridge.rehearsal.why import length
from bridge.sms import TEMPLATE, expected_cost, parts
from bridge.speech import Speech


class Texts:
    """Writes them into the books, as the limits allow; `free_at`: when a limit lets the next one through."""

    def __init__(self, world: World, books: Books) -> None:
        self.free_at: datetime | None = None
        self._world = world
        self._books = books
        self._sent: dict[str, list[datetime]] = {}
        self._held: dict[str, datetime] = {}

    def write(self) -> None:
        """One SMS to everybody for whom a page waits, with all of theirs."""
        now, held = self._books.now, list[datetime]()
        for person in self._books.waiting(Channel.SMS):
            number = self._world.people[person].phone or ""
            sent = self._sent.setdefault(number, [])
            free_at = allowed_at(sent, self._world.sms_per_person, now)
            if free_at > now:
                held.append(free_at)
                self._hold_back(person, number, free_at)
                continue
            sent.append(now)
            self._send(person, number)
        self.free_at = min(held, default=None)

    def _hold_back(self, person: str, number: str, until: datetime) -> None:
        if self._held.get(person) == until:
            return
        self._held[person] = until
        why = f"limits allow the next SMS in {length(until - self._books.now)}"
        held_back = Told(self._books.now, Happening.HELD_BACK, person=person, number=mask(number), why=why)
        self._books.told.append(held_back)

    def _send(self, person: str, number: str) -> None:
        books = self._books
        id_ = f"sms-{sum(map(len, self._sent.values()))}"
        books.claim(person, id_, Channel.SMS)
        speech = self._words(person, id_)
        slips = books.carried(id_)
        first = slips[0].page
        whys = [f"step {one.page.step + 1} of {books.policy_of(one).name}, {one.because}" for one in slips]
        count = parts(speech.text)
        told = Told(
            books.now,
            Happening.TEXTING,
            tuple(dict.fromkeys(books.policy_of(slip).name for slip in slips)),
            person=person,
            number=mask(number),
            round=first.round,
            step=first.step + 1,
            attempt=first.attempt,
            why="; ".join([*whys, *filter(None, [speech.problem])]),
            text=speech.text,
            parts=count,
            cost=expected_cost(count),
        )
        books.told.append(told)
        # It is told once it is sent, whatever becomes of it.
        for slip in slips:
            slip.under_way = False

    def _words(self, person: str, id_: str) -> Speech:
        world, who = self._world, self._world.people[person]
        subjects, total = self._books.subjects(id_)
        return world.sms_speaker.speak(
            template=TEMPLATE,
            language=who.language or world.language,
            timezone=world.timezone,
            person=who.name,
            subjects=subjects,
            total=total,
            now=self._books.now,
            reply=world.answerable,
        )
