"""What a template says at length: more than a phone call bears, or than the gateway takes."""

from __future__ import annotations

from pathlib import Path

from bridge.alert import Source, parse_group
from bridge.cli.words import PAYLOADS
from bridge.config import Config
from bridge.errors import Fault
from bridge.speech import Limits, Speaker, Subject

SAID = Limits()
# So much that nothing is cut: what the template would say of one usual alert if nobody stopped it.
UNCUT = Limits(characters=1_000_000, seconds=3600.0)


def length_doubts(path: Path, loaded: Config) -> list[Fault]:
    """A warning for each policy and language whose template says too much already of one captured alert."""
    speaker = Speaker(loaded.templates, UNCUT)
    languages = sorted({person.language or loaded.language for person in loaded.people.values()}) or [loaded.language]
    return [
        Fault(str(path), 1, 1, f"policies.{policy.name}.template", doubt, warning=True)
        for policy in loaded.policies.values()
        if policy.steps
        for language in languages
        if (doubt := _doubt(speaker, loaded, policy.template, language))
    ]


def _doubt(speaker: Speaker, loaded: Config, template: str, language: str) -> str:
    group = parse_group((PAYLOADS / "firing.json").read_bytes(), Source.ALERTMANAGER)
    now = group.alerts[0].starts_at
    subject = Subject(
        incident="",
        policy="",
        opened_at=now,
        receiver=group.stream.receiver,
        external_url=group.external_url,
        group_labels=group.group_labels,
        alerts=group.alerts,
    )
    speech = speaker.speak(
        template=template,
        language=language,
        timezone=loaded.timezone,
        person="Alexandra Example",
        subjects=[subject],
        total=1,
        now=now,
        keypress=loaded.acknowledgement.keypress,
        hang_up=loaded.acknowledgement.hang_up,
    )
    if speech.seconds > SAID.seconds:
        said = f"{speech.template} speaks for about {speech.seconds:.0f} s of one alert"
        return f"{said} in {language}, {SAID.seconds:.0f} s is the most that is told; shorten it"
    if max(len(speech.text), len(speech.text.encode())) > SAID.characters:
        return (
            f"{speech.template} makes {len(speech.text)} characters of one alert, the gateway takes {SAID.characters}"
        )
    return ""
