"""One transaction's books: incidents are loaded, decided upon in memory, and written back together.

Runs in the database's thread. What must happen after the commit (counts, hang-ups, waking the worker) is noted in
`effects` and done by the caller, so that a transaction that is rolled back has counted nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from bridge.alert import Alert, Group, Stream, severity_rank
from bridge.call import By, Call, CallState, Outcome, end
from bridge.dispatch.world import World
from bridge.escalation import CLOSING, Channel, Decision, Event, Incident, Line, Page, Policy, Verdict, decide, opened
from bridge.metrics import Metrics
from bridge.sms import SmsOutcome, SmsState
from bridge.sms import end as end_sms
from bridge.store import calls, incidents, journal, pages, texts
from bridge.store.ids import Ids
from bridge.store.incidents import Known, Origin, Policies, Stored


@dataclass
class Effects:
    """What is to be done once the transaction is committed: counts by metric family, hang-ups, waking the worker.

    `told` and `ended` are said in the log, and `held`: whose calls are held back, and why. `write`: an SMS waits.
    """

    counts: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=lambda: defaultdict(float))
    observed: list[tuple[str, float]] = field(default_factory=list)
    hang_up: list[str] = field(default_factory=list)
    told: list[tuple[Incident, Line, str]] = field(default_factory=list)
    ended: list[Call] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    wake: bool = False
    write: bool = False

    @property
    def work(self) -> bool:
        """Whether somebody has something to do by now, here or in another process."""
        return self.wake or self.write or bool(self.hang_up)

    def count(self, family: str, *labels: str, by: float = 1) -> None:
        """Count `by` more of the family (an attribute of Metrics) under these label values."""
        self.counts[family, labels] += by

    def observe(self, family: str, seconds: float) -> None:
        """Note a duration; one that a stepped clock made negative counts as none."""
        self.observed.append((family, max(seconds, 0.0)))

    def apply(self, metrics: Metrics) -> None:
        """Tell the metrics."""
        for (family, labels), by in self.counts.items():
            counter = getattr(metrics, family)
            (counter.labels(*labels) if labels else counter).inc(by)
        for family, seconds in self.observed:
            getattr(metrics, family).observe(seconds)


@dataclass
class Held:
    """An incident in memory; `fresh`: not in the table yet; `known`: its alerts, once somebody asked for them."""

    stored: Stored
    fresh: bool
    known: dict[str, Known] | None = None
    changed: bool = False

    @property
    def incident(self) -> Incident:
        return self.stored.incident


class Ledger:
    """The books of one transaction at `now`."""

    def __init__(self, connection: Connection, world: World, snapshots: Policies, ids: Ids, now: datetime) -> None:
        self.connection = connection
        self.world = world
        self.now = now
        self.effects = Effects()
        self._snapshots = snapshots
        self._ids = ids
        self._held: dict[str, Held] = {}
        self._open: dict[str, dict[str, Held]] = {}
        self._alerts_fresh: dict[tuple[str, str], tuple[Alert, int]] = {}
        self._alerts_changed: dict[tuple[str, str], tuple[Alert, int]] = {}
        self._pages: dict[str, tuple[Page, str]] = {}
        self._lines: list[journal.Entry] = []

    # --- loading

    def load(self, ids: Iterable[str]) -> list[Held]:
        """The incidents with these ids, in that order, as far as there are any."""
        wanted = list(dict.fromkeys(ids))
        for stored in incidents.by_ids(
            self.connection, (one for one in wanted if one not in self._held), self._snapshots
        ):
            self._hold(Held(stored, fresh=False))
        return [self._held[one] for one in wanted if one in self._held]

    def load_streams(self, streams: Iterable[Stream]) -> None:
        """Fetch the open incidents of all `streams` and what is known of their alerts, in a few queries."""
        keys = {incidents.stream_key(stream) for stream in streams} - self._open.keys()
        for key in keys:
            self._open[key] = {}
        for stored in incidents.open_in_streams(self.connection, keys, self._snapshots):
            if stored.incident.id not in self._held:
                self._hold(Held(stored, fresh=False))
        self._load_known(held for held in self._held.values() if held.known is None)

    def open_in(self, stream: Stream) -> dict[str, Held]:
        """The open incidents of a loaded stream, by policy name."""
        return self._open.setdefault(incidents.stream_key(stream), {})

    def newer_word(self, stream: Stream, fingerprint: str, seq: int) -> bool:
        """Whether a message later than `seq` has spoken of this alert, be its incident open or closed."""
        return incidents.newer_word(self.connection, incidents.stream_key(stream), fingerprint, seq)

    def _hold(self, held: Held) -> None:
        self._held[held.incident.id] = held
        if held.incident.open:
            self._open.setdefault(incidents.stream_key(held.incident.stream), {})[held.incident.policy.name] = held

    def _load_known(self, wanted: Iterable[Held]) -> None:
        listed = list(wanted)
        known = incidents.known_alerts(self.connection, (held.incident.id for held in listed if not held.fresh))
        for held in listed:
            held.known = known.get(held.incident.id, {})

    # --- what happens

    def open(self, group: Group, policy: Policy, received_at: datetime) -> Held:
        """A new incident of the group's stream; `begin` decides its first step, once its alerts are in."""
        incident = Incident(
            self._ids.new(received_at), group.stream, policy, opened_at=received_at, news_at=received_at
        )
        held = Held(Stored(incident, Origin(rank=99)), fresh=True, known={})
        self._hold(held)
        return held

    def begin(self, held: Held) -> None:
        """The first decision on a new incident."""
        self.effects.count("incidents_opened_total")
        self._commit_to(held, opened(held.incident, self.world.roster, self.now))

    def put_alert(self, held: Held, alert: Alert, seq: int) -> bool:
        """Note what message `seq` says of one alert; False if it says nothing new, or something older than is known."""
        assert held.known is not None, "load_streams comes first"
        before = held.known.get(alert.fingerprint)
        if before is not None and before.seq > seq:
            return False
        held.known[alert.fingerprint] = Known(alert.firing, seq)
        key = (held.incident.id, alert.fingerprint)
        if before is not None and key not in self._alerts_fresh:
            if before.firing == alert.firing:
                return False
            self._alerts_changed[key] = (alert, seq)
        else:
            self._alerts_fresh[key] = (alert, seq)
        return before is None or before.firing != alert.firing

    def describe(self, held: Held, group: Group, alerts: Iterable[Alert]) -> None:
        """Take over from the newest notification what is told of the incident beside its state."""
        rank = min([held.stored.origin.rank, *(severity_rank(alert.labels) for alert in alerts if alert.firing)])
        origin = Origin(rank, group.group_labels, group.external_url, group.truncated)
        if origin != held.stored.origin:
            held.stored = replace(held.stored, origin=origin)
            held.changed = True

    def happen(self, held: Held, event: Event, note: str = "") -> Decision:
        """Decide what `event` does to the incident, and keep the books accordingly."""
        decision = decide(held.incident, event, self.world.roster, self.now)
        self._commit_to(held, decision, note)
        return decision

    def acknowledged(self, held: Held, by: By) -> None:
        """Count an acknowledgement that was accepted."""
        self.effects.count("acknowledgements_total", by.value)
        self.effects.observe("time_to_acknowledge_seconds", (self.now - held.incident.opened_at).total_seconds())

    def new_id(self) -> str:
        """An id of its own, made now."""
        return self._ids.new(self.now)

    def line(self, entry: journal.Entry) -> None:
        """Add a line to the story."""
        self._lines.append(entry)

    def _commit_to(self, held: Held, decision: Decision, note: str = "") -> None:
        if decision.incident != held.incident:
            held.stored = replace(held.stored, incident=decision.incident)
            held.changed = True
        if decision.cancel:
            self._cancel(held.incident)
        for page in decision.pages:
            self._pages[page.id] = (page, "queued")
            self.effects.wake = True
            self.effects.write = self.effects.write or page.channel is Channel.SMS
        self._tell(held.incident, decision, note)
        self._count(decision)
        if not held.incident.open:
            self.open_in(held.incident.stream).pop(held.incident.policy.name, None)

    def _tell(self, incident: Incident, decision: Decision, note: str) -> None:
        # That it still fires is no story of its own: a night of repeats would bury what happened.
        if decision.verdict is Verdict.REFRESHED:
            return
        for line in decision.lines:
            entry = journal.Entry(
                self.now,
                line.verdict.value,
                incident.id,
                who=line.who,
                round=line.round,
                step=line.step,
                attempt=line.attempt,
                note=note,
            )
            self._lines.append(entry)
            self.effects.told.append((incident, line, note))

    def _count(self, decision: Decision) -> None:
        verdict = decision.verdict
        self.effects.count("decisions_total", verdict.value)
        nobody = sum(line.verdict is Verdict.NOBODY_THERE for line in decision.lines)
        if nobody:
            self.effects.count("nobody_there_total", by=nobody)
        if verdict is Verdict.EXHAUSTED:
            self.effects.count("incidents_exhausted_total")
        if verdict in CLOSING:
            self.effects.count("incidents_closed_total", verdict.value)

    def _cancel(self, incident: Incident) -> None:
        """Drop the incident's pages; a call that then carries nobody's page any more is dropped with them."""
        for page_id, (page, _) in self._pages.items():
            if page.incident == incident.id:
                self._pages[page_id] = (page, "cancelled")
        if incident.version == 0 and self._held[incident.id].fresh:
            return
        dropped = pages.cancel_pages(self.connection, incident.id, self.now)
        for call_id in dict.fromkeys(page.call for page in dropped if page.call is not None):
            if not any(state == "calling" for _, _, state in pages.pages_in(self.connection, call_id)):
                self._drop_call(call_id)

    def _drop_call(self, call_id: str) -> None:
        call = calls.get(self.connection, call_id)
        if call is None:
            self._drop_sms(call_id)
            return
        if not call.live:
            return
        if call.state is CallState.QUEUED:
            calls.save(self.connection, end(call, Outcome.CANCELLED, self.now, "not needed any more"))
            self.effects.count("calls_total", Outcome.CANCELLED.value)
            return
        self.effects.hang_up.append(call_id)

    def _drop_sms(self, id_: str) -> None:
        """One that is requested already cannot be taken back."""
        sms = texts.get(self.connection, id_)
        if sms is not None and sms.state is SmsState.QUEUED:
            texts.save(self.connection, end_sms(sms, SmsOutcome.CANCELLED, self.now, "not needed any more"))
            self.effects.count("sms_total", SmsOutcome.CANCELLED.value)

    # --- writing back

    def flush(self) -> None:
        """Write everything that changed. Raises LostRace if another process changed the same rows first."""
        # One that has ended makes room, in the same batch perhaps, for the next of its stream and policy.
        changed = [held.stored for held in self._held.values() if held.changed and not held.fresh]
        incidents.save(self.connection, changed, self._snapshots)
        fresh = [held for held in self._held.values() if held.fresh]
        incidents.add(self.connection, [held.stored for held in fresh], self._snapshots)
        for rows, new in ((self._alerts_fresh, True), (self._alerts_changed, False)):
            listed = [(incident, alert, seq) for (incident, _), (alert, seq) in rows.items()]
            incidents.put_alerts(self.connection, listed, fresh=new)
        pages.add_pages(self.connection, [(page, state, self.now) for page, state in self._pages.values()])
        journal.write(self.connection, self._lines)
