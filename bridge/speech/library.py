"""The template files: which there are, which one a name means, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bridge.speech.languages import base_of
from bridge.speech.values import Kind

SUFFIX = ".j2"
LARGEST_FILE = 1_000_000
MOST_FILES = 1000
EXTENSIONS: Mapping[str, Kind] = {"txt": Kind.TEXT, "xml": Kind.XML, "ssml": Kind.SSML}

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_TAG = r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"
_LANGUAGE = re.compile(_TAG + r"\Z")
_FILE = re.compile(rf"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*?)(?:\.{_TAG})?\.(?:txt|xml|ssml)\.j2\Z")


def shipped_templates() -> Path:
    """The folder of templates that come with the program: in a wheel inside the package, in a checkout beside it."""
    package = Path(str(resources.files("bridge")))
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


@dataclass(frozen=True, slots=True)
class File:
    """One template file: its `name` inside the folder, its kind, and the language tag in that name, if it has one."""

    name: str
    path: Path
    folder: int
    kind: Kind
    language: str


@dataclass(frozen=True, slots=True)
class Library:
    """The templates of all folders as they stood when they were read; the first folder that has a name wins."""

    folders: tuple[Path, ...]
    sources: Mapping[str, tuple[str, str]]
    names: tuple[frozenset[str], ...]
    faults: tuple[str, ...]

    def find(self, template: str, language: str) -> File | None:
        """The file for a template's name and a language: first the folder, then the language, then txt, xml, ssml."""
        if not valid_name(template):
            return None
        stem, kinds = _parts(template)
        for folder, names in enumerate(self.names):
            for tag in _tags(language):
                for extension in kinds:
                    name = f"{stem}{'.' if tag else ''}{tag}.{extension}{SUFFIX}"
                    if name in names:
                        return File(name, self.folders[folder] / name, folder, EXTENSIONS[extension], tag)
        return None

    def variants(self, template: str) -> list[File]:
        """Every file that the name can mean for some language."""
        if not valid_name(template):
            return []
        stem, kinds = _parts(template)
        pattern = re.compile(rf"{re.escape(stem)}(?:\.({_TAG}))?\.({'|'.join(kinds)}){re.escape(SUFFIX)}\Z")
        return [
            File(name, self.folders[folder] / name, folder, EXTENSIONS[match[2]], match[1] or "")
            for folder, names in enumerate(self.names)
            for name in sorted(names)
            if (match := pattern.match(name)) and not any(name in before for before in self.names[:folder])
        ]

    def known(self) -> list[str]:
        """The names a config may use."""
        files = (_FILE.match(name) for names in self.names for name in names)
        return sorted({match[1] for match in files if match})


def valid_name(template: str) -> bool:
    """A name is letters, digits, `-` and `_`, with single dots between: no folder, no way out of one."""
    return len(template) <= 200 and _NAME.match(template) is not None


def _parts(template: str) -> tuple[str, tuple[str, ...]]:
    """`call` -> (call, every kind); `call.xml`, `call.xml.j2` -> (call, xml); `call.text` as `call.txt`."""
    stem, _, last = template.removesuffix(SUFFIX).rpartition(".")
    extension = "txt" if last == "text" else last
    if stem and extension in EXTENSIONS:
        return stem, (extension,)
    return template.removesuffix(SUFFIX), tuple(EXTENSIONS)


def _tags(language: str) -> list[str]:
    """`de-DE` -> de-DE, de, none; what is no language tag is looked up without."""
    tag = language.replace("_", "-")
    if not _LANGUAGE.match(tag):
        return [""]
    return list(dict.fromkeys((tag, base_of(tag), "")))


def read_library(folders: Sequence[Path]) -> Library:
    """Read all templates of `folders` into memory. Never raises: what cannot be read becomes a line in `faults`."""
    sources: dict[str, tuple[str, str]] = {}
    names: list[frozenset[str]] = []
    faults: list[str] = []
    for folder in folders:
        here = dict(_read_folder(folder, faults))
        names.append(frozenset(here))
        sources = here | sources
    return Library(tuple(folders), sources, tuple(names), tuple(faults))


def _read_folder(folder: Path, faults: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    if not folder.is_dir():
        return  # the config's own check speaks of a folder that is not there
    for count, path in enumerate(sorted(folder.rglob(f"*{SUFFIX}"))):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue  # a mounted ConfigMap keeps its versions in hidden folders
        if count >= MOST_FILES:
            faults.append(f"{folder}: more than {MOST_FILES} templates")
            return
        try:
            yield name, (_read(path), str(path))
        except (OSError, ValueError) as error:
            faults.append(f"{path}: cannot be read: {error}")


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"it is larger than {LARGEST_FILE} bytes")
    return path.read_text(encoding="utf-8")
