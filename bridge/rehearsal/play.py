"""The loop of a rehearsal: what worker, telephones and reports would bring, on a clock that is only a number.

It goes from one thing that is due to the next: moments of calls, due times of incidents, limits that end.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.alert import Group
from bridge.call import By, Call, CallState, CallStatus, Outcome, Rate, Report, allowed_at, end, settle, taken
from bridge.config import Config
from bridge.dispatch.outcome import LATE_WORD
from bridge.dispatch.world import World, world_of
from bridge.escalation import Acknowledged, Channel, PageEnded
from bridge.logs import mask
from bridge.rehearsal.answers import Answers
from bridge.rehearsal.books import Books
from bridge.rehearsal.telephone import PRICE_PER_MINUTE, UNSENT_RING_TIME, Manner, Moment, plan, reading_seconds, spoken
from bridge.rehearsal.texts import Texts
from bridge.rehearsal.told import Happening, Rehearsal, Told
from bridge.rehearsal.why import ended, length
from bridge.schedule import Schedule
from bridge.speech import Speech

# Whoever configures more for one notification has seen enough by then.
MOST_CALLS = 1000
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it plays. `ring_time` in seconds; `hears`: reports come as things happen, else the gateway's journal is
    asked after `report_timeout`; `cuts`: a call can be hung up from our side."""

    world: World
    schedules: Mapping[str, Schedule]
    ring_time: float
    hears: bool
    cuts: bool


def scene_of(config: Config) -> Scene:
    """The scene of a config. Raises ConfigError for templates that are broken."""
    seven = config.gateway.dialect == "seven"
    ring_time = float(round(config.gateway.ring_time.total_seconds())) if seven else UNSENT_RING_TIME
    hears = config.webhooks.report_token is not None or config.gateway.reports != "webhook"
    return Scene(world_of(config), config.schedules, ring_time, hears, cuts=seven)


def rehearse(
    scene: Scene,
    group: Group,
    now: datetime,
    answers: Answers = Answers(),  # noqa: B008 - frozen
    price: float = PRICE_PER_MINUTE,
    most: int = MOST_CALLS,
) -> Rehearsal:
    """What would follow if `group` came at `now` and nothing else was under way. `price` in euro a started minute.

    It ends when nobody is left to call, or after `most` calls.
    """
    return _Play(scene, answers, price, now, most).run(group)


@dataclass
class _Line:
    """A call with what is `left` to happen on it. `lifted_at`: since when somebody listens; `talk`: for so many
    seconds; `final`: how it ended, as the gateway knows it."""

    call: Call
    left: deque[tuple[datetime, CallStatus | None]]
    lifted_at: datetime | None = None
    talk: float | None = None
    final: CallStatus | None = None


