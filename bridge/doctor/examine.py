"""All checks in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.config.scalars import shown
from bridge.config.spot import Spot, root_of
from bridge.config.tree import Node, compose
from bridge.doctor.address import Where, check_address, is_callbridge, unseen
from bridge.doctor.alive import check_alive, check_critical
from bridge.doctor.credentials import check_credentials
from bridge.doctor.finding import Finding, Findings
from bridge.doctor.inhibition import check_inhibition
from bridge.doctor.reach import check_reach, tree_of
from bridge.doctor.reading import Branch, Receiver, Webhook, receivers, tree
from bridge.doctor.refused import check_refused
from bridge.doctor.surroundings import Surroundings
from bridge.doctor.timing import check_timing
from bridge.doctor.webhooks import check_generated, check_twins, check_webhook

Ours = Mapping[str, Sequence[Webhook]]


def examine(text: str, file: str, around: Surroundings) -> tuple[Finding, ...]:
    """Everything to be said of the config `text`, in its order; `file` is what the operator calls it. Never raises."""
    findings = Findings(file)
    root = _root(text, findings)
    top = tree(root) if root is not None else None
    if root is None or top is None:
        if root is not None:
            _tell_no_route(root, findings)
        return findings.in_order()
    known = receivers(root)
    for name in sorted(set(around.where.receivers) - {one.name for one in known}):
        what = f"no receiver is called {shown(name)}, as --receiver says"
        findings.error(root.at("receivers") or root, what, "name one of receivers")
    check_refused(root, top, known, findings)
    ours = _ours(known, around.where)
    if ours:
        _check_webhooks(known, ours, around, findings)
        _check_tree(root, top, known, ours, around, findings)
    else:
        _tell_none(root, known, findings)
    return findings.in_order()


def _root(text: str, findings: Findings) -> Spot | None:
    def tell(line: int, column: int, where: str, what: str) -> None:
        said, _, remedy = what.partition("; ")
        findings.error(Spot(where, line, column, Node(line, column)), said, remedy or "correct it")

    if not text.strip():
        tell(1, 1, "file", "is empty; give alertmanager.yml")
        return None
    root = compose(text, tell)
    return root_of(root) if root is not None else None


def _tell_no_route(root: Spot, findings: Findings) -> None:
    keys = ", ".join(key for key, _ in list(root.entries())[:4])
    findings.error(
        root,
        f"is no Alertmanager config: it has no route{f', but {keys}' if keys else ''}",
        "give alertmanager.yml itself; of a Secret, ConfigMap or chart, what it holds under that name",
    )


def _ours(known: Sequence[Receiver], where: Where) -> Ours:
    """The webhooks to callbridge by receiver; receivers without one are not in it."""
    found = {one.name: _of(one, where) for one in known}
    return {name: webhooks for name, webhooks in found.items() if webhooks}


def _of(receiver: Receiver, where: Where) -> Sequence[Webhook]:
    seen = [webhook for webhook in receiver.webhooks if is_callbridge(webhook, where)]
    if seen or receiver.name not in where.receivers:
        return seen
    # Named by hand: its webhooks whose URL cannot be read here are meant, or else all that it has.
    return [webhook for webhook in receiver.webhooks if unseen(webhook)] or receiver.webhooks


def _tell_none(root: Spot, known: Sequence[Receiver], findings: Findings) -> None:
    spot = root.at("receivers") or root
    hidden = [webhook.receiver for one in known for webhook in one.webhooks if unseen(webhook)]
    if hidden:
        findings.warning(
            spot,
            f"no receiver can be seen to reach callbridge: the URL of {', '.join(dict.fromkeys(hidden))} does not"
            " stand in this file",
            "name the receivers that go to callbridge with --receiver=NAME",
        )
        return
    findings.error(
        spot,
        "no receiver reaches callbridge, and no phone ever rings",
        "add webhook_configs: [{url: http://HOST:10077/webhook/alertmanager}], or give --web.external-url or"
        " --receiver=NAME"
        " where callbridge has another address",
    )


def _check_webhooks(known: Sequence[Receiver], ours: Ours, around: Surroundings, findings: Findings) -> None:
    for receiver in known:
        webhooks = ours.get(receiver.name, ())
        for webhook in webhooks:
            check_address(webhook, around.where, findings)
            check_credentials(webhook, around.asked, findings)
            check_webhook(webhook, findings)
        check_twins(webhooks, findings)
    check_generated((receiver for receiver in known if receiver.name in ours), findings)


def _check_tree(
    root: Spot, top: Branch, known: Sequence[Receiver], ours: Ours, around: Surroundings, findings: Findings
) -> None:
    silent = (receiver.name for receiver in known if receiver.silent)
    whole = tree_of(top, ours, silent)
    takers = check_reach(whole, root, findings)
    check_timing(takers, top, around.chains, findings)
    check_alive(whole, around.listener, findings)
    check_critical(whole, findings)
    check_inhibition(root, findings)
