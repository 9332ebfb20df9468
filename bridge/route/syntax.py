"""How matchers are written: Alertmanager's UTF-8 syntax (since 0.27), its classic one, and its fallback between both.

The rules are those of prometheus/alertmanager: matcher/parse, pkg/labels/parse.go and matcher/compat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bridge.route.matcher import RESERVED, WHITE_SPACE, Matcher, MatcherError, MatchOp, shown

RIGHT = 'write name="value", name!="value", name=~"regex" or name!~"regex", several separated by commas'

# Go's \s in a regular expression: ASCII, and without the vertical tab.
_BLANK = "\t\n\f\r "
_CLASSIC = re.compile(rf"[{_BLANK}]*([a-zA-Z_:][a-zA-Z0-9_:]*)[{_BLANK}]*(=~|=|!=|!~)[{_BLANK}]*")
_CLASSIC_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}

_TOKEN = re.compile(
    rf"""
      (?P<space>  [{re.escape(WHITE_SPACE)}]+ )
    | (?P<open>   \{{ )
    | (?P<close>  \}} )
    | (?P<comma>  , )
    | (?P<op>     =~ | = | != | !~ )
    | (?P<quoted> " (?: [^"\\] | \\. )* " )
    | (?P<word>   [^{re.escape(RESERVED)}]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = r'\\(?:[abfnrtv\\"]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3})'
_QUOTED_PARTS = re.compile(rf'{_ESCAPE}|[^"\\\n]+|(?P<wrong>.)', re.DOTALL)
_ESCAPED_BYTES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read; `warning` says where Alertmanager's two parsers do not agree, and how to write it for both."""

    matchers: tuple[Matcher, ...]
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of the text; `start` counts characters from 0. The last one is of the kind `end`."""

    kind: str
    text: str
    start: int


def parse_matchers(text: str) -> Parsed:
    """Read one or more matchers as Alertmanager does by default: UTF-8 first, the classic syntax where that differs.

    Raises MatcherError, with the UTF-8 parser's reason, if neither can read it.
    """
    utf8, utf8_fault = _attempt(parse_utf8, text)
    classic, _ = _attempt(parse_classic, text)
    if utf8 is None and classic is None:
        raise MatcherError(utf8_fault)
    if classic is None or classic == utf8:
        return Parsed(utf8 or ())
    better = ",".join(map(str, classic))
    if utf8 is None:
        reason = utf8_fault.removesuffix(f"; {RIGHT}")
        return Parsed(classic, f"{reason}; taken in the old (classic) syntax, better write {better}")
    return Parsed(
        classic,
        f"matchers {shown(text)}: the classic and the UTF-8 syntax read this differently; "
        f"taken in the classic one, better write {better}",
    )


def parse_utf8(text: str) -> tuple[Matcher, ...]:
    """Read matchers in the UTF-8 syntax only. Raises MatcherError with the character's number, counted from 1."""
    reader = _Reader(text)
    opened = reader.take("open")
    matchers: list[Matcher] = []
    while reader.next.kind not in ("close", "end"):
        matchers.append(_matcher(reader))
        if not reader.take("comma"):
            break
    if opened:
        reader.expect("a comma or a closing brace", "close")
    elif reader.next.kind == "close":
        raise reader.fault("a closing brace without an opening one", reader.next.start)
    reader.expect("a comma or the end", "end")
    return tuple(matchers)


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """Read matchers in the classic syntax only, the one that Alertmanager up to 0.26 knows. Raises MatcherError."""
    _check_characters(text)
    return tuple(map(_classic_matcher, _classic_parts(text.removeprefix("{").removesuffix("}"))))


def parse_labels(args: Sequence[str]) -> dict[str, str]:
    """Labels written `name=value`, each argument one label, as `amtool config routes test` reads them.

    Classic syntax, where that fails UTF-8 (for names such as `my.label`); of a name given twice the last value stays.
    Raises MatcherError.
    """
    return dict(map(_label, args))


def _label(arg: str) -> tuple[str, str]:
    matcher = _single(arg)
    if matcher is None or matcher.op is not MatchOp.EQUAL:
        raise MatcherError(f"label {shown(arg)}: write name=value")
    return matcher.name, matcher.value


def _single(text: str) -> Matcher | None:
    _check_characters(text)
    classic, _ = _attempt(lambda one: (_classic_matcher(one),), text)
    if classic:
        return classic[0]
    if text.startswith("{") or text.endswith("}"):
        return None
    matchers = parse_utf8(text)
    return matchers[0] if len(matchers) == 1 else None


def _attempt(parse: Callable[[str], tuple[Matcher, ...]], text: str) -> tuple[tuple[Matcher, ...] | None, str]:
    try:
        return parse(text), ""
    except MatcherError as error:
        return None, str(error)


def _check_characters(text: str) -> None:
    # YAML and the command line can bring half a surrogate pair; Go's strings are bytes and know no such thing.
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise MatcherError(f"matchers {shown(text)}: holds something that is no character in UTF-8")


class _Reader:
    """The tokens of a text, one ahead."""

    def __init__(self, text: str) -> None:
        _check_characters(text)
        self._text = text
        self._tokens = self._scan()
        self.next = next(self._tokens)

    def _scan(self) -> Iterator[_Token]:
        at = 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._stray(at)
            if found.lastgroup != "space":
                yield _Token(found.lastgroup or "", found[0], at)
            at = found.end()
        yield _Token("end", "", at)

    def take(self, *kinds: str) -> bool:
        """Go past the next token if it is one of `kinds`."""
        if self.next.kind not in kinds:
            return False
        self.next = next(self._tokens, self.next)
        return True

    def expect(self, expected: str, *kinds: str) -> _Token:
        """The next token, which has to be one of `kinds`; `expected` says so in words."""
        token = self.next
        if not self.take(*kinds):
            raise self.wrong(f"expected {expected}")
        return token

    def wrong(self, what: str) -> MatcherError:
        """The error that what comes next is not as it should be."""
        found = "the end" if self.next.kind == "end" else shown(self.next.text)
        return self.fault(f"{what}, found {found}", self.next.start)

    def fault(self, what: str, at: int) -> MatcherError:
        """The error `what`, with its place."""
        return MatcherError(f"matchers {shown(self._text)}, character {at + 1}: {what}; {RIGHT}")

    def _stray(self, at: int) -> MatcherError:
        char = self._text[at]
        if char == '"':
            return self.fault("the closing double quote is missing", at)
        if char == "!":
            return self.fault('"!" must be followed by = or ~', at)
        return self.fault(f"{shown(char)} must stand in double quotes (there a backslash is written twice)", at)


def _matcher(reader: _Reader) -> Matcher:
    name = _unquoted(reader, reader.expect("a label name", "quoted", "word"))
    op = MatchOp(reader.expect("an operator (=, !=, =~ or !~)", "op").text)
    value = _unquoted(reader, reader.expect("a value", "quoted", "word"))
    return Matcher(name, op, value)


def _unquoted(reader: _Reader, token: _Token) -> str:
    """The text that a token stands for: Go's strconv.Unquote, and valid UTF-8 besides."""
    if token.kind == "word":
        return token.text
    content = bytearray()
    for part in _QUOTED_PARTS.finditer(token.text, 1, len(token.text) - 1):
        if part["wrong"] is not None:
            at = token.start + part.start()
            raise reader.fault(r"inside double quotes write \\ for a backslash and \n for a line break", at)
        content += _go_bytes(reader, token, part[0])
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise reader.fault(f"{shown(token.text)} is not valid UTF-8", token.start) from None


def _go_bytes(reader: _Reader, token: _Token, part: str) -> bytes:
    """The bytes of one part of a quoted text: plain characters or one escape sequence."""
    if part[0] != "\\":
        return part.encode()
    if part[1] in _ESCAPED_BYTES:
        return bytes([_ESCAPED_BYTES[part[1]]])
    code = int(part[1:], 8) if part[1].isdigit() else int(part[2:], 16)
    try:
        return chr(code).encode() if part[1] in "uU" else bytes([code])
    except (ValueError, OverflowError):
        raise reader.fault(f"{part} is no character", token.start) from None


def _classic_parts(text: str) -> list[str]:
    """Split at the commas outside double quotes; a last part of nothing but white space is none."""
    parts: list[str] = []
    start = 0
    quoted = escaped = False
    for at, char in enumerate(text):
        if char == "," and not quoted:
            parts.append(text[start:at])
            start = at + 1
        elif char == '"':
            quoted = quoted if escaped else not quoted
            escaped = False
        elif char == "\\":
            escaped = not escaped
        elif char != ",":  # a comma leaves `escaped` as it is: so it is in Alertmanager
            escaped = False
    last = text[start:].strip(WHITE_SPACE)
    return [*parts, last] if last else parts


def _classic_matcher(text: str) -> Matcher:
    head = _CLASSIC.match(text)
    if head is None:
        raise MatcherError(f"matcher {shown(text)}: not in the classic syntax; {RIGHT}")
    raw = text[head.end() :].rstrip(_BLANK)
    value = _classic_value(raw)
    if value is None:
        raise MatcherError(rf"matcher {shown(text)}: a double quote inside the value must be written \"; {RIGHT}")
    return Matcher(head[1], MatchOp(head[2]), value)


def _classic_value(raw: str) -> str | None:
    r"""The value with \n, \" and \\ resolved, other backslashes kept; None for a double quote where none may stand."""
    quoted = raw.startswith('"')
    content = raw[1:] if quoted else raw
    value: list[str] = []
    at = 0
    while at < len(content):
        char = content[at]
        if char == '"':
            return "".join(value) if quoted and at == len(content) - 1 else None
        if char == "\\" and at + 1 < len(content):
            at += 1
            value.append(_CLASSIC_ESCAPES.get(content[at], "\\" + content[at]))
        else:
            value.append(char)
        at += 1
    return None if quoted else "".join(value)
