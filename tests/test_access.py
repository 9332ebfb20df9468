"""--web.config.file: who may come in by which door, what happens when it changes, and no start without passwords."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import bcrypt
import pytest

from bridge.access import exposed, read_web_config
from bridge.access.passwords import REMEMBERED, WAITING, Passwords, Remembered, TooManyWaitError
from bridge.app import App, Options
from bridge.errors import CallbridgeError
from tests.certificates import make_pair
from tests.guarding import AS_ME, ME, PASSWORD, TLS, basic, guarded, hash_of, status, users, web_file
from tests.serving import BEARER, app_running, callbridge, quiet, write_files
from tests.stories.night import TOKEN

# --- which doors


@pytest.mark.parametrize("path", ["metrics", "api/v1/incidents", "api/v1/openapi.json", "nowhere", ""])
async def test_doors_behind_a_password(tmp_path: Path, path: str) -> None:
    """Page, API, metrics and what is not there: 401 that asks for a password, in the toolkit's words."""
    async with guarded(tmp_path, users()) as (_, session), session.get(path) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Basic"
        assert await response.text() == "Unauthorized\n"


async def test_doors_of_their_own(tmp_path: Path) -> None:
    """Webhooks have credentials of their own, health and readiness need none; a reload does."""
    async with guarded(tmp_path, users()) as (_, session):
        for slash in ("", "/"):
            async with session.post(f"webhook/alertmanager{slash}", json=quiet(), headers=BEARER) as response:
                assert response.status == 200
        async with session.post("webhook/alertmanager", json=quiet(), headers=AS_ME) as response:
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert await status(session, f"webhook/sms77/{TOKEN}?id=1&status=notanswered") == 200
        assert await status(session, "webhook/sms77/wrong") == 404
        assert await status(session, "webhook/no-such-door") == 404
        assert await status(session, "-/healthy") == 200
        assert await status(session, "-/ready") == 200
        async with session.post("-/reload") as response:
            assert response.status == 401
        async with session.post("-/reload", headers=AS_ME) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/-/healthy/../../metrics",
        "/webhook/../metrics",
        "//metrics",
        "/metrics/",
        "/%6detrics",
        "/-/ready%2f..%2fmetrics",
    ],
)
async def test_no_spelling_gets_by(tmp_path: Path, path: str) -> None:
    """However a path is written, nothing behind the guard is told without a password."""
    async with guarded(tmp_path, users()) as (app, _):
        host, port = app.addresses[0].removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        told = await reader.read()
        writer.close()
        assert told.split()[1] in (b"401", b"404")
        assert b"callbridge_" not in told


async def test_below_a_prefix(tmp_path: Path) -> None:
    """With --web.route-prefix the same doors are open and shut."""
    async with guarded(tmp_path, users(), prefix="/pager") as (_, session):
        assert await status(session, "-/healthy") == 200
        assert await status(session, "metrics") == 401
        assert await status(session, "metrics", headers=AS_ME) == 200
        assert await status(session, "/webhook/alertmanager") == 401


async def test_without_a_web_config(tmp_path: Path) -> None:
    """Without the flag every door is as it was."""
    async with app_running(write_files(tmp_path)) as (app, session):
        assert app.access is None
        assert await status(session, "metrics") == 200


async def test_a_file_without_users(tmp_path: Path) -> None:
    """An empty file asks for nothing."""
    async with guarded(tmp_path, "") as (_, session):
        assert await status(session, "metrics") == 200


# --- passwords


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (ME, 200),
        (ME.replace("Basic", "bAsIc"), 200),
        (basic("me", "correct hors"), 401),
        (basic("you", PASSWORD), 401),
        (basic("me", ""), 401),
        (basic("", ""), 401),
        (basic("me", "x" * 5000), 401),
        (basic("me", f"{PASSWORD}\0"), 401),
        ("Basic bWU=", 401),
        ("Basic !!!", 401),
        ("Basic", 401),
        ("Bearer me", 401),
    ],
)
async def test_passwords(tmp_path: Path, authorization: str, expected: int) -> None:
    """Only the name with its password comes in, the second time as the first."""
    async with guarded(tmp_path, users()) as (_, session):
        for _ in range(2):
            assert await status(session, "metrics", headers={"Authorization": authorization}) == expected


