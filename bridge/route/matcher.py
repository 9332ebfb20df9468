"""One condition on one label, with the meaning that Alertmanager gives it (its pkg/labels/matcher.go).

A label that is missing has the empty value. Regular expressions are RE2 and hold for the whole value.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial

import re2

# What Go's unicode.IsSpace calls white space; Python's str.isspace has four control characters more.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"  # fmt: skip  # noqa: E501 - one list
RESERVED = WHITE_SPACE + "{}!=~,\\\"'`"

# The same few label values come again and again; long ones are strangers' prose, not worth the memory.
REMEMBERED_VALUES = 256
REMEMBERED_LENGTH = 256
SHOWN_LENGTH = 120

# The first is RE2's own default, the second for what Go still takes, such as \pL{1000}; what needs more memory than
# that would also take seconds to compile.
MEMORY_LIMITS = (8 << 20, 64 << 20)

# The parts of a regular expression in which a look-alike of what we look for may stand come first.
_REGEX_PARTS = re.compile(
    r"""
      \\Q .*? (?: \\E | \Z )
    | \[ \^? \]? (?: \\. | \[:[^\]]*:\] | [^\]\\] )* \]
    | \\.
    | \( \? P? < (?P<group> [^>]* ) >
    """,
    re.VERBOSE | re.DOTALL,
)
_GROUP_NAME = re.compile(r"[0-9A-Za-z_]+")
_GO_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}


class MatcherError(ValueError):
    """A matcher cannot be read. The text names what is wrong and what would be right, fit for an operator."""


class MatchOp(StrEnum):
    """How a matcher compares, as it is written."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. Raises MatcherError for a regular expression that Alertmanager would refuse."""

    name: str
    op: MatchOp
    value: str
    holds: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "holds", _test(self.op, self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the condition holds for `labels`; a missing label counts as empty."""
        return self.holds(labels.get(self.name, ""))

    def __str__(self) -> str:
        """As Alertmanager prints it; readable by both of its parsers if the name is one of the classic kind."""
        if any(char in RESERVED for char in self.name):
            return f"{_go_quote(self.name)}{self.op}{_go_quote(self.value)}"
        escaped = self.value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        return f'{self.name}{self.op}"{escaped}"'


def shown(text: str) -> str:
    """`text` for an error message: in quotes, as it was written but on one line, and cut to a bearable length."""
    return f"'{_legible(text)}'"


def _legible(text: str) -> str:
    cut = text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
    return "".join(char if char.isprintable() else _go_escape(char) for char in cut)


def _go_quote(text: str) -> str:
    """Go's strconv.Quote: what cannot be printed is escaped."""
    return '"' + "".join(map(_go_escape, text)) + '"'


def _go_escape(char: str) -> str:
    if char in _GO_ESCAPES:
        return _GO_ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xD800 <= code < 0xE000:
        return r"\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _test(op: MatchOp, value: str) -> Callable[[str], bool]:
    if op == MatchOp.EQUAL:
        return partial(operator.eq, value)
    if op == MatchOp.NOT_EQUAL:
        return partial(operator.ne, value)
    found = _search(value)
    return found if op == MatchOp.REGEX else lambda text: not found(text)


@lru_cache(maxsize=1024)
def _search(pattern: str) -> Callable[[str], bool]:
    """The test of one regular expression, which remembers its answers for values that come again."""
    search = _compiled(pattern).search

    def found(text: str) -> bool:
        # Bytes spare the binding the way from byte offsets back to characters. JSON can smuggle in half a surrogate
        # pair, which has no UTF-8: the matcher then sees a question mark.
        return search(text.encode("utf-8", "replace")) is not None

    remembered = lru_cache(maxsize=REMEMBERED_VALUES)(found)
    return lambda text: remembered(text) if len(text) <= REMEMBERED_LENGTH else found(text)


def _compiled(pattern: str) -> re2._Regexp:
    """`pattern`, anchored as Alertmanager anchors it: by text, so that `a)|(b` means there what it means here."""
    _check_go(pattern)
    reason = ""
    for limit in MEMORY_LIMITS:
        options = re2.Options()
        options.log_errors = False  # it would write to standard error
        options.never_capture = True  # only whether it matches is asked
        options.max_mem = limit
        try:
            return re2.compile(f"^(?:{pattern})$", options)
        except UnicodeEncodeError:
            raise _bad_regex(pattern, "half a surrogate pair is no character") from None
        except re2.error as error:
            reason = _reason(error)
            if "too large" not in reason:
                break
    raise _bad_regex(pattern, reason)


def _check_go(pattern: str) -> None:
    """Refuse what the RE2 library takes and Go's regexp, which Alertmanager uses, does not."""
    for part in _REGEX_PARTS.finditer(pattern):
        if part[0] == r"\C":
            raise _bad_regex(pattern, r"invalid escape sequence: \C")
        if part["group"] is not None and not _GROUP_NAME.fullmatch(part["group"]):
            raise _bad_regex(pattern, f"invalid group name: {part['group']}")


def _reason(error: re2.error) -> str:
    said = error.args[0] if error.args else "not understood"
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _bad_regex(pattern: str, reason: str) -> MatcherError:
    return MatcherError(
        f"regular expression {shown(pattern)}: {_legible(reason)}; "
        "write it in RE2 syntax (no look-around, no back-references, no repeat above 1000)"
    )
