"""The decision table: what an incident does when something happens to it.

Rule 1: everything that moves an incident from one state to another lives in this file.
Rule 2: this file knows no clock, no database, no gateway and no phone number; it says what should be done.

The table, total ("ignore" is a decision too):

              Fired       Cleared   Due               PageEnded                        Acknowledged  Escalated
triggered     refresh     resolve   next step/exhaust retry, next step, wait, or take  acknowledge   next step
acknowledged  refresh     resolve   ring again        ignore                           extend        ring again
exhausted     ring again  resolve   ignore            take if taken, else ignore       acknowledge   ring again
resolved      ignore      ignore    ignore            ignore                           ignore        ignore

An acknowledged one that has Fired anew rings again: what acknowledged it (a silence) holds no longer.
In every open state a Due that comes `NEWS_TIMEOUT` after the last notification resolves the incident: nobody speaks of
it any more. "Take" means: the call itself acknowledged (a key, an answer where that is configured).

An SMS is a page that nobody waits for: what becomes of it changes nothing here, so it can hold up no call.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from bridge.call import Outcome
from bridge.escalation.incident import (
    NEWS_TIMEOUT,
    Acknowledged,
    Channel,
    Cleared,
    Decision,
    Due,
    Escalated,
    Event,
    Fired,
    Incident,
    Line,
    Page,
    PageEnded,
    Reach,
    Roster,
    SmsWhen,
    State,
    Target,
    Verdict,
)


def opened(incident: Incident, roster: Roster, now: datetime) -> Decision:
    """The first decision on a new incident: its first step, or only a record where the policy has none."""
    if not incident.policy.steps:
        return _plain(incident, Verdict.RECORDED)
    return _go(incident, 1, 0, roster, now, Verdict.OPENED)


def decide(incident: Incident, event: Event, roster: Roster, now: datetime) -> Decision:
    """The table. Pure, total and deterministic; never raises for any pair of state and event."""
    match incident.state:
        case State.TRIGGERED:
            return _triggered(incident, event, roster, now)
        case State.ACKNOWLEDGED:
            return _acknowledged(incident, event, roster, now)
        case State.EXHAUSTED:
            return _exhausted(incident, event, roster, now)
        case State.RESOLVED:
            return _ignore(incident)
        case never:  # pragma: no cover - mypy proves that there is no fifth state
            assert_never(never)


def _triggered(incident: Incident, event: Event, roster: Roster, now: datetime) -> Decision:
    match event:
        case Fired():
            return _plain(replace(incident, news_at=now), Verdict.REFRESHED)
        case Cleared():
            return _resolve(incident, event, now)
        case Due():
            return _due(incident, roster, now)
        case PageEnded():
            return _page_ended(incident, event, roster, now)
        case Acknowledged():
            return _acknowledge(incident, event.who, now, Verdict.ACKNOWLEDGED)
        case Escalated():
            step = _same_step if event.again else _next_step
            return step(incident, roster, now, who=event.who)
        case never:  # pragma: no cover - the types leave nothing here
            assert_never(never)


def _acknowledged(incident: Incident, event: Event, roster: Roster, now: datetime) -> Decision:
    match event:
        case Fired(anew=True):
            return _ring_again(replace(incident, news_at=now), roster, now)
        case Fired():
            return _plain(replace(incident, news_at=now), Verdict.REFRESHED)
        case Cleared():
            return _resolve(incident, event, now)
        case Due():
            return _acknowledged_due(incident, roster, now)
        case PageEnded():
            return _ignore(incident)
        case Acknowledged():
            return _acknowledge(incident, event.who, now, Verdict.EXTENDED)
        case Escalated():
            return _ring_again(incident, roster, now, ahead=0 if event.again else 1, who=event.who)
        case never:  # pragma: no cover - the types leave nothing here
            assert_never(never)


def _exhausted(incident: Incident, event: Event, roster: Roster, now: datetime) -> Decision:
    match event:
        case Fired():
            return _ring_again(replace(incident, news_at=now), roster, now)
        case Cleared():
            return _resolve(incident, event, now)
        case Due():
            return _no_news(incident, now) if _stale(incident, now) else _ignore(incident)
        case PageEnded():
            if not event.taken:
                return _ignore(_without(incident, event.page))
            return _acknowledge(incident, event.person, now, Verdict.ACKNOWLEDGED)
        case Acknowledged():
            return _acknowledge(incident, event.who, now, Verdict.ACKNOWLEDGED)
        case Escalated():
            return _ring_again(incident, roster, now, who=event.who)
        case never:  # pragma: no cover - the types leave nothing here
            assert_never(never)


def _due(incident: Incident, roster: Roster, now: datetime) -> Decision:
    if _stale(incident, now):
        return _no_news(incident, now)
    if incident.step_ends_at is not None and incident.step_ends_at <= now:
        tried = [one.person for one in incident.targets if one.reach is Reach.RETRYING]
        incident, texts = _given_up(incident, tried, roster, now)
        return _with(texts, _next_step(incident, roster, now))
    return _retry(incident, now)


def _acknowledged_due(incident: Incident, roster: Roster, now: datetime) -> Decision:
    if _stale(incident, now):
        return _no_news(incident, now)
    until = _acknowledged_until(incident)
    if until is None or until > now:
        return _ignore(incident)
    return _ring_again(incident, roster, now)


def _page_ended(incident: Incident, event: PageEnded, roster: Roster, now: datetime) -> Decision:
    if event.taken:
        return _acknowledge(incident, event.person, now, Verdict.ACKNOWLEDGED)
    target = next((one for one in incident.targets if one.page == event.page), None)
    if target is None or target.reach is Reach.EARLIER:
        return _ignore(_without(incident, event.page))
    if target.reach is not Reach.CALLING:
        return _ignore(incident)
    told = _told(incident, target, event.outcome, now)
    moved = replace(incident, targets=tuple(told if one is target else one for one in incident.targets))
    moved, texts = _given_up(moved, [told.person] if told.reach is Reach.UNREACHED else (), roster, now)
    return _with(texts, _after_call(moved, told, roster, now))


def _after_call(moved: Incident, told: Target, roster: Roster, now: datetime) -> Decision:
    if all(one.reach in (Reach.UNREACHED, Reach.EARLIER) for one in moved.targets):
        return _next_step(moved, roster, now)
    verdict = Verdict.RETRY_PLANNED if told.reach is Reach.RETRYING else Verdict.WAITING
    return _plain(moved, verdict, Line(verdict, told.person, moved.round, moved.step, told.attempt))


def _given_up(
    incident: Incident, people: Collection[str], roster: Roster, now: datetime
) -> tuple[Incident, tuple[Page, ...]]:
    """Whom no call of the step reached gets the SMS that it has for them then."""
    step = incident.policy.steps[incident.step]
    readers = _people(step.sms, roster, now) if step.sms_when is SmsWhen.UNREACHED else ()
    return _texts(incident, [one for one in readers if one in people], incident.round, incident.step)


def _told(incident: Incident, target: Target, outcome: Outcome, now: datetime) -> Target:
    """The target after its call: answered, to be tried again, or not to be reached in this step."""
    step = incident.policy.steps[incident.step]
    if outcome is Outcome.ANSWERED:
        return replace(target, reach=Reach.ANSWERED)
    if outcome is Outcome.REFUSED or target.attempt >= step.attempts:
        return replace(target, reach=Reach.UNREACHED)
    return replace(target, reach=Reach.RETRYING, retry_at=now + step.retry_after)


def _retry(incident: Incident, now: datetime) -> Decision:
    """Page again whoever did not answer and whose pause is over."""
    targets: list[Target] = []
    pages: list[Page] = []
    serial = incident.serial
    for target in incident.targets:
        if target.retry_at is None or target.retry_at > now:
            targets.append(target)
            continue
        serial += 1
        page = _page(incident, serial, target.person, incident.round, incident.step, target.attempt + 1)
        targets.append(Target(target.person, page.id, page.attempt))
        pages.append(page)
    if not pages:
        return _ignore(incident)
    moved = replace(incident, targets=tuple(targets), serial=serial)
    lines = [Line(Verdict.RETRIED, page.person, page.round, page.step, page.attempt) for page in pages]
    return _paging(moved, Verdict.RETRIED, tuple(pages), lines)


def _next_step(incident: Incident, roster: Roster, now: datetime, *, who: str | None = None) -> Decision:
    """The following step; `who` asked for it by hand, None: it is simply its turn."""
    if not incident.policy.steps:
        return _ignore(incident)
    step, round_ = incident.step + 1, incident.round
    if step >= len(incident.policy.steps):
        # Whoever asks for the next step by hand wants somebody called: behind the last one comes the first.
        step, round_ = 0, round_ + 1 if who is None else round_
    return _go(incident, round_, step, roster, now, Verdict.NEXT_STEP, who=who or "")


def _same_step(incident: Incident, roster: Roster, now: datetime, *, who: str) -> Decision:
    """The present step from its beginning: `who` wants those called again who were called before."""
    if not incident.policy.steps:
        return _ignore(incident)
    return _go(incident, incident.round, incident.step, roster, now, Verdict.RANG_AGAIN, who=who)


def _ring_again(
    incident: Incident, roster: Roster, now: datetime, *, ahead: int | None = None, who: str = ""
) -> Decision:
    """Start the chain again; `ahead`: so many steps after the present one, for a human wants it so; None: the first."""
    if not incident.policy.steps:
        return _ignore(incident)
    fresh = replace(incident, state=State.TRIGGERED, acknowledged_by=None, acknowledged_at=None)
    step = 0 if ahead is None else (incident.step + ahead) % len(incident.policy.steps)
    return _go(fresh, 1, step, roster, now, Verdict.RANG_AGAIN, who=who)


def _go(
    incident: Incident, round_: int, step: int, roster: Roster, now: datetime, verdict: Verdict, *, who: str = ""
) -> Decision:
    """Begin the step `step` of round `round_`, or the next one in which there is somebody; at the end: exhausted."""
    policy = incident.policy
    lines: list[Line] = []
    texts: tuple[Page, ...] = ()
    while round_ <= policy.rounds:
        here = policy.steps[step]
        people = _people(here.targets, roster, now)
        readers = () if people and here.sms_when is SmsWhen.UNREACHED else _people(here.sms, roster, now)
        incident, fresh = _texts(incident, readers, round_, step)
        texts += fresh
        if people or (readers and not here.targets):
            named = who or ", ".join(people or readers)
            return _with(texts, _begin(incident, round_, step, people, now, verdict, lines, named))
        lines.append(Line(Verdict.NOBODY_THERE, ", ".join(here.targets or here.sms), round_, step))
        step += 1
        if step == len(policy.steps):
            step, round_ = 0, round_ + 1
    return _with(texts, _exhaust(incident, lines))


def _texts(incident: Incident, people: Sequence[str], round_: int, step: int) -> tuple[Incident, tuple[Page, ...]]:
    """A page by SMS for each of `people`, and the incident that has counted them."""
    serials = enumerate(people, incident.serial + 1)
    pages = tuple(_page(incident, serial, person, round_, step, 1, Channel.SMS) for serial, person in serials)
    return replace(incident, serial=incident.serial + len(pages)), pages


def _with(texts: tuple[Page, ...], decision: Decision) -> Decision:
    return replace(decision, pages=texts + decision.pages)


def _begin(
    incident: Incident,
    round_: int,
    step: int,
    people: Sequence[str],
    now: datetime,
    verdict: Verdict,
    lines: list[Line],
    who: str,
) -> Decision:
    """Call everybody of a step; whoever still has a page of this incident under way keeps it and gets no second one."""
    under_way = {one.person: one.page for one in incident.targets if one.reach in (Reach.CALLING, Reach.EARLIER)}
    serial = incident.serial
    targets: list[Target] = []
    pages: list[Page] = []
    for person in people:
        if person in under_way:
            targets.append(Target(person, under_way.pop(person)))
            continue
        serial += 1
        page = _page(incident, serial, person, round_, step, 1)
        targets.append(Target(person, page.id))
        pages.append(page)
    targets += [Target(person, page_id, reach=Reach.EARLIER) for person, page_id in under_way.items()]
    moved = replace(
        incident,
        state=State.TRIGGERED,
        round=round_,
        step=step,
        targets=tuple(targets),
        step_ends_at=now + incident.policy.steps[step].wait,
        serial=serial,
    )
    said = [*lines, Line(verdict, who, round_, step)]
    return _paging(moved, verdict, tuple(pages), said)


def _without(incident: Incident, page: str) -> Incident:
    """The incident once nobody is on the phone because of `page` any more, and no step waits for it."""
    return replace(incident, targets=tuple(one for one in incident.targets if one.page != page))


def _people(targets: Sequence[str], roster: Roster, now: datetime) -> tuple[str, ...]:
    """Everybody behind the targets of a step, each once, in the order of the file."""
    return tuple(dict.fromkeys(person for target in targets for person in roster.on_call(target, now)))


def _page(
    incident: Incident,
    serial: int,
    person: str,
    round_: int,
    step: int,
    attempt: int,
    channel: Channel = Channel.VOICE,
) -> Page:
    # The id follows from the incident and a count: deciding the same thing twice makes the same page, not a second one.
    return Page(f"{incident.id}-{serial}", incident.id, person, round_, step, attempt, incident.policy.urgent, channel)


def _exhaust(incident: Incident, lines: list[Line]) -> Decision:
    moved = replace(incident, state=State.EXHAUSTED, step_ends_at=None)
    lines.append(Line(Verdict.EXHAUSTED, "", incident.round, incident.step))
    return _paging(moved, Verdict.EXHAUSTED, (), lines)


def _acknowledge(incident: Incident, who: str, now: datetime, verdict: Verdict) -> Decision:
    moved = replace(
        incident,
        state=State.ACKNOWLEDGED,
        targets=(),
        step_ends_at=None,
        acknowledged_by=who,
        acknowledged_at=now,
    )
    return _plain(moved, verdict, Line(verdict, who, incident.round, incident.step), cancel=True)


def _resolve(incident: Incident, event: Cleared, now: datetime) -> Decision:
    return _close(incident, Verdict.RESOLVED_BY_HAND if event.by_hand else Verdict.RESOLVED, now)


def _no_news(incident: Incident, now: datetime) -> Decision:
    return _close(incident, Verdict.NO_NEWS, now)


def _close(incident: Incident, verdict: Verdict, now: datetime) -> Decision:
    moved = replace(incident, state=State.RESOLVED, targets=(), step_ends_at=None, closed_at=now)
    return _plain(moved, verdict, Line(verdict, "", incident.round, incident.step), cancel=True)


def _plain(incident: Incident, verdict: Verdict, *lines: Line, cancel: bool = False) -> Decision:
    said = lines or (Line(verdict, "", incident.round, incident.step),)
    return Decision(_timed(incident), verdict, cancel=cancel, lines=said)


def _paging(incident: Incident, verdict: Verdict, pages: tuple[Page, ...], lines: Sequence[Line]) -> Decision:
    return Decision(_timed(incident), verdict, pages, lines=tuple(lines))


def _ignore(incident: Incident) -> Decision:
    return Decision(_timed(incident), Verdict.IGNORED)


def _timed(incident: Incident) -> Incident:
    """The incident with the due time that follows from the rest of it; None once it is over."""
    if not incident.open:
        return replace(incident, due_at=None)
    times = [incident.news_at + NEWS_TIMEOUT, _acknowledged_until(incident), incident.step_ends_at]
    if incident.state is State.TRIGGERED:
        times += [one.retry_at for one in incident.targets]
    return replace(incident, due_at=min(time for time in times if time is not None))


def _acknowledged_until(incident: Incident) -> datetime | None:
    """When an acknowledgement runs out; None where it holds until the incident is resolved.

    It holds too where the policy calls nobody: there is nobody to ring again, and it must not stay due for ever.
    """
    if incident.acknowledged_at is None or not incident.policy.acknowledged_for or not incident.policy.steps:
        return None
    return incident.acknowledged_at + incident.policy.acknowledged_for


def _stale(incident: Incident, now: datetime) -> bool:
    return incident.news_at + NEWS_TIMEOUT <= now
