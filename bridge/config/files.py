"""What the file points to: secrets, the database, folders. Relative paths start at the file's own folder."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bridge.config.faults import Faults
from bridge.config.scalars import shown
from bridge.config.settings import Secret
from bridge.config.tree import Node, select
from bridge.errors import CallbridgeError

SECRETS = (
    ("gateway.api_key_file", "every call is refused"),
    ("gateways.#.api_key_file", "every call by this account is refused"),
    ("webhooks.alertmanager.credentials_file", "every notification is refused"),
    ("webhooks.grafana.hmac_secret_file", "every notification is refused"),
    ("webhooks.sms77.token_file", "no report of the gateway is taken"),
    ("webhooks.sms77.signing_key_file", "no report of the gateway is taken"),
    ("alertmanagers.#.authorization.credentials_file", "this Alertmanager is not asked"),
    ("alertmanagers.#.basic_auth.password_file", "this Alertmanager is not asked"),
    ("heartbeat.url_file", "no heartbeat is sent"),
)
_LIKE_A_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+=]{20,}")
DEFAULT_URL = "sqlite:///callbridge.db"


def resolved(folder: Path, text: str) -> Path:
    """The path `text` of the file, absolute."""
    return (folder / text).absolute()


def check_files(root: Node, folder: Path, faults: Faults) -> None:
    """Tell what of the files and folders named is not there, or open to everybody."""
    for where, consequence in SECRETS:
        for place, node in select(root, where):
            if node.text and not faults.below(place):
                _check_secret(place, node, folder, consequence, faults)
    for place, node in select(root, "templates.#"):
        if node.text and not os.path.isdir(resolved(folder, node.text)):
            what = f"{shown(node.text)}: no such folder; until it is there the shipped templates are used"
            faults.tell(node.line, node.column, place, what, warning=True)
    for place, node in select(root, "alertmanagers.#.tls_config.ca_file"):
        if node.text and not os.path.isfile(resolved(folder, node.text)):
            what = f"{shown(node.text)}: no such file; until it is there this Alertmanager is not asked"
            faults.tell(node.line, node.column, place, what, warning=True)
    for place, node in select(root, "schedules.*.ical.file"):
        if node.text and not os.path.isfile(resolved(folder, node.text)):
            what = f"{shown(node.text)}: no such file; until it is there nobody is on call by it"
            faults.tell(node.line, node.column, place, what, warning=True)
    _check_database(root, folder, faults)


def _check_secret(where: str, node: Node, folder: Path, consequence: str, faults: Faults) -> None:
    text = node.text or ""
    path = resolved(folder, text)
    if _LIKE_A_KEY.fullmatch(text) and not os.path.exists(path):
        # Refused, not doubted: as the name of a missing file it would go into every error and log from now on.
        what = "looks like the secret itself; write that into a file of its own, and the file's name here"
        faults.tell(node.line, node.column, where, what)
        return
    for what in _secret_doubts(path, consequence):
        faults.tell(node.line, node.column, where, what, warning=True)


def _secret_doubts(path: Path, consequence: str) -> Iterator[str]:
    try:
        mode = path.stat().st_mode
        Secret(path).read()
    except FileNotFoundError:
        yield f"{path}: no such file; until it is there {consequence}"
    except OSError as error:
        yield f"{path}: cannot be read ({error.strerror}); until it can {consequence}"
    except CallbridgeError as error:
        yield f"{error}; until that is mended {consequence}"
    else:
        # Group readable is how orchestrators hand secrets to a program of another user; the whole world is too many.
        if mode & stat.S_IROTH:
            yield f"{path}: everybody on this machine can read this secret; chmod o-rwx"


def _check_database(root: Node, folder: Path, faults: Faults) -> None:
    for where in ("storage.url", "storage.url_file"):
        for place, node in select(root, where):
            if not node.text or faults.below(place):
                continue
            try:
                database_url(folder, node.text if where == "storage.url" else None, node.text)
            except ValueError as error:
                faults.tell(node.line, node.column, place, str(error))


def database_url(folder: Path, url: str | None, url_file: str | None) -> str:
    """The database's URL, an SQLite path in it made absolute. ValueError says what is wrong, never showing the URL."""
    if url is None and url_file is not None:
        try:
            return _absolute(folder, Secret(resolved(folder, url_file)).read(), secret=True)
        except CallbridgeError as error:
            raise ValueError(f"{error}; write the database's URL into that file") from None
    return _absolute(folder, url or DEFAULT_URL, secret=False)


def _absolute(folder: Path, url: str, *, secret: bool) -> str:
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres"):
        return _postgresql(url, secret=secret)
    if scheme != "sqlite" or not rest.startswith("/"):
        raise ValueError("is not a database that can be used; write sqlite:///callbridge.db")
    name, question, query = rest[1:].partition("?")
    if name in ("", ":memory:") or "mode=memory" in query:
        raise ValueError("is a database in memory, which forgets every incident; write sqlite:///callbridge.db")
    path = resolved(folder, name)
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; write the path of a file in it")
    return f"sqlite:///{path}{question}{query}"


def _postgresql(url: str, *, secret: bool) -> str:
    try:
        parts = urlsplit(url)
        password, host = parts.password, parts.path.strip("/")
    except ValueError:
        password, host = None, ""
    if not host:
        raise ValueError("names no database; write postgresql://host/database")
    if not secret and (password or "password=" in url):
        raise ValueError("has a password in it; write the URL into a file of its own and name that in url_file")
    return url.replace("postgres://", "postgresql://", 1)
