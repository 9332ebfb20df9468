"""What the tests of the web config share: the file, the program behind it, and who comes with a password."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import bcrypt

from bridge.app import App
from tests.serving import app_running, write_files

TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
PASSWORD = "correct horse"


def basic(name: str, password: str) -> str:
    """What a client sends."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


ME = basic("me", PASSWORD)
AS_ME = {"Authorization": ME}


def hash_of(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def users(password: str = PASSWORD) -> str:
    return f"basic_auth_users: {{me: {hash_of(password)}}}\n"


def web_file(folder: Path, text: str) -> Path:
    path = folder / "web.yaml"
    path.write_text(text)
    return path


@asynccontextmanager
async def guarded(folder: Path, text: str, prefix: str = "") -> AsyncIterator[tuple[App, aiohttp.ClientSession]]:
    """The program with `text` as its web config."""
    running = app_running(write_files(folder), web_config=web_file(folder, text), route_prefix=prefix)
    async with running as (app, session):
        yield app, session


async def status(session: aiohttp.ClientSession, path: str, **more: object) -> int:
    async with session.get(path, **more) as response:  # type: ignore[arg-type]  # arguments of several types
        return response.status
