"""What the phone would say: of an incident as it stands now, or of a webhook body that somebody pastes."""

from __future__ import annotations

import asyncio
import base64
import logging
import re

from aiohttp import web

from bridge.alert import Group, Source, parse_group
from bridge.dispatch.preview import preview
from bridge.errors import CallbridgeError, NotAWebhook
from bridge.logs import fields
from bridge.rehearsal import subjects_of, worst_of
from bridge.speech import Kind, Speech, can_speak, wav_of, words_heard
from bridge.speech.markup import MarkupError
from bridge.web.site import HEADERS, NotFound, Problem, Visit, shown

log = logging.getLogger(__name__)

LONGEST_PAYLOAD = 500_000
# A signed link takes the incident: whoever may only read must not get one.
_LINK = re.compile(r"(/webhook/keypress/)[^\s\"'<>]+")


def speech_routes() -> list[web.RouteDef]:
    """Of an incident, to read and to hear; and of a body."""
    return [
        web.get("/incidents/{id}/speech", shown(of_incident)),
        web.get("/incidents/{id}/speech.wav", shown(aloud)),
        web.post("/preview", shown(of_payload)),
    ]


async def of_incident(visit: Visit) -> web.StreamResponse:
    """What somebody would hear of an incident. Raises NotFound."""
    speech, person = await _speech(visit)
    id_ = visit.request.match_info["id"]
    return await _page(visit, speech, person, incident=id_)


async def aloud(visit: Visit) -> web.StreamResponse:
    """The same as a sound. Raises NotFound, also where there is no voice."""
    speech, _ = await _speech(visit)
    return web.Response(body=await _sound(visit, speech), headers={**HEADERS, "Content-Type": "audio/wav"})


async def _speech(visit: Visit) -> tuple[Speech, str]:
    site, id_ = visit.site, visit.request.match_info["id"]
    people = visit.config.people
    asked = visit.request.query.get("person", "")
    person = asked if asked in people else visit.visitor.person or next(iter(people), "")
    world, snapshots = site.dispatch.world, site.dispatch.snapshots
    speech = await site.database.read(lambda connection: preview(connection, world, snapshots, visit.now, id_, person))
    if speech is None:
        raise NotFound("There is no such incident. Those that are over are forgotten after a while.")
    return speech, person


async def of_payload(visit: Visit) -> web.StreamResponse:
    """What would be said if this body came now. Raises Problem where it is none, or calls nobody."""
    form = await visit.form()
    group = _group(form.get("payload", "")[:LONGEST_PAYLOAD])
    config, world = visit.config, visit.site.dispatch.world
    people = config.people
    person = form.get("person", "") if form.get("person", "") in people else next(iter(people), "")
    subjects = subjects_of(config, group, visit.now)
    if not subjects:
        raise Problem("Nobody would be called: nothing fires in it, or its policies call nobody at this time.")
    who = people.get(person)
    speech = await asyncio.to_thread(
        lambda: world.speaker.speak(
            template=world.policies[worst_of(subjects).policy].template,
            language=(who.language if who else "") or world.language,
            timezone=world.timezone,
            person=who.name if who else "",
            subjects=subjects,
            total=len(subjects),
            now=visit.now,
            keypress=world.keypress,
            hang_up=world.rules.hang_up,
        )
    )
    sound = base64.b64encode(await _sound(visit, speech)).decode() if can_speak() else ""
    return await _page(visit, speech, person, sound=sound)


def _group(text: str) -> Group:
    body = text.encode("utf-8", "replace")
    try:
        return parse_group(body, Source.GRAFANA if b'"orgId"' in body else Source.ALERTMANAGER)
    except NotAWebhook as error:
        raise Problem(f"That is no webhook body: {error}") from None


async def _sound(visit: Visit, speech: Speech) -> bytes:
    async with visit.site.voice:
        try:
            return await asyncio.to_thread(wav_of, speech)
        except CallbridgeError as error:
            log.warning("nothing can be heard", extra=fields(err=str(error)))
            raise NotFound("It cannot be heard here: install espeak-ng on the machine of callbridge.") from None


async def _page(visit: Visit, speech: Speech, person: str, incident: str = "", sound: str = "") -> web.Response:
    shown = {
        "speech": speech,
        "words": words_of_call(speech.text),
        "markup": without_links(speech.text) if speech.kind is not Kind.TEXT else "",
        "person": person,
        "incident": incident,
        "can_speak": can_speak(),
        "sound": sound,
    }
    return await visit.page("speech.html.j2", shown)


def words_of_call(text: str) -> str:
    """What of a call's text was heard."""
    if not text.lstrip().startswith("<"):
        return without_links(text)
    try:
        return words_heard(text, Kind.XML)
    except MarkupError:
        return without_links(text)


def without_links(text: str) -> str:
    """The text without the links that take what it tells."""
    return _LINK.sub(r"\1<secret>", text)
