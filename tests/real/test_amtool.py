"""Routes, matchers and time intervals agree with the real amtool, on random input of a fixed seed.

Matchers are compared only where Alertmanager's two parsers agree, for amtool up to 0.26 knows just the classic one.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.intervals import IntervalError, parse_interval
from bridge.route import Matcher, MatcherError, MatchOp, Route, match, parse_classic, parse_labels, parse_utf8
from tests.requirements import require

TREES = 16
LABEL_SETS = 8
NAMES = ("team", "severity", "job", "a_b")
VALUES = ("", "db", "storage", "critical", "warning", "x y", 'say "hi"', "back\\slash", "line\nbreak", "é")
REGEXES = ("", "db|storage", ".*", ".+", "crit.*", "c|", "(?i)DB", r"\w+", r"[^\n]+", ".*\\\\.*", "é", "warn")
PIECES = (
    "foo",
    "b_r",
    "1",
    "=",
    "!=",
    "=~",
    "!~",
    '"',
    '"',
    "\\",
    r"\n",
    r"\"",
    "{",
    "}",
    ",",
    " ",
    "\t",
    "'",
    "é",
    ".*",
)


@pytest.fixture
def amtool() -> str:
    """The path of amtool."""
    return require("amtool", "prometheus-alertmanager")


def run(amtool: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([amtool, *args], capture_output=True, text=True, timeout=30, check=False)


def random_route(rng: random.Random, policy: str, depth: int) -> Route:
    """A tree below the root; about half of the routes inherit the policy."""
    own = rng.choice([policy, f"policy-{rng.randrange(1000)}"])
    children = tuple(random_route(rng, own, depth - 1) for _ in range(rng.randrange(5) if depth else 0))
    matchers = tuple(random_matcher(rng) for _ in range(rng.choice([0, 1, 1, 1, 2])))
    return Route(own, matchers, rng.random() < 0.4, routes=children)


def random_matcher(rng: random.Random) -> Matcher:
    op = rng.choice(list(MatchOp))
    return Matcher(rng.choice(NAMES), op, rng.choice(VALUES if op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL) else REGEXES))


def random_labels(rng: random.Random) -> dict[str, str]:
    return {name: rng.choice(VALUES) for name in NAMES if rng.random() < 0.7}


def projected(route: Route, inherited: str = "") -> dict[str, object]:
    """The same route in Alertmanager's words, its receiver left out where it is inherited."""
    found: dict[str, object] = {"routes": [projected(child, route.policy) for child in route.routes]}
    if route.policy != inherited:
        found["receiver"] = route.policy
    if route.matchers:
        found["matchers"] = [str(one) for one in route.matchers]
    if route.continue_:
        found["continue"] = True
    return found


def policies(route: Route) -> set[str]:
    return {route.policy}.union(*map(policies, route.routes))


def config(path: Path, route: Mapping[str, object], receivers: Sequence[str], intervals: Sequence[object] = ()) -> str:
    """An Alertmanager config file; JSON is YAML."""
    content: dict[str, object] = {"route": route, "receivers": [{"name": name} for name in receivers]}
    if intervals:
        content["time_intervals"] = intervals
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return f"--config.file={path}"


@pytest.mark.parametrize("seed", range(TREES))
def test_routes(amtool: str, tmp_path: Path, seed: int) -> None:
    """Random label sets take the same way through a random tree as in Alertmanager."""
    rng = random.Random(seed)
    root = replace(random_route(rng, "root", 3), policy="root", matchers=(), continue_=False)
    while not root.routes:
        root = replace(random_route(rng, "root", 3), policy="root", matchers=(), continue_=False)
    file = config(tmp_path / "alertmanager.yml", projected(root), sorted(policies(root)))
    for _ in range(LABEL_SETS):
        labels = random_labels(rng)
        args = [str(Matcher(name, MatchOp.EQUAL, value)) for name, value in labels.items()]
        assert parse_labels(args) == labels
        answer = run(amtool, "config", "routes", "test", file, *args)
        assert answer.returncode == 0, answer.stderr
        expected = ",".join(one.policy for one in match(root, labels))
        assert answer.stdout.strip().splitlines()[-1] == expected, labels


def random_texts(count: int) -> list[str]:
    """Texts made of the pieces of matchers: some loose, some with a value in quotes, some of several in a list."""
    rng = random.Random(1)

    def one() -> str:
        loose = "".join(rng.choice(PIECES) for _ in range(rng.randrange(7)))
        named = f"{rng.choice(['foo', 'b_r', ' foo '])}{rng.choice(['=', '!=', '=~', ' = '])}"
        return rng.choice([loose, f"{named}{loose}", f'{named}"{loose}"', f"{named}{rng.choice(PIECES)}"])

    return [",".join(one() for _ in range(rng.choice([1, 1, 2, 3]))) for _ in range(count)]


