"""The telephone exchange: lets calls live as their people's scripts say. It rings nobody."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from operator import itemgetter

from bridge.simulator.courier import Courier
from bridge.simulator.numbers import speech_seconds
from bridge.simulator.people import Answer, Happening, Kind, Moment, plan, sleeps
from bridge.simulator.records import PhoneCall, Received
from bridge.simulator.reports import PRICE_PER_MINUTE, sms_mo, voice_dtmf
from bridge.simulator.world import SHARED_NUMBER, World

BARRED = "Account not authorized to call +{}. Perhaps you need to enable some international permissions"
_STORY = {
    Happening.RINGING: "ring",
    Happening.IN_PROGRESS: "answer",
    Happening.COMPLETED: "end",
    Happening.NO_ANSWER: "silence",
    Happening.FAILED: "fail",
}


class Exchange:
    """Places calls in the world and plays them."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier

    def answer_of(self, number: str) -> Answer:
        """How whoever has `number` behaves on their next call."""
        person = self._world.people.get(number)
        return person.next_answer() if person is not None else self._world.stranger

    def text_answer_of(self, number: str) -> Answer:
        """How whoever has `number` behaves on their next SMS; whoever is not scripted reads it."""
        person = self._world.people.get(number)
        return person.next_text_answer() if person is not None else sleeps()

    def connect(
        self,
        number: str,
        answer: Answer,
        *,
        sender: str,
        text: str,
        xml: bool,
        foreign_id: str | None,
        ring_time: float,
        request: Received,
    ) -> PhoneCall:
        """Accept a call and start its life."""
        world = self._world
        overlap = any(call.to == number and _engages(call) for call in world.calls)
        call = PhoneCall(
            id=world.next_id("call"),
            to=number,
            sender=sender,
            text=text,
            xml=xml,
            foreign_id=foreign_id,
            ring_time=ring_time,
            answer=answer,
            requested_at=world.now(),
            request=request,
            overlap=overlap,
        )
        world.calls.append(call)
        world.note("accept", number, call.id, "while another call to it is not over" if overlap else "")
        if answer.kind is Kind.BARRED:
            call.error = BARRED.format(number)
        elif answer.kind is Kind.SILENT:
            call.statuses.append((Happening.INITIATED, world.now()))
        else:
            world.spawn(self._live(call))
        return call

    def hang_up(self, call: PhoneCall) -> bool:
        """End `call` if somebody is listening; a ringing one cannot be ended (vendor's documentation)."""
        if call.status != Happening.IN_PROGRESS.value:
            return False
        call.hung_up.set()
        self._world.note("hangup", call.to, call.id, "by the caller")
        return True

    def text_from(self, number: str, text: str, at: datetime | None = None) -> None:
        """Whoever has `number` sends an SMS to the account, in answer to their last call or SMS if there was one."""
        world, call = self._world, self._last_call(number)
        sent, system = at or world.now(), self._called_by(number)
        report = sms_mo(number, system, text, sent, id=world.next_id("sms_mo"), era=world.account.era)
        world.note("sms", number, call.id if call else None, repr(text), sent)
        self._courier.send(report, call)

    def _called_by(self, number: str) -> str:
        """The number of the account that `number` saw last."""
        seen = [(call.requested_at, call.sender) for call in self._world.calls if call.to == number]
        seen += [(message.at, message.sender) for message in self._world.messages if message.to == number]
        return max(seen, key=itemgetter(0))[1] if seen else SHARED_NUMBER

    def press(self, number: str, digit: str, at: datetime | None = None) -> None:
        """Whoever has `number` presses a key, in their last call if there was one."""
        call, when = self._last_call(number), at or self._world.now()
        seconds, system = (self._listened(call, when), call.sender) if call else (0.0, SHARED_NUMBER)
        self._world.note("press", number, call.id if call else None, digit, when)
        self._courier.send(voice_dtmf(number, system, digit, seconds, when), call)
        if call is not None:
            call.digits += digit
            self._courier.gather(call, digit)

    def _last_call(self, number: str) -> PhoneCall | None:
        return next((call for call in reversed(self._world.calls) if call.to == number), None)

    async def _live(self, call: PhoneCall) -> None:
        world = self._world
        for moment in plan(call.answer, call.ring_time, speech_seconds(call.text)):
            due = world.after(call.requested_at, moment.at)
            await world.sleep_until(due, call.hung_up)
            if call.hung_up.is_set() and not call.over:
                return self._move(call, Happening.COMPLETED, min(world.now(), due))
            self._happen(call, moment, due)
        return None

    def _happen(self, call: PhoneCall, moment: Moment, at: datetime) -> None:
        others: dict[Happening, Callable[[PhoneCall, datetime], None]] = {
            Happening.PRESS: lambda call, at: self.press(call.to, call.answer.digit, at),
            Happening.REPLY: lambda call, at: self.text_from(call.to, call.answer.text, at),
        }
        if moment.what in others:
            return others[moment.what](call, at)
        return self._move(call, moment.what, at)

    def _move(self, call: PhoneCall, status: Happening, at: datetime) -> None:
        if status is Happening.COMPLETED:
            call.duration = self._listened(call, at)
            call.price = round(max(1, math.ceil(call.duration / 60)) * PRICE_PER_MINUTE, 4)
            self._world.account.balance -= call.price
        elif status in (Happening.NO_ANSWER, Happening.FAILED):
            call.duration, call.price = 0.0, 0.0
            call.error = _why(call) if status is Happening.FAILED else None
        call.statuses.append((status, at))
        if status in _STORY:
            words = f"after {call.duration:.0f} s" if call.duration else ""
            self._world.note(_STORY[status], call.to, call.id, words, at)
        self._courier.report(call, status)

    def _listened(self, call: PhoneCall, at: datetime) -> float:
        lifted = call.at(Happening.IN_PROGRESS.value)
        return self._world.seconds(at - lifted) if lifted is not None else 0.0


def _engages(call: PhoneCall) -> bool:
    return not call.over and call.answer.kind is not Kind.SILENT


def _why(call: PhoneCall) -> str:
    if call.answer.kind is Kind.BUSY:
        return "Busy"
    return "CANCELED: ErrorDetails=Connection was closed by the remote host."
