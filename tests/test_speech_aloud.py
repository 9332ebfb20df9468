"""Speech as a sound: the words of it, and espeak-ng's voice where it is there."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest

from bridge.errors import CallbridgeError
from bridge.speech import Kind, Speech, can_speak, trial_words, wav_of, wav_of_text, words_heard
from tests.requirements import require

TWIML = "<Response><Say>Disk full.</Say><Play>https://example.test/a.mp3</Play><Gather>Press four.</Gather></Response>"


def speech(text: str, kind: Kind, language: str = "en-US") -> Speech:
    return Speech(text, kind, language, 1.0, "call", False, "", 1, 1)


def seconds(sound: bytes) -> float:
    with wave.open(io.BytesIO(sound)) as read:
        return float(read.getnframes() / read.getframerate())


@pytest.mark.parametrize(
    ("text", "kind", "heard"),
    [
        ("Disk full & more.", Kind.TEXT, "Disk full & more."),
        (TWIML, Kind.XML, "Disk full. Press four."),
        ("<speak>One <break time='2s'/></speak>", Kind.SSML, "One"),
    ],
)
def test_words_heard(text: str, kind: Kind, heard: str) -> None:
    """Of markup only what is spoken: no tag, no address."""
    assert words_heard(text, kind) == heard


@pytest.mark.parametrize(
    ("language", "beginning"), [("de-DE", "Hallo Al"), ("en-GB", "Hello Al"), ("fr-FR", "Hello Al"), ("", "Hello Al")]
)
def test_a_test_call_has_words(language: str, beginning: str) -> None:
    """German to Germans, English to everybody else; a name is plain text."""
    text, estimate = trial_words("Al <b>", language)
    assert text.startswith(beginning)
    assert "<" not in text
    assert 3 < estimate < 15


def test_it_can_be_heard() -> None:
    """Text, TwiML and SSML become sounds; the pause of SSML is heard, and a language nobody speaks is no fault."""
    require("espeak-ng", "espeak-ng")
    assert can_speak()
    plain = seconds(wav_of(speech("One.", Kind.TEXT)))
    paused = seconds(wav_of(speech('<speak>One. <break time="3s"/> Two.</speak>', Kind.SSML)))
    assert 0.3 < plain < 3
    assert paused > plain + 2.5
    assert seconds(wav_of(speech(TWIML, Kind.XML, "xx-YY"))) > plain
    assert seconds(wav_of_text("Eins.", "de-DE; rm -rf")) > 0.2


def espeak(folder: Path, script: str) -> None:
    (folder / "espeak-ng").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "espeak-ng").chmod(0o755)


def test_a_voice_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program says of its failure is told; a program that is not there is named with how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CallbridgeError, match="apt-get install espeak-ng"):
        wav_of_text("One.", "en")
    espeak(tmp_path, "echo no sound card >&2; exit 3")
    with pytest.raises(CallbridgeError, match="no sound card"):
        wav_of_text("One.", "en")
    (tmp_path / "espeak-ng").write_text("no program at all")
    with pytest.raises(CallbridgeError, match="OSError"):
        wav_of_text("One.", "en")
