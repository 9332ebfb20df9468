"""`callbridge gateway`: the accounts at the gateway: balance, what it really answers, the webhook subscriptions."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bridge import config, logs
from bridge.accounts import open_gateway
from bridge.cli.lines import accounts_of, add_gateway
from bridge.cli.serving import add_logging, external_url, prefix
from bridge.cli.verify import verify
from bridge.cli.words import Commands, add_command, add_config, plain
from bridge.config import Config, GatewaySettings
from bridge.errors import CallbridgeError, GatewayError
from bridge.gateway import Gateway, Hook, HookMethod, open_session

# What callbridge hears by its webhook: how calls go, keys that are pressed, replies by SMS, receipts of SMS.
EVENTS = ("voice_status", "voice_dtmf", "sms_mo", "dlr")
# Without this one no call counts as answered; the others are not known to every gateway.
NEEDED = "voice_status"
DOOR = "/webhook/sms77/"
_LONG_WORD = re.compile(r"[A-Za-z0-9_=~.-]{16,}")

Ask = Callable[[argparse.Namespace, Config, GatewaySettings, aiohttp.ClientSession], Coroutine[None, None, int]]


def add_to(commands: Commands) -> None:
    """Add the commands."""
    gateway = add_command(commands, "gateway", "look at the accounts at the gateway, and set up their webhooks")
    actions = gateway.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "balance", "print the balance in euro", _balance)
    checking = _add(actions, "verify", "ask this account's gateway everything that callbridge relies on", verify)
    checking.add_argument("--record", metavar="FILE", type=Path, default=None,
                          help="write what it answered, without numbers and secrets, as JSON (-: stdout)")  # fmt: skip
    checking.add_argument("--call", metavar="PERSON", default="",
                          help="call that person for real, and follow the call to its end")  # fmt: skip
    hooks = add_command(actions, "hooks", "the webhook subscriptions of the account").add_subparsers(
        dest="verb", metavar="list|subscribe|unsubscribe", required=True
    )
    _add(hooks, "list", "list them; tokens are not shown", _list)
    subscribing = _add(hooks, "subscribe", "let the account report calls to this callbridge; twice does no harm", _sub)
    subscribing.add_argument("--event", dest="events", metavar="EVENT", action="append", choices=(*EVENTS, "all"),
                             help=f"what to report, may be repeated (default: {', '.join(EVENTS)})")  # fmt: skip
    _add_address(subscribing)
    _add_address(_add(hooks, "unsubscribe", "end the subscriptions of this callbridge, and no others", _unsub))


def _add(actions: Commands, name: str, summary: str, ask: Ask) -> argparse.ArgumentParser:
    action = add_command(actions, name, summary)
    add_config(action)
    add_gateway(action, "all" if ask is _balance else "the first")
    add_logging(action, "warn")
    action.set_defaults(run=lambda arguments: _run(arguments, ask))
    return action


def _add_address(action: argparse.ArgumentParser) -> None:
    action.add_argument("--web.external-url", dest="external_url", metavar="URL", default="",
                        help="as serve has it; /webhook/sms77/ and the report token are put behind it")  # fmt: skip
    action.add_argument("--web.route-prefix", dest="prefix", metavar="PATH", default=None,
                        help="what precedes every path (default: the path of --web.external-url)")  # fmt: skip
    action.add_argument("--url", metavar="URL", default="", help="the whole address instead, with its token")


def _run(arguments: argparse.Namespace, ask: Ask) -> int:
    logs.set_up(arguments.level, arguments.format)
    loaded = config.load(arguments.config)
    chosen = accounts_of(loaded, arguments.gateway, every=ask is _balance)

    async def asked() -> int:
        async with open_session() as session:
            return max([await ask(arguments, loaded, one, session) for one in chosen])

    return asyncio.run(asked())


async def _balance(
    arguments: argparse.Namespace, loaded: Config, settings: GatewaySettings, session: aiohttp.ClientSession
) -> int:
    name = f"{settings.name}: " if len(loaded.gateways) > 1 else ""
    try:
        euros = await open_gateway(session, settings).balance()
    except GatewayError as error:
        print(f"callbridge: error: {name}{error}", file=sys.stderr)
        return 1
    low = settings.min_balance is not None and euros < settings.min_balance
    print(f"{name}{euros:.2f} euro" + (f", below min_balance ({settings.min_balance:.2f})" if low else ""))
    return 0


# --- subscriptions


async def _list(
    arguments: argparse.Namespace, loaded: Config, settings: GatewaySettings, session: aiohttp.ClientSession
) -> int:
    hooks = await open_gateway(session, settings).hooks()
    for hook in hooks:
        off = "" if hook.enabled else "  switched off"
        print(
            f"{hook.id:>8}  {plain(hook.event_type):13} {plain(hook.request_method):5} {masked(hook.target_url)}{off}"
        )
    if not hooks:
        print("no subscriptions")
    return 0


async def _sub(
    arguments: argparse.Namespace, loaded: Config, settings: GatewaySettings, session: aiohttp.ClientSession
) -> int:
    """1 where what is needed, or what was asked for by name, could not be subscribed."""
    url, gateway = _address(arguments, loaded), open_gateway(session, settings)
    there = await gateway.hooks()
    failures = 0
    print(f"to {masked(url)}")
    for event in arguments.events or EVENTS:
        told, fine = await _subscribed(gateway, there, url, event, "JSON" if settings.dialect == "seven" else "POST")
        print(f"{event:13} {told}")
        failures += not fine and (event == NEEDED or bool(arguments.events))
    now = await gateway.hooks()
    for double in _doubles(now, url):
        await gateway.unsubscribe(double.id)
        print(f"{plain(double.event_type):13} was there twice, unsubscribed ({double.id})")
    _tell_of_others(now, url)
    return min(failures, 1)


async def _subscribed(
    gateway: Gateway, there: Sequence[Hook], url: str, event: str, method: HookMethod
) -> tuple[str, bool]:
    """What was done about one event, and whether it is reported now."""
    known = [hook for hook in there if hook.target_url == url and hook.event_type in (event, "all")]
    for hook in known:
        if hook.enabled:
            return f"already subscribed ({hook.id}{', all events' if hook.event_type == 'all' else ''})", True
    try:
        for hook in known:
            # The gateway switches off what failed for days, and knows no way to switch it on again.
            await gateway.unsubscribe(hook.id)
        return f"subscribed ({await gateway.subscribe(url, event, method)})", True
    except GatewayError as error:
        # The answer may be what was lost, and not the request.
        found = await _found(gateway, url, event)
        return (f"subscribed ({found})", True) if found else (f"not subscribed: {plain(str(error))}", False)


async def _found(gateway: Gateway, url: str, event: str) -> str | None:
    try:
        hooks = await gateway.hooks()
    except GatewayError:
        return None
    return next((one.id for one in hooks if one.enabled and one.target_url == url and one.event_type == event), None)


def _doubles(there: Sequence[Hook], url: str) -> list[Hook]:
    """Subscriptions to `url` that report what another of them reports: each report would come twice."""
    ours = [hook for hook in there if hook.target_url == url and hook.enabled]
    first = {hook.event_type: hook.id for hook in reversed(ours)}
    return [hook for hook in ours if first[hook.event_type] != hook.id]


def _tell_of_others(there: Sequence[Hook], url: str) -> None:
    old = [hook for hook in there if hook.target_url != url and _base(hook.target_url) == _base(url) != ""]
    for hook in old:
        print(f"{plain(hook.event_type):13} also goes to this callbridge with another token ({hook.id}): "
              "hooks unsubscribe ends it")  # fmt: skip


async def _unsub(
    arguments: argparse.Namespace, loaded: Config, settings: GatewaySettings, session: aiohttp.ClientSession
) -> int:
    url, gateway = _address(arguments, loaded), open_gateway(session, settings)
    ours = [
        hook for hook in await gateway.hooks() if hook.target_url == url or _base(hook.target_url) == _base(url) != ""
    ]
    for hook in ours:
        done = await gateway.unsubscribe(hook.id)
        print(f"{plain(hook.event_type):13} {'unsubscribed' if done else 'was gone already'} ({hook.id})")
    if not ours:
        print("no subscription of this callbridge")
    return 0


def _address(arguments: argparse.Namespace, loaded: Config) -> str:
    """Where reports are to go: --url, or the door behind --web.external-url with the report token."""
    if bool(arguments.url) == bool(arguments.external_url):
        raise CallbridgeError("say where reports are to go: --web.external-url=URL as serve has it, or --url=URL")
    if arguments.url:
        return external_url(arguments.url)
    token = loaded.webhooks.report_token
    if token is None:
        raise CallbridgeError("webhooks.sms77.token_file: there is none in the config; without it no report is taken")
    parts = urlsplit(external_url(arguments.external_url))
    return f"{parts.scheme}://{parts.netloc}{prefix(arguments)}{DOOR}{token.read()}"


def _base(url: str) -> str:
    """The address of a callbridge up to its door; "" where there is no such door in it."""
    head, door, _ = url.partition(DOOR)
    return head + door if door else ""


def masked(url: str) -> str:
    """The address fit for a terminal: what may be a token in it is not shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "<an address that is none>"
    path, door, token = parts.path.partition(DOOR)
    shown = _LONG_WORD.sub("<token>", path) + door + ("<token>" if token else "")
    host = parts.netloc.rpartition("@")[2]
    return plain(f"{parts.scheme}://{host}{shown}{'?<query>' if parts.query else ''}")
