"""Matchers are read, printed and decide exactly as in Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.route import (
    Matcher,
    MatcherError,
    MatchOp,
    parse_classic,
    parse_labels,
    parse_matchers,
    parse_utf8,
)

VECTORS = [
    json.loads(line) for line in (Path(__file__).parent / "data/vectors/matchers.jsonl").read_text("utf-8").splitlines()
]

# Texts made of what matchers are made of find more than texts of random characters.
PIECES = ["foo", "bar", "1", "=", "!=", "=~", "!~", "~", "!", '"', "\\", "\\n", "\\x41", "\\u00e9", "\\xff", "{", "}"]
PIECES += [",", " ", "\t", "\n", "\v", "\xa0", "\u2003", "\x1c", "'", "`", ".*", "(", "é", "🙂", ".", ":", "\ud800"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)


def written(matchers: tuple[Matcher, ...]) -> list[dict[str, str]]:
    return [{"Name": one.name, "Op": one.op.value, "Value": one.value} for one in matchers]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: repr(vector["input"]))
def test_vectors_of_alertmanager(vector: dict[str, Any]) -> None:
    """Each parser reads, refuses and matches what Alertmanager's own does."""
    text = vector["input"]
    for name, parse in (("utf8", parse_utf8), ("classic", parse_classic)):
        if f"{name}_error" in vector:
            with pytest.raises(MatcherError):
                parse(text)
        else:
            assert written(parse(text)) == vector[name]
    if vector["fallback"] == "error":
        with pytest.raises(MatcherError):
            parse_matchers(text)
        return
    parsed = parse_matchers(text)
    assert written(parsed.matchers) == vector["utf8" if vector["fallback"] == "utf8" else "classic"]
    assert (parsed.warning is None) == (vector["fallback"] == "utf8")
    for case in vector.get("matches", ()):
        assert all(one.matches(case["labels"]) for one in parsed.matchers) == case["match"], case


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'foo="\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'foo="\x41\101\u0041\U00000041"', "AAAA"),
        (r'foo="\xf0\x9f\x99\x82"', "🙂"),
        (r'foo="\303\251"', "é"),
        ('foo="a\tb\rc"', "a\tb\rc"),
        ('foo="{a,b}=\'`"', "{a,b}='`"),
        ("foo=\x1cx", "\x1cx"),
        ("\u2003foo\xa0=\vbar\u3000", "bar"),
        ('foo=""', ""),
    ],
)
def test_utf8_values(text: str, value: str) -> None:
    """A value in double quotes has Go's escapes, one without ends at Go's white space."""
    assert parse_utf8(text) == (Matcher("foo", MatchOp.EQUAL, value),)


@pytest.mark.parametrize(
    "text",
    [
        r'foo="\'"',
        r'foo="\d"',
        r'foo="\x4"',
        r'foo="\u004"',
        r'foo="\400"',
        r'foo="\18"',
        r'foo="\ud800"',
        r'foo="\U00110000"',
        r'foo="\Uffffffff"',
        r'foo="\xff"',
        r'foo="\xc0\x80"',
        'foo="a\nb"',
        'foo="\\\n"',
        'foo="bar',
        'foo="bar\\',
        "foo!bar",
        "foo~bar",
        "foo",
        "=bar",
        "foo=",
        "foo=bar baz=x",
        "foo=bar,,",
        ",",
        ",foo=bar",
        "{,}",
        "{",
        "}",
        "{foo=bar",
        "foo=bar}",
        "{foo=bar}}",
        "{{foo=bar}}",
        "{foo=bar},",
        "{foo=bar},a=b",
        '"foo"="bar"="x"',
        "foo='bar'",
        "foo=bar\ud800",
    ],
)
def test_utf8_refuses(text: str) -> None:
    """What Alertmanager's UTF-8 parser refuses is refused in one line."""
    with pytest.raises(MatcherError) as caught:
        parse_utf8(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [("", []), (" \t\n", []), ("{}", []), (" { } ", []), ("a=1,", ["a"]), ("{a=1, b=2,}", ["a", "b"])],
)
def test_utf8_lists(text: str, names: list[str]) -> None:
    """Braces and one trailing comma are optional, and nothing at all is a list of no matchers."""
    assert [one.name for one in parse_utf8(text)] == names


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=", [""]),
        ("{a=1", ["1"]),
        ("a=1}", ["1"]),
        ("}", []),
        ("{", []),
        ("a={1}", ["{1"]),
        ('a="x,y",b=z', ["x,y", "z"]),
        (r'a="x\",y",b=z', ['x",y', "z"]),
        (r'a="x\\",b=z', ["x\\", "z"]),
        (r'a="x\,",b="y"', None),
        (r"a=\"x,b=\"y", ['"x', '"y']),
        (r'a="\n\d\t"', ["\n\\d\\t"]),
        ("a=x\\", ["x\\"]),
        (r'a="x\"', None),
        ('a="', None),
        ('a=""', [""]),
        ('a=x"', None),
        ('a="x"y"', None),
        ('a="x" ', ["x"]),
        ("a=1\xa0,b=2\xa0", ["1\xa0", "2"]),
        ("a=1\v,b=2\v", ["1\v", "2"]),
        ("a=1\x1c", ["1\x1c"]),
        ("\xa0a=1", ["1"]),
        ("\xa0a=1,b=2", None),
        ("\va=1,", None),
        ("a=1, ,b=2", None),
        ("a=1, ", ["1"]),
        (",", None),
        (" {a=1}", None),
        ("a\n=\n1\n2\n", ["1\n2"]),
        ("a=~~1", ["~1"]),
        ("é=1", None),
        ("1a=1", None),
        ("a!1", None),
    ],
)
def test_classic_values(text: str, values: list[str] | None) -> None:
    """The classic syntax is as tolerant, and as peculiar, as Alertmanager's own parser (None: it refuses)."""
    if values is None:
        with pytest.raises(MatcherError):
            parse_classic(text)
    else:
        assert [one.value for one in parse_classic(text)] == values


