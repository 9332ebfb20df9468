"""The sandbox that templates run in: nothing but text comes out, and every template comes to an end.

Templates are the operator's, so this guards against mistakes more than against malice; but what they are fed is from
strangers, so a mistake must not become a hole. Labels are never compiled as templates.

Bounds beyond Jinja's own sandbox: each turn of a loop and each call costs a step of the rendering's budget (Rendering);
texts that are put together are measured as they grow; only filters and methods are there whose work is bounded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import CodeType, FrameType
from typing import Any

from jinja2 import BaseLoader, BytecodeCache, StrictUndefined, TemplateSyntaxError, nodes, pass_context
from jinja2.bccache import Bucket
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from bridge.speech import tell
from bridge.speech.budget import LONGEST_TEXT, RENDERING, WRITTEN, Written, short
from bridge.speech.clean import legal
from bridge.speech.cut import cut
from bridge.speech.estimate import seconds_of_text
from bridge.speech.filters import FILTERS, number_of, text_of
from bridge.speech.languages import words_of
from bridge.speech.pairs import Pairs
from bridge.speech.say import host_of, say, spell

# Characters a second of a text that is hard to say: digits and short sentences take longer than words.
SLOWEST = 10.0
LONGEST_RANGE = 10_000
MOST_CACHED = 1000

# Methods of text that a template may use: none of them makes more of it.
_TEXT_METHODS = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower",
    "isnumeric",
    "isspace", "istitle", "isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind",
    "rpartition",
    "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper",
})  # fmt: skip
_BUILTIN_FILTERS = frozenset({
    "abs", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby", "int", "items", "last", "length",
    "list",
    "map", "max", "min", "reject", "rejectattr", "reverse", "safe", "select", "selectattr", "sort", "sum", "unique",
    "urlencode",
})  # fmt: skip
_BUILTIN_GLOBALS = frozenset({"dict", "cycler", "joiner", "namespace"})


class _Compiled(BytecodeCache):
    """What templates were compiled to, by name, file and text: a reload compiles only what has changed.

    To compile the shipped ones takes a fifth of a second, in which no webhook would be answered.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if len(self._codes) >= MOST_CACHED:
            self._codes.clear()
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates. It reads them from `sources`: name -> (text, file)."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        super().__init__(
            loader=_Sources(sources),
            autoescape=_is_markup,
            undefined=StrictUndefined,
            finalize=_finalise,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=MOST_CACHED,
            bytecode_cache=_COMPILED,
        )
        self.filters = {name: self.filters[name] for name in _BUILTIN_FILTERS} | FILTERS | SPEECH_FILTERS
        self.filters |= {"_loop": _loop, "_short": _short, "_text": text_of}
        self.tests |= {"match": FILTERS["match"], "within": within}
        self.globals = {name: self.globals[name] for name in _BUILTIN_GLOBALS} | {"range": _range, "count": count}

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        bounded = _Bounding(name, filename).visit(source)
        return super()._generate(bounded, name, filename, defer_init)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Pairs):
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        if isinstance(obj, int | float | bytes):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja2 has it
        RENDERING.get().step()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise SecurityError('"%" does not format text here: put the parts together with "~"')
        if operator == "**" and max(abs(number_of(left)), abs(number_of(right))) > 1000:
            raise SecurityError('"**" takes numbers up to 1000')
        if operator == "*" and _room(left, right) > LONGEST_TEXT:
            raise SecurityError('"*" would build something far too large')
        result = super().call_binop(context, operator, left, right)
        if _size(result) > LONGEST_TEXT:
            raise SecurityError(f'"{operator}" builds something far too large')
        return result


class _Sources(BaseLoader):
    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        self._sources = sources

    def get_source(self, environment: object, template: str) -> tuple[str, str, Callable[[], bool]]:
        if template not in self._sources:
            raise TemplateNotFound(template, f'there is no template file "{template}" in the folders')
        text, file = self._sources[template]
        return text, file, lambda: True


class _Bounding(NodeTransformer):
    """Puts a meter into every loop and every joining of texts, and keeps plain text and markup apart.

    A macro's words count as escaped where it is called: one of a text template would bring markup of strangers' in.
    """

    def __init__(self, name: str | None, filename: str | None) -> None:
        self._name, self._filename = name, filename
        self._markup = _is_markup(name)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja2 calls it by the name of the node
        if node.recursive:
            raise self._fault("a recursive loop is not allowed here", node)
        node.iter = _filtered(node.iter, "_loop")
        return self.generic_visit(node)

    def _visit_reference(self, node: nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends) -> nodes.Node:
        if not isinstance(node.template, nodes.Const) or not isinstance(node.template.value, str):
            raise self._fault("name the other template itself, in quotes", node)
        if _is_markup(node.template.value) != self._markup:
            kind = "markup" if self._markup else "text"
            raise self._fault(f'"{node.template.value}" cannot be used here: this template is {kind}', node)
        return self.generic_visit(node)

    def _fault(self, what: str, node: nodes.Node) -> TemplateSyntaxError:
        return TemplateSyntaxError(what, node.lineno, self._name, self._filename)

    visit_Include = visit_Import = visit_FromImport = visit_Extends = _visit_reference  # noqa: N815 - Jinja2's names

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja2's name
        self.generic_visit(node)
        parts: list[nodes.Expr] = [_filtered(part, "_text") for part in node.nodes]
        return _filtered(nodes.Concat(parts, lineno=node.lineno), "_short")


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _is_markup(name: str | None) -> bool:
    return name is not None and not name.endswith(".txt.j2")


