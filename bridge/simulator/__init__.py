"""The fake telephone company: speaks the gateway's API on loopback, rings scripted people, sends reports, never dials.

    request -> doors -> voice -> exchange (a call lives as its person is scripted, on the clock) -> courier -> hooks

people      who picks up, and how              faults    what can go wrong
dialect     what the gateway answers (pure)    reports   what it tells of calls (pure)
records     what is remembered                 control   the same by HTTP, for rehearsals

It knows nothing of `bridge.gateway`, so that the two check each other. Evidence: the vendor's original voice page,
recorded answers of 2021 and 2023, and the documentation since.
"""

from __future__ import annotations

from bridge.simulator.company import Simulator, run
from bridge.simulator.dialect import Era
from bridge.simulator.faults import Faults
from bridge.simulator.people import (
    Answer,
    Kind,
    Person,
    ScriptError,
    answers,
    barred,
    busy,
    fails,
    hangs_up,
    mailbox,
    parse_answer,
    presses,
    refused,
    replies,
    silent,
    sleeps,
)
from bridge.simulator.records import Auth, Delivery, Event, Hook, PhoneCall, Received, TextMessage

__all__ = [
    "Answer",
    "Auth",
    "Delivery",
    "Era",
    "Event",
    "Faults",
    "Hook",
    "Kind",
    "Person",
    "PhoneCall",
    "Received",
    "ScriptError",
    "Simulator",
    "TextMessage",
    "answers",
    "barred",
    "busy",
    "fails",
    "hangs_up",
    "mailbox",
    "parse_answer",
    "presses",
    "refused",
    "replies",
    "run",
    "silent",
    "sleeps",
]
