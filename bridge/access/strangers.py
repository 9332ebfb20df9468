"""No listening beyond this machine without credentials: who can reach the doors could take every incident."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from bridge.access.reading import WebConfig
from bridge.errors import CallbridgeError


def exposed(hosts: Sequence[str]) -> int | None:
    """The index of the first of `hosts` that others than this machine can reach ("" is every address); None if none."""
    return next((index for index, host in enumerate(hosts) if not _loopback(host)), None)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)  # noqa: S104 - not to listen on
    except (OSError, UnicodeError):
        return True  # nobody can listen there, which is told by who tries
    return all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)


def refuse_strangers(address: str, *, webhooks: bool, found: WebConfig | None) -> None:
    """Raise CallbridgeError unless both credentials are there: of the `webhooks`, and of page and API (`found`).

    `address` is the --web.listen-address that others can reach.
    """
    if found is not None and found.knows_clients:
        return
    missing = []
    if not webhooks:
        missing.append("set webhooks.alertmanager.credentials_file in the file of --config.file")
    if found is None:
        missing.append("name a file with basic_auth_users in --web.config.file")
    elif not found.users:
        missing.append("set basic_auth_users in the file of --web.config.file")
    if missing:
        raise CallbridgeError(
            f"--web.listen-address={address}: others can reach it, and would need no credentials: "
            f"{', and '.join(missing)}; or say that it is meant by --web.allow-unauthenticated"
        )