@pytest.mark.parametrize("password", ["Grüße", "x" * 72, "x" * 100, "with:colon", " "])
async def test_odd_passwords(password: str) -> None:
    """Other letters, colons, and what is longer than bcrypt reads: as htpasswd and the exporters take them."""
    hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    header = basic("me", password)
    for variant in ("$2b$", "$2y$", "$2a$"):
        assert await Passwords().fit(header, {"me": hashed.replace("$2b$", variant)})


async def test_a_check_is_made_once() -> None:
    """What was checked is remembered for that very hash: a new one is checked anew."""
    passwords = Passwords()
    old, new = {"me": hash_of(PASSWORD)}, {"me": hash_of("another")}
    assert await passwords.fit(ME, old)
    assert len(passwords.remembered.right) == 1
    assert await passwords.fit(ME, old)
    assert len(passwords.remembered.right) == 1
    assert not await passwords.fit(ME, new)
    assert len(passwords.remembered.wrong) == 1
    assert PASSWORD not in repr(passwords)


async def test_an_unknown_name_costs_as_much() -> None:
    """A name that nobody has is checked against a hash of nobody, as dear as the dearest: it takes as long."""
    known = {"me": hash_of(PASSWORD, 9), "you": hash_of(PASSWORD)}

    async def taken(header: str) -> float:
        started = time.perf_counter()
        await Passwords().fit(header, known)
        return time.perf_counter() - started

    mine = [await taken(ME) for _ in range(3)]
    assert await taken(basic("nobody", PASSWORD)) > min(mine) / 2


def test_wrong_ones_push_out_no_right_one() -> None:
    """What is remembered is bounded, and a stranger's guesses do not make others wait again."""
    remembered = Remembered()
    remembered.put(b"mine", True)
    for number in range(3 * REMEMBERED):
        remembered.put(b"%d" % number, False)
    assert remembered.get(b"mine") is True
    assert remembered.get(b"0") is None
    assert remembered.get(b"%d" % (3 * REMEMBERED - 1)) is False
    assert len(remembered.wrong) == REMEMBERED


async def test_a_flood_of_guesses() -> None:
    """More sign-ins at once than can be checked soon are turned away at once; whoever is known comes in meanwhile."""
    passwords, known = Passwords(), {"me": hash_of(PASSWORD, 8)}
    assert await passwords.fit(ME, known)
    guesses = [passwords.fit(basic("me", f"guess {one}"), known) for one in range(WAITING + 5)]
    flood = asyncio.gather(*guesses, return_exceptions=True)
    await asyncio.sleep(0)
    assert await passwords.fit(ME, known)
    told = await flood
    assert sum(isinstance(one, TooManyWaitError) for one in told) == 5
    assert told.count(False) == WAITING
    assert passwords.waiting == 0


async def test_incidents_with_a_password(tmp_path: Path) -> None:
    """`callbridge incidents` comes in with --user and --password-file, and says what is missing without."""
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("secret-word\n")
    async with guarded(tmp_path, users()) as (app, _):
        asked = ("incidents", f"--url={app.addresses[0]}")
        allowed = await asyncio.to_thread(callbridge, *asked, "--user=me", f"--password-file={secret}")
        assert (allowed.returncode, allowed.stdout) == (0, "no incidents\n")
        for more in ((), ("--user=me", f"--password-file={wrong}")):
            denied = await asyncio.to_thread(callbridge, *asked, *more)
            assert (denied.returncode, denied.stdout) == (1, "")
            assert "--user=NAME --password-file=FILE" in denied.stderr
            assert "secret-word" not in denied.stderr


