"""Labels that a set of matchers would take: an example to show, and to send through a tree. Also: none can exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from bridge.route import Matcher, MatchOp

# What is tried where no matcher names a value: nothing at all, then something.
ANYTHING = ("", "example", "1")
MOST_TRIED = 200
# Pieces of a regular expression that a plain text can stand for; every try is checked by the matchers themselves.
_PLAIN = {r"\.": ".", r"\-": "-", ".*": "", ".+": "x", "[0-9]+": "1", r"\d+": "1", "[a-z]+": "x", r"\w+": "x"}
_SPECIAL = re.compile(r"[\\.+*?()\[\]{}^$|]")


def example(matchers: Iterable[Matcher]) -> dict[str, str] | None:
    """Labels for which all of `matchers` hold; None where none were found (there may be some all the same)."""
    by_name: dict[str, list[Matcher]] = {}
    for matcher in matchers:
        by_name.setdefault(matcher.name, []).append(matcher)
    found: dict[str, str] = {}
    for name, several in by_name.items():
        value = _value(several)
        if value is None:
            return None
        if value:
            found[name] = value
    return found


def _value(matchers: Sequence[Matcher]) -> str | None:
    tries = islice(_candidates(matchers), MOST_TRIED)
    return next((text for text in tries if all(matcher.holds(text) for matcher in matchers)), None)


def _candidates(matchers: Sequence[Matcher]) -> Iterator[str]:
    yield from (matcher.value for matcher in matchers if matcher.op is MatchOp.EQUAL)
    for matcher in matchers:
        if matcher.op is MatchOp.REGEX:
            yield from alternatives(matcher.value)
    yield from ANYTHING


def alternatives(pattern: str) -> list[str]:
    """Texts that the branches of a simple regular expression (`a|b-.*|(?i)c`) look like. They are guesses."""
    texts: list[str] = []
    inner = re.sub(r"^\(\?:(.*)\)$", r"\1", re.sub(r"^\^|\$$|\(\?i\)", "", pattern))
    for branch in inner.strip("()").split("|"):
        for special, plain in _PLAIN.items():
            branch = branch.replace(special, plain)
        if branch and not _SPECIAL.search(branch.replace(".", "")):
            texts.append(branch)
    return texts


def contradiction(matchers: Sequence[Matcher]) -> tuple[Matcher, Matcher] | None:
    """Two of `matchers` that never hold together, because one fixes the value of a label. Each found is certain."""
    for fixed in matchers:
        if fixed.op is not MatchOp.EQUAL:
            continue
        for other in matchers:
            if other.name == fixed.name and not other.holds(fixed.value):
                return fixed, other
    return None


def follows(matcher: Matcher, known: Sequence[Matcher]) -> bool:
    """Whether `matcher` must hold where all of `known` do. Each yes is certain."""
    return matcher in known or any(
        one.op is MatchOp.EQUAL and one.name == matcher.name and matcher.holds(one.value) for one in known
    )


def written(labels: Mapping[str, str]) -> str:
    """Labels as an error shows them: `{alertname="Watchdog", severity="none"}`."""
    return "{" + ", ".join(str(Matcher(name, MatchOp.EQUAL, value)) for name, value in labels.items()) + "}"
