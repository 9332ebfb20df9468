"""Matchers and the routing tree: which policies an alert's labels take, exactly as Alertmanager would decide it.

matcher: one condition on one label.   syntax: how matchers are written.   tree: routes, and the way through them.
"""

from bridge.route.matcher import Matcher, MatcherError, MatchOp
from bridge.route.syntax import Parsed, parse_classic, parse_labels, parse_matchers, parse_utf8
from bridge.route.tree import Route, Shadowed, all_hold, match, muted, shadowed

__all__ = [
    "MatchOp",
    "Matcher",
    "MatcherError",
    "Parsed",
    "Route",
    "Shadowed",
    "all_hold",
    "match",
    "muted",
    "parse_classic",
    "parse_labels",
    "parse_matchers",
    "parse_utf8",
    "shadowed",
]
