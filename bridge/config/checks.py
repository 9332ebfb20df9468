"""What needs more than one place of the file: names and who uses them, matchers, numbers, intervals.

It looks at the tree and not at the checked shape, so that all of it is told even where something else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import phonenumbers

from bridge.config.faults import Faults
from bridge.config.files import check_files
from bridge.config.numbers import doubt, landline, read_number
from bridge.config.scalars import duration, near, shown
from bridge.config.tree import Node, dotted, select
from bridge.intervals import IntervalError, parse_interval
from bridge.route import Matcher, MatcherError, MatchOp, parse_matchers

# Who names whom: the place, the kinds that may be meant, and what to call them.
REFERENCES = (
    ("policies.*.steps.#.call.#", ("people", "schedules"), "person or schedule"),
    ("policies.*.steps.#.sms.#", ("people", "schedules"), "person or schedule"),
    ("schedules.*.rotations.#.people.#", ("people",), "person"),
    ("schedules.*.rotations.#.active_time_intervals.#", ("time_intervals",), "time interval"),
    ("schedules.*.overrides.#.person", ("people",), "person"),
    ("watchdogs.#.policy", ("policies",), "policy"),
)
ROUTE_REFERENCES = (
    ("policy", ("policies",), "policy"),
    ("mute_time_intervals.#", ("time_intervals",), "time interval"),
    ("active_time_intervals.#", ("time_intervals",), "time interval"),
)
UNIQUE_NAMES = ("time_intervals.#.name", "watchdogs.#.name", "gateways.#.name")
# Where accounts stand.
ACCOUNTS = {"gateway": "gateway", "gateways": "gateways.#"}
NOT_AT_THE_ROOT = ("matchers", "match", "match_re", "mute_time_intervals", "active_time_intervals")
OPERATORS = {"match": MatchOp.EQUAL, "match_re": MatchOp.REGEX}

Known = Mapping[str, frozenset[str]]


def check_tree(root: Node, folder: Path, faults: Faults) -> None:
    """Tell everything that is wrong or doubtful between the places of the file."""
    known = _known(root)
    _check_names(root, known, faults)
    for pattern, kinds, what in REFERENCES:
        _check_references(select(root, pattern), known, kinds, what, faults)
    for where, node in routes(root):
        for pattern, kinds, what in ROUTE_REFERENCES:
            _check_references(select(node, pattern, where), known, kinds, what, faults)
        _check_matchers(where, node, faults)
    for where, node in select(root, "watchdogs.#"):
        _check_matchers(where, node, faults)
    _check_root(root, faults)
    _check_intervals(root, faults)
    _check_numbers(root, faults)
    _check_accounts(root, faults)
    check_files(root, folder, faults)


def routes(root: Node) -> Iterator[tuple[str, Node]]:
    """Every node of the routing tree with its path, the root first."""
    waiting = list(select(root, "route"))
    while waiting:
        where, node = waiting.pop()
        yield where, node
        waiting += select(node, "routes.#", where)


def _known(root: Node) -> Known:
    """The names of each kind; a kind that must be there and is not is left out: to be told once is enough."""
    keys = {
        kind: frozenset(node.entries or ())
        for kind in ("people", "schedules", "policies")
        for _, node in select(root, kind)
    }
    names = frozenset(node.text for _, node in select(root, "time_intervals.#.name") if node.text is not None)
    return {**keys, "time_intervals": names}


def _check_references(
    uses: Iterable[tuple[str, Node]], known: Known, kinds: tuple[str, ...], what: str, faults: Faults
) -> None:
    if kinds[0] not in known:
        return
    names = frozenset[str]().union(*(known.get(kind, ()) for kind in kinds))
    for where, node in uses:
        if node.text is None or node.text in names:
            continue
        hint = near(node.text, names) or f"; write one of {' or '.join(kinds)}{_list(names)}"
        faults.tell(node.line, node.column, where, f"no {what} is called {shown(node.text)}{hint}")


def _list(names: frozenset[str], most: int = 5) -> str:
    if not names:
        return " (there is none yet)"
    return f": {', '.join(sorted(names)[:most])}{', …' if len(names) > most else ''}"


def _check_names(root: Node, known: Known, faults: Faults) -> None:
    for _, node in select(root, "schedules"):
        for key, entry in (node.entries or {}).items():
            if key in known.get("people", ()):
                what = "a person has this name too, and a step could not tell them apart; call one otherwise"
                faults.tell(entry.line, entry.column, dotted("schedules", key), what)
    for pattern in UNIQUE_NAMES:
        _check_unique(select(root, pattern), faults)
    for where, node in select(root, "schedules.*"):
        _check_unique(select(node, "rotations.#.name", where), faults)


def _check_unique(uses: Iterable[tuple[str, Node]], faults: Faults) -> None:
    seen: dict[str, int] = {}
    for where, node in uses:
        if node.text is None:
            continue
        if node.text in seen:
            what = f"{shown(node.text)} is the name of the one on line {seen[node.text]} too; give each its own"
            faults.tell(node.line, node.column, where, what)
        seen.setdefault(node.text, node.line)


def _check_root(root: Node, faults: Faults) -> None:
    for where, node in select(root, "route"):
        if node.entries is None:
            continue
        policy = node.entries.get("policy")
        if policy is None or policy.value.kind == "nothing":
            what = "the root route needs a policy, for what no other route takes; write policy: default"
            faults.tell(node.line, node.column, dotted(where, "policy"), what)
        for key in NOT_AT_THE_ROOT:
            entry = node.entries.get(key)
            if entry is not None and (entry.value.rows or entry.value.entries):
                what = "the root route takes everything, always; write this into one of its routes"
                faults.tell(entry.line, entry.column, dotted(where, key), what)
        flag = node.entries.get("continue")
        if flag is not None and (flag.value.text or "").lower() in ("true", "yes", "on"):
            what = "the root route has no siblings to continue with; leave it out"
            faults.tell(flag.line, flag.column, dotted(where, "continue"), what)


def _check_matchers(where: str, node: Node, faults: Faults) -> None:
    for place, row in select(node, "matchers.#", where):
        if row.text is None:
            continue
        try:
            warning = parse_matchers(row.text).warning
        except MatcherError as error:
            faults.tell(row.line, row.column, place, str(error))
            continue
        if warning:
            faults.tell(row.line, row.column, place, warning, warning=True)
    for key, operator in OPERATORS.items():
        for place, value in select(node, f"{key}.*", where):
            _check_deprecated(place, value, operator, faults)


def _check_deprecated(where: str, value: Node, operator: MatchOp, faults: Faults) -> None:
    try:
        Matcher("label", operator, value.text or "")
    except MatcherError as error:
        faults.tell(value.line, value.column, where, str(error))


def _check_intervals(root: Node, faults: Faults) -> None:
    for where, node in select(root, "time_intervals.#.time_intervals"):
        if node.rows is None or faults.below(where):
            continue
        try:
            parse_interval([row.plain if isinstance(row.plain, dict) else {} for row in node.rows])
        except IntervalError as error:
            for fault in error.faults:
                place, found = _follow(where, node, fault.path)
                faults.tell(found.line, found.column, place, fault.what)


def _follow(where: str, node: Node, path: Iterable[str | int]) -> tuple[str, Node]:
    for step in path:
        if isinstance(step, int):
            where, node = f"{where}[{step}]", (node.rows or [])[step]
        else:
            where, node = dotted(where, step), (node.entries or {})[step].value
    return where, node


def _check_numbers(root: Node, faults: Faults) -> None:
    region = next((node.text for _, node in select(root, "global.region") if node.text), "").upper()
    known = region if region in phonenumbers.SUPPORTED_REGIONS else ""
    for pattern in ("people.*.phone", "gateway.from", "gateways.#.from"):
        for where, node in select(root, pattern):
            # With a wrong region every national number would be told too, and none of that would help.
            if node.text is not None and (node.text.startswith("+") or known == region):
                _check_number(where, node, node.text, known, faults)
    for where, node in select(root, "people.*"):
        phone = (node.entries or {}).get("phone")
        if node.kind in ("a map", "nothing") and (phone is None or phone.value.kind == "nothing"):
            faults.tell(node.line, node.column, where, "has no phone: nobody can call them; write phone", warning=True)
    _check_readers(root, known, faults)


def _check_readers(root: Node, known: str, faults: Faults) -> None:
    """Whoever a step tells by SMS, by name or through a schedule, should have a phone that can get one."""
    named = {node.text for _, node in select(root, "policies.*.steps.#.sms.#")}
    schedules = [entry for _, node in select(root, "schedules") for entry in (node.entries or {}).items()]
    for place in ("rotations.#.people.#", "overrides.#.person"):
        listed = [node for key, entry in schedules if key in named for _, node in select(entry.value, place)]
        named |= {node.text for node in listed}
    people = [entry for _, node in select(root, "people") for entry in (node.entries or {}).items()]
    for key, entry in people:
        where = f"{dotted('people', key)}.phone"
        for _, node in select(entry.value, "phone") if key in named else ():
            if node.text is not None and not faults.below(where) and landline(node.text, known):
                what = "is a landline, and a step sends an SMS there: it may not arrive, or be read out by a voice"
                faults.tell(node.line, node.column, where, what, warning=True)


def _check_number(where: str, node: Node, text: str, region: str, faults: Faults) -> None:
    try:
        read_number(text, region)
    except ValueError as error:
        faults.tell(node.line, node.column, where, str(error))
        return
    if what := doubt(text, region):
        faults.tell(node.line, node.column, where, what, warning=True)


def _check_accounts(root: Node, faults: Faults) -> None:
    """One account, or a list of them; and what is doubtful in each."""
    given = {key: entry for key in ACCOUNTS if (entry := (root.entries or {}).get(key)) and _says(entry.value)}
    if len(given) > 1:
        what = "gateway is given too; move that account into this list, with a name, and leave gateway out"
        faults.tell(given["gateways"].line, given["gateways"].column, "gateways", what)
    elif not given:
        what = "missing; write gateway: {api_key_file: secrets/api_key}"
        faults.tell(root.line, root.column, "gateway", what)
    for pattern in ACCOUNTS.values():
        for where, node in select(root, pattern):
            _check_account(root, where, node, faults)


def _says(node: Node) -> bool:
    return node.kind != "nothing" and node.rows != []


def _check_account(root: Node, where: str, node: Node, faults: Faults) -> None:
    account = node.entries or {}
    said = {key: entry.value.text or "" for key, entry in account.items()}

    def doubtful(key: str, what: str) -> None:
        faults.tell(account[key].line, account[key].column, f"{where}.{key}", what, warning=True)

    if said.get("debug", "").lower() in ("true", "yes", "on"):
        doubtful("debug", "the gateway calls nobody while this is true; write false before you rely on it")
    if said.get("ring_time") and said.get("dialect") == "sms77":
        doubtful("ring_time", "the sms77 dialect cannot say how long to ring; without effect, leave it out")
    timed = said.get("report_timeout") and not faults.below(where)
    if timed and duration(said["report_timeout"]) < duration(said.get("ring_time") or "30s"):
        doubtful("report_timeout", "is shorter than ring_time: calls are looked up while they ring; write more")
    _check_reports(root, where, node, said.get("reports") or "webhook", faults)


def _check_reports(root: Node, where: str, node: Node, reports: str, faults: Faults) -> None:
    """Whether we can hear what becomes of a call, and that somebody takes it."""
    if node.entries is None or any(select(root, "webhooks.sms77.token_file")):
        return
    if reports == "webhook":
        what = (
            "no report of a call can come in, and no call counts as answered; write webhooks.sms77.token_file, or"
            " reports: poll"
        )
        faults.tell(node.line, node.column, where, what, warning=True)
        return
    entry = node.entries["reports"]
    if reports == "both":
        what = "no report can come in by the webhook; write webhooks.sms77.token_file, or poll"
        faults.tell(entry.line, entry.column, f"{where}.reports", what, warning=True)
    elif reports == "poll" and not any(_off(one) for _, one in select(root, "acknowledgement.keypress")):
        what = (
            "the gateway's journal knows of no key and no SMS, and the phone would promise it; write"
            " acknowledgement: {keypress: false, hang_up: true}, or webhooks.sms77.token_file"
        )
        faults.tell(entry.line, entry.column, f"{where}.reports", what, warning=True)


def _off(node: Node) -> bool:
    return (node.text or "").lower() in ("false", "no", "off")
