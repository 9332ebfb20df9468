"""Making a label hearable: host names, addresses, identifiers, units and numbers as a person would read them aloud.

`say` works word by word: the first form in FORMS that fits the whole word speaks it. Every pattern is linear in the
length of the word, for the words are strangers'.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

from bridge.speech.clean import legal
from bridge.speech.languages import words_of
from bridge.speech.numbers import NUMBER, digits, is_number, measure, number
from bridge.speech.words import ABBREVIATIONS, ACRONYMS, NAMES, UNITS, Words

# Nobody listens longer than this to one label: about two minutes of speech.
LONGEST = 2000
LONGEST_WORD = 300

_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
# Apart from its number a unit must be unmistakable: "5 m" may be anything.
_LONE_UNITS = frozenset(unit for unit in UNITS if len(unit) > 1 and not unit.startswith("/")) | {"%", "°", "€", "$"}
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,300}>")
_LINK = re.compile(r"\[([^\[\]]{1,200})\]\([^()\s]{1,500}\)")
_SPLIT_SENTENCE = re.compile(r"(?<=[a-zß-ÿ]{2})([.!?])(?=[A-ZÀ-Þ][a-zß-ÿ])")
_TIDY = ((re.compile(r"\s+"), " "), (re.compile(r" +([,.;:!?])"), r"\1"), (re.compile(r"([,;:])(?:[,;:]\s*)+"), r"\1 "),
         (re.compile(r"[,;:]*([.!?])[,;:.!?]*"), r"\1"))  # fmt: skip
_DASH = re.compile(r"[-–—]+")
_OPENING = "([{<\"'`´„“”‚‘’«»*_|=,;:!?"  # noqa: RUF001 - quotes of many languages
_CLOSING = ")]}>\"'`´”“„’‘»«*_~|="  # noqa: RUF001 - these very marks are meant
_STOPS = ".,;:!?…"
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:]{2,39}\](?::\d{1,5})?", re.ASCII)
_THOUSANDS = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3}){1,6})(?![\w,])")
_COMMA = re.compile(r"(?<![\w.,])(\d{1,9}),(\d{1,2})(?![\d,])")
_ID_WORDS = frozenset({"id", "pid", "uid", "nr", "no", "number", "nummer", "ticket", "order", "case", "kennung"})
_SYMBOLS = ("<=", ">=", "==", "!=", "->", "=>", "→", "≥", "≤", "≠", "<", ">", "&", "+", "=", "~", "@")


@lru_cache(maxsize=8192)
def say(text: str, language: str) -> str:
    """`text` as somebody reading it aloud would say it in `language`: no URL, underscore, markup or symbol is left.

    "http_errors on web01:9100" becomes "HTTP errors on web 0 1 port 9100". Text beyond LONGEST characters is not read.
    """
    words = words_of(language)
    return _tidy(" ".join(_spoken_words(_prepared(text), words)))


def _prepared(text: str) -> list[str]:
    """Its words, without markup; numbers as machines write them, whoever wrote these."""
    plain = unicodedata.normalize("NFC", legal(html.unescape(text[:LONGEST])))
    plain = _SPLIT_SENTENCE.sub(r"\1 ", _TAG.sub(" ", _LINK.sub(r"\1", plain)))
    plain = _THOUSANDS.sub(lambda match: match[1].replace(",", ""), plain)
    return _COMMA.sub(r"\1.\2", plain).split()


def _spoken_words(tokens: list[str], words: Words) -> Iterable[str]:
    index = 0
    while index < len(tokens):
        core, stop = _core(tokens[index])
        following = _core(tokens[index + 1]) if index + 1 < len(tokens) and not stop else ("", "")
        index += 1
        if is_number(core) and following[0] in _LONE_UNITS:
            yield measure(core, following[0], words) + following[1]
            index += 1
            continue
        previous = tokens[index - 2].strip(_OPENING + _CLOSING + _STOPS).lower() if index >= 2 else ""
        if core.isdecimal() and previous in _ID_WORDS:
            yield digits(core) + stop
            continue
        yield speak_word(core, words) + ("" if core.lower() in ABBREVIATIONS else stop)


def _core(token: str) -> tuple[str, str]:
    """The word itself, and the one stop that ends it ("" if none): brackets and quotes around it are not heard."""
    if token in _SYMBOLS or _DASH.fullmatch(token):
        return token, ""
    if address := _BRACKETED.match(token):
        return address[0], _stop([character for character in token[address.end() :] if character in _STOPS])
    core = token.lstrip(_OPENING)
    if core[:1] == "<" or core[:1] == ">":
        return core, ""
    bare = core.rstrip(_CLOSING + _STOPS)
    stops = [character for character in core[len(bare) :] if character in _STOPS]
    opened = "," if token[:1] in "([{" and not bare else ""
    return bare, _stop(stops) or opened


def _stop(stops: list[str]) -> str:
    if not stops:
        return ""
    return next((stop for stop in stops if stop in ".!?"), "." if "…" in stops else stops[0])


def _tidy(text: str) -> str:
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text.strip(" ,;:")


def speak_word(word: str, words: Words) -> str:
    """One word without white space; "" of one that has nothing to be heard, and of one that no person ever wrote."""
    if len(word) > LONGEST_WORD:
        return ""
    if known := ABBREVIATIONS.get(word.lower()):
        return known
    for pattern, speak in FORMS:
        if match := pattern.fullmatch(word):
            return speak(match, words)
    return identifier(word, words)


# --- numbers -------------------------------------------------------------------------------------------------------


def _measured(match: re.Match[str], words: Words) -> str:
    return measure(match["number"], match["unit"], words)


def _span(match: re.Match[str], words: Words) -> str:
    """`1h30m5s`, Prometheus' way to write a duration."""
    parts = re.findall(rf"({NUMBER})(ms|[smhdwy])", match[0])
    return " ".join(measure(count, unit, words) for count, unit in parts)


