"""Several Alertmanagers that are one cluster: all are asked at once, and any that answers is believed.

That an alert fires is believed of any member. That it is gone is believed only where no member shows it, and only of
those that cannot have forgotten it: an Alertmanager that was started anew knows nothing until Prometheus tells it
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bridge.alertmanager.member import Member
from bridge.alertmanager.values import Shown, ShownGroup, Silence, Standing
from bridge.alertmanager.words import AlertmanagerUnavailable, Why
from bridge.logs import fields

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the members that answered know, by fingerprint; `by`: who they were, `shown_by`: who showed it first."""

    alerts: Mapping[str, Shown]
    by: tuple[Member, ...]
    shown_by: Mapping[str, Member]


class Cluster:
    """The members in the order of the file; without any, nothing is ever heard."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self._silent: set[str] = set()

    async def alerts(self, *, matchers: Sequence[str] = (), receiver: str = "") -> Heard | None:
        """Everything that any member knows as firing; None: none answers."""
        answers = await self._each(lambda member: member.alerts(matchers=matchers, receiver=receiver))
        if not answers:
            return None
        merged: dict[str, Shown] = {}
        shown_by: dict[str, Member] = {}
        for member, alerts in answers:
            for one in alerts:
                merged[one.fingerprint] = _both(merged.get(one.fingerprint), one)
                shown_by.setdefault(one.fingerprint, member)
        return Heard(merged, tuple(member for member, _ in answers), shown_by)

    async def groups(self, receiver: str) -> tuple[ShownGroup, ...] | None:
        """The groups of the first member that tells them; None: none does."""
        return await self._first(lambda member: member.groups(receiver))

    async def silences(self) -> Mapping[str, Silence] | None:
        """Every silence that any member knows, by id; None: none answers."""
        answers = await self._each(Member.silences)
        if not answers:
            return None
        return {one.id: one for _, silences in answers for one in silences}

    async def silence(
        self,
        labels: Mapping[str, str],
        *,
        starts_at: datetime,
        ends_at: datetime,
        created_by: str,
        comment: str,
        known_as: str | None = None,
        first: Member | None = None,
    ) -> str | None:
        """The id of a silence that one member (`first`, if it does) has set, who tells the others; None: none would."""
        return await self._first(
            lambda member: member.silence(
                labels,
                starts_at=starts_at,
                ends_at=ends_at,
                created_by=created_by,
                comment=comment,
                known_as=known_as,
            ),
            first,
        )

    async def expire(self, silence: str) -> bool:
        """End a silence wherever it is known; whether it has ended: a member did, or none of all knows it."""
        answers = await self._each(lambda member: member.expire(silence))
        return any(done for _, done in answers) or len(answers) == len(self.members)

    async def standings(self, of: Iterable[Member] | None = None) -> Mapping[str, Standing]:
        """How they stand, by url, as far as they tell; one that knows no such question stands for ever."""
        return {member.url: standing for member, standing in await self._each(_standing, of)}

    async def _each(
        self, question: Callable[[Member], Awaitable[T]], of: Iterable[Member] | None = None
    ) -> list[tuple[Member, T]]:
        members = self.members if of is None else tuple(of)
        answers = await asyncio.gather(*(self._tried(member, question) for member in members))
        return [(member, answer) for member, answer in zip(members, answers, strict=True) if answer is not None]

    async def _first(self, question: Callable[[Member], Awaitable[T]], first: Member | None = None) -> T | None:
        for member in sorted(self.members, key=lambda member: member is not first):
            answer = await self._tried(member, question)
            if answer is not None:
                return answer
        return None

    async def _tried(self, member: Member, question: Callable[[Member], Awaitable[T]]) -> T | None:
        """The answer; None where there is none, which is said once until it answers again."""
        try:
            answer = await question(member)
        except AlertmanagerUnavailable as error:
            if member.url not in self._silent:
                self._silent.add(member.url)
                told = fields(url=member.url, reason=error.why.value, err=str(error))
                log.warning("an Alertmanager does not do what it is asked", extra=told)
            return None
        if member.url in self._silent:
            self._silent.discard(member.url)
            log.info("the Alertmanager answers again", extra=fields(url=member.url))
        return answer


async def _standing(member: Member) -> Standing:
    try:
        return await member.standing()
    except AlertmanagerUnavailable as error:
        if error.why in (Why.NOT_FOUND, Why.UNREADABLE):
            return Standing(None)
        raise


def _both(one: Shown | None, other: Shown) -> Shown:
    """What two members say of an alert: it is quiet only where both keep it quiet, and over only where both say so."""
    if one is None:
        return other
    loud = next((shown for shown in (one, other) if shown.tells), None)
    if loud is not None:
        return replace(loud, receivers=tuple(dict.fromkeys(one.receivers + other.receivers)))
    return other if one.ended else one
