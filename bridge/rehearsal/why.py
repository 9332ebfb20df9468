"""Why something happens, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bridge.call import Call, Outcome, Rules
from bridge.escalation import NEWS_TIMEOUT, Due, Event, Incident, Line, Roster, Step, Verdict
from bridge.schedule import Schedule, shifts

MOMENT = timedelta(seconds=1)
SENTENCES = {
    Verdict.RECORDED: "the policy has no steps: recorded, nobody is called",
    Verdict.NOBODY_THERE: "nobody who can be called is behind {who} at this time: the next step at once",
    Verdict.EXHAUSTED: "the chain is at its end and nobody took it: the next notification starts it again",
    Verdict.ACKNOWLEDGED: "{who} has it: nobody is called for it any more",
    Verdict.EXTENDED: "{who} takes it too; it was taken before",
    Verdict.RANG_AGAIN: "the time that it was taken for is over: it begins again with {who}",
    Verdict.NO_NEWS: f"no notification for {NEWS_TIMEOUT.days * 24} h: it counts as over",
}
UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def length(span: timedelta) -> str:
    """`1 m 30 s`: whole seconds, rounded."""
    rest = round(span.total_seconds())
    parts: list[str] = []
    for size, unit in UNITS:
        count, rest = divmod(rest, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts) or "0 s"


def behind(
    targets: Sequence[str], person: str, roster: Roster, schedules: Mapping[str, Schedule], now: datetime
) -> str:
    """By what these targets mean `person` at `now`: the schedule and what puts them on call there, or themselves."""
    for target in targets:
        if person not in roster.on_call(target, now):
            continue
        schedule = schedules.get(target)
        if schedule is None or target == person:
            return "named in the step"
        present = shifts(schedule, now, now + MOMENT)
        because = next((shift.because for shift in present if shift.person == person), "")
        return f"{target}: {because}" if because else target
    return ""


def decided(line: Line, event: Event | None, before: Incident, incident: Incident) -> str:
    """The reason of one line of a decision that `event` (None: its opening) brought from `before` to `incident`."""
    who, number = line.who, line.step + 1
    match line.verdict:
        case Verdict.OPENED:
            return f"step {number} {_does(_step(incident, line.step))} {who}"
        case Verdict.NEXT_STEP:
            does = _does(_step(incident, line.step))
            return f"{_left(event, before)}: step {number} of round {line.round} {does} {who}"
        case Verdict.RETRY_PLANNED:
            return f"{who} was not reached: again in {length(_step(incident, line.step).retry_after)}"
        case Verdict.RETRIED:
            return f"attempt {line.attempt} of {_step(incident, line.step).attempts} to reach {who}"
        case Verdict.WAITING:
            return f"{who} {_waiting(incident, who)}"
        case verdict:
            return SENTENCES.get(verdict, verdict.value.replace("_", " ")).format(who=who)


def _does(step: Step) -> str:
    return "calls" if step.targets else "sends an SMS to"


def _left(event: Event | None, before: Incident) -> str:
    """Why the step before was left."""
    number = before.step + 1
    if not isinstance(event, Due):
        return f"nobody of step {number} was reached"
    return f"the {length(_step(before, before.step).wait)} of step {number} are over and nobody took it"


def _waiting(incident: Incident, who: str) -> str:
    target = next((one for one in incident.targets if one.person == who), None)
    ends = f"the step waits until {length(_step(incident, incident.step).wait)} after its beginning"
    if target is not None and target.reach == "answered":
        return f"answered and did not take it: {ends}"
    return f"cannot be reached in this step any more, others may be: {ends}"


def _step(incident: Incident, step: int) -> Step:
    return incident.policy.steps[step]


def ended(call: Call, rules: Rules, taken: bool, ring_time: float) -> str:
    """What became of a call."""
    match call.outcome:
        case Outcome.NO_ANSWER:
            return f"it rang for {ring_time:.0f} s and nobody picked up"
        case Outcome.FAILED:
            return "the network could not connect it: the line is engaged"
        case Outcome.UNCONFIRMED:
            return f"unconfirmed: {call.reason}"
        case Outcome.ANSWERED:
            return f"{call.duration or 0:.0f} s on the phone{_taking(call, rules, taken)}"
        case _:
            return call.reason


def _taking(call: Call, rules: Rules, taken: bool) -> str:
    if taken:
        return _took(call, rules)
    if call.acknowledged:
        return ""
    if rules.answer:
        return f"; less than the {length(rules.answer)} that would count as taking it"
    if rules.hang_up and call.window_from is not None and call.window_until is not None:
        return f"; hanging up after {call.window_from:.0f} to {call.window_until:.0f} s would take it"
    return "; being answered alone takes nothing"


def _took(call: Call, rules: Rules) -> str:
    if rules.answer and (call.duration or 0.0) >= rules.answer.total_seconds():
        return f"; answered for {length(rules.answer)} or more counts as taking it"
    return f"; hung up when asked to ({call.window_from:.0f} to {call.window_until:.0f} s): that takes it"
