"""`callbridge routes show|test`: the tree, and where labels would go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from bridge import config
from bridge.cli.words import Commands, add_at, add_command, add_config, now_or
from bridge.errors import CallbridgeError
from bridge.route import MatcherError, Route, match, muted, parse_labels


def add_to(commands: Commands) -> None:
    """Add the command."""
    routes = add_command(commands, "routes", "show the routing tree, or test where labels go")
    verbs = routes.add_subparsers(dest="verb", metavar="show|test", required=True)
    show = add_command(verbs, "show", "print the tree")
    add_config(show)
    show.set_defaults(run=run_show)
    test = add_command(verbs, "test", "print the policies that a label set takes")
    add_config(test)
    add_at(test)
    test.add_argument("--verify.policies", dest="verify", metavar="A,B", help="exit 1 unless these are the policies")
    test.add_argument("labels", metavar="NAME=VALUE", nargs="*")
    test.set_defaults(run=run_test)


def run_show(arguments: argparse.Namespace) -> int:
    """Print the tree."""
    for line in tree(config.load(arguments.config).route):
        print(line)
    return 0


def tree(route: Route, depth: int = 0) -> Iterator[str]:
    """The tree in lines."""
    marks = ["continue"] if route.continue_ else []
    marks += [f"muted during {', '.join(route.mute)}"] if route.mute else []
    marks += [f"active during {', '.join(route.active)}"] if route.active else []
    matchers = "{" + ",".join(str(matcher) for matcher in route.matchers) + "}" if depth else "every alert"
    yield "  " * depth + f"{matchers} → {route.policy}" + (f"  ({'; '.join(marks)})" if marks else "")
    for child in route.routes:
        yield from tree(child, depth + 1)


def run_test(arguments: argparse.Namespace) -> int:
    """Print the policies; the last line is theirs alone."""
    loaded = config.load(arguments.config)
    for warning in loaded.warnings:
        if warning.where.startswith("route"):
            print(warning, file=sys.stderr)
    try:
        labels = parse_labels(arguments.labels)
    except MatcherError as error:
        raise CallbridgeError(str(error)) from None
    now = now_or(arguments.at)
    # As dispatch has it: one route that is not muted is enough for its policy.
    taken: dict[str, bool] = {}
    for route in match(loaded.route, labels):
        taken[route.policy] = taken.get(route.policy, True) and muted(route, loaded.time_intervals, now)
    names = [f"{name} (muted)" if silent else name for name, silent in taken.items()]
    print(",".join(names))
    if arguments.verify is None or arguments.verify.split(",") == names:
        return 0
    print(f"callbridge: error: expected {arguments.verify}, got {','.join(names)}", file=sys.stderr)
    return 1
