"""`callbridge render`: the exact text or XML that would be sent for a webhook.

A body whose alerts take several policies is told as to a person whom all of them call: in one call, the worst first, by
the template of the worst one's policy. Policies without steps and routes that are muted then call nobody and are left
out.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bridge import config
from bridge.alert import Group
from bridge.cli.words import Commands, add_at, add_command, add_config, now_or, read_payload
from bridge.config import Config
from bridge.dispatch.world import answerable
from bridge.errors import CallbridgeError
from bridge.rehearsal import subjects_of, worst_of
from bridge.sms import TEMPLATE, parts
from bridge.speech import Limits, Speaker, Speech, play, wav_of


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "render", "print what would be said for a webhook body")
    command.add_argument("payload", metavar="PAYLOAD.json", type=Path)
    add_config(command, required=False)
    add_at(command)
    command.add_argument("--template", metavar="NAME", help="this one (default: that of the policy, or call)")
    command.add_argument("--language", metavar="TAG", help="such as de-DE (default: the config's)")
    command.add_argument("--person", metavar="KEY", help="as it would be said to this person of the config")
    command.add_argument("--speak", action="store_true", help="say it aloud (espeak-ng)")
    command.add_argument("--wav", metavar="FILE", type=Path, help="write it to a sound file (espeak-ng)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; 1 where the template failed and the plain sentence had to do."""
    loaded = config.load(arguments.config) if arguments.config else None
    group = read_payload(arguments.payload)
    speech = _speech(arguments, loaded, group, now_or(arguments.at))
    print(speech.text)
    print(_length(speech), file=sys.stderr)
    if speech.window:
        begins, ends = speech.window
        print(f"hang up after {begins:.0f} to {ends:.0f} s to take it", file=sys.stderr)
    if speech.problem:
        print(f"callbridge: error: {speech.problem}", file=sys.stderr)
    if arguments.wav:
        _write(arguments.wav, wav_of(speech))
    if arguments.speak:
        play(speech)
    return 1 if speech.fallback else 0


def _write(path: Path, sound: bytes) -> None:
    try:
        path.write_bytes(sound)
    except OSError as error:
        raise CallbridgeError(f"--wav={path}: {error.strerror or error}") from None


def _length(speech: Speech) -> str:
    size = f"about {speech.seconds:.0f} s of speech, {len(speech.text)} characters"
    if _is_sms(speech.template):
        count = parts(speech.text)
        size = f"{len(speech.text)} characters, {count} part{'s' * (count != 1)} of an SMS"
    return f"{size}, {speech.template} in {speech.language}"


def _is_sms(template: str) -> bool:
    return template.partition(".")[0] == TEMPLATE


def _speech(arguments: argparse.Namespace, loaded: Config | None, group: Group, now: datetime) -> Speech:
    person = None
    if arguments.person is not None:
        person = loaded.people.get(arguments.person) if loaded else None
        if person is None:
            raise CallbridgeError(f"--person={arguments.person}: nobody of that key is in the config")
    language = arguments.language or (person.language if person else "") or (loaded.language if loaded else "en-US")
    subjects = subjects_of(loaded, group, now)
    if not subjects:
        raise CallbridgeError(f"{arguments.payload}: nothing fires in it, nobody would be called")
    template = arguments.template or (loaded.policies[worst_of(subjects).policy].template if loaded else "call")
    sms = _is_sms(template)
    limits = Limits(parts=loaded.limits.sms_parts if loaded else 2) if sms else Limits()
    speaker = Speaker(loaded.templates if loaded else ()).within(limits)
    for fault in speaker.check(template):
        raise CallbridgeError(f"template {template}: {fault}")
    return speaker.speak(
        template=template,
        language=language,
        timezone=loaded.timezone if loaded else ZoneInfo("UTC"),
        person=person.name if person else "",
        subjects=subjects,
        total=len(subjects),
        now=now,
        keypress=loaded.acknowledgement.keypress if loaded else False,
        hang_up=loaded.acknowledgement.hang_up if loaded and not sms else False,
        reply=answerable(loaded) if loaded else True,
    )
