"""The books of a rehearsal: incidents and their pages in memory, changed by the same pure functions as in the store.

What `dispatch` does in a transaction happens here in dictionaries; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from bridge.alert import Alert, Group, severity_rank
from bridge.dispatch.outcome import TOLD_ALERTS, TOLD_INCIDENTS
from bridge.dispatch.world import World
from bridge.escalation import Channel, Decision, Due, Event, Incident, Page, Policy, State, Verdict, decide, opened
from bridge.rehearsal.told import Ending, Happening, Told
from bridge.rehearsal.why import behind, decided
from bridge.route import Route, match, muted
from bridge.schedule import Schedule
from bridge.speech import Subject

UNRANKED = 99


@dataclass
class Held:
    """An incident with its alerts by fingerprint and the rank of the worst of them."""

    incident: Incident
    alerts: dict[str, Alert] = field(default_factory=dict)
    rank: int = UNRANKED


@dataclass
class Slip:
    """A page, by what its person is meant (`because`), the call that carries it, and whether it is still on its way."""

    page: Page
    because: str
    call: str | None = None
    under_way: bool = True


class Books:
    """What is known at `now`; each change is told in `told`. `unneeded`: calls to be cut off, for nobody needs them."""

    def __init__(self, world: World, schedules: Mapping[str, Schedule], now: datetime) -> None:
        self.now = now
        self.told: list[Told] = []
        self.unneeded: list[str] = []
        self.taken: dict[str, bool] = {}
        self._world = world
        self._schedules = schedules
        self._held: dict[str, Held] = {}
        self._slips: dict[str, Slip] = {}
        self._group: Group | None = None

    # --- a notification

    def notify(self, group: Group) -> None:
        """Route each alert by its own labels and open an incident for each policy that lacks one."""
        self._group = group
        present: dict[str, Held] = {}
        for alert in group.alerts:
            for held in self._belongs_to(alert, group, present):
                held.alerts[alert.fingerprint] = alert
                if alert.firing:
                    held.rank = min(held.rank, severity_rank(alert.labels))
        for held in present.values():
            self._commit_to(held, opened(held.incident, self._world.roster, self.now), None)

    def _belongs_to(self, alert: Alert, group: Group, present: dict[str, Held]) -> list[Held]:
        if not alert.firing:
            return [held for held in present.values() if alert.fingerprint in held.alerts]
        found: dict[str, Held] = {}
        for route in match(self._world.route, alert.labels):
            silent = self._silent(route)
            if route.policy not in present and not silent:
                present[route.policy] = self._open(group, self._world.policies[route.policy])
            if route.policy in present:
                found.setdefault(route.policy, present[route.policy])
        return list(found.values())

    def _silent(self, route: Route) -> bool:
        """Whether the route is muted; it is told once for each policy."""
        silent = muted(route, self._world.intervals, self.now)
        if silent and route.policy not in self.taken:
            during = ", ".join(route.mute) or f"not {', '.join(route.active)}"
            why = f"the route to {route.policy} is muted at this time ({during}): nobody is called by it"
            self.told.append(Told(self.now, Happening.MUTED, (route.policy,), verdict="muted", why=why))
        # One route that is not muted is enough for its policy.
        self.taken[route.policy] = self.taken.get(route.policy, True) and silent
        return silent

    def _open(self, group: Group, policy: Policy) -> Held:
        # Of one length, so that they sort as they were made.
        id_ = f"{len(self._held) + 1:04}"
        held = Held(Incident(id_, group.stream, policy, opened_at=self.now, news_at=self.now))
        self._held[id_] = held
        return held

    # --- decisions

    def fire_due(self) -> bool:
        """Tell the incidents whose time has come; whether there was any."""
        due = [(at, held) for held in self._held.values() if (at := held.incident.due_at) and at <= self.now]
        for _, held in sorted(due, key=itemgetter(0)):
            self._happen(held, Due())
        return bool(due)

    def happen(self, incident: str, event: Event) -> Decision:
        """Decide what `event` does to an incident."""
        return self._happen(self._held[incident], event)

    def _happen(self, held: Held, event: Event) -> Decision:
        decision = decide(held.incident, event, self._world.roster, self.now)
        self._commit_to(held, decision, event)
        return decision

    def _commit_to(self, held: Held, decision: Decision, event: Event | None) -> None:
        before, held.incident = held.incident, decision.incident
        if decision.cancel:
            self._cancel(held.incident.id)
        for page in decision.pages:
            self._slips[page.id] = Slip(page, self._because(held.incident, page))
        if decision.verdict is Verdict.REFRESHED:
            return
        for line in decision.lines:
            placed = Told(
                self.now,
                Happening.DECIDED,
                (held.incident.policy.name,),
                person=line.who,
                round=line.round,
                step=line.step + 1,
                attempt=line.attempt,
                verdict=line.verdict.value,
                why=decided(line, event, before, held.incident),
            )
            self.told.append(placed)

    def _because(self, incident: Incident, page: Page) -> str:
        """By what the page's person is meant; a retry goes to whoever was meant when the step began."""
        earlier = [slip for slip in self._slips.values() if page.attempt > 1 and _same_step(slip.page, page)]
        if earlier:
            return earlier[-1].because
        step = incident.policy.steps[page.step]
        targets = step.targets if page.channel is Channel.VOICE else step.sms
        found = behind(targets, page.person, self._world.roster, self._schedules, self.now)
        return found or "meant when the step began"

    def _cancel(self, incident: str) -> None:
        """Drop the incident's pages; a call that then carries nobody's page any more is not needed either."""
        dropped = [slip for slip in self._slips.values() if slip.page.incident == incident and slip.under_way]
        for slip in dropped:
            slip.under_way = False
        for call in dict.fromkeys(slip.call for slip in dropped if slip.call is not None):
            if not any(slip.under_way for slip in self.carried(call)):
                self.unneeded.append(call)

    # --- pages

    def waiting(self, channel: Channel = Channel.VOICE) -> list[str]:
        """Everybody for whom a page waits, in the order in which the worker takes them."""
        return sorted({slip.page.person for slip in self._waiting(channel)})

    def claim(self, person: str, call: str, channel: Channel = Channel.VOICE) -> None:
        """Put every page that waits for `person` into `call` (or SMS)."""
        for slip in self._waiting(channel):
            if slip.page.person == person:
                slip.call = call

    def _waiting(self, channel: Channel) -> list[Slip]:
        slips = self._slips.values()
        return [one for one in slips if one.under_way and one.call is None and one.page.channel is channel]

    def carried(self, call: str) -> list[Slip]:
        """Every page that `call` carries or carried, an incident's as they were made."""
        found = [slip for slip in self._slips.values() if slip.call == call]
        return sorted(found, key=lambda slip: (len(slip.page.id), slip.page.id))

    def subjects(self, call: str) -> tuple[list[Subject], int]:
        """What `call` is to tell: the worst incidents first, and how many there are in all."""
        ids = {slip.page.incident for slip in self.carried(call) if slip.under_way}
        told = sorted((self._held[id_] for id_ in ids), key=lambda one: (one.rank, one.incident.id))
        return [self._subject(held) for held in told[:TOLD_INCIDENTS]], len(told)

    def _subject(self, held: Held) -> Subject:
        assert self._group is not None, "notify comes first"
        firing = sorted(
            (alert for alert in held.alerts.values() if alert.firing),
            key=lambda one: (severity_rank(one.labels), one.starts_at, one.fingerprint),
        )
        shown = firing[:TOLD_ALERTS]
        return Subject(
            incident=held.incident.id,
            policy=held.incident.policy.name,
            opened_at=held.incident.opened_at,
            receiver=held.incident.stream.receiver,
            external_url=self._group.external_url,
            group_labels=self._group.group_labels,
            alerts=tuple(shown),
            truncated=self._group.truncated + len(firing) - len(shown),
        )

    def policy_of(self, slip: Slip) -> Policy:
        """The policy that a page was made by."""
        return self._held[slip.page.incident].incident.policy

    # --- looking

    @property
    def going(self) -> bool:
        """Whether somebody is still to be called for any incident."""
        return any(one.incident.state is State.TRIGGERED and one.incident.policy.steps for one in self._held.values())

    @property
    def dues(self) -> list[datetime]:
        """When the incidents are due."""
        return [one.incident.due_at for one in self._held.values() if one.incident.due_at is not None]

    def endings(self) -> tuple[Ending, ...]:
        """How all of them stand."""
        return tuple(_ending(one.incident) for one in self._held.values())


def _ending(incident: Incident) -> Ending:
    since, holds = incident.acknowledged_at, incident.policy.acknowledged_for
    until = since + holds if since is not None and holds else None
    return Ending(incident.policy.name, incident.state, incident.acknowledged_by, until)


def _same_step(one: Page, other: Page) -> bool:
    return (one.incident, one.person, one.round, one.step) == (other.incident, other.person, other.round, other.step)