@given(TEXTS)
def test_parsing_is_total(text: str) -> None:
    """Any text is read or refused with a MatcherError of one line; the default takes what either parser takes."""
    found: dict[Callable[[str], object], tuple[Matcher, ...] | None] = {}
    for parse in (parse_utf8, parse_classic):
        try:
            found[parse] = parse(text)
        except MatcherError as error:
            assert len(str(error).splitlines()) == 1
            found[parse] = None
    utf8, classic = found[parse_utf8], found[parse_classic]
    if utf8 is None and classic is None:
        with pytest.raises(MatcherError):
            parse_matchers(text)
        return
    parsed = parse_matchers(text)
    assert parsed.matchers == (classic if classic is not None else utf8)
    assert (parsed.warning is None) == (classic is None or classic == utf8)


@given(st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]*", fullmatch=True), st.sampled_from(list(MatchOp)), st.text())
def test_printed_matchers_read_back(name: str, op: MatchOp, value: str) -> None:
    """What Alertmanager would print, and what a warning suggests, is read as the same matcher by both parsers."""
    try:
        matcher = Matcher(name, op, value)
    except MatcherError:
        assume(False)
    assert parse_utf8(str(matcher)) == parse_classic(str(matcher)) == (matcher,)


@given(st.text(min_size=1), st.text())
def test_printed_utf8_matchers_read_back(name: str, value: str) -> None:
    """A name of any characters is printed so that the UTF-8 parser reads it back."""
    matcher = Matcher(name, MatchOp.EQUAL, value)
    assert parse_utf8(str(matcher)) == (matcher,)


