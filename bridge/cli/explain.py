"""`callbridge explain`: a rehearsal of what a webhook would bring, with no call placed."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from bridge import config
from bridge.cli.words import Commands, add_at, add_command, add_config, now_or, read_payload
from bridge.config import Config
from bridge.errors import CallbridgeError
from bridge.rehearsal import (
    ASSUMED,
    MOST_CALLS,
    PRICE_PER_MINUTE,
    Answers,
    Ending,
    Happening,
    Rehearsal,
    Told,
    length,
    parse_answers,
    rehearse,
    scene_of,
)
from bridge.rota import not_read, with_file_calendars
from bridge.sms import USUAL_PRICE

WIDTH = 110
# How far a calendar is read: a chain is over, one way or another, a day after the last notification.
AHEAD = timedelta(days=3)
HIGHEST_PRICE = 100.0
WHO_ELSE = (Happening.CALLING, Happening.TEXTING)
WORDS = {Happening.CALLING: "calls", Happening.TEXTING: "writes", Happening.ANSWERED: "picks up"}


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "explain", "rehearse what a webhook body would bring, without a call")
    command.add_argument("payload", metavar="PAYLOAD.json", type=Path)
    add_config(command)
    add_at(command)
    command.add_argument("--answers", metavar="PERSON:ANSWER,…", default="",
                         help="no (default), yes, key, hang_up, busy, mailbox; call by call: alice:no+key")  # fmt: skip
    command.add_argument("--price", metavar="EURO", type=price, default=PRICE_PER_MINUTE,
                         help=f"of a started minute (default {PRICE_PER_MINUTE:.2f}, an estimate)")  # fmt: skip
    command.add_argument("--output", choices=("text", "json"), default="text")
    command.set_defaults(run=run)


def price(text: str) -> float:
    """The price of a minute in euro."""
    try:
        told = float(text)
    except ValueError:
        told = -1.0
    if not 0 <= told <= HIGHEST_PRICE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a price; write euro a minute, such as 0.10")
    return told


def run(arguments: argparse.Namespace) -> int:
    """Print it; always 0, for a rehearsal that ends with nobody is an answer too."""
    now = now_or(arguments.at)
    loaded = load(arguments.config, now)
    group = read_payload(arguments.payload)
    answers = _answers(arguments.answers, loaded)
    rehearsal = rehearse(scene_of(loaded), group, now, answers, arguments.price)
    if arguments.output == "json":
        events = [_event(one, now) for one in rehearsal.told]
        shown = {"events": events, "summary": _summary(rehearsal, arguments.price)}
        print(msgspec.json.format(msgspec.json.encode(shown)).decode())
        return 0
    for line in _text(rehearsal, loaded.timezone, arguments.price):
        print(line)
    return 0


def load(path: Path, now: datetime) -> Config:
    """The config with its calendar files read around `now`, as the server has them. Raises ConfigError.

    What is doubtful of its calendars is said on stderr: who is called may hang on it.
    """
    loaded = with_file_calendars(config.load(path), now, AHEAD)
    for doubt in calendar_doubts(loaded):
        print(doubt, file=sys.stderr)
    return loaded


def calendar_doubts(loaded: Config) -> Iterator[str]:
    """What may be wrong with who is on call by a calendar, a line each."""
    for warning in loaded.warnings:
        if ".ical" in warning.where:
            yield str(warning)
    for where, what in not_read(loaded):
        yield f"{loaded.path}: {where}: {what}"


def _answers(text: str, loaded: Config) -> Answers:
    try:
        return parse_answers(text, loaded.people)
    except CallbridgeError as error:
        raise CallbridgeError(f"--answers: {error}") from None


# --- JSON


def _event(told: Told, began: datetime) -> dict[str, object]:
    return {
        "at": _utc(told.at),
        "after_seconds": (told.at - began).total_seconds(),
        "event": told.event.value,
        "policies": told.policies,
        "person": told.person or None,
        "number": told.number or None,
        "call": told.call or None,
        "round": told.round or None,
        "step": told.step or None,
        "attempt": told.attempt or None,
        "verdict": told.verdict or None,
        "why": told.why,
        "text": told.text or None,
        "seconds": told.seconds,
        "window_from": round(told.window[0], 1) if told.window else None,
        "window_until": round(told.window[1], 1) if told.window else None,
        "parts": told.parts or None,
        "cost": told.cost,
    }


def _summary(rehearsal: Rehearsal, minute: float) -> dict[str, object]:
    return {
        "began": _utc(rehearsal.began),
        "policies": [{"policy": policy, "muted": muted} for policy, muted in rehearsal.taken],
        "ends_as": [_ending(one) for one in rehearsal.endings],
        "people_called": rehearsal.people,
        "calls": len(rehearsal.calls),
        "people_texted": list(dict.fromkeys(one.person for one in rehearsal.texts)),
        "sms": len(rehearsal.texts),
        "total_cost": rehearsal.cost,
        "price_per_minute": minute,
        "price_per_sms_part": USUAL_PRICE,
        "unfinished": rehearsal.unfinished,
    }


def _ending(ending: Ending) -> dict[str, object]:
    again = ending.rings_again_at
    return {
        "policy": ending.policy,
        "state": ending.state.value,
        "acknowledged_by": ending.by,
        "rings_again_at": _utc(again) if again is not None else None,
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


# --- text


def _text(rehearsal: Rehearsal, zone: ZoneInfo, minute: float) -> Iterator[str]:
    day, clock = _day(rehearsal.began, zone), _clock(rehearsal.began, zone)
    yield f"A rehearsal, no call is placed. It begins {day} {clock} {zone.key}."
    for told in rehearsal.told:
        if _day(told.at, zone) != day:
            day = _day(told.at, zone)
            yield f"--- {day}"
        yield from _line(told, rehearsal.began, zone)
    yield ""
    yield from _end(rehearsal, zone, minute)


def _line(told: Told, began: datetime, zone: ZoneInfo) -> Iterator[str]:
    subject = f"call {told.call}" if told.call else ", ".join(told.policies) or told.person
    if told.event is Happening.TEXTING:
        subject = "SMS"
    head = f"{_clock(told.at, zone)}  {'+' + length(told.at - began):>10}  {subject:9}  {_word(told):13}  "
    who = f"{told.person} {told.number}, " if told.event in WHO_ELSE else ""
    speech = f"; about {told.seconds:.0f} s of speech" if told.event is Happening.CALLING and told.seconds else ""
    split = f"; {told.parts} part{'s' * (told.parts != 1)}" if told.parts else ""
    price = f"; {told.cost:.2f} euro" if told.cost else ""
    yield from _wrapped(head, f"{who}{told.why}{speech}{split}{_hang_up(told)}{price}")
    if told.text:
        yield from _wrapped(" " * len(head), f"“{' '.join(told.text.split())}”")


def _hang_up(told: Told) -> str:
    if told.window is None:
        return ""
    begins, ends = map(_minutes, told.window)
    return f"; hang up between {begins} and {ends} to take it"


def _minutes(seconds: float) -> str:
    """`0:17`, as a telephone shows it."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def _word(told: Told) -> str:
    return WORDS.get(told.event) or (told.verdict or told.event.value).replace("_", " ")


