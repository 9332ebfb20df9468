"""Reads an Alertmanager config and says what would lose or double a page on its way to callbridge. Text in, findings out.

  spot      a value with its place        reading   the config, inherited out     finding   what is found
  address   does the URL get there        credentials   is it let in              webhooks  what its settings spoil
  reach     which routes lead here        witness   an alert for an example       timing    how late, how long nobody
  alive     what always fires             inhibition    what hides too much       refused   what Alertmanager refuses
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.config.tree import compose
from bridge.doctor.address import Where, check_address, is_callbridge, unseen
from bridge.doctor.alive import Listener, check_alive, check_critical
from bridge.doctor.credentials import Asked, check_credentials
from bridge.doctor.finding import Finding, Findings, Level
from bridge.doctor.inhibition import check_inhibition
from bridge.doctor.reach import check_reach, tree_of
from bridge.doctor.reading import Branch, Receiver, Webhook, receivers, tree
from bridge.doctor.refused import check_refused
from bridge.doctor.spot import Spot, root_of
from bridge.doctor.timing import Chains, check_timing
from bridge.doctor.webhooks import check_receiver, check_webhook

__all__ = ["Asked", "Chains", "Finding", "Level", "Listener", "Surroundings", "Where", "examine"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known besides the file. None: callbridge's own config was not read, and what it decides stays open."""

    where: Where = field(default_factory=Where)
    asked: Asked = field(default_factory=Asked)
    chains: Chains | None = None
    listener: Listener | None = None


def examine(text: str, file: str, around: Surroundings) -> tuple[Finding, ...]:
    """Everything to be said of the config `text`, in its order; `file` is what the operator calls it. Never raises."""
    findings = Findings(file)
    root = _root(text, findings)
    if root is None:
        return findings.in_order()
    top, known = tree(root), receivers(root)
    if top is None:
        keys = ", ".join(key for key, _ in list(root.entries())[:4])
        findings.error(
            root,
            f"is no Alertmanager config: it has no route{f' (but {keys})' if keys else ''}",
            "give alertmanager.yml itself; of a Secret, ConfigMap or chart what they hold under it",
        )
        return findings.in_order()
    check_refused(root, top, known, findings)
    ours = _ours(known, around, findings)
    _check_webhooks(known, ours, around, findings)
    if ours:
        _check_tree(root, top, known, ours, around, findings)
    else:
        _tell_none(root, known, findings)
    return findings.in_order()


def _root(text: str, findings: Findings) -> Spot | None:
    def tell(line: int, column: int, where: str, what: str) -> None:
        place = Spot(where, line, column, root)
        what, _, remedy = what.partition("; ")
        findings.error(place, what, remedy or "correct it")

    root = Node(1, 1)
    ...
