"""Does it still fire? Asked of Alertmanager before a call that is late, and of what it keeps quiet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bridge.alert import EARLIEST, common
from bridge.alertmanager import Cluster, Heard, Shown, Silence
from bridge.alertmanager.member import matcher
from bridge.clock import Clock
from bridge.database import Database
from bridge.dispatch import Dispatch
from bridge.dispatch.answers import Finding, Said, Says, hear, let_go
from bridge.dispatch.ledger import Ledger
from bridge.logs import fields
from bridge.metrics import Metrics
from bridge.store.doubts import Doubt, doubts

log = logging.getLogger(__name__)

# What our silences are called; nobody else's begin so.
OURS = "callbridge"
# A member that runs for so long has been told everything: Prometheus tells what fires every minute, and rules that are
# evaluated less often than this are rare.
SETTLED = timedelta(minutes=5)
LONGEST_WORD = 120
LONGEST_QUERY = 1000
# So many incidents are decided upon in one transaction.
TOGETHER = 50


def is_ours(silence: Silence) -> bool:
    """Whether a callbridge has set it, this one or another."""
    return silence.created_by == OURS or silence.created_by.startswith(f"{OURS}/")


class Recheck:
    """Asks `cluster` (replaced at a reload) about incidents, and lets dispatch act upon the answers."""

    def __init__(self, *, dispatch: Dispatch, database: Database, metrics: Metrics, clock: Clock) -> None:
        self.cluster = Cluster(())
        self._dispatch = dispatch
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._silences: Mapping[str, Silence] = {}

    async def ask(self, ids: Iterable[str]) -> None:
        """Ask about these incidents; whatever is not answered, rings. Raises StoreUnavailable."""
        wanted = list(ids)
        asked_at = self._clock.now()
        questions = await self._database.read(lambda connection: doubts(connection, wanted))
        if not questions:
            return
        heard = await self._heard(questions)
        if heard is None:
            await self._unanswered([one.incident for one in questions])
            return
        believed = await self._believed(heard, questions)
        authors = await self._authors(heard, questions)
        answers: list[tuple[Doubt, Mapping[str, Said]]] = []
        for doubt in questions:
            known_by = max(doubt.news_at, asked_at - SETTLED)
            gone = any(at <= known_by for at in believed.values())
            said = {one.fingerprint: _said(heard.alerts.get(one.fingerprint), gone, authors) for one in doubt.alerts}
            answers.append((doubt, said))
        for start in range(0, len(answers), TOGETHER):
            await self._act(answers[start : start + TOGETHER], asked_at)

    async def _act(self, answers: Sequence[tuple[Doubt, Mapping[str, Said]]], asked_at: datetime) -> None:
        def change(ledger: Ledger) -> list[Finding]:
            return [hear(ledger, doubt, said, asked_at) for doubt, said in answers]

        for (doubt, _), finding in zip(answers, await self._dispatch.transact(change), strict=True):
            self._metrics.alertmanager_rechecks_total.labels(finding.value).inc()
            if finding is not Finding.FIRES:
                log.info("Alertmanager was asked", extra=fields(incident=doubt.incident, finding=finding.value))

    async def _unanswered(self, ids: Sequence[str]) -> None:
        """Nobody answers: what was kept back rings too."""
        self._metrics.alertmanager_rechecks_total.labels(Finding.UNKNOWN.value).inc(len(ids))

        def change(ledger: Ledger) -> None:
            for id_ in ids:
                let_go(ledger, id_, "Alertmanager does not answer")

        await self._dispatch.transact(change)

    async def _heard(self, questions: Sequence[Doubt]) -> Heard | None:
        """One question for all of them, as narrow as what their alerts have in common."""
        shared = common(alert.labels for one in questions for alert in one.alerts)
        return await self.cluster.alerts(matchers=narrow(shared))

    async def _believed(self, heard: Heard, questions: Sequence[Doubt]) -> Mapping[str, datetime]:
        """Since when each member runs that answered; asked only where an alert is shown by none.

        That it is gone is believed of any who cannot have forgotten it: one that runs since before it was last heard of
        has been told of it, and so has one that runs for long (SETTLED).
        """
        if all(alert.fingerprint in heard.alerts for one in questions for alert in one.alerts):
            return {}
        standings = await self.cluster.standings(heard.by)
        return {url: standing.started_at or EARLIEST for url, standing in standings.items()}

    async def _authors(self, heard: Heard, questions: Sequence[Doubt]) -> Mapping[str, Silence]:
        """The silences that cover any of these alerts; they are asked for only where one is not known yet."""
        shown = [heard.alerts.get(alert.fingerprint) for one in questions for alert in one.alerts]
        named = {id_ for one in shown if one is not None for id_ in one.silenced_by}
        return await self.silences(named)

    async def silences(self, named: Iterable[str]) -> Mapping[str, Silence]:
        """Every silence that is known, these among them if anybody knows them."""
        if set(named) - self._silences.keys():
            self._silences = await self.cluster.silences() or self._silences
        return self._silences

    def by_humans(self, shown: Shown) -> list[Silence]:
        """The silences of humans that cover it."""
        return _by_humans(shown, self._silences)


def narrow(labels: Mapping[str, str]) -> list[str]:
    """Matchers for these labels, as many as an address has room for on its way through a proxy; the name first."""
    found: list[str] = []
    for name in sorted(labels, key=lambda name: (name != "alertname", name)):
        one = matcher(name, labels[name])
        if one is not None and sum(map(len, found)) + len(one) <= LONGEST_QUERY:
            found.append(one)
    return found


def _by_humans(shown: Shown, silences: Mapping[str, Silence]) -> list[Silence]:
    return [one for id_ in shown.silenced_by if (one := silences.get(id_)) is not None and not is_ours(one)]


def _said(shown: Shown | None, gone: bool, silences: Mapping[str, Silence]) -> Said:
    """What is said of an alert; `gone`: of what nobody shows it is believed that it is over."""
    if shown is None:
        return Said(Says.GONE if gone else Says.FIRES)
    if shown.ended:
        return Said(Says.GONE)
    if shown.inhibited_by or shown.muted_by:
        return Said(Says.QUIET, _why_quiet(shown))
    humans = _by_humans(shown, silences)
    if humans:
        longest = max(humans, key=lambda one: one.ends_at)
        why = f"silence {_word(longest.id)} until {longest.ends_at:%Y-%m-%d %H:%M:%S %Z}: {_word(longest.comment)}"
        return Said(Says.SILENCED, why, _word(longest.created_by) or "somebody", longest.id, longest.ends_at)
    strange = [id_ for id_ in shown.silenced_by if id_ not in silences]
    return Said(Says.QUIET, f"silence {_word(strange[0])}") if strange else Said(Says.FIRES)


def _why_quiet(shown: Shown) -> str:
    if shown.inhibited_by:
        return f"inhibited by {_word(', '.join(shown.inhibited_by))}"
    return f"muted by {_word(', '.join(shown.muted_by))}"


def _word(text: str) -> str:
    """A stranger's text as the journal has it: one line, short."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= LONGEST_WORD else f"{flat[:LONGEST_WORD]}…"
