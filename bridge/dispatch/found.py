"""Alerts that were found by asking: the notification that should have brought them, and the one that comes after all.

A group's key is known to Alertmanager alone, and its API does not tell it. So a group of which nobody told before gets
a key of ours, made of its labels; the first real notification of the group gives its incident the real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bridge.alert import Alert, Group, Source, Stream, quote_receiver
from bridge.dispatch.ledger import Held, Ledger
from bridge.store import incidents
from bridge.store.doubts import KnownGroup
from bridge.store.journal import Entry

# The mark in the meta of a message that nobody sent.
FOUND = "found"


def key_of(labels: Mapping[str, str]) -> str:
    """Our key of a group whose real one is not known; Alertmanager's begin with a brace."""
    return f"{FOUND}:{msgspec.json.encode(dict(sorted(labels.items()))).decode()}"


def body(receiver: str, labels: Mapping[str, str], alerts: Iterable[Alert], known: KnownGroup | None) -> dict[str, Any]:
    """The notification that should have told of `alerts`, as Alertmanager would have sent it."""
    return {
        "version": "4",
        "receiver": quote_receiver(receiver),
        "groupKey": known.key if known is not None else key_of(labels),
        "groupLabels": dict(labels),
        "externalURL": known.external_url if known is not None else "",
        "truncatedAlerts": 0,
        "alerts": [
            {
                "status": "firing",
                "labels": dict(one.labels),
                "annotations": dict(one.annotations),
                "startsAt": one.starts_at.isoformat(),
                "generatorURL": one.generator_url,
                "fingerprint": one.fingerprint,
            }
            for one in alerts
        ],
    }


def tell(ledger: Ledger, held: Held, alerts: Sequence[Alert]) -> None:
    """Say in the story that these alerts were found, and not brought."""
    names = ", ".join(dict.fromkeys(alert.name for alert in alerts))
    note = f"no webhook brought it, Alertmanager's API shows it: {names}"
    ledger.line(Entry(ledger.now, FOUND, held.incident.id, note=note))


def adopt(ledger: Ledger, groups: Iterable[Group]) -> None:
    """Give incidents that were found the real key of their group, now that its notification has come."""
    real = {
        incidents.stream_key(Stream(Source.ALERTMANAGER, one.stream.receiver, key_of(one.group_labels))): one.stream
        for one in groups
        if one.stream.source is Source.ALERTMANAGER and not one.stream.group_key.startswith(FOUND)
    }
    for key, stream in real.items():
        incidents.move(ledger.connection, key, stream)
