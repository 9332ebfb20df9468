"""Taking an alert by hanging up: what counts as taken, the pace of the voice, and what the operator sees."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.call import By, Call, CallState, CallStatus, Outcome, Report, Rules, pace, settle, taken
from bridge.cli import main
from bridge.store import calls as store
from tests.speaking import PAYLOADS
from tests.storing import IDS, a_call, in_memory

HANG_UP = Rules(hang_up=True)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

# --- what counts as taken

ASKED = Call(
    "c1", "alice", "+491711234567", NOON, state=CallState.ENDED, outcome=Outcome.ANSWERED,
    window_from=17.0, window_until=29.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("call", "rules", "by"),
    [
        (replace(ASKED, duration=21.0), HANG_UP, By.HANG_UP),
        (replace(ASKED, duration=17.0), HANG_UP, By.HANG_UP),
        (replace(ASKED, duration=29.0), HANG_UP, By.HANG_UP),
        (replace(ASKED, duration=16.9), HANG_UP, None),
        (replace(ASKED, duration=29.1), HANG_UP, None),
        (replace(ASKED, duration=0.0), HANG_UP, None),
        (replace(ASKED, duration=None), HANG_UP, None),
        (replace(ASKED, duration=21.0), Rules(), None),
        (replace(ASKED, duration=21.0, window_from=None, window_until=None), HANG_UP, None),
        (replace(ASKED, duration=21.0, outcome=Outcome.NO_ANSWER), HANG_UP, None),
        (replace(ASKED, duration=21.0, outcome=Outcome.FAILED), HANG_UP, None),
        (replace(ASKED, duration=21.0), Rules(timedelta(seconds=10), hang_up=True), By.ANSWER),
        (replace(ASKED, duration=21.0), Rules(timedelta(seconds=30), hang_up=True), By.HANG_UP),
        (replace(ASKED, duration=31.0), Rules(timedelta(seconds=30), hang_up=True), By.ANSWER),
    ],
)
def test_taken_by_hanging_up(call: Call, rules: Rules, by: By | None) -> None:
    """Only where it is switched on, and only by an end inside the window; being answered long enough comes first."""
    assert taken(call, rules) is by


@pytest.mark.parametrize(("duration", "by"), [(21.0, By.HANG_UP), (None, None), (-1.0, None)])
def test_only_a_reported_duration_counts(duration: float | None, by: By | None) -> None:
    """Reports may be late: the time between two of them would prove nothing about who ended the call."""
    talking = replace(ASKED, state=CallState.PLACED, outcome=None, answered_at=NOON)
    ended = settle(talking, Report(CallStatus.COMPLETED, duration=duration), NOON + timedelta(seconds=21))
    assert ended.duration == 21.0 if duration is not None and duration >= 0 else True
    assert taken(ended, HANG_UP) is by


# --- the pace of the voice


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([], 1.0),
        ([0.8, 0.8], 1.0),
        ([0.8, 0.8, 0.8], 0.8),
        ([1.1, 1.12, 1.08, 1.1], 1.1),
        # Humans who hang up are shorter, however many they are.
        ([0.9, 0.91, 0.89, *[0.7] * 20], 0.9),
        ([1.0, 1.0, 1.0, *[0.3] * 47], 1.0),
        # All hung up when asked: nothing ran to its end, and nothing is learned of it.
        ([0.55] * 50, 1.0),
        # One that was far longer (a gateway's mistake) is no voice; two are none either.
        ([3.0, 1.0, 1.0, 1.0], 1.0),
        ([1.4, 1.3, 0.9, 0.9, 0.9], 0.9),
        # Beyond what is believed.
        ([0.66, 0.67, 0.66], 0.7),
        ([1.5, 1.5, 1.5], 1.4),
        # No three alike.
        ([0.7, 0.85, 1.0, 1.2], 1.0),
    ],
)
def test_the_pace(ratios: list[float], expected: float) -> None:
    """The median of the longest calls that are alike, within what a voice can be; 1.0 where that is not known."""
    assert pace([(30.0, 30.0 * ratio) for ratio in ratios]) == pytest.approx(expected)


def test_a_text_of_no_length_teaches_nothing() -> None:
    """Calls without a text are passed over."""
    assert pace([(0.0, 10.0)] * 5) == 1.0


@given(st.lists(st.tuples(st.floats(0, 90), st.floats(0, 200)), max_size=60))
def test_every_pace_is_within_bounds(measured: list[tuple[float, float]]) -> None:
    """Whatever was measured, in any order, the pace is the same and within 0.7 and 1.4."""
    assert 0.7 <= pace(measured) <= 1.4
    assert pace(measured[::-1]) == pytest.approx(pace(measured))


@given(st.floats(0.7, 1.4), st.integers(3, 40), st.lists(st.floats(0.01, 0.64), max_size=10))
def test_the_pace_is_found(voice: float, whole: int, human: list[float]) -> None:
    """Three calls to the end among humans who hung up give the voice's pace."""
    measured = [(40.0, 40.0 * voice)] * whole + [(40.0, 40.0 * part) for part in human]
    assert pace(measured) == pytest.approx(voice)


