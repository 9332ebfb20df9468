"""Grafana OnCall's routes as matchers, where they are as simple as that.

Source: docs/sources/oncall-api-reference/routes.md. A route there is a template or a pattern over the whole body; here
it is labels. What asks for one label's value is understood, the rest is left to the operator, in a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from bridge.config.scalars import shown
from bridge.config.spot import Spot
from bridge.importing.draft import Draft, Route, text_at
from bridge.importing.names import printable

# What Alertmanager and Grafana send comes by these.
HEARD = ("alertmanager", "legacy_alertmanager", "grafana", "grafana_alerting", "legacy_grafana_alerting")
_LABELS = r"payload\.(?:labels|commonLabels|groupLabels|alerts\[0\]\.labels)"
_EQUAL = re.compile(
    rf"{_LABELS}(?:\.(?P<dot>[A-Za-z_]\w*)|\[(?P<q>[\"'])(?P<bracket>[A-Za-z_]\w*)(?P=q)\]"
    rf"|\.get\((?P<g>[\"'])(?P<get>[A-Za-z_]\w*)(?P=g)\)) *== *(?P<v>[\"'])(?P<value>[^\"'\\]*)(?P=v)"
)
_PAIR = re.compile(r'\\?"(?P<name>[A-Za-z_]\w*)\\?" ?: ?(?:\\s\*)?\\?"(?P<value>[\w ./:-]*)\\?"')


def carry(integrations: Sequence[Spot], routes: Sequence[Spot], policies: Mapping[str, str], draft: Draft) -> None:
    """The routes of every integration in their order, into the draft; `policies` by the id of their chain."""
    for integration in integrations:
        name, kind = text_at(integration, "name") or "integration", text_at(integration, "type")
        if kind and kind not in HEARD:
            draft.lost(integration, f"{shown(name)} ({shown(kind)}): callbridge hears Alertmanager and Grafana only")
            continue
        own = [one for one in routes if text_at(one, "integration_id") == text_at(integration, "id")]
        for spot in sorted(own, key=_position):
            _route(spot, policies, draft)
        _last(integration, own, name, policies, draft)
    known = {text_at(one, "id") for one in integrations}
    for spot in routes:
        if text_at(spot, "integration_id") not in known:
            draft.lost(spot, "belongs to no integration of this file, and is left out; write a route by hand")


def _position(spot: Spot) -> int:
    text = text_at(spot, "position")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _is_last(spot: Spot) -> bool:
    return text_at(spot, "is_the_last_route") == "true"


def _route(spot: Spot, policies: Mapping[str, str], draft: Draft) -> None:
    pattern = text_at(spot, "routing_regex")
    policy = policies.get(text_at(spot, "escalation_chain_id"), "")
    if _is_last(spot):
        return
    if not policy:
        draft.lost(spot, "leads to no chain of this file, and is left out; write a route by hand")
        return
    matchers = _matchers(pattern)
    if not matchers:
        draft.lost(spot, "asks for more than the value of labels; write the matchers where the config says so")
    draft.routes.append(Route(policy, matchers, was=shown(printable(pattern))))


def _matchers(pattern: str) -> tuple[str, ...]:
    """The labels that the pattern asks for; none where it asks for anything else."""
    inner = re.fullmatch(r"\s*\{\{(.*)\}\}\s*", pattern, re.DOTALL)
    parts = re.split(r"\band\b", inner[1]) if inner else [pattern]
    found = [(_EQUAL if inner else _PAIR).fullmatch(part.strip().strip("()").strip()) for part in parts]
    named = [(_name(one), one["value"]) for one in found if one]
    return tuple(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in named) if all(found) else ()


def _name(found: re.Match[str]) -> str:
    names = found.groupdict()
    return names.get("name") or names.get("dot") or names.get("bracket") or names.get("get") or ""


def _last(integration: Spot, own: Sequence[Spot], name: str, policies: Mapping[str, str], draft: Draft) -> None:
    """Where all goes that no route takes: of the first integration the root's policy."""
    default = integration.at("default_route")
    ends = [*(one for one in own if _is_last(one)), *((default,) if default else ())]
    policy = next((key for one in ends if (key := policies.get(text_at(one, "escalation_chain_id")))), "")
    if not policy:
        draft.lost(integration, f"{shown(name)}: what no route of it takes rings nobody there, and here route.policy")
    elif not draft.root:
        draft.root = policy
    elif draft.root != policy:
        draft.lost(integration, f"{shown(name)}: all alerts come by one door here; tell its alerts by a label")
        draft.routes.append(Route(policy, was=f"all else of the integration {shown(printable(name))}"))
