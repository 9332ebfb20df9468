"""`callbridge incidents`: look at incidents and take them, over the HTTP API of a running server."""

from __future__ import annotations

import argparse
import asyncio
import base64
import getpass
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from bridge.cli.serving import DEFAULT_ADDRESS
from bridge.cli.words import Commands, add_command, plain
from bridge.config import Secret
from bridge.errors import CallbridgeError

ACTIONS = {"ack": "acknowledge", "escalate": "escalate", "resolve": "resolve"}


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "incidents", "list, show, acknowledge, escalate or resolve incidents")
    command.add_argument("verb", metavar="list|show|ack|escalate|resolve", nargs="?", default="list",
                         choices=("list", "show", *ACTIONS))  # fmt: skip
    command.add_argument("id", metavar="ID", nargs="?", default="")
    command.add_argument(
        "--url", default=f"http://{DEFAULT_ADDRESS}", help=f"the server (default http://{DEFAULT_ADDRESS})"
    )
    command.add_argument("--user", default="", help="a name of basic_auth_users in the server's --web.config.file")
    command.add_argument("--password-file", dest="password", metavar="F", type=Path, default=None,
                         help="the file with that user's password")  # fmt: skip
    command.add_argument("--state", default="open", help="which to list (default: open; all for all)")
    command.add_argument("--by", default="", help="who acts: a person's key (default: your login name)")
    command.add_argument("--comment", default="", help="why")
    command.add_argument("--output", choices=("table", "json"), default="table")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where the server did it."""
    if arguments.verb != "list" and not arguments.id:
        raise CallbridgeError(f"incidents {arguments.verb}: say which: callbridge incidents {arguments.verb} ID")
    body = asyncio.run(_ask(arguments))
    if arguments.output == "json":
        sys.stdout.write(body["raw"].rstrip() + "\n")
        return 0
    if arguments.verb == "list":
        _list(body["told"])
    else:
        _story(body["told"])
    return 0


async def _ask(arguments: argparse.Namespace) -> dict[str, Any]:
    base = arguments.url.rstrip("/") + "/api/v1/incidents"
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout, headers=_credentials(arguments)) as session:
        try:
            return await _request(session, base, arguments)
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            raise CallbridgeError(
                f"{arguments.url}: {str(error) or type(error).__name__}; is the server running there?"
            ) from None


def _credentials(arguments: argparse.Namespace) -> dict[str, str]:
    if bool(arguments.user) != bool(arguments.password):
        raise CallbridgeError("--user and --password-file belong together: --user=NAME --password-file=FILE")
    if not arguments.user:
        return {}
    if ":" in arguments.user:
        raise CallbridgeError("--user: a name has no colon; the password goes into the file of --password-file")
    pair = f"{arguments.user}:{Secret(arguments.password).read()}"
    # It goes to this server only: aiohttp takes the header off when a redirect leads elsewhere.
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def _request(session: aiohttp.ClientSession, base: str, arguments: argparse.Namespace) -> dict[str, Any]:
    verb = arguments.verb
    if verb in ACTIONS:
        wish = {"by": arguments.by or _login(), "comment": arguments.comment}
        request = session.post(URL(f"{base}/{quote(arguments.id, safe='')}/{ACTIONS[verb]}", encoded=True), json=wish)
    elif verb == "show":
        request = session.get(URL(f"{base}/{quote(arguments.id, safe='')}", encoded=True))
    else:
        request = session.get(base, params={} if arguments.state == "all" else {"state": arguments.state})
    async with request as response:
        raw = await response.text(errors="replace")
        if response.status == 401:
            raise CallbridgeError(f"{arguments.url}: wrong or no password: --user=NAME --password-file=FILE")
        told = _object(raw)
        if response.status != 200 or not told:
            said = told.get("message", f"it answered {response.status}, and not as a callbridge does")
            raise CallbridgeError(f"{arguments.url}: {plain(str(said))}")
        return {"told": told, "raw": raw}


def _object(text: str) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none, as of a proxy or another server."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a container's user often has no name


def _list(told: dict[str, Any]) -> None:
    if not told["incidents"]:
        print("no incidents")
    for incident in told["incidents"]:
        when, state = f"{incident['opened_at'][:19]}Z", f"{incident['state']:12}"
        print(plain(f"{incident['id']}  {when}  {state}  {incident['policy']:16}  {_what(incident)}"))
    if told["next"]:
        print("… and older ones")


def _what(incident: dict[str, Any]) -> str:
    names = sorted({alert["labels"].get("alertname", "?") for alert in incident["alerts"]})
    firing = sum(alert["status"] == "firing" for alert in incident["alerts"])
    who = f", taken by {incident['acknowledged_by']}" if incident["acknowledged_by"] else ""
    return f"{', '.join(names)} ({firing} firing of {len(incident['alerts'])}{who})"


def _story(incident: dict[str, Any]) -> None:
    print(plain(f"{incident['id']}  {incident['state']}  policy {incident['policy']}: {_what(incident)}"))
    for line in incident["journal"]:
        where = f"round {line['round']}, step {line['step']}" if line["round"] else ""
        parts = (line["at"][:19] + "Z", f"{line['word']:20}", line["who"], where, line["note"])
        print(plain("  " + "  ".join(part for part in parts if part)))
