"""The closed values of labels that no other room has a list of, and the buckets of histograms, in seconds."""

from __future__ import annotations

SOURCES = ("alertmanager", "grafana", "sms77", "keypress", "api")
CODES = ("200", "400", "401", "404", "405", "413", "503")
OPERATIONS = ("voice", "journal", "hang_up", "balance", "hooks", "sms")
ALERTMANAGER_OPERATIONS = ("alerts", "groups", "silences", "silence", "expire", "status")
ALERTMANAGER_REASONS = (
    "connection",
    "timeout",
    "authentication",
    "not_found",
    "refused",
    "server_error",
    "unreadable",
)
FINDINGS = ("fires", "gone", "silenced", "suppressed", "unknown")
HEARTBEATS = ("sent", "failed", "withheld")
SMS_HOLDS = ("budget", "person")
DUPLICATES = ("notification", "report", "acknowledgement")
HOURS = tuple(f"{hour:02}" for hour in range(24))

# Seconds. A webhook costs a shared commit; Alertmanager gives up after tens of seconds.
WEBHOOK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
# From milliseconds, where all is well, to the minutes of a gateway that is down for a while.
TO_CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
# A phone rings 5 to 60 seconds, and connecting it takes some more.
TO_ANSWER_BUCKETS = (1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120)
# From somebody who sits beside the phone to a chain of several people and rounds.
TO_ACKNOWLEDGE_BUCKETS = (5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
# The message of one call is at most 60 seconds long; one that is told again and again ends at the gateway's limit.
CALL_BUCKETS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
# gateway.timeout is 15 seconds by default.
REQUEST_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60)
