"""The knobs that make the telephone company misbehave.

Faults of a request (`on` says which: voice by default, or journal, balance, hooks, sms, hangup, any):
    hang_before, reset_before, reply_502   the request is lost: nobody is called
    hang_after, reset_after, reply_502_after, empty_body, truncated_body   the call is placed, the reply is lost
    slow            seconds until the reply
    code            the reply is this code, and nothing else happens
    error_form      number, string or object: how a code is written when JSON is asked for, at any endpoint
    string_ids      ids of the reply as JSON strings
    trailing_newline, wrong_content_type
Faults of a report:
    drop_reports, duplicate_reports, reverse_reports (all of a call after its end, last first), delay_reports (seconds),
    omit_foreign_id, unknown_status (the word that stands for in-progress), number_ids (id and duration as numbers),
    report_shape    json, json-flat, form, form-data or get, whatever the hook asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.simulator.people import ScriptError

SHAPES = ("json", "json-flat", "form", "form-data", "get")
ERROR_FORMS = ("number", "string", "object")
ENDPOINTS = ("voice", "hangup", "journal", "balance", "hooks", "sms", "lookup", "validate", "any")
_FLAGS = (
    *("hang_before", "reset_before", "reply_502"),
    *("hang_after", "reset_after", "reply_502_after", "empty_body", "truncated_body"),
    *("string_ids", "trailing_newline", "wrong_content_type"),
)
REQUEST_KNOBS: Mapping[str, type] = dict.fromkeys(_FLAGS, bool) | {"slow": float, "code": int, "error_form": str}
_REPORT_FLAGS = ("drop_reports", "duplicate_reports", "reverse_reports", "omit_foreign_id", "number_ids")
REPORT_KNOBS: Mapping[str, type] = dict.fromkeys(_REPORT_FLAGS, bool) | {
    "delay_reports": float,
    "unknown_status": str,
    "report_shape": str,
}
_WORDS = {"error_form": ERROR_FORMS, "report_shape": SHAPES}

_MOST = 1e7  # of anything: four months of seconds
_TAKES = {bool: "true or false", int: "a whole number", float: "a number of seconds", str: "a word"}

Value = bool | int | float | str


@dataclass(slots=True)
class _Set:
    value: Value
    on: str
    left: int | None


class Faults:
    """What is set to go wrong. A fault with `times` wears off after so many requests (or reports); others stay."""

    def __init__(self) -> None:
        self._set: dict[str, _Set] = {}

    def set(self, *, times: int | None = None, on: str = "voice", **knobs: Value) -> None:
        """Set each of `knobs`, for the next `times` requests to the endpoint `on`, or for good; False or 0: off.

        Raises ScriptError for a knob, a value or an endpoint that there is not; then nothing is changed.
        """
        if on not in ENDPOINTS:
            raise ScriptError(f"no endpoint {on!r}; there are {', '.join(ENDPOINTS)}")
        if times is not None and times < 1:
            raise ScriptError(f"times is {times}: it counts from 1")
        checked = {knob: _checked(knob, value) for knob, value in knobs.items()}
        for knob, value in checked.items():
            self._set.pop(knob, None)
            if value:
                self._set[knob] = _Set(value, on, times)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._set.clear()

    def flag(self, knob: str, on: str = "voice") -> bool:
        """Whether `knob` is set for this request; it counts as used."""
        return bool(self._take(knob, on))

    def number(self, knob: str, on: str = "voice") -> float | None:
        """The number `knob` is set to for this request; it counts as used."""
        value = self._take(knob, on)
        return float(value) if value is not None else None

    def word(self, knob: str, on: str = "voice") -> str | None:
        """The word `knob` is set to for this request; it counts as used."""
        value = self._take(knob, on)
        return str(value) if value is not None else None

    def as_json(self) -> dict[str, object]:
        """What is set, for the control API."""
        return {knob: {"value": it.value, "on": it.on, "times": it.left} for knob, it in self._set.items()}

    def _take(self, knob: str, on: str) -> Value | None:
        found = self._set.get(knob)
        if found is None or (knob in REQUEST_KNOBS and knob != "error_form" and found.on not in (on, "any")):
            return None
        if found.left is not None:
            found.left -= 1
            if not found.left:
                del self._set[knob]
        return found.value


def _checked(knob: str, value: object) -> Value:
    kind = REQUEST_KNOBS.get(knob) or REPORT_KNOBS.get(knob)
    if kind is None:
        raise ScriptError(f"no fault {knob!r}; there are {', '.join([*REQUEST_KNOBS, *REPORT_KNOBS])}")
    if value is False or value is None:
        return False
    if kind is float and type(value) is int:
        value = float(value)
    # Not isinstance: true is no number here, although Python counts it as one.
    if type(value) is not kind or not isinstance(value, bool | int | float | str) or not _possible(value):
        raise ScriptError(f"{knob} is {value!r}; it takes {_TAKES[kind]}")
    if knob in _WORDS and value not in _WORDS[knob]:
        raise ScriptError(f"{knob} is {value!r}; there are {', '.join(_WORDS[knob])}")
    return value


def _possible(value: Value) -> bool:
    return isinstance(value, str) or 0 <= value <= _MOST
