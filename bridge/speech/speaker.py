"""The pages of one call -> what the phone says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2.exceptions import TemplateError

from bridge.alert import Alert, AlertStatus
from bridge.speech.budget import RENDERING, Rendering
from bridge.speech.clean import legal, plain
from bridge.speech.cut import cut
from bridge.speech.estimate import seconds_of_markup, seconds_of_text
from bridge.speech.languages import base_of, whole_tag, words_of
from bridge.speech.library import File, Library, read_library, shipped_templates, valid_name
from bridge.speech.markup import MarkupError, check_markup
from bridge.speech.plain import plain_sentence
from bridge.speech.sandbox import Sandbox
from bridge.speech.tell import tally
from bridge.speech.values import Kind, Limits, Speech, Subject, worst_first
from bridge.speech.view import MOST_ALERTS, MOST_SUBJECTS, SubjectView, view_of

# The shipped templates without a language in their name are written in it.
SHIPPED_LANGUAGE = "en-US"
# More incidents than that are not said twice: there is no time, and trying would cost some.
FEW = 8
SAMPLE_TIME = datetime(2026, 1, 1, 3, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What stays the same while one call is put into words; `telling` is worst first and bounded."""

    file: File
    language: str
    zone: ZoneInfo
    now: datetime
    person: str
    telling: tuple[Subject, ...]
    total: int
    acknowledge_url: str
    keypress: bool
    views: dict[tuple[int, int], SubjectView]

    def view(self, index: int, alerts: int) -> SubjectView:
        """One incident with its worst alerts, made when it is first told."""
        if (index, alerts) not in self.views:
            self.views[index, alerts] = view_of(self.telling[index], alerts)
        return self.views[index, alerts]


@dataclass(frozen=True, slots=True)
class _Draft:
    """One try: `told` incidents with their `alerts` worst alerts, said twice or not."""

    text: str
    told: int
    seconds: float


class _Failed(Exception):
    """The template cannot be used as it stands; the text says where and why."""


