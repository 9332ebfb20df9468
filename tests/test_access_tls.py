"""TLS by --web.config.file: for every door, as strict as the file says, and exchanged without a restart."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from pathlib import Path

import aiohttp
import pytest

from bridge.access import read_web_config
from bridge.app import App
from tests.certificates import make_pair, trusting
from tests.guarding import AS_ME, PASSWORD, TLS, guarded, hash_of, status, users, web_file
from tests.serving import BEARER, quiet, served, write_files


async def test_tls_for_every_door(tmp_path: Path) -> None:
    """TLS holds for webhooks too; whoever speaks plain HTTP gets nothing."""
    server = make_pair(tmp_path, "server")
    async with guarded(tmp_path, TLS + users()) as (app, session):
        assert app.addresses[0].startswith("https://127.0.0.1:")
        context = trusting(server)
        async with session.post("webhook/alertmanager", json=quiet(), headers=BEARER, ssl=context) as response:
            assert response.status == 200
        assert await status(session, "metrics", ssl=context) == 401
        assert await status(session, "metrics", ssl=context, headers=AS_ME) == 200
        with pytest.raises(aiohttp.ClientError):
            await status(session, app.addresses[0].replace("https", "http") + "/-/healthy")


async def fresh(app: App, context: ssl.SSLContext) -> int:
    """The status of /-/healthy over a connection of its own; 0 where there is none."""
    try:
        async with aiohttp.ClientSession() as session:
            return await status(session, f"{app.addresses[0]}/-/healthy", ssl=context)
    except (aiohttp.ClientError, OSError):
        return 0


async def test_a_new_certificate_needs_no_restart(tmp_path: Path) -> None:
    """The certificate's file is exchanged: new connections get the new one."""
    old = trusting(make_pair(tmp_path, "server"))
    async with guarded(tmp_path, TLS) as (app, _):
        assert await fresh(app, old) == 200
        new = trusting(make_pair(tmp_path, "server"))
        assert await fresh(app, new) == 200
        assert await fresh(app, old) == 0


def test_as_its_operator_starts_it(tmp_path: Path) -> None:
    """`serve --web.config.file`: TLS from the first connection on, the log says so, and a new certificate holds."""
    old = trusting(make_pair(tmp_path, "server"))
    web = web_file(tmp_path, TLS + users())
    with served(write_files(tmp_path), f"--web.config.file={web}") as one:
        one.wait_for("TLS is enabled")
        new = trusting(make_pair(tmp_path, "server"))
        answers = []
        for context in (old, new):
            connection = http.client.HTTPSConnection(one.url.removeprefix("http://"), timeout=10, context=context)
            with contextlib.suppress(ssl.SSLError), contextlib.closing(connection):
                connection.request("GET", "/metrics", headers=AS_ME)
                answers.append((context, connection.getresponse().status))
        assert answers == [(new, 200)]
        assert one.stop() == 0


async def test_a_broken_certificate(tmp_path: Path) -> None:
    """A certificate that cannot be read: the last good one goes on, for the webhooks' sake; page and API say 500."""
    context = trusting(make_pair(tmp_path, "server"))
    async with guarded(tmp_path, TLS + users()) as (app, session):
        (tmp_path / "server.crt").write_text("half a certificate")
        assert await fresh(app, context) == 200
        assert await status(session, "metrics", ssl=context, headers=AS_ME) == 500
        async with session.post("webhook/alertmanager", json=quiet(), headers=BEARER, ssl=context) as response:
            assert response.status == 200


async def test_client_certificates(tmp_path: Path) -> None:
    """Only clients of client_ca_file come in, and another CA holds as soon as it is written there."""
    server, friend, stranger = (make_pair(tmp_path, name) for name in ("server", "friend", "stranger"))
    (tmp_path / "ca.crt").write_text(friend.certificate.read_text())
    required = f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
    async with guarded(tmp_path, required) as (app, _):
        assert await fresh(app, friend.client(server)) == 200
        assert await fresh(app, stranger.client(server)) == 0
        assert await fresh(app, trusting(server)) == 0
        (tmp_path / "ca.crt").write_text(stranger.certificate.read_text())
        assert await fresh(app, stranger.client(server)) == 200
        assert await fresh(app, friend.client(server)) == 0


async def test_client_certificates_if_given(tmp_path: Path) -> None:
    """VerifyClientCertIfGiven lets in who shows none, and not who shows another's."""
    server, friend, stranger = (make_pair(tmp_path, name) for name in ("server", "friend", "stranger"))
    given = f"{TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: friend.crt\n"
    async with guarded(tmp_path, given) as (app, _):
        answers = [await fresh(app, one) for one in (friend.client(server), trusting(server), stranger.client(server))]
        assert answers == [200, 200, 0]


@pytest.mark.parametrize(
    ("rule", "tls12", "tls13"),
    [
        ("", 200, 200),
        ("  min_version: TLS13\n", 0, 200),
        ("  max_version: TLS12\n", 200, 0),
        ("  min_version: TLS10\n", 200, 200),
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", 0, 200),
        ("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n", 200, 200),
        ("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n", 0, 200),
        ("  curve_preferences: [CurveP384]\n  prefer_server_cipher_suites: false\n", 200, 200),
    ],
)
async def test_tls_versions_and_ciphers(tmp_path: Path, rule: str, tls12: int, tls13: int) -> None:
    """What is asked for holds: a client of TLS 1.2 with one suite, and one of TLS 1.3."""
    server = make_pair(tmp_path, "server")
    old, new = trusting(server), trusting(server)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    async with guarded(tmp_path, TLS + rule) as (app, _):
        assert (await fresh(app, old), await fresh(app, new)) == (tls12, tls13)


async def test_a_stricter_version_needs_no_restart(tmp_path: Path) -> None:
    """min_version is raised in the file: after the handshake that finds it, TLS 1.2 is refused."""
    server = make_pair(tmp_path, "server")
    old = trusting(server)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with guarded(tmp_path, TLS) as (app, _):
        assert await fresh(app, old) == 200
        web_file(tmp_path, f"{TLS}  min_version: TLS13\n")
        await fresh(app, trusting(server))
        assert await fresh(app, old) == 0
        assert await fresh(app, trusting(server)) == 200


def test_doubts(tmp_path: Path) -> None:
    """What is allowed and yet not what it looks like is warned of, with its place."""
    make_pair(tmp_path, "server").key.chmod(0o644)
    text = (
        f"{TLS}  min_version: TLS11\n  client_auth_type: RequestClientCert\n  curve_preferences: [X25519, CurveP256]\n"
    )
    dear = hash_of(PASSWORD).replace("$04$", "$16$")
    found = read_web_config(web_file(tmp_path, f'{text}basic_auth_users:\n  "a:b": {hash_of("x")}\n  me: {dear}\n'))
    assert [(one.line, one.where) for one in found.warnings] == [
        (3, "tls_server_config.key_file"),
        (4, "tls_server_config.min_version"),
        (5, "tls_server_config.client_auth_type"),
        (6, "tls_server_config.curve_preferences"),
        (8, 'basic_auth_users["a:b"]'),
        (9, "basic_auth_users.me"),
    ]
    assert "$2b$" not in repr(found)