async def test_a_flood_at_the_door(tmp_path: Path) -> None:
    """Who guesses beyond what can be checked is told to come again, and the webhook goes on."""
    async with guarded(tmp_path, f"basic_auth_users: {{me: {hash_of(PASSWORD, 8)}}}\n") as (app, _):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(app.addresses[0], connector=connector) as many:
            guesses = [{"Authorization": basic("me", f"guess {one}")} for one in range(WAITING + 20)]
            flood = asyncio.gather(*[status(many, "/metrics", headers=one) for one in guesses])
            async with many.post("/webhook/alertmanager", json=quiet(), headers=BEARER) as response:
                assert response.status == 200
            told = await flood
        assert set(told) == {401, 503}
        assert told.count(401) >= WAITING


# --- the file changes


async def test_a_new_password_needs_no_reload(tmp_path: Path) -> None:
    """The file is exchanged: the new password holds from the next request on, the old one does not."""
    async with guarded(tmp_path, users()) as (_, session):
        assert await status(session, "metrics", headers=AS_ME) == 200
        web_file(tmp_path, users("another"))
        assert await status(session, "metrics", headers=AS_ME) == 401
        assert await status(session, "metrics", headers={"Authorization": basic("me", "another")}) == 200


async def test_tls_is_switched_at_start_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """TLS written into the file of a running server: said to take effect after a restart; all else holds at once."""
    make_pair(tmp_path, "server")
    async with guarded(tmp_path, "") as (_, session):
        web_file(tmp_path, TLS + users())
        assert await status(session, "metrics") == 401
        assert "takes effect after a restart" in caplog.text


@pytest.mark.parametrize(
    ("raw", "what"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * (1 << 20) + b"##", "longer than 1 MiB"), (None, "No such file")],
)
def test_no_file_of_that_kind(tmp_path: Path, raw: bytes | None, what: str) -> None:
    """A file that is not there, no text, or no config at all: one line that says so."""
    path = tmp_path / "web.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(CallbridgeError, match=what) as caught:
        read_web_config(path)
    assert str(caught.value).startswith(f"{path}:1:1: file: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["basic_auth_users: {me: secret-word}\n", "oops: 1\n", "[", None])
async def test_a_broken_file(tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str | None) -> None:
    """500 for everybody and a line in the log with the place; webhooks go on; mended, it is as before."""
    async with guarded(tmp_path, users()) as (_, session):
        path = tmp_path / "web.yaml"
        path.unlink()
        if broken is not None:
            web_file(tmp_path, broken)
        for _ in range(3):
            async with session.get("metrics", headers=AS_ME) as response:
                assert response.status == 500
                assert "--web.config.file" in await response.text()
        async with session.post("webhook/alertmanager", json=quiet(), headers=BEARER) as response:
            assert response.status == 200
        assert await status(session, "-/healthy") == 200
        (said,) = [one for one in caplog.records if "web config cannot be used" in one.message]
        assert f"{path}:1:" in str(vars(said))
        assert "secret-word" not in str(vars(said))
        web_file(tmp_path, users())
        assert await status(session, "metrics") == 401
        assert await status(session, "metrics", headers=AS_ME) == 200


async def test_a_bad_file_at_start(tmp_path: Path) -> None:
    """Start refused, with every fault and its place."""
    path = web_file(tmp_path, "oops: 1\nbasic_auth_users: {me: x}\n")
    with pytest.raises(CallbridgeError) as caught:
        await App(Options(write_files(tmp_path), listen=("127.0.0.1:0",), web_config=path)).run()
    places = [line.split(": ")[:2] for line in str(caught.value).splitlines()]
    assert places == [[f"{path}:1:1", "oops"], [f"{path}:2:24", "basic_auth_users.me"]]


# --- headers


async def test_headers(tmp_path: Path) -> None:
    """Set on everything behind the guard, 401 and 404 too, and nowhere else."""
    headers = "http_server_config: {headers: {X-Frame-Options: deny, Content-Security-Policy: default-src 'self'}}\n"
    async with guarded(tmp_path, users() + headers) as (_, session):
        for path, sent, expected in (("metrics", AS_ME, 200), ("metrics", {}, 401), ("nowhere", AS_ME, 404)):
            async with session.get(path, headers=sent) as response:
                assert response.status == expected
                assert response.headers["X-Frame-Options"] == "deny"
                assert response.headers["Content-Security-Policy"] == "default-src 'self'"
        async with session.post("webhook/alertmanager", json=quiet(), headers=BEARER) as response:
            assert "X-Frame-Options" not in response.headers


# --- listening beyond this machine

SHUT = "webhooks.alertmanager.credentials_file"
USERS = "basic_auth_users"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["127.0.0.1"], None),
        (["127.0.0.2", "::1", "localhost"], None),
        ([""], 0),
        (["127.0.0.1", "0.0.0.0"], 1),
        (["::"], 0),
        (["192.0.2.1"], 0),
        (["::ffff:192.0.2.1"], 0),
        (["no-such-host.invalid"], None),
    ],
)
def test_beyond_this_machine(hosts: list[str], expected: int | None) -> None:
    """Every address but those of loopback; a name that nobody knows is told by who tries to listen there."""
    assert exposed(hosts) == expected


