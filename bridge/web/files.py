"""The door of style, script and htmx; browsers keep them until their content changes."""

from __future__ import annotations

from aiohttp import web

from bridge.web.site import HEADERS, NotFound, Visit, shown
from bridge.web.static import files

FOREVER = "public, max-age=31536000, immutable"


def file_routes() -> list[web.RouteDef]:
    """The files."""
    return [web.get("/static/{name}", shown(file))]


async def file(visit: Visit) -> web.StreamResponse:
    """One file. Raises NotFound."""
    found = files().get(visit.request.match_info["name"])
    if found is None:
        raise NotFound("There is no such file.")
    kept = FOREVER if visit.request.query.get("v") == found.version else "no-cache"
    return web.Response(body=found.body, headers={**HEADERS, "Content-Type": f"{found.kind}; charset=utf-8",
                                                  "Cache-Control": kept})  # fmt: skip
