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
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


def can_speak() -> bool:
    """Whether the program is there."""
    return shutil.which(PROGRAM) is not None


def wav_of(speech: Speech) -> bytes:
    """The speech as a WAV file; takes a while, for a thread. Raises CallbridgeError."""
    if speech.kind is Kind.SSML:
        return wav_of_text(speech.text, speech.language, markup=True)
    return wav_of_text(words_heard(speech.text, speech.kind), speech.language)


def wav_of_text(text: str, language: str, *, markup: bool = False) -> bytes:
    """Plain text (or SSML) as a WAV file, in the voice of `language` or, where there is none, of its base, or English.

    Raises CallbridgeError.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise CallbridgeError(f"{PROGRAM} is not installed (on Debian: apt-get install {PROGRAM})")
    why = ""
    with tempfile.TemporaryDirectory(prefix="callbridge-speech-") as folder:
        file = Path(folder) / "speech.wav"
        for voice in _voices(language):
            why = _spoken([program, *(["-m"] if markup else []), "-v", voice], text, file)
            if not why:
                return file.read_bytes()
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


def _spoken(program: list[str], text: str, file: Path) -> str:
    """Why it could not be said, or nothing."""
    command = [*program, "--stdin", "-w", str(file)]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and what is said goes in by stdin
            command, input=text.encode("utf-8", "replace"), capture_output=True, check=False, timeout=LONGEST
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode or not file.exists():
        return done.stderr.decode(errors="replace").strip() or str(done.returncode)
    return ""
