"""The story of an incident as a time line: the journal's words as sentences, and the alerts between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.alert import Alert
from bridge.schedule import Person

# Alerts in the time line; all of them are listed beside it.
MOST_ALERTS = 20

# By the journal's word: of what kind the line is, and what it says. {who} are people by name.
SENTENCES: Mapping[str, tuple[str, str]] = {
    "opened": ("step", "First step: {who}"),
    "recorded": ("step", "Recorded. This policy calls nobody."),
    "rang_again": ("step", "Called again: {who}"),
    "retried": ("step", "Once more: {who}"),
    "retry_planned": ("step", "{who} will be tried again"),
    "next_step": ("step", "Next step: {who}"),
    "nobody_there": ("trouble", "Nobody is there to be called: {who}"),
    "waiting": ("step", "{who} was on the phone, and has not taken it"),
    "exhausted": ("trouble", "Everybody was called. Nobody took it."),
    "acknowledged": ("acknowledge", "{who} has it"),
    "extended": ("acknowledge", "{who} keeps it"),
    "resolved": ("resolve", "Resolved: every alert is over"),
    "resolved_by_hand": ("resolve", "Resolved by hand"),
    "no_news": ("resolve", "Closed: nobody spoke of it any more for a day"),
    "calling": ("call", "Call to {who}"),
    "placed": ("call", "The gateway took the call to {who}"),
    "initiated": ("call", "The call to {who} is on its way"),
    "ringing": ("ring", "The phone of {who} rings"),
    "in-progress": ("answer", "{who} picked up"),
    "answered": ("answer", "The call to {who} was answered, and is over"),
    "no_answer": ("ring", "{who} did not answer"),
    "failed": ("trouble", "The network could not connect {who}"),
    "refused": ("trouble", "The gateway refused the call to {who}"),
    "unconfirmed": ("trouble", "Nobody knows what became of the call to {who}"),
    "cancelled": ("call", "The call to {who} was not needed any more"),
    "speech_fallback": ("trouble", "The template failed; {who} hears the plain sentence"),
    "gateway_unavailable": ("trouble", "The gateway cannot take the call to {who} now; it is tried again"),
    "uncertain": ("trouble", "The gateway's answer was lost; the call to {who} is looked up"),
    "asked_again": ("call", "The gateway knows nothing of the call to {who}; requested once more"),
    "held_back": ("trouble", "A limit holds the call to {who} back"),
    "texting": ("call", "SMS to {who}"),
    "sms_sent": ("call", "The gateway took the SMS to {who}"),
    "sms_delivered": ("call", "{who} has the SMS"),
    "sms_failed": ("trouble", "The network could not deliver the SMS to {who}"),
    "sms_refused": ("trouble", "The gateway refused the SMS to {who}"),
    "sms_unconfirmed": ("trouble", "Nobody knows what became of the SMS to {who}"),
    "sms_cancelled": ("call", "The SMS to {who} was not needed any more"),
    "sms_unavailable": ("trouble", "The gateway cannot take the SMS to {who} now; it is tried again"),
    "sms_uncertain": ("trouble", "The gateway's answer was lost; the SMS to {who} is looked up"),
    "sms_asked_again": ("call", "The gateway knows nothing of the SMS to {who}; requested once more"),
    "sms_held_back": ("trouble", "A limit holds the SMS to {who} back"),
    "reply_unclear": ("trouble", "{who} replied to the SMS, and the reply is no yes"),
    "found": ("alert", "Found in Alertmanager, without a webhook"),
    "gone": ("alert", "No longer in Alertmanager"),
    "suppressed": ("trouble", "Kept quiet by Alertmanager: nobody is called for it now"),
    "let_go": ("step", "What was kept quiet rings now"),
}
# In these `who` may be the one who asked for it instead of those who are called.
BY_HAND = {"next_step": "{who} asked for the next step", "rang_again": "{who} wants them called again"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `kind` is alert, step, call, ring, answer, acknowledge, resolve or trouble; `note` is free text."""

    at: datetime
    kind: str
    text: str
    note: str = ""
    call: str = ""
    place: str = ""


def story(journal: Iterable[Any], alerts: Sequence[Alert], people: Mapping[str, Person], steps: int) -> list[Line]:
    """The lines in their order; `journal` are its rows, `steps` how many the policy has."""
    told = [_line(row, people, steps) for row in journal]
    told += [line for alert in alerts[:MOST_ALERTS] for line in _of_alert(alert)]
    return sorted(told, key=lambda line: (line.at, line.kind != "alert"))


def _line(row: Any, people: Mapping[str, Person], steps: int) -> Line:
    kind, text = SENTENCES.get(row.word, ("step", f"{str(row.word).replace('_', ' ')} {{who}}"))
    if row.word in BY_HAND and str(row.note).startswith("by "):
        text = BY_HAND[row.word]
    place = f"round {row.round}, step {row.step + 1} of {steps}" if kind == "step" and row.round and steps else ""
    who = names_of(row.who, people) or "somebody"
    return Line(row.at, kind, text.replace("{who}", who).strip(), row.note, row.call or "", place)


def names_of(who: str, people: Mapping[str, Person]) -> str:
    """The keys of people by their names, and whatever else stands there as it is."""
    return ", ".join(people[key].name or key if key in people else key for key in who.split(", ") if key)


def _of_alert(alert: Alert) -> Iterable[Line]:
    name = alert.name or "an alert"
    yield Line(alert.starts_at, "alert", f"{name} began to fire")
    if not alert.firing and alert.ends_at is not None:
        yield Line(alert.ends_at, "alert", f"{name} is over")
