"""TwiML and SSML, read back before they are sent: what is not well-formed would be refused by the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from xml.parsers import expat

from bridge.speech.values import Kind

ROOTS = {Kind.XML: "Response", Kind.SSML: "speak"}


class MarkupError(ValueError):
    """The markup is not well-formed, or not what its kind asks for; the text names the line."""


@dataclass(slots=True)
class Element:
    """One element with the text directly inside it; `closed`: its end was read too."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    closed: bool = False


class _Reached(Exception):
    """The place up to which it was to be read."""


def elements(markup: str, until: str = "") -> list[Element]:
    """All elements in the order of their start, `until` the processing instruction of that name (none: to the end).

    Raises MarkupError; a DOCTYPE (and so entities) is an error too.
    """
    found: list[Element] = []
    stack: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        stack.append(Element(name, attributes))
        found.append(stack[-1])

    def text(characters: str) -> None:
        stack[-1].text += characters

    def end(_: str) -> None:
        stack.pop().closed = True

    def instruction(target: str, _: str) -> None:
        if target == until:
            raise _Reached

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.ProcessingInstructionHandler = instruction
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(markup.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise MarkupError(f"not well-formed: {error}") from None
    except _Reached:
        pass  # the rest was not asked for
    return found


def _refuse_doctype(*_: object) -> None:
    raise MarkupError("a DOCTYPE has no place in what a phone says")


def check_markup(markup: str, kind: Kind) -> None:
    """Raise MarkupError unless `markup` is well-formed and its outermost element is that of `kind`."""
    root = elements(markup)[0].name
    if root != ROOTS[kind]:
        raise MarkupError(f"the outermost element is <{root}>, and must be <{ROOTS[kind]}>")
