"""Pages: which incident is to be told to whom, and how far that has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, or_, select, update

from bridge.call import Outcome
from bridge.database.many import insert_many
from bridge.database.tables import QUEUED, SUPPRESSED, calls, microseconds, pages, texts
from bridge.escalation import Channel, Page
from bridge.sms import SmsOutcome


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page that is on its way: waiting for a call, or in one."""

    id: str
    incident: str
    call: str | None


_NAMES = ("id", "incident", "person", "round", "step", "attempt", "queued_at", "urgent", "state", "held", "channel")
# Numbered as they were made: "…-10" comes after "…-9".
_AS_MADE = (func.length(pages.c.id), pages.c.id)


def add_pages(connection: Connection, fresh: Sequence[tuple[Page, str, datetime]]) -> None:
    """Insert pages, each with its state (`queued`, or `cancelled` if it was dropped in the same breath)."""
    rows = [
        (
            page.id,
            page.incident,
            page.person,
            page.round,
            page.step,
            page.attempt,
            microseconds(at),
            page.urgent,
            state,
            False,
            page.channel.value,
        )
        for page, state, at in fresh
    ]
    insert_many(connection, pages, _NAMES, rows)


def of_incident(incident: str) -> ColumnElement[bool]:
    """The condition for all pages of one incident."""
    first, end = _span(incident)
    return (pages.c.id > first) & (pages.c.id < end)


def _span(incident: str) -> tuple[str, str]:
    # A page's id is its incident's id, "-" and a number: all of one incident lie side by side under the primary key.
    return f"{incident}-", f"{incident}."


# Made once: when a storm is over hundreds of incidents resolve together, and to make a statement takes longer than to
# run it.
_UNDER_WAY = (
    (pages.c.id > bindparam("first"))
    & (pages.c.id < bindparam("end"))
    & or_(QUEUED, SUPPRESSED, pages.c.state == literal_column("'calling'"))
)
_FIND = select(pages.c.id, pages.c.incident, pages.c.call).where(_UNDER_WAY)
_DROP = update(pages).where(_UNDER_WAY).values(state="cancelled", outcome="cancelled", ended_at=bindparam("now"))


def cancel_pages(connection: Connection, incident: str, now: datetime) -> list[OpenPage]:
    """Drop every page of `incident` that is on its way; returns them as they were."""
    first, end = _span(incident)
    rows = connection.execute(_FIND, {"first": first, "end": end}).all()
    if rows:
        connection.execute(_DROP, {"first": first, "end": end, "now": now})
    return [OpenPage(*row) for row in rows]


def pages_of(connection: Connection, incident: str) -> list[Any]:
    """All pages of an incident, in the order they were made."""
    return list(connection.execute(select(pages).where(of_incident(incident)).order_by(*_AS_MADE)))


def _waits(channel: Channel, person: str) -> ColumnElement[bool]:
    return QUEUED & (pages.c.channel == channel.value) & (pages.c.person == person)


def people_waiting(connection: Connection, channel: Channel = Channel.VOICE) -> list[str]:
    """Everybody for whom a page waits. Hops from person to person along the index, however many pages each has."""
    found: list[str] = []
    while True:
        beyond = pages.c.person > (found[-1] if found else "")
        query = select(func.min(pages.c.person)).where(QUEUED, pages.c.channel == channel.value, beyond)
        person = connection.execute(query).scalar()
        if person is None:
            return found
        found.append(person)


def claim_pages(connection: Connection, person: str, call: str, channel: Channel = Channel.VOICE) -> int:
    """Put every page that waits for `person` into `call` (or SMS); returns how many."""
    claimed = update(pages).where(_waits(channel, person)).values(state="calling", call=call)
    return connection.execute(claimed).rowcount


def people_held(connection: Connection) -> frozenset[str]:
    """Everybody whose call a limit holds back."""
    query = select(pages.c.person).where(QUEUED, pages.c.channel == Channel.VOICE.value, pages.c.held.is_(True))
    return frozenset(connection.execute(query.distinct()).scalars())


def urgent_waits(connection: Connection, person: str, channel: Channel = Channel.VOICE) -> bool:
    """Whether any of the pages that wait for `person` is urgent."""
    urgent = select(pages.c.id).where(_waits(channel, person), pages.c.urgent.is_(True)).limit(1)
    return connection.execute(urgent).first() is not None


def hold_pages(connection: Connection, person: str, channel: Channel = Channel.VOICE) -> tuple[list[str], bool]:
    """Note that what waits for `person` is held back: the incidents of which that is news, and whether all of it is."""
    waits = _waits(channel, person)
    news = waits & pages.c.held.is_(False)
    found = list(
        connection.execute(select(pages.c.incident).where(news).distinct().order_by(pages.c.incident)).scalars()
    )
    if not found:
        return [], False
    known = connection.execute(select(pages.c.id).where(waits, pages.c.held.is_(True)).limit(1)).first()
    connection.execute(update(pages).where(news).values(held=True))
    return found, known is None


def suppress(connection: Connection, incident: str) -> int:
    """Keep back what is to be told of `incident`, also by what still waits for the gateway; returns how many pages.

    No call and no SMS takes such pages; `let_go` lets them wait for one again.
    """
    tried = select(calls.c.id).where(calls.c.state == "queued", calls.c.ended_at.is_(None))
    written = select(texts.c.id).where(texts.c.state == "queued", texts.c.ended_at.is_(None))
    carried = or_(pages.c.call.in_(tried), pages.c.call.in_(written))
    rides = (pages.c.state == literal_column("'calling'")) & carried
    kept = update(pages).where(of_incident(incident), or_(QUEUED, rides)).values(state="suppressed", call=None)
    return connection.execute(kept).rowcount


def let_go(connection: Connection, incident: str) -> int:
    """What was kept back of `incident` waits again; returns how many pages."""
    return connection.execute(update(pages).where(of_incident(incident), SUPPRESSED).values(state="queued")).rowcount


def kept_back(connection: Connection) -> list[str]:
    """The incidents of which pages are kept back."""
    query = select(pages.c.incident).where(SUPPRESSED).distinct().order_by(pages.c.incident)
    return list(connection.execute(query).scalars())


def end_pages(connection: Connection, call: str, outcome: Outcome | SmsOutcome, now: datetime) -> int:
    """The call (or SMS) is over: so are the pages that it still carries; returns how many."""
    rides = (pages.c.call == call) & (pages.c.state == "calling")
    return connection.execute(
        update(pages).where(rides).values(state="ended", outcome=outcome.value, ended_at=now)
    ).rowcount


def correct_pages(connection: Connection, text: str, outcome: SmsOutcome) -> None:
    """What is known by now of an SMS whose pages ended when it was sent."""
    told = (pages.c.call == text) & (pages.c.state == "ended")
    connection.execute(update(pages).where(told).values(outcome=outcome.value))


def pages_in(connection: Connection, call: str) -> list[tuple[str, str, str]]:
    """(page id, incident id, state) of every page that `call` carries or carried, an incident's as they were made."""
    query = select(pages.c.id, pages.c.incident, pages.c.state).where(pages.c.call == call).order_by(*_AS_MADE)
    return [(row.id, row.incident, row.state) for row in connection.execute(query)]
