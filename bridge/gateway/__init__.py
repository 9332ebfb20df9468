"""Speaks sms77/seven and nothing else: calls and SMS, look them up, hang up, balance, webhooks, and read a report.

words      what is asked and answered
client     the Gateway
wire       one HTTP request; what can go wrong with it
replies    what the gateway answered to a call or an SMS: placed, refused, unavailable, uncertain
records    balance, journal, subscriptions
codes      the gateway's codes and their remedies
record     an exchange as others may see it
circuit    whether the account takes calls, as a value
reports    what its webhook brings; signature: whether it is really from there
"""

from __future__ import annotations

from bridge.gateway.circuit import Circuit, State, another_may, answered, failed, probed, rests, there
from bridge.gateway.client import Gateway, nothing
from bridge.gateway.record import Recording
from bridge.gateway.reports import Ignored, Keypress, Reply, Told, read_reports
from bridge.gateway.signature import verify_signature
from bridge.gateway.wire import open_session
from bridge.gateway.words import (
    Dialect,
    Exchange,
    Hook,
    HookMethod,
    JournalRow,
    Observe,
    Operation,
    OutboundRow,
    Overhear,
    Placed,
    Request,
)

__all__ = [
    "Circuit",
    "Dialect",
    "Exchange",
    "Gateway",
    "Hook",
    "HookMethod",
    "Ignored",
    "JournalRow",
    "Keypress",
    "Observe",
    "Operation",
    "OutboundRow",
    "Overhear",
    "Placed",
    "Recording",
    "Reply",
    "Request",
    "State",
    "Told",
    "another_may",
    "answered",
    "failed",
    "nothing",
    "open_session",
    "probed",
    "read_reports",
    "rests",
    "there",
    "verify_signature",
]