def _no_number(match: re.Match[str], words: Words) -> str:
    return words.symbols["no number" if match[0].lower() == "nan" else "infinite"]


def _percentages(match: re.Match[str], words: Words) -> str:
    return f"{number(match[1], words)} {words.symbols['to']} {measure(match[2], '%', words)}"


def _as_it_is(match: re.Match[str], _: Words) -> str:
    return match[0]


def _range(match: re.Match[str], words: Words) -> str:
    return f"{number(match[1], words)} {words.symbols['to']} {number(match[2], words)}"


def _compared(match: re.Match[str], words: Words) -> str:
    return f"{words.symbols[match[1]]} {speak_word(match[2], words)}"


def _between(match: re.Match[str], words: Words) -> str:
    return f"{say_part(match[1], words)} {words.symbols[match[2]]} {say_part(match[3], words)}"


def _symbol(match: re.Match[str], words: Words) -> str:
    return words.symbols[match[0]]


def _numbered(match: re.Match[str], words: Words) -> str:
    return f"{words.symbols['#']} {digits(match[1])}"


# --- names ---------------------------------------------------------------------------------------------------------


def host_of(text: str) -> str:
    """The host without scheme, credentials, port and path: `[::1]:9100` is `::1`. Other text is left as it is."""
    address = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]{0,30}://", "", text.strip())
    if address != text.strip():
        address = re.split(r"[/?#]", address, maxsplit=1)[0].rpartition("@")[2]
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return re.sub(r"^([^:\s]+):\d{1,5}$", r"\1", address)


def _url(match: re.Match[str], words: Words) -> str:
    host = host_of(match[0])
    return speak_word(host.removeprefix("www."), words) if re.search(r"\w", host) else ""


def _mail(match: re.Match[str], words: Words) -> str:
    return f"{identifier(match[1], words)} {words.symbols['@']} {speak_word(match[2], words)}"


def _dotted(match: re.Match[str], words: Words) -> str:
    """IPv4 addresses, domain names and versions: the parts with "dot" between them, then the port."""
    dot = f" {words.symbols['.']} "
    spoken = dot.join(part if part.isdecimal() else identifier(part, words) for part in match["dotted"].split("."))
    prefix = f" {words.symbols['/']} {match['prefix']}" if match["prefix"] else ""
    return spoken + prefix + _port(match["port"], words)


def _addressed(match: re.Match[str], words: Words) -> str:
    return identifier(match["host"], words) + _port(match["port"], words)


def _port(port: str | None, words: Words) -> str:
    return f" {words.symbols['port']} {port}" if port else ""