def _wrapped(head: str, text: str) -> list[str]:
    indent = " " * len(head)
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False) or [head]


def _end(rehearsal: Rehearsal, zone: ZoneInfo, minute: float) -> Iterator[str]:
    for ending in rehearsal.endings:
        yield f"ends    {ending.policy}: {_state(ending, zone)}"
    if not rehearsal.endings:
        why = "every route is muted" if rehearsal.taken else "nothing fires"
        yield f"ends    {why}: nobody is called"
    if rehearsal.unfinished:
        yield f"        broken off after {MOST_CALLS} calls: it would go on"
    calls, texts = len(rehearsal.calls), len(rehearsal.texts)
    sms = f", {texts} SMS" if texts else ""
    yield f"people  {', '.join(rehearsal.people) or 'nobody'} ({calls} call{'s' * (calls != 1)}{sms})"
    if calls:
        yield from _wrapped("assumed ", ASSUMED)
    part = f" and {USUAL_PRICE:.2f} a part of an SMS" if texts else ""
    yield f"cost    {rehearsal.cost:.2f} euro at {minute:.2f} a started minute{part} (an estimate; --price=)"


def _state(ending: Ending, zone: ZoneInfo) -> str:
    by = f" by {ending.by}" if ending.by else ""
    again = ending.rings_again_at
    later = f"; rings again {_day(again, zone)} {_clock(again, zone)} if it still fires then" if again else ""
    return f"{ending.state.value}{by}{later}"


def _day(at: datetime, zone: ZoneInfo) -> str:
    return f"{_rounded(at).astimezone(zone):%a %Y-%m-%d}"


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{_rounded(at).astimezone(zone):%H:%M:%S}"


def _rounded(at: datetime) -> datetime:
    """To the second, as the lengths beside it."""
    return at + timedelta(milliseconds=500)
