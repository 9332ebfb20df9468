"""Who is being called for an incident now, and what comes next: out of its state alone. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.call import Call, CallState
from bridge.escalation import Incident, Reach, Roster, State


@dataclass(frozen=True, slots=True)
class Ringing:
    """One person who is being called, or soon will be; `how` in words."""

    person: str
    how: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes next: `what` in words about `people` (keys), `at` that time; None: only if something happens."""

    what: str
    people: tuple[str, ...] = ()
    at: datetime | None = None


def ringing(incident: Incident, live: Mapping[str, Call], held: Collection[str] = ()) -> list[Ringing]:
    """Whom this incident's pages are on their way to; `live`: the calls that are not over, by person.

    `held`: the people whose calls a limit holds back.
    """
    return [
        Ringing(one.person, how(live.get(one.person), held=one.person in held))
        for one in incident.targets
        if one.reach in (Reach.CALLING, Reach.EARLIER)
    ]


def how(call: Call | None, *, held: bool = False) -> str:
    """How far a call has come; `held`: a limit keeps it from being made."""
    if call is None:
        return "a limit holds the call back, the story says until when" if held else "waits to be called"
    if call.state is CallState.QUEUED:
        return "the gateway is asked again soon" if call.tries else "is about to be called"
    if call.answered_at is not None:
        return "is on the phone"
    if call.ringing_at is not None:
        return "the phone rings"
    return "is being dialled" if call.state is CallState.PLACED else "the gateway is being asked"


def outlook(incident: Incident, roster: Roster) -> Outlook:
    """What comes next unless something else happens first."""
    if not incident.policy.steps:
        return Outlook("This policy calls nobody.")
    match incident.state:
        case State.TRIGGERED:
            return _triggered(incident, roster)
        case State.ACKNOWLEDGED:
            return _acknowledged(incident, roster)
        case State.EXHAUSTED:
            return Outlook("Everybody was called, and nobody took it. It starts again when it is reported again.")
        case State.RESOLVED:
            return Outlook("It is over.")


def _triggered(incident: Incident, roster: Roster) -> Outlook:
    retries = [(one.retry_at, one.person) for one in incident.targets if one.retry_at is not None]
    ends = incident.step_ends_at
    if retries and (ends is None or min(retries)[0] < ends):
        first = min(retries)[0]
        return Outlook("Calls again:", tuple(person for at, person in retries if at == first), first)
    if ends is None:
        return Outlook("It waits for news.")
    step, round_ = incident.step + 1, incident.round
    while round_ <= incident.policy.rounds:
        if step == len(incident.policy.steps):
            step, round_ = 0, round_ + 1
            continue
        here = incident.policy.steps[step]
        people = _people(here.targets or here.sms, roster, ends)
        if people:
            return Outlook("Calls" if here.targets else "Sends an SMS to", people, ends)
        step += 1
    return Outlook("Nobody is left to call: gives up", (), ends)


def _acknowledged(incident: Incident, roster: Roster) -> Outlook:
    length, since = incident.policy.acknowledged_for, incident.acknowledged_at
    if not length or since is None:
        return Outlook("Nobody is called any more, until it is over.")
    again = since + length
    first = incident.policy.steps[0]
    what = "calls" if first.targets else "sends an SMS to"
    return Outlook(f"If it still fires then, {what}", _people(first.targets or first.sms, roster, again), again)


def _people(targets: Sequence[str], roster: Roster, at: datetime) -> tuple[str, ...]:
    return tuple(dict.fromkeys(person for target in targets for person in roster.on_call(target, at)))
