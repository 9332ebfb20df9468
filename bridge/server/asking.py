"""The page behind the link of an SMS: it asks before it takes anything.

Phones fetch what is linked in a message to show it beforehand, and nobody has read it then.
"""

from __future__ import annotations

from aiohttp import web

QUESTION = "ask"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>callbridge</title>
<style>body{font:1.25rem system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem}
button{font:inherit;width:100%;padding:1rem}</style>
<h1>callbridge</h1>
<p>Do you take what the SMS told you of?</p>
<form method="post"><button type="submit">I take it</button></form>
</html>
"""


def asks(request: web.Request) -> bool:
    """Whether the request only wants to be asked."""
    return request.method in ("GET", "HEAD") and QUESTION in request.query


def question() -> web.Response:
    """The page with its one button, which sends the link by POST."""
    return web.Response(text=_PAGE, content_type="text/html", charset="utf-8", headers=_HEADERS)
