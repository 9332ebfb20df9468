"""The gateway's numeric codes: one closed table from code to error, reason and a sentence with the remedy.

The codes come in the body; the HTTP status is 200 for nearly all of them. Sources disagree about some of them over the
years (201 was "country code" in 2013, 901 "invalid message id"); the meaning that leads to the safer act is taken.
A code in no table may mean anything, so the call is looked up before it is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason

ACCEPTED = 100
RECIPIENT_FAILED = 101


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code means: which error, for which reason, and what the operator can do about it."""

    error: type[GatewayError]
    reason: Reason
    sentence: str


def _refused(reason: Reason, sentence: str) -> Verdict:
    return Verdict(GatewayRefused, reason, sentence)


def _unavailable(reason: Reason, sentence: str) -> Verdict:
    return Verdict(GatewayUnavailable, reason, sentence)


def _uncertain(reason: Reason, sentence: str) -> Verdict:
    return Verdict(GatewayUncertain, reason, sentence)


_SENDER = "the caller id is not valid for this account (or the number's country is not): verify gateway.from"
_TEXT = "the text is missing or not accepted: look at the template"
_TOO_LONG = "the text is too long for the gateway: shorten the template"
_PARAMETER = "a parameter of the request is not known or not accepted: check gateway.dialect and gateway.debug"
_KEY = "the API key is not accepted: check gateway.api_key_file"

VERDICTS: dict[int, Verdict] = {
    11: _unavailable(Reason.CARRIER, "the carrier is temporarily not available"),
    101: _unavailable(Reason.GATEWAY_ERROR, "the gateway could not call the recipient and does not say why"),
    200: _uncertain(Reason.UNREADABLE, "some take it for success, and no document explains it"),
    201: _refused(Reason.SENDER_INVALID, _SENDER),
    202: _refused(Reason.NUMBER_INVALID, "the number is not valid: correct the person's phone in the config"),
    300: _unavailable(Reason.AUTHENTICATION, "the gateway saw no API key: check any proxy between"),
    301: _refused(Reason.NUMBER_INVALID, "the gateway saw no number to call: correct the person's phone in the config"),
    302: _refused(Reason.TEXT_INVALID, _TEXT),
    303: _refused(Reason.TEXT_INVALID, _TOO_LONG),
    304: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    305: _refused(Reason.TEXT_INVALID, _TEXT),
    306: _refused(Reason.SENDER_INVALID, _SENDER),
    307: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    308: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    400: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    401: _refused(Reason.TEXT_INVALID, _TOO_LONG),
    402: _uncertain(Reason.DUPLICATE, "the gateway accepted the same text for the same number a moment ago"),
    403: _refused(Reason.RECIPIENT_LIMIT, "the daily limit for this number is reached: raise it in the account"),
    500: _unavailable(Reason.NO_CREDIT, "the account has too little credit: top it up"),
    600: _unavailable(Reason.CARRIER, "the carrier could not deliver, or the gateway had a general error"),
    603: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    700: _unavailable(Reason.GATEWAY_ERROR, "the gateway had an unknown error"),
    801: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    802: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    803: _refused(Reason.PARAMETER_UNKNOWN, _PARAMETER),
    900: _unavailable(Reason.AUTHENTICATION, _KEY),
    901: _unavailable(Reason.AUTHENTICATION, "the gateway refused a signature: check any proxy between"),
    902: _unavailable(Reason.AUTHENTICATION, "the API key lacks the right to this: give it its scope in the account"),
    903: _unavailable(Reason.AUTHENTICATION, "the API key is not allowed from this address: add it in the account"),
}


def fault(code: int) -> GatewayError:
    """The error that `code` stands for; a code that nobody knows is uncertain."""
    verdict = VERDICTS.get(code)
    if verdict is None:
        return GatewayUncertain(Reason.UNREADABLE, f"code {code}: not a code that is known", code)
    return verdict.error(verdict.reason, f"code {code}: {verdict.sentence}", code)