async def start(folder: Path, web: str | None, *, token: bool, **options: object) -> str:
    """Start on every address: what it was refused for, "" if it was not."""
    path = write_files(folder)
    if not token:
        path.write_text(path.read_text().replace("  alertmanager: {credentials_file: am_token}\n", ""))
    web_config = None if web is None else web_file(folder, web)
    app = App(Options(path, listen=("127.0.0.1:0", "0.0.0.0:0"), web_config=web_config, **options))  # type: ignore[arg-type]  # options of several types
    running = asyncio.ensure_future(app.run())
    started = asyncio.ensure_future(app.started.wait())
    await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    app.stop.set()
    try:
        await running
    except CallbridgeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("web", "token", "named"),
    [
        (None, True, [USERS]),
        (None, False, [SHUT, USERS]),
        ("", True, [USERS]),
        (users(), False, [SHUT]),
    ],
)
async def test_no_listening_without_credentials(tmp_path: Path, web: str | None, token: bool, named: list[str]) -> None:
    """Refused with one line that names the address, each option to set, and the flag that says it is meant."""
    said = await start(tmp_path, web, token=token)
    assert said.startswith("--web.listen-address=0.0.0.0:0: ")
    assert "\n" not in said
    assert [word for word in (SHUT, USERS) if word in said] == named
    assert "--web.allow-unauthenticated" in said


async def test_listening_with_credentials(tmp_path: Path) -> None:
    """With both credentials, or with client certificates for all, or when it is meant, it starts."""
    make_pair(tmp_path, "server")
    certificates = f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: server.crt\n"
    assert await start(tmp_path, users(), token=True) == ""
    assert await start(tmp_path, certificates, token=False) == ""
    assert await start(tmp_path, None, token=False, allow_unauthenticated=True) == ""


async def test_credentials_cannot_be_taken_away(tmp_path: Path) -> None:
    """While others can reach it, a reload without webhook credentials is refused, a web config without users broken."""
    path, web = write_files(tmp_path), web_file(tmp_path, users())
    app = App(Options(path, listen=("0.0.0.0:0",), web_config=web))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run())
        await app.started.wait()
        path.write_text(path.read_text().replace("  alertmanager: {credentials_file: am_token}\n", ""))
        with pytest.raises(CallbridgeError, match=SHUT):
            await app.reload()
        web_file(tmp_path, "")
        async with aiohttp.ClientSession() as session:
            port = app.addresses[0].rpartition(":")[2]
            assert await status(session, f"http://127.0.0.1:{port}/metrics") == 500
            assert await status(session, f"http://127.0.0.1:{port}/webhook/alertmanager") == 405
        app.stop.set()