@pass_context
def _finalise(_: Context, value: Any) -> str:
    """Whatever a template writes: measured, legal, and text."""
    text = text_of(value)
    RENDERING.get().write(text)
    written = WRITTEN.get()
    if written is not None:
        written.append(_here(text, sys._getframe(1)))
    return Markup(legal(text)) if isinstance(text, Markup) else legal(text)  # noqa: S704 - it was markup before


def _here(text: str, frame: FrameType) -> Written:
    """Where the compiled template stands that writes `text`, as a line of its source."""
    template = frame.f_globals["__jinja_template__"]
    return Written(text, str(template.filename), template.get_corresponding_lineno(frame.f_lineno))


def _loop(turns: Iterable[Any]) -> Iterator[Any]:
    rendering = RENDERING.get()
    for turn in turns:
        rendering.step()
        yield turn


def _short(text: str) -> str:
    return short(text)


def _room(left: object, right: object) -> int:
    """How long `left * right` would be, of a text or list and a number; of two numbers about how many digits."""
    for value, times in ((left, right), (right, left)):
        if isinstance(value, str | list | tuple) and isinstance(times, int):
            return len(value) * max(times, 0)
    return int(_digits(left) + _digits(right))


def _digits(value: object) -> int:
    return value.bit_length() // 3 if isinstance(value, int) else 1


def _size(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple) else _digits(value)


def _range(*bounds: int) -> range:
    turns = range(*bounds)
    if len(turns) > LONGEST_RANGE:
        raise SecurityError(f"range of more than {LONGEST_RANGE}")
    return turns


# --- the filters of speech, for the listener of this rendering --------------------------------------------------------


def _say(value: object) -> str:
    return say(text_of(value), RENDERING.get().language)


def _spell(value: object) -> str:
    return spell(text_of(value)[:200], words_of(RENDERING.get().language))


def _host(value: object) -> str:
    return host_of(text_of(value))


def _duration(value: object, dative: bool = False) -> str:
    return tell.duration(timedelta(seconds=_bounded_seconds(value)), RENDERING.get().language, dative)


def _bounded_seconds(value: object) -> float:
    seconds = number_of(value)
    return min(max(seconds, 0.0), 1e9) if seconds == seconds else 0.0


def _clock(moment: datetime) -> str:
    rendering = RENDERING.get()
    return tell.clock(moment, rendering.now, rendering.zone, rendering.language)


def count(number: Any, singular: str | None = None, plural: str | None = None) -> str | int:
    """`3|count("alert", "alerts")`; with a list its length is counted, and without words the bare length is given."""
    many = number if isinstance(number, int) else len(number)
    if singular is None:
        return many
    return tell.count(many, singular, plural if plural is not None else singular, RENDERING.get().language)


def _listing(parts: Iterable[Any], total: int = 0, most: int = 3) -> str:
    return tell.listing([text_of(part) for part in parts], RENDERING.get().language, total, most)


def _sentence(value: object, longest: int = 240) -> str:
    """Ended by a full stop, cut at a sentence or a word to `longest` characters and their time; "" stays ""."""
    language, seconds = RENDERING.get().language, longest / SLOWEST
    text = cut(text_of(value).strip(), lambda part: len(part) <= longest and seconds_of_text(part, language) <= seconds)
    return text if not text or text[-1] in ".!?…" else f"{text}."


def _unended(value: object) -> str:
    """Without the full stop at its end, so that the sentence can go on."""
    return text_of(value).rstrip(".!?… ")


def _first_up(value: object) -> str:
    text = text_of(value)
    return text[:1].upper() + text[1:]


def within(value: object, text: object) -> bool:
    """Whether every word of `value` stands in `text`: then it need not be said twice."""
    return set(text_of(value).lower().split()) <= set(text_of(text).lower().replace(".", " ").replace(",", " ").split())


def _hang_up_now(value: object) -> str:
    """The words that ask the listener to hang up, marked to be timed; "" where hanging up takes nothing."""
    marks = RENDERING.get().marks
    if marks is None:
        return ""
    text = text_of(value)
    if marks.markup:
        return Markup(marks.begin) + escape(text) + Markup(marks.end)  # noqa: S704 - marks are our own
    return f"{marks.begin}{text}{marks.end}"


SPEECH_FILTERS: dict[str, Callable[..., Any]] = {
    "say": _say,
    "speak": _say,
    "spell": _spell,
    "host": _host,
    "duration": _duration,
    "clock": _clock,
    "count": count,
    "listing": _listing,
    "sentence": _sentence,
    "unended": _unended,
    "first_up": _first_up,
    "hang_up_now": _hang_up_now,
}
