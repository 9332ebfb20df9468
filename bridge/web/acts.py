"""What a button does: the same command as over the API, by the same inbox, and then back to the page.

Forms only, by POST only, and only from a visitor with credentials (`Visit.form`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from bridge.call import By
from bridge.dispatch import Command
from bridge.store.incidents import by_ids
from bridge.web.site import NotFound, Problem, Visit, shown

ACTIONS = {"acknowledge": "acknowledge", "escalate": "escalate", "resolve": "resolve", "call-again": "call_again"}
LONGEST_COMMENT = 1000
_PATH = re.compile(r"/(?!/)[A-Za-z0-9/._-]{0,200}")


def act_routes() -> list[web.RouteDef]:
    """Every button about an incident, and the one that says who sits there."""
    buttons = [web.post(f"/incidents/{{id}}/{word}", shown(_acting(word))) for word in ACTIONS]
    return [*buttons, web.post("/me", shown(me)), web.post("/test-call", shown(test_call))]


def _acting(word: str) -> Callable[[Visit], Awaitable[web.StreamResponse]]:
    async def act(visit: Visit) -> web.StreamResponse:
        """Do it, and show the incident as it is then."""
        form = await visit.form()
        id_, site = visit.request.match_info["id"], visit.site
        if not await site.database.read(lambda connection: by_ids(connection, [id_], site.dispatch.snapshots)):
            raise NotFound("There is no such incident. Those that are over are forgotten after a while.")
        comment = " ".join(part for part in (form.get("comment", "").strip(), visit.visitor.remark) if part)
        command = Command(id_, ACTIONS[word], visit.visitor.name[:200], comment[:LONGEST_COMMENT], By.WEB)
        done = await site.dispatch.ask(command)
        back = "/" if form.get("back") == "home" and done else f"/incidents/{id_}?done={word if done else 'kept'}"
        return visit.away(back)

    return act


async def me(visit: Visit) -> web.StreamResponse:
    """Remember who sits at this browser."""
    form = await visit.form()
    person = form.get("person", "")
    if person and person not in visit.config.people:
        raise Problem("Nobody of that name is in the config.")
    back = form.get("back", "/")
    response = visit.away(back if _PATH.fullmatch(back) else "/")
    visit.remember(response, person)
    return response


async def test_call(visit: Visit) -> web.StreamResponse:
    """Call one person for real. Raises Problem where nobody can be called."""
    form = await visit.form()
    person = visit.config.people.get(form.get("person", ""))
    if person is None or person.phone is None:
        raise Problem("Nobody of that name with a number is in the config.")
    if any(call.person == person.key or call.number == person.phone for call in await visit.site.dispatch.live_calls()):
        raise Problem(f"{person.name or person.key} is being called already. Wait until that call is over.")
    who = " ".join(part for part in (visit.visitor.name, visit.visitor.remark) if part)
    command = Command("", "test_call", who[:200], way=By.WEB, person=person.key)
    done = await visit.site.dispatch.ask(command)
    return visit.away(f"/calls?done={'test' if done else 'kept'}")
