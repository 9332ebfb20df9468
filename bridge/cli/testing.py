"""`callbridge test`: routing tests for a user's own CI: labels, time and answers in; policy, people and words out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bridge import config
from bridge.cli.explain import AHEAD, calendar_doubts
from bridge.cli.rules import Expectation, Rule, Rules, read_rules
from bridge.cli.words import Commands, add_command
from bridge.config import Config
from bridge.errors import ConfigError, Fault
from bridge.rehearsal import Answers, AnswersError, Rehearsal, Scene, make_answers, parse_answers, rehearse, scene_of
from bridge.rota import with_file_calendars
from bridge.schedule import Roster


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is expected, as it is written and as it came."""

    expected: str
    got: str

    @property
    def same(self) -> bool:
        return self.expected == self.got


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "test", "run tests of the routing: who would be called, and what is said")
    command.add_argument("files", metavar="RULES.test.yaml", type=Path, nargs="+")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 if all is as expected. Raises ConfigError with every fault of all files, before any test is run."""
    passed = failed = 0
    for rules in _all_read(arguments.files):
        for number, rehearsal in _rehearsed(rules):
            rows = tuple(compare(rules.tests[number].expect, rehearsal))
            good = all(row.same for row in rows)
            passed, failed = passed + good, failed + (not good)
            _tell(rules, number, rows, good=good)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _all_read(files: Sequence[Path]) -> list[Rules]:
    found: list[Rules] = []
    faults: list[Fault] = []
    for path in files:
        try:
            found.append(read_rules(path))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return found


def _rehearsed(rules: Rules) -> Iterator[tuple[int, Rehearsal]]:
    """Every test of a file, played. Raises ConfigError for a broken config, unknown people, or an unreadable body."""
    loaded = config.load(rules.config)
    groups = [rules.group(number) for number in range(len(rules.tests))]
    answers = [_answers(rules, number, loaded) for number in range(len(rules.tests))]
    usual, doubts = scene_of(loaded), dict[str, None]()
    for number, rule in enumerate(rules.tests):
        scene = _on_the_day(usual, loaded, rule.at, doubts)
        yield number, rehearse(scene, groups[number], rule.at, answers[number])
    for doubt in doubts:
        print(doubt, file=sys.stderr)


def _on_the_day(usual: Scene, loaded: Config, now: datetime, doubts: dict[str, None]) -> Scene:
    """The scene with its calendar files read around `now`, where it has any; what is doubtful of them is put down."""
    if all(schedule.ical is None for schedule in loaded.schedules.values()):
        return usual
    filled = with_file_calendars(loaded, now, AHEAD)
    doubts.update(dict.fromkeys(calendar_doubts(filled)))
    world = replace(usual.world, roster=Roster(filled.people, filled.schedules))
    return replace(usual, world=world, schedules=filled.schedules)


def _answers(rules: Rules, number: int, loaded: Config) -> Answers:
    said = rules.tests[number].answers
    try:
        return parse_answers(said, loaded.people) if isinstance(said, str) else make_answers(said, loaded.people)
    except AnswersError as error:
        raise rules.fault(number, "answers", str(error)) from None


def compare(expected: Expectation, rehearsal: Rehearsal) -> Iterator[Row]:
    """Everything that is expected beside what came."""
    taken = dict(rehearsal.taken)
    lists = {
        "policies": (expected.policies, list(taken)),
        "people": (expected.people, list(rehearsal.people)),
        "calls": (expected.calls, [call.person for call in rehearsal.calls]),
        "sms": (expected.sms, [text.person for text in rehearsal.texts]),
    }
    for key, (wanted, got) in lists.items():
        if wanted is not None:
            yield Row(_listed(key, wanted), _listed(key, got))
    if expected.muted is not None:
        muted = bool(taken) and all(taken.values())
        yield Row(f"muted: {str(expected.muted).lower()}", f"muted: {str(muted).lower()}")
    if expected.state is not None:
        yield _state(expected.state.value, rehearsal)
    yield from _words(expected, rehearsal)


def _listed(key: str, names: Sequence[str]) -> str:
    return f"{key}: [{', '.join(names)}]"


def _state(wanted: str, rehearsal: Rehearsal) -> Row:
    states = [one.state.value for one in rehearsal.endings]
    if states and set(states) == {wanted}:
        return Row(f"state: {wanted}", f"state: {wanted}")
    each = ", ".join(f"{one.state.value} ({one.policy})" for one in rehearsal.endings)
    return Row(f"state: {wanted}", f"state: {each or 'no incident is opened'}")


def _words(expected: Expectation, rehearsal: Rehearsal) -> Iterator[Row]:
    said = rehearsal.spoken[0] if rehearsal.spoken else ""
    came = f"first call: {said or 'nobody is called'}"
    for text in expected.says or ():
        row = f"says: {text}"
        yield Row(row, row if " ".join(text.split()) in said else came)
    for text in expected.says_not or ():
        row = f"says_not: {text}"
        yield Row(row, came if " ".join(text.split()) in said else row)
    written = rehearsal.texts[0].text if rehearsal.texts else ""
    for text in expected.writes or ():
        row = f"writes: {text}"
        yield Row(row, row if " ".join(text.split()) in written else f"first SMS: {written or 'nobody gets one'}")


def _tell(rules: Rules, number: int, rows: Sequence[Row], *, good: bool) -> None:
    rule: Rule = rules.tests[number]
    if good:
        print(f"PASS  {rule.name}")
        return
    print(f"FAIL  {rule.name} ({rules.path}:{rules.line(number)})\n--- expected\n+++ rehearsed")
    for row in rows:
        print(f" {row.expected}" if row.same else f"-{row.expected}\n+{row.got}")
