"""Policies, incidents and the decision table: what an incident does when something happens to it.

incident: what it speaks of.   table: the one place where an incident changes.
"""

from bridge.escalation.incident import (
    CLOSING,
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
    Policy,
    Reach,
    Roster,
    SmsWhen,
    State,
    Step,
    Target,
    Verdict,
)
from bridge.escalation.table import decide, opened

__all__ = [
    "CLOSING",
    "NEWS_TIMEOUT",
    "Acknowledged",
    "Channel",
    "Cleared",
    "Decision",
    "Due",
    "Escalated",
    "Event",
    "Fired",
    "Incident",
    "Line",
    "Page",
    "PageEnded",
    "Policy",
    "Reach",
    "Roster",
    "SmsWhen",
    "State",
    "Step",
    "Target",
    "Verdict",
    "decide",
    "opened",
]
