"""The doors for machines: messages into the inbox, health, metrics, and the JSON API.

Every door does the same: who knocks, is it a message at all, keep it, say thanks. Nothing is understood here.
"""

from __future__ import annotations

from aiohttp import web

from bridge.server.api import api_routes
from bridge.server.crowd import HTTP_LOG, KEPT_OPEN, Bounds, Crowd
from bridge.server.doors import BODY_LIMIT, DOORS, Doors, door_routes
from bridge.server.oncall import oncall_routes

__all__ = ["DOORS", "HTTP_LOG", "KEPT_OPEN", "Bounds", "Crowd", "Doors", "make_application"]


def make_application(doors: Doors, prefix: str = "") -> web.Application:
    """The whole of it, below `prefix` (`/pager`, or nothing)."""
    application = web.Application(client_max_size=BODY_LIMIT)
    application[DOORS] = doors
    routes = [*door_routes(), *api_routes(prefix), *oncall_routes()]
    if prefix:
        routes = [web.route(route.method, prefix + route.path, route.handler, **route.kwargs) for route in routes]
    application.add_routes(routes)
    return application
