"""An acknowledge may silence: one silence for each alert, with an equality matcher on every label that it has.

It is extended while the alert fires and its incident is acknowledged, and ended when either is over. Each is written
down before it is asked for; one whose answer was lost is looked for before another is set.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bridge.alertmanager import Cluster, Member, Silence
from bridge.clock import Clock
from bridge.database import Database
from bridge.inquiry.recheck import OURS
from bridge.logs import fields
from bridge.store import silences as store
from bridge.store.doubts import Acknowledged, acknowledged
from bridge.store.silences import Kept

log = logging.getLogger(__name__)

# Who claims a row has so long to do what is due; what failed is tried again then.
CLAIM = timedelta(seconds=30)
# Alertmanager takes a beginning in the past for now; one ahead of its own clock would leave the alert loud till then.
AHEAD = timedelta(minutes=5)
# An incident of more alerts than that is silenced by whoever knows what they have in common.
MOST_OF_ONE = 200


class Silences:
    """Keeps our silences as they should be, in `cluster`; `length` zero: none is set, and those that are there end."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self.cluster = Cluster(())
        self.length = timedelta(0)
        # Who showed an alert at the last look: of several clusters in one list its own.
        self.shown_by: Mapping[str, Member] = {}
        self._database = database
        self._clock = clock

    async def tend(self) -> None:
        """Set what is missing, extend what is running out, end what is not wanted any more. Raises StoreUnavailable."""
        rows = await self._database.read(store.kept)
        if not rows and not self.length:
            return
        wanted = await self._database.read(acknowledged)
        present = {(row.incident, row.fingerprint): row for row in rows}
        await self._end([row for key, row in present.items() if key not in wanted or (row.ours and not self.length)])
        if self.length:
            await self._extend([row for key, row in present.items() if key in wanted and row.ours], wanted)
            await self._begin([one for key, one in wanted.items() if key not in present])

    async def _begin(self, missing: Sequence[Acknowledged]) -> None:
        until = self._clock.now() + CLAIM
        count: dict[str, int] = {}
        chosen: list[Acknowledged] = []
        for one in missing:
            count[one.incident] = count.get(one.incident, 0) + 1
            if count[one.incident] <= MOST_OF_ONE:
                chosen.append(one)
        rows = [Kept(one.incident, one.alert.fingerprint, due_at=until) for one in chosen]
        try:
            await self._database.write(lambda connection: store.add(connection, rows))
        except IntegrityError:
            return  # another process is at it, and what it does not do is seen at the next look
        for row, one in zip(rows, chosen, strict=True):
            await self._set(row, one, None)

    async def _extend(self, rows: Sequence[Kept], wanted: Mapping[tuple[str, str], Acknowledged]) -> None:
        due = [row for row in rows if row.due_at is not None and row.due_at <= self._clock.now()]
        if not due:
            return
        known = await self.cluster.silences()
        if known is None:
            return
        for row in due:
            if await self._claimed(row):
                await self._renew(row, wanted[row.incident, row.fingerprint], known)

    async def _renew(self, row: Kept, one: Acknowledged, known: Mapping[str, Silence]) -> None:
        found = known.get(row.silence) if row.silence is not None else _lost(known, row)
        if found is not None and not found.lasts and row.ends_at is not None and found.ends_at < row.ends_at:
            # Somebody has ended it before its time: they want to hear of it again.
            log.info("a silence of ours was ended by somebody else", extra=fields(incident=row.incident))
            await self._save(replace(row, due_at=None))
            return
        await self._set(row, one, found if found is not None and found.lasts else None)

    async def _set(self, row: Kept, one: Acknowledged, known: Silence | None) -> None:
        now = self._clock.now()
        ends_at = now + self.length
        made = await self.cluster.silence(
            one.alert.labels,
            starts_at=now - AHEAD if known is None else known.starts_at,
            ends_at=ends_at,
            created_by=f"{OURS}/{one.by}" if one.by else OURS,
            comment=f"{_mark(row)}, taken by {one.by or 'somebody'}",
            known_as=None if known is None else known.id,
            first=self.shown_by.get(row.fingerprint),
        )
        if made is None:
            return  # due again when the claim has run out
        if known is None:
            log.info("silenced in Alertmanager", extra=fields(incident=row.incident, silence_id=made))
        await self._save(replace(row, silence=made, ends_at=ends_at, due_at=ends_at - self.length / 2))

    async def _end(self, rows: Sequence[Kept]) -> None:
        mine = [row for row in rows if row.ours]
        theirs = [row for row in rows if not row.ours]
        if theirs:
            await self._database.write(lambda connection: _forget(connection, theirs))
        now = self._clock.now()
        for row in mine:
            # Whoever has just claimed it may be setting it at this moment.
            if row.silence is None and row.due_at is not None and row.due_at > now:
                continue
            if await self._claimed(row):
                await self._expire(row)

    async def _expire(self, row: Kept) -> None:
        for silence in await self._called(row):
            if not await self.cluster.expire(silence) and not await self._over(silence):
                return  # due again when the claim has run out
            log.info("a silence of ours has ended", extra=fields(incident=row.incident, silence_id=silence))
        await self._database.write(lambda connection: store.forget(connection, row))

    async def _over(self, silence: str) -> bool:
        """Whether it has ended without us: some versions refuse to end it once more."""
        known = await self.cluster.silences()
        return known is not None and (silence not in known or not known[silence].lasts)

    async def _called(self, row: Kept) -> Sequence[str]:
        """What Alertmanager calls it; looked for where its answer was lost."""
        if row.silence is not None:
            return (row.silence,)
        known = await self.cluster.silences() or {}
        found = _lost(known, row)
        return () if found is None else (found.id,)

    async def _claimed(self, row: Kept) -> bool:
        until = self._clock.now() + CLAIM
        return await self._database.write(lambda connection: store.claim(connection, row, until))

    async def _save(self, row: Kept) -> None:
        await self._database.write(lambda connection: store.save(connection, row))


def _forget(connection: Connection, rows: Sequence[Kept]) -> None:
    for row in rows:
        store.forget(connection, row)


def _mark(row: Kept) -> str:
    """What the comment of its silence begins with; others of the ecosystem know "ACK!" too."""
    return f"ACK! callbridge incident {row.incident} alert {row.fingerprint}"


def _lost(known: Mapping[str, Silence], row: Kept) -> Silence | None:
    """A silence that was set, and whose answer never came."""
    return next((one for one in known.values() if one.lasts and one.comment.startswith(_mark(row))), None)
