"""What Alertmanager is asked, and why a question failed: closed lists, the labels of the metrics."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from bridge.errors import CallbridgeError


class Ask(StrEnum):
    """What is asked of it: the label `operation`."""

    ALERTS = "alerts"
    GROUPS = "groups"
    SILENCES = "silences"
    SILENCE = "silence"
    EXPIRE = "expire"
    STATUS = "status"


class Why(StrEnum):
    """Why it did not do it: the label `reason`. refused: any other 4xx; server_error: 5xx."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    AUTHENTICATION = "authentication"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    SERVER_ERROR = "server_error"
    UNREADABLE = "unreadable"


# Told once for each question: what was asked, how many seconds it took, and why it failed, if it did.
Observe = Callable[[Ask, float, Why | None], None]


class AlertmanagerUnavailable(CallbridgeError):
    """It did not answer, or not with what was asked; `why` is from the closed list."""

    def __init__(self, why: Why, detail: str) -> None:
        self.why = why
        super().__init__(detail)