def test_what_is_measured() -> None:
    """The newest answered calls of the language, without those that were hung up before their window was over."""

    def placed(minutes: int, **changes: Any) -> Call:
        at = NOON + timedelta(minutes=minutes)
        plain = a_call(created_at=at, language="en-US", outcome=Outcome.ANSWERED, ended_at=at, speech_seconds=30.0)
        return replace(plain, id=IDS.new(at), requested_at=at, **changes)

    with in_memory() as connection:
        for call in (
            placed(1, duration=24.0),
            placed(2, duration=25.0, window_from=10.0, window_until=20.0),
            placed(3, duration=15.0, window_from=10.0, window_until=20.0),
            placed(4, duration=5.0, window_from=10.0, window_until=20.0),
            placed(5, duration=26.0, outcome=Outcome.NO_ANSWER),
            placed(6, duration=27.0, language="de-DE"),
            placed(7, duration=None),
            placed(8, duration=28.0),
        ):
            store.add(connection, call)
        assert store.measured(connection, "en-US", 50) == [(30.0, 28.0), (30.0, 25.0), (30.0, 24.0)]
        assert store.measured(connection, "en-US", 2) == [(30.0, 28.0), (30.0, 25.0)]
        assert store.measured(connection, "fr-FR", 50) == []


# --- what the operator sees

CONFIG = """
gateway: {api_key_file: key, api_url: "https://gateway.example.test/api", from: "+49 30 1234567"}
webhooks: {sms77: {token_file: token}}
people: {alice: {phone: +49 171 1234567}, bob: {phone: +49 171 7654321}}
policies: {default: {template: TEMPLATE, steps: [{call: [alice], wait: 2m}, {call: [bob]}]}}
route: {policy: default}
acknowledgement: {hang_up: HANG_UP}
templates: [mine]
"""


def configured(folder: Path, *, template: str = "call", hang_up: bool = True) -> Path:
    (folder / "mine").mkdir()
    (folder / "mine" / "short.txt.j2").write_text("The disk is full.", encoding="utf-8")
    for name in ("key", "token"):
        (folder / name).write_text("secret")
        (folder / name).chmod(0o600)
    path = folder / "callbridge.yaml"
    path.write_text(CONFIG.replace("TEMPLATE", template).replace("HANG_UP", str(hang_up).lower()))
    return path


@pytest.mark.parametrize(
    ("template", "hang_up", "warned"), [("short", True, True), ("short", False, False), ("call", True, False)]
)
def test_check_config_warns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], template: str, hang_up: bool, warned: bool
) -> None:
    """A template by which hanging up takes nothing is told where that is switched on, and only there."""
    path = configured(tmp_path, template=template, hang_up=hang_up)
    assert main(["check-config", str(path)]) == 0
    told = "policies.default.template: warning: "
    assert (told in capsys.readouterr().out) is warned
    assert main(["check-config", "--strict", str(path)]) == int(warned)


def test_explain_shows_the_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When to hang up is told in minutes and seconds; a mailbox takes nothing, who hangs up then does."""
    path = configured(tmp_path)
    payload = next(path for path in PAYLOADS if path.stem == "am025-firing-single")
    how = f"--config.file={path}", "--at=2026-03-01T03:00:00Z", "--answers=alice:mailbox,bob:hang_up"
    assert main(["explain", str(payload), *how]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(r"hang up between 0:\d\d and 0:\d\d to take it", out)
    assert "ends default: acknowledged by bob" in out
    assert "alice answered and did not take it" in out


def test_render_says_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is rendered is what is sent, and the window stands beside it."""
    path = configured(tmp_path)
    payload = next(path for path in PAYLOADS if path.stem == "am025-firing-single")
    assert main(["render", str(payload), f"--config.file={path}"]) == 0
    said = capsys.readouterr()
    assert "To take this alert, hang up now." in said.out
    assert re.search(r"hang up after \d+ to \d+ s to take it", said.err)