def understood(text: str) -> tuple[Matcher, ...] | None:
    """The matchers of `text`, or None if both parsers refuse it; raises LookupError where they do not agree."""
    read: list[tuple[Matcher, ...] | None] = []
    for parse in (parse_utf8, parse_classic):
        try:
            read.append(parse(text))
        except MatcherError:
            read.append(None)
    if read[0] != read[1]:
        raise LookupError(text)
    return read[0]


def agreed(count: int) -> dict[str, tuple[Matcher, ...] | None]:
    """Random texts that both parsers read alike, or both refuse."""
    found: dict[str, tuple[Matcher, ...] | None] = {}
    for text in random_texts(count):
        try:
            found[text] = understood(text)
        except LookupError:
            continue
    return found


def test_matchers_are_read_alike(amtool: str, tmp_path: Path) -> None:
    """Whatever we read from a text, Alertmanager prints the same matchers for it."""
    readable = {text: found for text, found in agreed(4000).items() if found}
    assert len(readable) > 200
    routes = [{"matchers": [text]} for text in readable]
    file = config(tmp_path / "alertmanager.yml", {"receiver": "root", "routes": routes}, ["root"])
    answer = run(amtool, "config", "routes", "show", file)
    assert answer.returncode == 0, answer.stderr
    printed = re.findall(
        r"^[├└]── (\{.*\})  receiver: root$", re.sub(r"^ +", "", answer.stdout, flags=re.MULTILINE), re.M
    )
    expected = ["{" + ",".join(str(one) for one in in_order(found)) + "}" for found in readable.values()]
    assert printed == expected


def in_order(matchers: Sequence[Matcher]) -> list[Matcher]:
    """As a route sorts its matchers."""
    return sorted(matchers, key=lambda one: (one.name.encode(), one.value.encode(), list(MatchOp).index(one.op)))


def test_matchers_are_refused_alike(amtool: str, tmp_path: Path) -> None:
    """A text that neither of our parsers reads is refused by Alertmanager too."""
    refused = [text for text, found in agreed(400).items() if found is None]
    assert len(refused) > 50
    for text in refused[:80]:
        route = {"receiver": "root", "routes": [{"matchers": [text]}]}
        file = config(tmp_path / "alertmanager.yml", route, ["root"])
        assert run(amtool, "config", "routes", "show", file).returncode != 0, text


INTERVAL_VALUES: Mapping[str, Sequence[object]] = {
    "weekdays": ["monday", "Friday", "sunday:saturday", "saturday:sunday", "mon", "1", " monday", "friday:", ""],
    "days_of_month": ["1", "-1", "+5", "31", "32", "0", "-32", "1:-1", "28:-1", "27:-1", "-5:5", "-3:-1", "5:1", "1_0"],
    "months": ["1", "january:3", "0", "13", "november:february", "jan", "May", "-1:1", "1:2:3", "01"],
    "years": ["2026", "2026:2027", "2027:2026", "-1", "x", "9223372036854775807", "9223372036854775808", "1e3"],
    "times": [
        {"start_time": start, "end_time": end}
        for start, end in [
            ("09:00", "17:00"),
            ("00:00", "24:00"),
            ("24:00", "24:00"),
            ("9:00", "17:00"),
            ("22:00", "06:00"),
            ("09:00", "09:60"),
            ("09:00", "17:00:00"),
            ("09:00", ""),
        ]
    ],
}
LOCATIONS = ("", "UTC", "Local", "Europe/Berlin", "europe/berlin", "Mars/Base", "Europe", "../UTC", "EST5EDT")


def interval_specs() -> list[dict[str, object]]:
    rng = random.Random(2)
    alone: list[dict[str, object]] = [{key: [one]} for key, values in INTERVAL_VALUES.items() for one in values]
    alone.extend({"location": name} for name in LOCATIONS)
    alone.extend(({}, {"times": []}, {"unknown": ["1"]}, {"weekdays": "monday"}))
    mixed: list[dict[str, object]] = []
    for _ in range(20):
        keys = rng.sample(sorted(INTERVAL_VALUES), 3)
        mixed.append({key: rng.sample(INTERVAL_VALUES[key], rng.randrange(3)) for key in keys})
    return alone + mixed


@pytest.mark.parametrize("spec", interval_specs(), ids=json.dumps)
def test_intervals_are_accepted_alike(amtool: str, tmp_path: Path, spec: dict[str, object]) -> None:
    """A time interval is accepted or refused as Alertmanager does it."""
    try:
        parse_interval([spec])
        accepted = True
    except IntervalError:
        accepted = False
    named = {"name": "some", "time_intervals": [spec]}
    file = config(tmp_path / "alertmanager.yml", {"receiver": "root"}, ["root"], [named])
    answer = run(amtool, "check-config", file.removeprefix("--config.file="))
    assert (answer.returncode == 0) is accepted, answer.stdout + answer.stderr
