"""Speech as a sound, by espeak-ng where it is installed: not the gateway's voice, but its words and their length."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bridge.errors import CallbridgeError
from bridge.speech.estimate import UNSPOKEN
from bridge.speech.markup import elements
from bridge.speech.values import Kind, Speech

PROGRAM = "espeak-ng"
# Seconds. It makes a minute of speech in a fraction of one.
LONGEST = 20
# Aloud it takes as long as it is.
LONGEST_ALOUD = 600
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


def can_speak() -> bool:
    """Whether the program is there."""
    return shutil.which(PROGRAM) is not None


def wav_of(speech: Speech) -> bytes:
    """The speech as a WAV file; takes a while, for a thread. Raises CallbridgeError."""
    if speech.kind is Kind.SSML:
        return wav_of_text(speech.text, speech.language, markup=True)
    return wav_of_text(words_heard(speech.text, speech.kind), speech.language)


def play(speech: Speech) -> None:
    """Say it aloud on this machine; returns when it is said. Raises CallbridgeError."""
    markup = speech.kind is Kind.SSML
    text = speech.text if markup else words_heard(speech.text, speech.kind)
    _first_voice(text, speech.language, markup=markup, more=(), longest=LONGEST_ALOUD)


def wav_of_text(text: str, language: str, *, markup: bool = False) -> bytes:
    """Plain text (or SSML) as a WAV file, in the voice of `language` or, where there is none, of its base, or English.

    Raises CallbridgeError.
    """
    with tempfile.TemporaryDirectory(prefix="callbridge-speech-") as folder:
        file = Path(folder) / "speech.wav"
        _first_voice(text, language, markup=markup, more=("-w", str(file)), longest=LONGEST)
        if not file.exists():
            raise CallbridgeError(f"{PROGRAM}: it wrote no sound")
        return file.read_bytes()


def _first_voice(text: str, language: str, *, markup: bool, more: tuple[str, ...], longest: float) -> None:
    """Let the first voice say it that there is. Raises CallbridgeError."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise CallbridgeError(f"{PROGRAM} is not installed (on Debian: apt-get install {PROGRAM})")
    why = ""
    for voice in _voices(language):
        why = _spoken([program, *(["-m"] if markup else []), "-v", voice, "--stdin", *more], text, longest)
        if not why:
            return
    raise CallbridgeError(f"{PROGRAM}: {why}")


def words_heard(text: str, kind: Kind) -> str:
    """What of a speech is words: of markup the text alone. Raises MarkupError where it is not well-formed."""
    if kind is Kind.TEXT:
        return text
    return " ".join(" ".join(one.text.split()) for one in elements(text) if one.name not in UNSPOKEN).strip()


def _voices(language: str) -> list[str]:
    tag = language.lower()
    tags = [tag, tag.partition("-")[0]] if _TAG.fullmatch(tag) else []
    return list(dict.fromkeys([*tags, "en"]))


def _spoken(command: list[str], text: str, longest: float) -> str:
    """Why it could not be said, or nothing."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and what is said goes in by stdin
            command, input=text.encode("utf-8", "replace"), capture_output=True, check=False, timeout=longest
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return (done.stderr.decode(errors="replace").strip() or str(done.returncode)) if done.returncode else ""
