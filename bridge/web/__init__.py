"""The page for people: incidents, one incident's story, the on-call calendar, the calls, the state of it all.

site      what the page needs, who visits, and how each answer leaves: its headers, its errors as pages
looks     templates, times and words as they are shown; what a stranger wrote is escaped, and masked for strangers
incidents open ones and one's story      outlook  who is called now, and what comes next      story  the time line
oncall    the calendar and overrides     weeks    shifts cut into days
account   calls, status, test calls      speech   what the phone would say, to read and to hear
acts      what a button does             tokens   that it was our own page that asked
live      says that something changed    files    style, script and htmx, out of the package

Works without a script for reading and acting; asks no other server for anything.
"""

from __future__ import annotations

from aiohttp import web

from bridge.web.account import account_routes
from bridge.web.acts import act_routes
from bridge.web.files import file_routes
from bridge.web.incidents import incident_routes
from bridge.web.live import Live, live_routes
from bridge.web.oncall import oncall_routes
from bridge.web.site import SITE, Site
from bridge.web.speech import speech_routes

__all__ = ["Live", "Site", "add_pages"]


def add_pages(application: web.Application, site: Site) -> None:
    """Add every page to the application, below the site's prefix."""
    application[SITE] = site
    routes = [
        *incident_routes(),
        *oncall_routes(),
        *account_routes(),
        *speech_routes(),
        *act_routes(),
        *live_routes(),
        *file_routes(),
    ]
    prefix = site.route_prefix
    application.add_routes([web.route(one.method, prefix + one.path, one.handler, **one.kwargs) for one in routes])
    if prefix:
        application.add_routes([web.get(prefix, incident_routes()[0].handler)])
    application.on_shutdown.append(site.live.shut)
