"""`render --wav` and `--speak` with the real espeak-ng: what is written sounds as long as was estimated."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import pytest

from bridge.cli import main
from tests.requirements import require

BODY = Path(__file__).parent / "data" / "payloads" / "am025-firing-group.json"


def render(*flags: str) -> int:
    return main(["render", str(BODY), "--at=2026-11-23T22:00:00Z", *flags])


def seconds_of(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return float(sound.getnframes()) / float(sound.getframerate())


@pytest.mark.parametrize("language", ["en-US", "de-DE"])
@pytest.mark.parametrize("template", ["call", "call.xml", "call.ssml"])
def test_a_sound_file_is_as_long_as_estimated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], template: str, language: str
) -> None:
    """Text, TwiML without its tags and SSML with its pauses, in the listener's voice: no voice is twice as quick."""
    require("espeak-ng", "espeak-ng")
    file = tmp_path / "said.wav"

    assert render(f"--template={template}", f"--language={language}", f"--wav={file}") == 0

    estimated = re.search(r"about (\d+) s of speech", capsys.readouterr().err)
    assert estimated is not None
    assert 0.5 * float(estimated[1]) < seconds_of(file) < 1.5 * float(estimated[1])


def test_aloud_it_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--speak gives the words, and only by stdin, to espeak-ng in the listener's voice; a silent machine is told."""
    program = tmp_path / "espeak-ng"
    program.write_text(f'#!/bin/sh\nprintf "%s " "$@" > {tmp_path}/asked\n/bin/cat > {tmp_path}/heard\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert render("--speak", "--language=de-DE", "--template=call.xml") == 0

    assert (tmp_path / "asked").read_text() == "-v de-de --stdin "
    assert (tmp_path / "heard").read_text().startswith("Hallo.")
    assert "<" not in (tmp_path / "heard").read_text()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names the flag and the reason."""
    require("espeak-ng", "espeak-ng")
    assert render(f"--wav={tmp_path / 'no' / 'said.wav'}") == 1
    assert "said.wav: No such file or directory" in capsys.readouterr().err
