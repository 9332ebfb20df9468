"""`callbridge serve`: the server."""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from bridge import logs
from bridge.app import Options, parse_address
from bridge.cli.signals import serve
from bridge.cli.words import Commands, add_command, add_config
from bridge.errors import CallbridgeError

DEFAULT_ADDRESS = "127.0.0.1:10077"


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "serve", "run the server")
    add_config(command)
    command.add_argument("--web.listen-address", dest="listen", metavar="ADDRESS", action="append",
                         help=f"where to listen, may be repeated (default {DEFAULT_ADDRESS})")  # fmt: skip
    command.add_argument("--web.external-url", dest="external_url", metavar="URL", default="",
                         help="under which URL others reach this server")  # fmt: skip
    command.add_argument("--web.route-prefix", dest="prefix", metavar="PATH", default=None,
                         help="what precedes every path (default: the path of --web.external-url)")  # fmt: skip
    command.add_argument("--web.config.file", dest="web_config", metavar="FILE", type=Path, default=None,
                         help="TLS, and passwords of page, API and metrics: the exporter-toolkit's file")  # fmt: skip
    command.add_argument("--web.allow-unauthenticated", dest="allow_unauthenticated", action="store_true",
                         help="listen beyond this machine without credentials; it is refused otherwise")  # fmt: skip
    add_logging(command)
    command.set_defaults(run=run)


def add_logging(command: argparse.ArgumentParser, level: str = "info") -> None:
    """The flags of the log."""
    command.add_argument("--log.level", dest="level", default=level, choices=("debug", "info", "warn", "error"))
    command.add_argument("--log.format", dest="format", default="logfmt", choices=("logfmt", "json"))


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    logs.set_up(arguments.level, arguments.format)
    listen = arguments.listen or [DEFAULT_ADDRESS]
    for address in listen:
        parse_address(address)
    options = Options(
        arguments.config,
        tuple(listen),
        external_url(arguments.external_url),
        prefix(arguments),
        arguments.web_config,
        arguments.allow_unauthenticated,
    )
    serve(options)
    return 0


def external_url(url: str) -> str:
    """The URL without a slash at its end. Raises CallbridgeError where it is none."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise CallbridgeError(f"--web.external-url={url}: {error}; write http(s)://host[:port][/path]") from None
    if url and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment):
        raise CallbridgeError(f"--web.external-url={url}: write http(s)://host[:port][/path]")
    return url.rstrip("/")


def prefix(arguments: argparse.Namespace) -> str:
    """The route prefix: empty, or with a slash before and none behind."""
    path = arguments.prefix if arguments.prefix is not None else urlsplit(arguments.external_url).path
    path = "/" + path.strip("/")
    return "" if path == "/" else path