def _ipv6(match: re.Match[str], words: Words) -> str:
    """Nobody can follow 32 digits at night: the last group tells machines of one network apart."""
    last = next((group for group in reversed(match["groups"].split(":")) if group), "0")
    return f"{words.symbols['address']} {spell(last, words)}{_port(match['port'], words)}"


def _hexadecimal(match: re.Match[str], words: Words) -> str:
    return f"{words.symbols['id']} {spell(match[0][-4:], words)}"


def _pod(match: re.Match[str], words: Words) -> str:
    """A pod of a Kubernetes deployment: its name, and the few characters that tell the copies apart."""
    return f"{identifier(match[1], words)} {words.symbols['ending']} {spell(match[2], words)}"


def _version(match: re.Match[str], words: Words) -> str:
    return f"{words.symbols['version']} " + f" {words.symbols['.']} ".join(match[1].split("."))


def _path(match: re.Match[str], words: Words) -> str:
    """The slashes of an absolute path are heard, those of `namespace/pod` are not."""
    parts = list(filter(None, (speak_word(part, words) for part in match[0].split("/") if part)))
    if not match[0].startswith("/"):
        return " ".join(parts)
    slash = words.symbols["/"]
    return f"{slash} " + f" {slash} ".join(parts)


def _timestamp(match: re.Match[str], words: Words) -> str:
    return f"{match[1]} {match[2]}" + (" UTC" if match[3] == "Z" else "")


def _fraction(match: re.Match[str], words: Words) -> str:
    return f"{match[1]} {words.symbols['of']} {match[2]}"


def _assigned(match: re.Match[str], words: Words) -> str:
    """`instance="db1"` as PromQL and logs write it."""
    sign = {"!=": f" {words.symbols['!=']}"}.get(match[2], "")
    return f"{identifier(match[1], words)}{sign} {say_part(match[3], words)}"


def say_part(text: str, words: Words) -> str:
    """A part of a word that may be a word of its own, with quotes around it."""
    core, stop = _core(text)
    return (identifier(core, words) if "=" in core else speak_word(core, words)) + stop


def _listed(match: re.Match[str], words: Words) -> str:
    parts = (_core(part) for part in re.split(r"[,;|{}()\[\]]", match[0]))
    return ", ".join(filter(None, (speak_word(core, words) + stop for core, stop in parts)))


def _alternatives(match: re.Match[str], words: Words) -> str:
    return f"{identifier(match[1], words)} {words.symbols['&']} {identifier(match[2], words)}"


def identifier(text: str, words: Words) -> str:
    """snake_case, camelCase, kebab-case and names with digits, taken apart into words; symbols are left out."""
    return " ".join(filter(None, (_piece(piece, words) for piece in _PIECES.findall(text))))


# With the end of "it's" and "can't".
_PIECES = re.compile(r"[^\W_]+(?:['’][^\W\d_]{1,3}(?![^\W_]))?")
_SPLIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def _piece(piece: str, words: Words) -> str:
    lower = piece.lower()
    if known := _known(piece, lower):
        return known
    if _HEX.fullmatch(piece):
        return f"{words.symbols['ending']} {spell(piece[-4:], words)}"
    parts = [part for half in _SPLIT.split(piece) for part in _camel(half)]
    return " ".join(_known(part, part.lower()) or (_ordinary(part)) for part in parts)


def _known(piece: str, lower: str) -> str:
    if lower in NAMES:
        return NAMES[lower]
    return lower.upper() if lower in ACRONYMS and piece in (lower, lower.upper(), lower.title()) else ""


def _ordinary(part: str) -> str:
    """Digits with a nought in front are read one by one, and so are long ones."""
    return digits(part) if part.isdecimal() and ((part[0] == "0" and len(part) > 1) or len(part) > 5) else part


def _camel(word: str) -> list[str]:
    """`KubePodCrashLooping` -> Kube, Pod, Crash, Looping; `HTTPServer` -> HTTP, Server; `CPUs` stays whole."""
    if word.islower() or word.isupper() or re.fullmatch(r"[A-Z]{2,}s", word):
        return [word]
    cuts = [0]
    for at in range(1, len(word)):
        before, here, after = word[at - 1], word[at], word[at + 1 : at + 2]
        if here.isupper() and (before.islower() or (before.isupper() and after.islower() and word[at + 1 :] != "s")):
            cuts.append(at)
    return [word[start:end] for start, end in zip(cuts, [*cuts[1:], len(word)], strict=True)]


