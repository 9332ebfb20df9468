"""What Alertmanager itself refuses, so that the old config stays in force or nothing starts: a list of what is sure.

`amtool check-config` knows all of it. Sources: config/config.go and docs/configuration.md, 0.22 to 0.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from bridge.config.scalars import duration, near, shown
from bridge.config.spot import Spot
from bridge.doctor.finding import Findings
from bridge.doctor.reading import EACH_ALERT, Branch, Receiver, is_true
from bridge.route import Matcher, MatcherError, MatchOp, parse_matchers

REFUSED = "Alertmanager refuses the file"
# Only what looks like a slip of one of these is told: other keys may be of a version that is not known here.
ROUTE_KEYS = (
    "receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "matchers", "match", "match_re",
    "mute_time_intervals", "active_time_intervals", "continue", "routes", "labels",
)  # fmt: skip
WEBHOOK_KEYS = ("send_resolved", "url", "url_file", "http_config", "max_alerts", "timeout", "payload")
TOP_KEYS = (
    "global", "route", "receivers", "inhibit_rules", "templates", "time_intervals", "mute_time_intervals", "tracing",
    "event_recorder",
)  # fmt: skip
HTTP_KEYS = (
    "basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file", "follow_redirects", "enable_http2",
    "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header", "tls_config", "http_headers",
)  # fmt: skip
NOT_AT_THE_ROOT = ("matchers", "match", "match_re", "mute_time_intervals", "active_time_intervals")
SPANS = ("group_wait", "group_interval", "repeat_interval")


def check_refused(root: Spot, top: Branch, receivers: Sequence[Receiver], findings: Findings) -> None:
    """Tell what keeps Alertmanager from taking the file."""
    _check_slips(root, TOP_KEYS, findings)
    _check_receivers(receivers, findings)
    _check_root(top, findings)
    _check_old_ways(top, findings)
    names = {receiver.name for receiver in receivers}
    intervals = set(_intervals(root))
    for branch in top.walk():
        _check_slips(branch.spot, ROUTE_KEYS, findings)
        _check_names(branch, names, intervals, findings)
        _check_spans(branch, findings)
        _check_group_by(branch, findings)
        _check_matchers(branch.spot, findings)


def _check_slips(spot: Spot, known: Sequence[str], findings: Findings) -> None:
    for key, place in spot.entries():
        meant = get_close_matches(key, known, n=1, cutoff=0.8) if key not in known else ()
        if meant:
            findings.error(place, f"the key is not known: {REFUSED}", f"did you mean {meant[0]}?")


def _check_receivers(receivers: Sequence[Receiver], findings: Findings) -> None:
    seen: dict[str, int] = {}
    for receiver in receivers:
        spot = receiver.spot.at("name") or receiver.spot
        if receiver.name in seen:
            what = f"{shown(receiver.name)} is the name of the receiver on line {seen[receiver.name]} too: {REFUSED}"
            findings.error(spot, what, "give each its own name")
        seen.setdefault(receiver.name, spot.line)
        for webhook in receiver.webhooks:
            _check_slips(webhook.spot, WEBHOOK_KEYS, findings)
            if webhook.http is not None:
                _check_http(webhook.http, findings)


def _check_http(http: Spot, findings: Findings) -> None:
    _check_slips(http, HTTP_KEYS, findings)
    given = [key for key in ("basic_auth", "authorization", "oauth2") if http.at(key) is not None]
    if len(given) > 1:
        findings.error(http, f"has {' and '.join(given)}: {REFUSED}", "leave only one of them")


def _check_root(top: Branch, findings: Findings) -> None:
    if not top.receiver:
        what = f"the root route names no receiver: {REFUSED}"
        findings.error(top.spot, what, "write receiver: with one of receivers")
    for key in NOT_AT_THE_ROOT:
        spot = top.spot.at(key)
        if spot is not None and (spot.node.rows or spot.node.entries):
            what = f"the root route takes everything, always: {REFUSED}"
            findings.error(spot, what, "write it into one of its routes")
    flag = top.spot.at("continue")
    if is_true(flag) and flag is not None:
        findings.error(flag, f"the root route has nothing to continue with: {REFUSED}", "leave it out")


def _intervals(root: Spot) -> Iterator[str]:
    for key in ("time_intervals", "mute_time_intervals"):
        for one in root.each(key):
            name = one.at("name")
            if name is not None and name.text is not None:
                yield name.text


def _check_names(branch: Branch, receivers: set[str], intervals: set[str], findings: Findings) -> None:
    receiver = branch.spot.at("receiver")
    if receiver is not None and receiver.text is not None and receiver.text not in receivers:
        what = f"no receiver is called {shown(receiver.text)}: {REFUSED}, and no page comes by any route"
        findings.error(receiver, what, near(receiver.text, receivers).removeprefix("; ") or "name one of receivers")
    for key in ("mute_time_intervals", "active_time_intervals"):
        for one in branch.spot.each(key):
            if one.text is not None and one.text not in intervals:
                what = f"no time interval is called {shown(one.text)}: {REFUSED}"
                findings.error(one, what, near(one.text, intervals).removeprefix("; ") or "name one of time_intervals")


def _check_spans(branch: Branch, findings: Findings) -> None:
    for key in SPANS:
        spot = branch.spot.at(key)
        if spot is None or spot.text is None:
            continue
        try:
            value = duration(spot.text)
        except ValueError as error:
            what, _, remedy = str(error).partition("; ")
            findings.error(spot, f"{what}: {REFUSED}", remedy)
            continue
        if not value and key != "group_wait":
            findings.error(spot, f"cannot be zero: {REFUSED}", "write a duration like 5m")


def _check_group_by(branch: Branch, findings: Findings) -> None:
    spot = branch.spot.at("group_by")
    names = (spot.texts if spot else None) or ()
    if spot is None:
        return
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        findings.error(spot, f"names {shown(twice)} twice: {REFUSED}", "leave one of them")
    elif EACH_ALERT in names and len(names) > 1:
        findings.error(spot, f"has ... beside labels: {REFUSED}", "write only ['...'], or only labels")


def _check_matchers(spot: Spot, findings: Findings) -> None:
    """Tell which matchers of a route cannot be read, and which two versions of Alertmanager read differently."""
    for row in spot.each("matchers"):
        try:
            warning = parse_matchers(row.text or "").warning
        except MatcherError as error:
            what, _, remedy = str(error).rpartition("; ")
            findings.error(row, f"{what or remedy}: {REFUSED}", remedy)
            continue
        if warning:
            what, _, remedy = warning.rpartition(", better ")
            findings.warning(row, what, remedy)
    for key, operator in (("match", MatchOp.EQUAL), ("match_re", MatchOp.REGEX)):
        pairs = spot.at(key)
        for name, value in pairs.entries() if pairs else ():
            try:
                Matcher(name, operator, value.text or "")
            except MatcherError as error:
                what, _, remedy = str(error).rpartition("; ")
                findings.error(value, f"{what}: {REFUSED}", remedy)


def _check_old_ways(top: Branch, findings: Findings) -> None:
    """Once is enough: whoever writes matchers the old way does it everywhere."""
    old = (branch.spot.at(key) for branch in top.walk() for key in ("match", "match_re"))
    first = next((spot for spot in old if spot is not None), None)
    if first is not None:
        findings.hint(
            first,
            "match and match_re are the old way of writing matchers; they still work, and Alertmanager 1.0 means to"
            " drop them",
            "write matchers: ['name=\"value\"', 'name=~\"regex\"']",
        )
