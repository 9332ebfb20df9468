"""What somebody would hear of an incident if their phone rang now: nothing is written down, and nobody is called."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bridge.dispatch.ledger import Ledger
from bridge.dispatch.outcome import said
from bridge.dispatch.world import World
from bridge.speech import Speech
from bridge.store.ids import Ids
from bridge.store.incidents import Policies, by_ids


def preview(
    connection: Connection, world: World, snapshots: Policies, now: datetime, incident: str, person: str
) -> Speech | None:
    """The speech to `person` (a key of people) about one incident; None where there is no such incident."""
    found = by_ids(connection, [incident], snapshots)
    if not found:
        return None
    return said(Ledger(connection, world, snapshots, Ids(), now), person, found, total=1)
