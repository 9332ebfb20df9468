"""The tree of errors. Those of the gateway answer one question: may it be tried again?

CallbridgeError
  + ConfigError          the file is wrong; carries every fault with its place
  + NotAWebhook          a body that can never be one: 400, and never stored
  + LostRace             somebody else changed the same row first: go round again
  + StoreUnavailable     it cannot be kept now: 503, and the sender tries again
  + GatewayError
      + GatewayRefused       never: this call cannot be placed as it is
      + GatewayUnavailable   again: nobody was called
      + GatewayUncertain     it may have rung: look it up before anything else
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class CallbridgeError(Exception):
    """Something that callbridge itself has to say; its text is fit for an operator's eyes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong (or doubtful) in a file, and where: `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    where: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        return f"{self.file}:{self.line}:{self.column}: {self.where}: {kind}{self.what}"


class ConfigError(CallbridgeError):
    """The config cannot be used; `faults` holds all that is wrong with it, in the order of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NotAWebhook(CallbridgeError):
    """The body can never become a webhook, however often it is sent."""


class LostRace(CallbridgeError):
    """Somebody else changed the same row first (compare-and-set on its version failed)."""


class StoreUnavailable(CallbridgeError):
    """The database cannot take it now; the sender may try again."""


class Reason(StrEnum):
    """Why a request to the gateway failed: a closed list, and the metric's label."""

    NUMBER_INVALID = "number_invalid"
    SENDER_INVALID = "sender_invalid"
    TEXT_INVALID = "text_invalid"
    PARAMETER_UNKNOWN = "parameter_unknown"
    RECIPIENT_LIMIT = "recipient_limit"
    NO_CREDIT = "no_credit"
    AUTHENTICATION = "authentication"
    CARRIER = "carrier"
    GATEWAY_ERROR = "gateway_error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"


class GatewayError(CallbridgeError):
    """A request to the gateway failed; `reason` is from the closed list, `code` the gateway's own, if it gave one."""

    def __init__(self, reason: Reason, detail: str = "", code: int | None = None) -> None:
        self.reason = reason
        self.detail = detail
        self.code = code
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)


class GatewayRefused(GatewayError):
    """Never: the gateway will not place this call as it is (its number, its text)."""


class GatewayUnavailable(GatewayError):
    """Again: nobody was called, and a later try may succeed (also after somebody tops up or corrects the key)."""


class GatewayUncertain(GatewayError):
    """The request may have been accepted and the phone may ring: look it up before another try."""
