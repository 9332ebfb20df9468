"""What Alertmanager answers about the alerts of an incident, and what that does to the incident.

Runs in the database's thread, inside the ledger's transaction. An answer is as old as its question: whatever came in
since then says more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bridge.alert import AlertStatus
from bridge.call import By
from bridge.dispatch.digest import acknowledge
from bridge.dispatch.ledger import Held, Ledger
from bridge.escalation import Cleared, Fired, State
from bridge.store import inbox, pages, silences
from bridge.store.doubts import Doubt
from bridge.store.journal import Entry

SHOWN_WORDS = 200


class Says(StrEnum):
    """What it says of one alert. silenced: by a human. quiet: inhibited, or muted. gone: it knows no such alert."""

    FIRES = "fires"
    SILENCED = "silenced"
    QUIET = "quiet"
    GONE = "gone"


class Finding(StrEnum):
    """What came of asking about an incident: the label of callbridge_alertmanager_rechecks_total.

    unknown: no answer, or none that can be believed, or something came in meanwhile; then the phone rings.
    """

    FIRES = "fires"
    GONE = "gone"
    SILENCED = "silenced"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """What it says of one alert, and `why` in words; of a human's silence its author, id and end."""

    says: Says
    why: str = ""
    who: str = ""
    silence: str = ""
    ends_at: datetime | None = None


def hear(ledger: Ledger, doubt: Doubt, said: Mapping[str, Said], asked_at: datetime) -> Finding:
    """Act upon what it says of each alert of the incident; an alert that `said` does not name fires."""
    held = _held(ledger, doubt.incident)
    if held is None or held.known is None or inbox.unread(ledger.connection, asked_at, ledger.now):
        return Finding.UNKNOWN
    _clear(ledger, held, doubt, said)
    if not held.incident.open:
        return Finding.GONE
    rest = [said.get(print_, Said(Says.FIRES)) for print_, known in held.known.items() if known.firing]
    if not rest or any(one.says in (Says.FIRES, Says.GONE) for one in rest):
        let_go(ledger, held.incident.id)
        _wake(ledger, held, said)
        return Finding.FIRES
    if held.incident.state is State.ACKNOWLEDGED:
        return Finding.SUPPRESSED
    if all(one.says is Says.SILENCED for one in rest):
        _take(ledger, held, said)
        return Finding.SILENCED
    _keep_back(ledger, held, rest)
    return Finding.SUPPRESSED


def _held(ledger: Ledger, incident: str) -> Held | None:
    """The incident with what is known of its alerts, as long as it is open."""
    held = next(iter(ledger.load([incident])), None)
    if held is None or not held.incident.open:
        return None
    ledger.load_streams([held.incident.stream])
    return held


def _clear(ledger: Ledger, held: Held, doubt: Doubt, said: Mapping[str, Said]) -> None:
    """What is gone has resolved, unless a later message has spoken of it."""
    assert held.known is not None
    over = [
        alert
        for alert in doubt.alerts
        if said.get(alert.fingerprint, Said(Says.FIRES)).says is Says.GONE
        and (known := held.known.get(alert.fingerprint)) is not None
        and known.firing
        and known.seq <= doubt.seq
    ]
    for alert in over:
        ledger.put_alert(held, replace(alert, status=AlertStatus.RESOLVED, ends_at=ledger.now), doubt.seq)
    if not over:
        return
    if any(known.firing for known in held.known.values()):
        names = ", ".join(dict.fromkeys(alert.name for alert in over))
        ledger.line(_line(ledger, held, "gone", f"no longer in Alertmanager: {names}"))
        return
    ledger.happen(held, Cleared(), "no longer in Alertmanager")


def _take(ledger: Ledger, held: Held, said: Mapping[str, Said]) -> None:
    """A human's silence covers all that fires: they have it."""
    assert held.known is not None
    covered = {print_: said[print_] for print_, known in held.known.items() if known.firing}
    first = next(iter(covered.values()))
    acknowledge(ledger, held, By.SILENCE, first.who, first.why)
    silences.forget_those_of_humans(ledger.connection, held.incident.id)
    present = {row.fingerprint for row in silences.of_incident(ledger.connection, held.incident.id)}
    rows = [
        silences.Kept(held.incident.id, print_, one.silence, ours=False, ends_at=one.ends_at)
        for print_, one in covered.items()
        if print_ not in present
    ]
    silences.add(ledger.connection, rows)


def _wake(ledger: Ledger, held: Held, said: Mapping[str, Said]) -> None:
    """The silence that acknowledged it has ended, and what it covered still fires: so has the acknowledgement."""
    rows = [row for row in silences.of_incident(ledger.connection, held.incident.id) if not row.ours]
    if not any(row.fingerprint in said and said[row.fingerprint].says is Says.FIRES for row in rows):
        return
    silences.forget_those_of_humans(ledger.connection, held.incident.id)
    if held.incident.state is State.ACKNOWLEDGED:
        ledger.happen(held, Fired(anew=True), "the silence that covered it has ended")


def _keep_back(ledger: Ledger, held: Held, rest: list[Said]) -> None:
    if not pages.suppress(ledger.connection, held.incident.id):
        return
    why = "; ".join(dict.fromkeys(one.why for one in rest))[:SHOWN_WORDS]
    ledger.line(_line(ledger, held, "suppressed", f"Alertmanager keeps it quiet: {why}"))


def let_go(ledger: Ledger, incident: str, why: str = "") -> None:
    """What was kept back of the incident rings now."""
    if not pages.let_go(ledger.connection, incident):
        return
    ledger.line(Entry(ledger.now, "let_go", incident, note=why or "Alertmanager keeps it quiet no longer"))
    ledger.effects.wake = ledger.effects.write = True


def _line(ledger: Ledger, held: Held, word: str, note: str) -> Entry:
    return Entry(ledger.now, word, held.incident.id, round=held.incident.round, step=held.incident.step, note=note)