@pytest.mark.parametrize(
    ("matcher", "text"),
    [
        (Matcher("foo", MatchOp.REGEX, 'a"\\d\n'), r'foo=~"a\"\\d\n"'),
        (Matcher("my.label", MatchOp.EQUAL, "\t"), 'my.label="\t"'),
        (Matcher("a b", MatchOp.NOT_EQUAL, "\t\x00\x7f\u200b\U000e0001é"), r'"a b"!="\t\x00\x7f\u200b\U000e0001é"'),
        (Matcher('"', MatchOp.EQUAL, "\ud800"), r'"\""="\ufffd"'),
    ],
)
def test_printing(matcher: Matcher, text: str) -> None:
    """A matcher is printed as Alertmanager prints it."""
    assert str(matcher) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("foo=a b", ["character 7", 'better write foo="a b"']),
        ("foo=", ["character 5", "the end", 'better write foo=""']),
        (r'foo="\d+"', [r"\\ for a backslash", r'better write foo="\\d+"']),
        (r'foo="a\tb",c=d', ["differently", r'better write foo="a\\tb",c="d"']),
    ],
)
def test_warnings_name_the_remedy(text: str, parts: list[str]) -> None:
    """Where the parsers disagree the warning shows the text and how to write it for both."""
    warning = parse_matchers(text).warning
    assert warning is not None
    assert [part for part in [text, *parts] if part not in warning] == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("severity", ["'severity'", "character 9", "operator", 'name="value"']),
        ("foo=a,,b=c", ["character 7", "label name"]),
        ('foo="bar', ["character 5", "closing double quote"]),
        ('foo=~"(a"', ["'(a'", "missing )", "RE2"]),
        ("x" * 500, ["x…"]),
        ('foo=~"(' + "x" * 500 + '"', ["x…", "missing )"]),
        (r'foo=~"(?\n"', [r"invalid perl operator: (?\n;"]),
    ],
)
def test_errors_name_place_and_remedy(text: str, parts: list[str]) -> None:
    """An operator reads what is wrong, where, and what would be right, however long the text is."""
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    said = str(caught.value)
    assert [part for part in parts if part not in said] == []
    assert len(said) < 400
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("ba.*", "bar", True),
        ("ba.*", "xbar", False),
        ("a$", "a\n", False),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        ("(?i)É", "é", True),
        (r"\d", "٣", False),
        (r"\w+", "é", False),
        (r"\pL+", "é", True),
        (r"\Qa.b\E", "axb", False),
        (r"\Q\C\E", "\\C", True),
        (r"[\]\\C]", "C", True),
        ("[(?P<é>]+", "(é", True),
        ("a{,3}", "a{,3}", True),
        (r"\pL{1000}", "é" * 1000, True),
        ("a)|(b", "ax", True),
        ("a)|(b", "xb", True),
        ("a)|(b", "xbx", False),
        (".", "\ud800", True),
        ("", "", True),
        ("x*", "x" * 5000, True),
    ],
)
def test_regex(pattern: str, value: str, expected: bool) -> None:
    """A regular expression is RE2 and anchored by text; asked again, for the remembered answer, it says the same."""
    matcher = Matcher("foo", MatchOp.REGEX, pattern)
    opposite = Matcher("foo", MatchOp.NOT_REGEX, pattern)
    for _ in range(2):
        assert matcher.matches({"foo": value}) is expected
        assert opposite.matches({"foo": value}) is not expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        r"\C",
        r"a\Z",
        "(?#x)a",
        "(?x)a",
        "(?=a)",
        "(?P<é>a)",
        "(?<a b>a)",
        "a{1001}",
        "(a{100}){11}",
        "a++",
        "\ud800",
        r"\pL{1000}" * 10,
        r"[[:alpha:]]\C",
        r"[a]\C",
    ],
)
def test_regex_that_go_refuses(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What Go's regexp refuses is refused by name, and RE2 writes nothing to standard error by itself."""
    with pytest.raises(MatcherError, match="regular expression '"):
        Matcher("foo", MatchOp.REGEX, pattern)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('absent=""', True),
        ('absent!=""', False),
        ('absent="x"', False),
        ('absent!="x"', True),
        ('absent=~".*"', True),
        ('absent=~".+"', False),
        ('absent=~"a|"', True),
        ('absent!~"x"', True),
        ('absent!~".*"', False),
    ],
)
def test_missing_label_is_empty(text: str, expected: bool) -> None:
    """A label that is not there counts as the empty one."""
    (matcher,) = parse_utf8(text)
    assert matcher.matches({}) is matcher.matches({"absent": ""}) is expected


def test_matchers_are_values() -> None:
    """Two matchers that say the same are equal, hash alike, and show nothing but what they say."""
    one, other = (Matcher("a", MatchOp.REGEX, "x.*") for _ in range(2))
    assert one == other
    assert len({one, other}) == 1
    assert repr(one) == "Matcher(name='a', op=<MatchOp.REGEX: '=~'>, value='x.*')"


@pytest.mark.parametrize(
    ("args", "labels"),
    [
        ([], {}),
        (["a=b", ' c = "d e" '], {"a": "b", "c": "d e"}),
        (["a=b,c=d"], {"a": "b,c=d"}),
        (["a="], {"a": ""}),
        (["a=1", "a=2"], {"a": "2"}),
        (["a={x}"], {"a": "{x}"}),
        (["my.label=x", '"a b"="c"'], {"my.label": "x", "a b": "c"}),
        (['a="b",'], {"a": "b"}),
        ([r'a="\u00e9"'], {"a": r"\u00e9"}),
    ],
)
def test_labels(args: list[str], labels: dict[str, str]) -> None:
    """Labels on the command line are read as amtool reads them."""
    assert parse_labels(args) == labels


@pytest.mark.parametrize("arg", ["a", "", "a!=b", "a=~b", "{a=b}", "my.a=b,my.c=d", 'a="b', "a=\ud800"])
def test_labels_refused(arg: str) -> None:
    """What is no single equality is no label."""
    with pytest.raises(MatcherError):
        parse_labels([arg])