def spell(text: str, words: Words) -> str:
    """Letters and digits one by one, signs by their names: "db-1" is "D B dash 1"."""
    named = (words.symbols.get(character, character.upper()) for character in legal(text) if not character.isspace())
    return " ".join(name for name in named if len(name) > 1 or name.isalnum())


_HEX = re.compile(r"(?=[0-9a-f]*[a-f])(?=[a-f]*[0-9][0-9a-f]*[0-9])[0-9a-f]{8,}", re.ASCII)
_DOTTED = r"(?P<dotted>{part}(?:\.{part}){times})(?:/(?P<prefix>\d{{1,3}}))?(?::(?P<port>\d{{1,5}}))?"
_IPV6 = r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|[0-9A-Fa-f:]{0,36}::[0-9A-Fa-f:]{0,36}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})"

Speaking = Callable[[re.Match[str], Words], str]

# The first that fits the whole word speaks it; anything else is an identifier.
FORMS: tuple[tuple[re.Pattern[str], Speaking], ...] = tuple(
    (re.compile(pattern, re.ASCII), speak)
    for pattern, speak in (
        (r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S*", _url),
        (r"([A-Za-z0-9._%+-]{1,64})@([A-Za-z0-9.-]{1,253}(?::\d{1,5})?)", _mail),
        (r"\d{4}-\d\d-\d\d|(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?", _as_it_is),
        (r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?", _timestamp),
        (_DOTTED.format(part=r"\d{1,3}", times="{3}"), _dotted),
        (r"\[?(?P<groups>" + _IPV6 + r")(?:\](?::(?P<port>\d{1,5}))?)?", _ipv6),
        (r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", _hexadecimal),
        (r"(?:sha256:|0x)?" + _HEX.pattern, _hexadecimal),
        (r"([a-z][a-z0-9-]{0,200}?)-[a-f0-9]{6,10}-([a-z0-9]{5})", _pod),
        (r"(?:\d{1,9}[wdhms]|\d{1,9}ms){2,8}", _span),
        (r"(?P<unit>[$€])(?P<number>" + NUMBER + ")", _measured),
        (r"(?P<number>" + NUMBER + r")(?P<unit>" + _UNIT + ")", _measured),
        (NUMBER, lambda match, words: number(match[0], words)),
        (r"[+-]?(?:[Ii]nf|NaN|nan)", _no_number),
        (r"(\d{1,9})[-–](\d{1,9})", _range),
        (r"(\d{1,9}(?:\.\d{1,9})?)%?[-–](\d{1,9}(?:\.\d{1,9})?)%", _percentages),
        (r"[-–—]+", lambda *_: ","),
        (r"(<=|>=|==|!=|[<>~=≥≤≠→])(\w\S{0,200})", _compared),
        ("|".join(re.escape(symbol) for symbol in _SYMBOLS), _symbol),
        (r"#(\d{1,18})", _numbered),
        (r"[vV](\d{1,9}(?:\.\d{1,9}){1,4})", _version),
        (r"(\d{1,6})/(\d{1,6})", _fraction),
        (_DOTTED.format(part=_LABEL, times="{1,12}"), _dotted),
        (r"(?P<host>[A-Za-z0-9_-]{1,253}):(?P<port>\d{1,5})", _addressed),
        (r"\S*[,;|{}()\[\]]\S*", _listed),
        (r"([A-Za-z_][A-Za-z0-9_.-]{0,100})(=~?|!=|==)([\w\"']\S*)", _assigned),
        (r"([^<>=!≥≤≠]{1,100})(<=|>=|==|!=|<|>|≥|≤|≠)([^<>=!≥≤≠]{1,100})", _between),
        (r"/", lambda _, words: words.symbols["root"]),
        (r"([^\W\d_]{1,40})&([^\W\d_]{1,40})", _alternatives),
        (r"(?=[^/]*/)/?[^/]+(?:/[^/]+){0,40}/?", _path),
    )
)
