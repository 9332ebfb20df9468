"""The pages of one call -> what the phone says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2.exceptions import TemplateError

from bridge.sms import cheaper, parts
from bridge.speech.budget import RENDERING, Marks, Rendering
from bridge.speech.clean import legal
from bridge.speech.cut import cut
from bridge.speech.estimate import seconds_of_text
from bridge.speech.heard import Heard, new_marks, read_markup, read_sms, read_text
from bridge.speech.languages import base_of, whole_tag, words_of
from bridge.speech.library import File, Library, read_library, shipped_templates, valid_name
from bridge.speech.occasion import SAMPLE_TIME, Occasion, context_of, sample
from bridge.speech.plain import plain_sentence
from bridge.speech.sandbox import Sandbox
from bridge.speech.values import Kind, Limits, Speech, Subject, Window, worst_first
from bridge.speech.view import MOST_ALERTS, MOST_SUBJECTS
from bridge.speech.window import roomy, window_of

# The shipped templates without a language in their name are written in it.
SHIPPED_LANGUAGE = "en-US"
# More incidents than that are not said twice: there is no time, and trying would cost some.
FEW = 8
# How often it is said again, whole or in one line, for a mailbox to outlast whoever hangs up when asked to.
MOST_REPEATS = 6
MOST_REMINDERS = 6
# Characters of an alert's own words that an SMS has room for: tried in turn until all of it fits.
ROOMS = (120, 60, 30, 15)


@dataclass(frozen=True, slots=True)
class _Draft:
    """One try: `told` incidents, some of their alerts, said again some times; `asks`: to hang up, within the `window`.

    `usable`: it has a window if it was to have one; `enough`: there is nothing to gain by saying it once more.
    """

    text: str
    told: int
    repeats: int
    seconds: float
    window: Window | None
    asks: bool
    usable: bool
    enough: bool


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
        hang_up: bool = False,
        reply: bool = False,
    ) -> Speech:
        """What the phone says to `person` of `subjects`: within the limits and, as markup, well-formed. Never raises.

        `total` incidents belong to the call (at least as many as `subjects`). Told are as many as fit, the most severe
        first, and said twice where there is time. With `hang_up` the listener is asked to hang up, where that can be
        told from a mailbox (`Speech.window`): rather fewer incidents are told. A template that cannot be used gives
        the plain sentence, with `fallback` and the `problem`.
        """
        total = max(total, len(subjects))
        file = self._library.find(template, language)
        if file is None:
            return self._fallback(
                subjects, total, language, keypress, f"there is no template {self._named(template)}", ""
            )
        occasion = Occasion(
            file=file,
            language=self._language(file, language),
            zone=timezone,
            now=now,
            person=person,
            telling=tuple(worst_first(subjects)[:MOST_SUBJECTS]),
            total=total,
            acknowledge_url=acknowledge_url,
            keypress=keypress,
            hang_up=hang_up,
            reply=reply,
            room=ROOMS[0],
            views={},
        )
        try:
            return self._fitted(occasion)
        except Exception as error:  # whatever a template does, somebody must be called
            problem = str(error) if isinstance(error, _Failed) else f"{file.path}: {_sentence_of(error)}"
            return self._fallback(subjects, total, language, keypress, problem, file.name)

    def within(self, limits: Limits) -> Speaker:
        """The same templates within other limits, such as those of an SMS."""
        other = copy(self)
        other._limits = limits
        return other

    def check(self, template: str) -> tuple[str, ...]:
        """All that is wrong with a template's name, for every language it has: `file:line: what`, one line each.

        Each file is compiled and tried on a sample alert, so a misspelt name is found before the night it matters.
        """
        folder_faults = self._library.faults
        files = self._library.variants(template)
        if not files:
            return (*folder_faults, f"there is no template {self._named(template)}")
        return (*folder_faults, *filter(None, map(self._fault, files)))

    def doubts(self, template: str) -> tuple[str, ...]:
        """The files of a template by which hanging up cannot take a call: `file: why`, one line each."""
        return tuple(filter(None, map(self._doubt, self._library.variants(template))))

    def _named(self, template: str) -> str:
        if not valid_name(template):
            return f'"{template[:80]}": a name is letters, digits, "-", "_" and single dots'
        folders = ", ".join(map(str, self._library.folders))
        return f'"{template}" in {folders}; there are: {", ".join(self._library.known()) or "none"}'

    def _fault(self, file: File) -> str:
        try:
            for hang_up in (False, True):
                self._draft(self._rehearsal(file, hang_up), 1, MOST_ALERTS, 1)
        except _Failed as error:
            return str(error)
        return ""

    def _doubt(self, file: File) -> str:
        try:
            draft = self._to_take(self._rehearsal(file, hang_up=True), 1, MOST_ALERTS)
        except _Failed:
            return ""  # that is a fault, and told as such
        if not draft.asks:
            return f"{file.path}: has no words with the filter hang_up_now: hanging up cannot take it"
        if draft.window is None:
            problem = "says too little after hang_up_now: hanging up cannot take it; say the message `repeats` times"
            return f"{file.path}: {problem}"
        return ""

    def _rehearsal(self, file: File, hang_up: bool) -> Occasion:
        return Occasion(
            file=file,
            language=self._language(file, file.language or SHIPPED_LANGUAGE),
            zone=ZoneInfo("UTC"),
            now=SAMPLE_TIME,
            person="Alice",
            telling=(sample(),),
            total=2,
            acknowledge_url="https://localhost/webhook/keypress/sample",
            keypress=True,
            hang_up=hang_up,
            reply=True,
            room=ROOMS[0],
            views={},
        )

    def _language(self, file: File, language: str) -> str:
        """The language that will really be spoken: a shipped template without one in its name is English."""
        if file.folder < self._shipped or file.language or base_of(language) == "en":
            return whole_tag(language)
        return SHIPPED_LANGUAGE

    # --- fitting -------------------------------------------------------------------------------------------------

    def _fitted(self, occasion: Occasion) -> Speech:
        """The richest draft within the limits: one that can be taken, else all incidents twice, all once, or fewer."""
        if self._limits.parts is not None:
            return self._brief(occasion)
        if occasion.hang_up:
            best = self._richest(occasion, self._to_take)
            if best:
                return self._speech(occasion, best)
            # Nobody is asked to do what would not be understood.
            occasion = replace(occasion, hang_up=False)
        everything = len(occasion.telling)
        twice = self._draft(occasion, everything, MOST_ALERTS, 1) if everything <= FEW else None
        if twice and self._fits(twice):
            return self._speech(occasion, twice)
        best = self._richest(occasion, self._once)
        return self._speech(occasion, best) if best else self._shortened(occasion)

    def _brief(self, occasion: Occasion) -> Speech:
        """An SMS: rather fewer words of each alert, and no link, than nothing of how to take it."""
        for link in dict.fromkeys((occasion.acknowledge_url, "")):
            for room in ROOMS:
                tried = replace(occasion, acknowledge_url=link, room=room)
                best = self._richest(tried, self._once)
                if best:
                    return self._speech(tried, best)
        return self._shortened(replace(occasion, acknowledge_url="", room=ROOMS[-1]))

    def _richest(self, occasion: Occasion, draft: Callable[[Occasion, int, int], _Draft]) -> _Draft | None:
        """The draft with as many incidents as fit, or with one and as many of its alerts; None if nothing fits."""
        everything = len(occasion.telling)
        best = self._most(lambda told: draft(occasion, told, MOST_ALERTS), everything)
        worst = min(everything, 1)
        return best or self._most(lambda alerts: draft(occasion, worst, alerts), MOST_ALERTS - 1)

    def _once(self, occasion: Occasion, told: int, alerts: int) -> _Draft:
        return self._draft(occasion, told, alerts, 0)

    def _to_take(self, occasion: Occasion, told: int, alerts: int) -> _Draft:
        """As often as it takes for a mailbox to outlast whoever hangs up when asked to: whole, then in one line."""
        best = self._draft(occasion, told, alerts, 1)
        for repeats in range(2, MOST_REPEATS + 1):
            longer = self._longer(best, occasion, told, alerts, repeats, 0)
            if longer is best:
                break
            best = longer
        for reminders in range(1, MOST_REMINDERS + 1):
            longer = self._longer(best, occasion, told, alerts, best.repeats, reminders)
            if longer is best:
                break
            best = longer
        return best

    def _longer(self, best: _Draft, occasion: Occasion, told: int, alerts: int, repeats: int, reminders: int) -> _Draft:
        """The longer draft where it is needed and possible, else the best so far."""
        if best.enough or not best.asks:
            return best
        longer = self._draft(occasion, told, alerts, repeats, reminders)
        return longer if longer.text != best.text and self._within(longer) else best

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
        return draft.usable and self._within(draft)

    def _within(self, draft: _Draft) -> bool:
        in_time = self._limits.parts is not None or draft.seconds <= self._limits.seconds
        return in_time and self._short_enough(draft.text)

    def _short_enough(self, text: str) -> bool:
        if self._limits.parts is not None:
            return parts(text) <= self._limits.parts
        return len(text.encode("utf-8", "replace")) <= self._limits.characters

    def _shortened(self, occasion: Occasion) -> Speech:
        """Even one alert is too long: plain text is cut at a sentence; markup cannot be cut, so it is given up."""
        draft = self._draft(occasion, min(len(occasion.telling), 1), 1, 0)
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
        if self._limits.parts is not None:
            return cut(cheaper(text), self._short_enough)
        limit = self._limits.seconds
        return cut(text, lambda part: self._short_enough(part) and seconds_of_text(part, language) <= limit)

    def _speech(self, occasion: Occasion, draft: _Draft) -> Speech:
        file = occasion.file
        return Speech(
            text=draft.text,
            kind=file.kind,
            language=occasion.language,
            seconds=draft.seconds,
            template=file.name,
            fallback=False,
            problem="",
            told=draft.told,
            total=occasion.total,
            window=draft.window,
        )

    def _fallback(
        self, subjects: Sequence[Subject], total: int, language: str, keypress: bool, problem: str, template: str
    ) -> Speech:
        spoken = whole_tag(language) if words_of(language).tag.startswith(base_of(language)) else SHIPPED_LANGUAGE
        text = self._cut(plain_sentence(subjects[:1000], total, spoken, keypress), spoken)
        seconds = seconds_of_text(text, spoken)
        return Speech(text, Kind.TEXT, spoken, seconds, template, True, problem, min(len(subjects), 1), total)

    # --- rendering -----------------------------------------------------------------------------------------------

    def _draft(self, occasion: Occasion, told: int, alerts: int, repeats: int, reminders: int = 0) -> _Draft:
        """Render once. Raises _Failed with the place in the template."""
        file = occasion.file
        marks = new_marks(file.kind) if occasion.hang_up else None
        rendering = Rendering(occasion.language, occasion.zone, occasion.now, marks)
        token = RENDERING.set(rendering)
        try:
            raw = self._render(file.name, context_of(occasion, told, alerts, repeats, reminders))
            heard = self._read_back(file.kind, raw, occasion.language, marks)
        except Exception as error:  # templates raise whatever they like; _Failed says where
            raise _Failed(f"{self._place(file, error)}: {_sentence_of(error)}") from None
        finally:
            RENDERING.reset(token)
        return _drafted(heard, told, repeats, wanted=occasion.hang_up)

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

    def _read_back(self, kind: Kind, raw: str, language: str, marks: Marks | None) -> Heard:
        if kind is Kind.TEXT:
            return read_text(raw, language, marks) if self._limits.parts is None else read_sms(raw)
        markup = legal(raw).strip()
        if not self._short_enough(markup):
            return Heard(markup, 0.0)  # too long already: perhaps not even whole, so it is not read
        return read_markup(markup, kind, language, marks)

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


def _drafted(heard: Heard, told: int, repeats: int, *, wanted: bool) -> _Draft:
    """`wanted`: without a window it cannot be used."""
    times = heard.times
    window = window_of(times) if times else None
    return _Draft(
        text=heard.text,
        told=told,
        repeats=repeats,
        seconds=heard.seconds,
        window=window,
        asks=times is not None,
        usable=window is not None or not wanted,
        enough=times is not None and roomy(times),
    )


def _sentence_of(error: Exception) -> str:
    """An error in one line; of what strangers sent there can be a few words in it."""
    said = " ".join(legal(str(error)).split())[:300]
    return said or type(error).__name__