class Speaker:
    """Says pages. All templates are read and compiled when it is made; later changes of the files need a new one.

    `folders` are the operator's, first match wins; the shipped templates stand behind them.
    """

    def __init__(self, folders: Sequence[Path], limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._limits = limits
        shipped = shipped_templates().resolve()
        own = [folder for folder in folders if folder.resolve() != shipped]
        self._library: Library = read_library((*own, shipped))
        self._shipped = len(own)
        self._sandbox = Sandbox(self._library.sources)
        for name in self._library.sources:
            with suppress(TemplateError):  # what is wrong with it is told by `check`, and by `speak` when it is used
                self._sandbox.get_template(name)

    def speak(
        self,
        *,
        template: str,
        language: str,
        timezone: ZoneInfo,
        person: str,
        subjects: Sequence[Subject],
        total: int,
        now: datetime,
        acknowledge_url: str = "",
        keypress: bool = False,
    ) -> Speech:
        """What the phone says to `person` of `subjects`: within the limits and, as markup, well-formed. Never raises.

        `total` incidents belong to the call (at least as many as `subjects`). Told are as many as fit, the most severe
        first, and said twice where there is time. A template that cannot be used gives the plain sentence, with
        `fallback` and the `problem`.
        """
        total = max(total, len(subjects))
        file = self._library.find(template, language)
        if file is None:
            return self._fallback(
                subjects, total, language, keypress, f"there is no template {self._named(template)}", ""
            )
        occasion = _Occasion(
            file=file,
            language=self._language(file, language),
            zone=timezone,
            now=now,
            person=person,
            telling=tuple(worst_first(subjects)[:MOST_SUBJECTS]),
            total=total,
            acknowledge_url=acknowledge_url,
            keypress=keypress,
            views={},
        )
        try:
            return self._fitted(occasion)
        except Exception as error:  # whatever a template does, somebody must be called
            problem = str(error) if isinstance(error, _Failed) else f"{file.path}: {_sentence_of(error)}"
            return self._fallback(subjects, total, language, keypress, problem, file.name)

    def check(self, template: str) -> tuple[str, ...]:
        """All that is wrong with a template's name, for every language it has: `file:line: what`, one line each.

        Each file is compiled and tried on a sample alert, so a misspelt name is found before the night it matters.
        """
        folder_faults = self._library.faults
        files = self._library.variants(template)
        if not files:
            return (*folder_faults, f"there is no template {self._named(template)}")
        return (*folder_faults, *filter(None, map(self._fault, files)))

    def _named(self, template: str) -> str:
        if not valid_name(template):
            return f'"{template[:80]}": a name is letters, digits, "-", "_" and single dots'
        folders = ", ".join(map(str, self._library.folders))
        return f'"{template}" in {folders}; there are: {", ".join(self._library.known()) or "none"}'

    def _fault(self, file: File) -> str:
        occasion = _Occasion(
            file=file,
            language=self._language(file, file.language or SHIPPED_LANGUAGE),
            zone=ZoneInfo("UTC"),
            now=SAMPLE_TIME,
            person="Alice",
            telling=(_sample(),),
            total=2,
            acknowledge_url="https://localhost/webhook/keypress/sample",
            keypress=True,
            views={},
        )
        try:
            self._draft(occasion, 1, MOST_ALERTS, twice=True)
        except _Failed as error:
            return str(error)
        return ""

    def _language(self, file: File, language: str) -> str:
        """The language that will really be spoken: a shipped template without one in its name is English."""
        if file.folder < self._shipped or file.language or base_of(language) == "en":
            return whole_tag(language)
        return SHIPPED_LANGUAGE

    # --- fitting -------------------------------------------------------------------------------------------------

    def _fitted(self, occasion: _Occasion) -> Speech:
        """The richest draft within the limits: all incidents twice, all once, fewer, fewer alerts of the worst."""
        everything = len(occasion.telling)
        twice = self._draft(occasion, everything, MOST_ALERTS, True) if everything <= FEW else None
        if twice and self._fits(twice):
            return self._speech(occasion, twice)
        best = self._most(lambda told: self._draft(occasion, told, MOST_ALERTS, False), everything)
        if best:
            return self._speech(occasion, best)
        worst = min(everything, 1)
        fewer = self._most(lambda alerts: self._draft(occasion, worst, alerts, False), MOST_ALERTS - 1)
        return self._speech(occasion, fewer) if fewer else self._shortened(occasion)

    def _most(self, draft_of: Callable[[int], _Draft], most: int) -> _Draft | None:
        """The draft of the largest number from 1 to `most` that fits; None if not even that of 1 does.

        It goes up from 1 in doubles, for a minute holds a few of what may be many.
        """
        best: _Draft | None = None
        low, high, probe, doubling = 1, most, 1, True
        while low <= high:
            draft = draft_of(probe)
            if self._fits(draft):
                best, low = draft, probe + 1
            else:
                high, doubling = probe - 1, False
            probe = min(2 * probe, high) if doubling else (low + high) // 2
        return best

    def _fits(self, draft: _Draft) -> bool:
        return draft.seconds <= self._limits.seconds and self._short_enough(draft.text)

    def _short_enough(self, text: str) -> bool:
        return len(text.encode("utf-8", "replace")) <= self._limits.characters

    def _shortened(self, occasion: _Occasion) -> Speech:
        """Even one alert is too long: plain text is cut at a sentence; markup cannot be cut, so it is given up."""
        draft = self._draft(occasion, min(len(occasion.telling), 1), 1, False)
        problem = (
            f"{occasion.file.path}: {draft.seconds:.0f} s and {len(draft.text)} characters for one alert are too long"
        )
        if occasion.file.kind is not Kind.TEXT:
            raise _Failed(problem)
        text = self._cut(draft.text, occasion.language)
        seconds = seconds_of_text(text, occasion.language)
        return replace(
            self._speech(occasion, replace(draft, text=text, seconds=seconds)), problem=f"{problem}: shortened"
        )

    def _cut(self, text: str, language: str) -> str:
        limit = self._limits.seconds
        return cut(text, lambda part: self._short_enough(part) and seconds_of_text(part, language) <= limit)

    def _speech(self, occasion: _Occasion, draft: _Draft) -> Speech:
        file = occasion.file
        return Speech(
            draft.text, file.kind, occasion.language, draft.seconds, file.name, False, "", draft.told, occasion.total
        )

    def _fallback(
        self, subjects: Sequence[Subject], total: int, language: str, keypress: bool, problem: str, template: str
    ) -> Speech:
        spoken = whole_tag(language) if words_of(language).tag.startswith(base_of(language)) else SHIPPED_LANGUAGE
        text = self._cut(plain_sentence(subjects[:1000], total, spoken, keypress), spoken)
        seconds = seconds_of_text(text, spoken)
        return Speech(text, Kind.TEXT, spoken, seconds, template, True, problem, min(len(subjects), 1), total)

    # --- rendering -----------------------------------------------------------------------------------------------

    def _draft(self, occasion: _Occasion, told: int, alerts: int, twice: bool) -> _Draft:
        """Render once. Raises _Failed with the place in the template."""
        file = occasion.file
        rendering = Rendering(occasion.language, occasion.zone, occasion.now)
        token = RENDERING.set(rendering)
        try:
            raw = self._render(file.name, _context(occasion, told, alerts, twice))
            text, seconds = self._read_back(file.kind, raw, occasion.language)
        except Exception as error:  # templates raise whatever they like; _Failed says where
            raise _Failed(f"{self._place(file, error)}: {_sentence_of(error)}") from None
        finally:
            RENDERING.reset(token)
        return _Draft(text, told, seconds)

    def _render(self, name: str, context: Mapping[str, object]) -> str:
        """The text of one template, no longer than is needed to see that it is too long."""
        enough = self._limits.characters * 4
        parts: list[str] = []
        size = 0
        for part in self._sandbox.get_template(name).generate(context):
            parts.append(part)
            size += len(part)
            if size > enough:
                break
        return "".join(parts)

    def _read_back(self, kind: Kind, raw: str, language: str) -> tuple[str, float]:
        if kind is Kind.TEXT:
            text = plain(raw, words_of(language).symbols["&"])
            if not text:
                raise MarkupError("it says nothing")
            return text, seconds_of_text(text, language)
        markup = legal(raw).strip()
        if not self._short_enough(markup):
            return markup, 0.0  # too long already: perhaps not even whole, so it is not read
        check_markup(markup, kind)
        seconds = seconds_of_markup(markup, language)
        if seconds == 0:
            raise MarkupError("it says nothing")
        return markup, seconds

    def _place(self, file: File, error: Exception) -> str:
        """`file:line` where a template failed: its own place of a syntax error, else the last line that ran."""
        if isinstance(error, TemplateError) and getattr(error, "lineno", None):
            return f"{getattr(error, 'filename', None) or file.path}:{getattr(error, 'lineno', 0)}"
        known = {path for _, path in self._library.sources.values()}
        place, trace = f"{file.path}", error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename in known:
                place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        return place


def _context(occasion: _Occasion, told: int, alerts: int, twice: bool) -> dict[str, object]:
    """Every name that a template sees (docs/templates.md)."""
    views = [occasion.view(index, alerts) for index in range(told)]
    first = views[0] if views else view_of(_nothing(occasion.now))
    return {
        "subjects": views,
        "incidents": views,
        "total": occasion.total,
        "more": occasion.total - told,
        "headline": tally(occasion.telling, occasion.total, occasion.language),
        "repeat": twice,
        "person": occasion.person,
        "language": occasion.language,
        "now": occasion.now.astimezone(occasion.zone),
        "acknowledge_url": occasion.acknowledge_url,
        "keypress": occasion.keypress,
        "receiver": first.receiver,
        "status": first.status,
        "alerts": first.alerts,
        "firing": first.firing,
        "resolved": first.resolved,
        "group_labels": first.group_labels,
        "common_labels": first.common_labels,
        "common_annotations": first.common_annotations,
        "external_url": first.external_url,
    }


def _nothing(now: datetime) -> Subject:
    return Subject("", "", now, "", "", {}, ())


def _sample() -> Subject:
    labels = {"alertname": "DiskFull", "severity": "critical", "instance": "db1:9100"}
    began = SAMPLE_TIME - timedelta(minutes=5)
    alert = Alert("0" * 16, AlertStatus.FIRING, labels, {"summary": "The disk is full."}, began, None)
    return Subject(
        "sample", "default", SAMPLE_TIME, "callbridge", "http://localhost:9093", {"alertname": "DiskFull"}, (alert,)
    )


def _sentence_of(error: Exception) -> str:
    """An error in one line; of what strangers sent there can be a few words in it."""
    said = " ".join(legal(str(error)).split())[:300]
    return said or type(error).__name__