class _Play:
    def __init__(self, scene: Scene, answers: Answers, price: float, now: datetime, most: int) -> None:
        self._scene = scene
        self._most = most
        self._world = scene.world
        self._answers = answers
        self._price = price
        self._began = now
        self._books = Books(scene.world, scene.schedules, now)
        self._texts = Texts(scene.world, self._books)
        self._lines: dict[str, _Line] = {}
        self._calls_to: Counter[str] = Counter()
        self._free_at: datetime | None = None
        self._held_back: dict[str, datetime] = {}
        self._spoken: list[str] = []

    @property
    def _now(self) -> datetime:
        return self._books.now

    def run(self, group: Group) -> Rehearsal:
        self._books.notify(group)
        self._pass()
        while self._goes_on and (at := self._next()) is not None:
            self._books.now = max(at, self._now)
            self._live()
            self._pass()
        return Rehearsal(
            began=self._began,
            told=tuple(self._books.told),
            endings=self._books.endings(),
            taken=tuple(self._books.taken.items()),
            spoken=tuple(self._spoken),
            unfinished=self._books.going,
        )

    @property
    def _goes_on(self) -> bool:
        if len(self._lines) >= self._most:
            return False
        waits = self._books.going or self._books.waiting() or self._books.waiting(Channel.SMS)
        return bool(waits) or any(line.call.live or line.left for line in self._lines.values())

    def _next(self) -> datetime | None:
        """When something is due next."""
        times = [*self._books.dues, self._free_at, self._texts.free_at]
        for line in self._lines.values():
            times += [line.left[0][0] if line.left else None, line.call.due_at]
        return min((time for time in times if time is not None), default=None)

    def _live(self) -> None:
        """Let happen what is due on the lines, in the order of the calls; all of it is of one instant."""
        while due := [line for line in self._lines.values() if line.left and line.left[0][0] <= self._now]:
            self._happen(due[0], due[0].left.popleft()[1])

    # --- the worker's part

    def _pass(self) -> None:
        while self._books.fire_due():
            continue
        self._cut_off()
        for line in list(self._lines.values()):
            if line.call.due_at is not None and line.call.due_at <= self._now:
                self._look_up(line)
        self._call_those_waiting()
        self._texts.write()

    def _call_those_waiting(self) -> None:
        live = [line.call for line in self._lines.values() if line.call.live]
        free, held = self._world.terms().max_concurrent_calls - len(live), []
        for person in self._books.waiting():
            number = self._world.people[person].phone or ""
            engaged = any(call.person == person or call.number == number for call in live)
            if engaged or free <= 0:
                continue
            free_at = self._allowed_at(number)
            if free_at > self._now:
                held.append(free_at)
                self._hold_back(person, number, free_at)
                continue
            live.append(self._begin(person, number))
            free -= 1
        self._free_at = min(held, default=None)

    def _allowed_at(self, number: str) -> datetime:
        """When the limits allow the next call to `number`."""
        placed = [line.call for line in self._lines.values()]
        times = [call.created_at for call in placed if call.number == number]
        free = allowed_at(times, self._world.calls_per_person, self._now)
        if self._world.calls_per_minute:
            rate = Rate(self._world.calls_per_minute, MINUTE)
            free = max(free, allowed_at([call.created_at for call in placed], (rate,), self._now))
        return free

    def _hold_back(self, person: str, number: str, until: datetime) -> None:
        if self._held_back.get(person) == until:
            return
        self._held_back[person] = until
        why = f"limits allow the next call in {length(until - self._now)}"
        self._books.told.append(Told(self._now, Happening.HELD_BACK, person=person, number=mask(number), why=why))

    def _begin(self, person: str, number: str) -> Call:
        serial = str(len(self._lines) + 1)
        self._books.claim(person, serial)
        speech = self._speak(person, serial)
        manner = self._answers.of(person, self._calls_to[person])
        self._calls_to[person] += 1
        due_at = self._now + self._world.terms().report_timeout
        call = Call(serial, person, number, self._now, CallState.PLACED, gateway_id=serial, requested_at=self._now,
                    placed_at=self._now, due_at=due_at, speech_seconds=speech.seconds)  # fmt: skip
        if speech.window is not None:
            call = replace(call, window_from=speech.window[0], window_until=speech.window[1])
        moments = plan(manner, self._scene.ring_time, _heard(manner, speech))
        line = self._lines[serial] = _Line(call, deque(map(self._timed, moments)))
        self._spoken.append(spoken(speech.text, speech.kind))
        self._tell_call(line, speech)
        return call

    def _timed(self, moment: Moment) -> tuple[datetime, CallStatus | None]:
        return self._now + timedelta(seconds=moment.after), moment.status

    def _speak(self, person: str, call: str) -> Speech:
        world, who = self._world, self._world.people[person]
        subjects, total = self._books.subjects(call)
        slips = [slip for slip in self._books.carried(call) if slip.page.incident == subjects[0].incident]
        return world.speaker.speak(
            template=self._books.policy_of(slips[0]).template,
            language=who.language or world.language,
            timezone=world.timezone,
            person=who.name,
            subjects=subjects,
            total=total,
            now=self._now,
            acknowledge_url=world.link(call),
            keypress=world.keypress,
            hang_up=world.rules.hang_up,
        )

    def _tell_call(self, line: _Line, speech: Speech) -> None:
        slips = self._books.carried(line.call.id)
        whys = [f"step {one.page.step + 1} of {self._books.policy_of(one).name}, {one.because}" for one in slips]
        why = "; ".join([*whys, *filter(None, [speech.problem])])
        seconds = round(speech.seconds, 1)
        self._tell(line, Happening.CALLING, why, seconds=seconds, text=speech.text, window=speech.window)

    def _cut_off(self) -> None:
        """Hang up on whoever listens to what nobody needs any more; a ringing phone cannot be stopped."""
        unneeded, self._books.unneeded = self._books.unneeded, []
        for line in (self._lines[serial] for serial in unneeded):
            if line.lifted_at is None or not line.call.live or line.call.acknowledged or not self._scene.cuts:
                continue
            line.left = deque([(self._now, CallStatus.COMPLETED)])
            self._tell(line, Happening.HUNG_UP, "not needed any more, it is hung up")

    def _look_up(self, line: _Line) -> None:
        """No report came in time: the gateway's journal knows how a call that is over ended."""
        waited = f"no report came within {length(self._world.terms().report_timeout)}"
        if line.final is not None:
            self._tell(line, Happening.LOOKED_UP, f"{waited}: the gateway's journal is asked")
            self._report(line, line.final)
            return
        line.call = end(line.call, Outcome.UNCONFIRMED, self._now, waited)
        self._call_ended(line, first=True)

    # --- the telephones' part

    def _happen(self, line: _Line, status: CallStatus | None) -> None:
        if status is None:
            self._press(line)
            return
        if status is CallStatus.IN_PROGRESS:
            line.lifted_at = self._now
            asked = line.call.requested_at or self._began
            self._tell(line, Happening.ANSWERED, f"{length(self._now - asked)} after the call was placed")
        if status is CallStatus.COMPLETED and line.lifted_at is not None:
            line.talk = float(round((self._now - line.lifted_at).total_seconds()))
        if not line.left:
            line.final = status
        if self._scene.hears:
            self._report(line, status)

    def _press(self, line: _Line) -> None:
        """A key that is heard takes every incident that the call tells of."""
        if not self._world.keypress or not self._scene.hears:
            self._tell(line, Happening.KEY, "a key is pressed, and without keypress and reports nobody hears of it")
            return
        self._tell(line, Happening.KEY, "a key is pressed: it takes all that the call tells")
        for incident in dict.fromkeys(slip.page.incident for slip in self._books.carried(line.call.id)):
            self._books.happen(incident, Acknowledged(By.KEYPRESS, line.call.person))
        line.call = replace(line.call, acknowledged=True)

    def _report(self, line: _Line, status: CallStatus) -> None:
        call = line.call
        report = Report(status, gateway_id=call.gateway_id, duration=line.talk, price=self._price)
        moved = settle(call, report, self._now)
        if moved.state is CallState.PLACED and moved.due_at is not None:
            moved = replace(moved, due_at=self._now + self._world.terms().report_timeout)
        line.call = moved
        if moved.state is CallState.ENDED and (call.live or moved.outcome is not call.outcome):
            self._call_ended(line, first=call.live)

    def _call_ended(self, line: _Line, *, first: bool) -> None:
        call = line.call
        assert call.outcome is not None
        recent = self._now - (call.requested_at or call.created_at) < LATE_WORD
        by = taken(call, self._world.rules) if first or recent else None
        why = ended(call, self._world.rules, by is not None, self._scene.ring_time)
        self._tell(line, Happening.ENDED, why, call.outcome.value, call.duration, call.cost or 0.0)
        slips = self._books.carried(call.id)
        for slip in slips:
            slip.under_way = False
        for incident, page in {slip.page.incident: slip.page.id for slip in slips}.items():
            self._books.happen(incident, PageEnded(page, call.person, call.outcome, by))

    def _tell(
        self,
        line: _Line,
        event: Happening,
        why: str,
        verdict: str = "",
        seconds: float | None = None,
        cost: float | None = None,
        text: str = "",
        window: tuple[float, float] | None = None,
    ) -> None:
        call, slips = line.call, self._books.carried(line.call.id)
        policies = tuple(dict.fromkeys(self._books.policy_of(slip).name for slip in slips))
        first = slips[0].page
        told = Told(
            self._now,
            event,
            policies,
            person=call.person,
            number=mask(call.number),
            call=int(call.id),
            round=first.round,
            step=first.step + 1,
            attempt=first.attempt,
            verdict=verdict,
            why=why,
            text=text,
            seconds=seconds,
            cost=cost,
            window=window,
        )
        self._books.told.append(told)


def _heard(manner: Manner, speech: Speech) -> float:
    """Seconds that somebody listens who puts the receiver down when asked to, or at the end."""
    reading = reading_seconds(speech.text, speech.kind)
    if manner is not Manner.HANG_UP or speech.window is None:
        return reading
    return min(round(sum(speech.window) / 2), reading)
