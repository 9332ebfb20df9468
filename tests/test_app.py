"""The whole program as its operator meets it: start, reload, signals, the end, and what its log tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.app import App, Options, parse_address
from bridge.clock import SystemClock
from bridge.errors import CallbridgeError, ConfigError
from bridge.simulator import Simulator, presses, sleeps
from tests.serving import (
    AM_TOKEN,
    BEARER,
    KEY,
    Served,
    app_running,
    callbridge,
    eventually,
    quiet,
    sample,
    served,
    write_files,
)
from tests.stories.night import ALICE, BOB, CAROL, TOKEN, Night, alert, body, night

CRITICAL = body([alert("DiskFull")])


# --- starting


def test_a_bad_config(tmp_path: Path) -> None:
    """Start refused: every fault with its place, one per line, on stderr; exit 1."""
    path = write_files(tmp_path, first="nobody-of-that-name")
    path.write_text(
        path.read_text().replace("region: DE", "region: Mars").replace("policy: default", "policy: defualt")
    )
    ended = callbridge("serve", f"--config.file={path}", "--web.listen-address=127.0.0.1:0")
    faults = [line for line in ended.stderr.splitlines() if line.startswith(f"{path}:")]
    assert ended.returncode == 1
    assert [word for word in ("global.region", "nobody-of-that-name", "defualt") if word not in "\n".join(faults)] == []
    assert "Traceback" not in ended.stderr


async def test_every_bad_template_is_told(tmp_path: Path) -> None:
    """Two policies whose templates do not work are two faults."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "one.txt.j2").write_text("{% for %}")
    policies = "  first: {steps: [{call: [bob]}], template: one}\n  second: {steps: [{call: [bob]}], template: two}\n"
    path = write_files(tmp_path, extra="templates: [mine]\n")
    path.write_text(path.read_text().replace("  quiet:", policies + "  quiet:"))
    with pytest.raises(ConfigError) as caught:
        await App(Options(path, listen=("127.0.0.1:0",))).run()
    assert [fault.where for fault in caught.value.faults] == ["policies.first.template", "policies.second.template"]


def test_an_address_in_use(tmp_path: Path) -> None:
    """One line that names the flag, the address and why; exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = callbridge("serve", f"--config.file={write_files(tmp_path)}", f"--web.listen-address={address}")
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if "error:" in line]
    assert line.startswith(f"callbridge: error: --web.listen-address={address}: ")
    assert "in use" in line.lower()
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("address", ["a..b:1", "no-such-host.invalid:1", "192.0.2.1:0"])
async def test_an_address_that_is_not_ours(tmp_path: Path, address: str) -> None:
    """A name that cannot be, one that nobody knows, and another's address: one line each."""
    with pytest.raises((CallbridgeError, ExceptionGroup)) as caught:
        await App(Options(write_files(tmp_path), listen=(address,))).run()
    error: BaseException = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, CallbridgeError)
    assert str(error).startswith(f"--web.listen-address={address}: ")
    assert "\n" not in str(error)


def test_a_second_process_on_the_same_database(tmp_path: Path) -> None:
    """One line that says who has it and what to do; the first goes on."""
    path = write_files(tmp_path)
    with served(path) as first:
        ended = callbridge("serve", f"--config.file={path}", "--web.listen-address=127.0.0.1:0")
        (line,) = [line for line in ended.stderr.splitlines() if "error:" in line]
        assert ended.returncode == 1
        assert f"process {first.process.pid}" in line
        assert "doors.db is in use by another callbridge" in line
        assert "Traceback" not in ended.stderr
        assert first.process.poll() is None
        assert first.stop() == 0


async def test_several_addresses(tmp_path: Path) -> None:
    """--web.listen-address may be repeated; each is served."""
    app = App(Options(write_files(tmp_path), listen=("127.0.0.1:0", "[::1]:0", "localhost:0")))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run())
        await app.started.wait()
        assert len(app.addresses) >= 3
        async with aiohttp.ClientSession() as session:
            for address in app.addresses:
                async with session.get(f"{address}/-/healthy") as response:
                    assert response.status == 200
        app.stop.set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:10077", ("127.0.0.1", 10077)),
        (":9093", ("", 9093)),
        ("[::1]:9100", ("::1", 9100)),
        ("host.example.test:1", ("host.example.test", 1)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    """As the programs around Prometheus read them."""
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", "10077", "host:", "host:x", "host:-1", "host:65536", "host:999999999", "host:٣"]
)
def test_bad_addresses(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(CallbridgeError, match=r"write host:port, such as 127\.0\.0\.1:10077"):
        parse_address(text)


# --- reloading


def rewrite(it: Night, change: Callable[[str], str]) -> None:
    path = it.folder / "callbridge.yaml"
    path.write_text(change(path.read_text()))


async def reload(it: Night) -> int:
    async with it.session.post(it.url + "/-/reload") as response:
        return response.status


async def test_a_running_incident_keeps_its_policy(tmp_path: Path) -> None:
    """After a reload the old incident goes its old way to the end; a new one takes the new policy at once."""
    async with night(tmp_path) as it:
        for number in (ALICE, BOB, CAROL):
            it.phones.script(number, sleeps())
        await it.fires("Old", group="old")
        await it.passes(seconds=10)
        new = "  default: {{steps: [{{call: [carol]}}]}}\n".replace("{{", "{").replace("}}", "}")
        rewrite(it, lambda text: text.replace(text[text.index("  default:\n") : text.index("  both:")], new))
        assert await reload(it) == 200
        await it.fires("New", group="new")
        await it.passes(seconds=10)
        assert len(it.calls(CAROL)) == 1
        await it.passes(minutes=10)
        assert [len(it.calls(number)) for number in (ALICE, BOB, CAROL)] == [2, 1, 1]


async def test_people_are_new_at_once(tmp_path: Path) -> None:
    """A corrected number is called by the very next attempt of an incident that runs."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("A")
        await it.passes(seconds=10)
        rewrite(it, lambda text: text.replace("+49 171 1234567", "+49 171 5555555"))
        assert await reload(it) == 200
        await it.passes(minutes=2)
        assert [len(it.calls(ALICE)), len(it.calls("+491715555555"))] == [1, 1]


async def test_routes_are_new_at_once(tmp_path: Path) -> None:
    """The next notification is routed by the new tree."""
    async with night(tmp_path) as it:
        rewrite(it, lambda text: text.replace("route: {policy: default}", "route: {policy: nobody}"))
        assert await reload(it) == 200
        await it.fires("A")
        await it.passes(minutes=2)
        assert it.calls() == []
        assert [one["policy"] for one in await it.incidents()] == ["nobody"]


async def test_a_person_who_is_gone_is_passed_over(tmp_path: Path) -> None:
    """Whom the new file does not know any more is not called, and the chain goes on with the next."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("A")
        await it.passes(seconds=10)
        rewrite(
            it,
            lambda text: (
                text.replace('  alice: {name: Alice, phone: "+49 171 1234567"}\n', "")
                .replace("call: [alice]", "call: [carol]")
                .replace("call: [alice, bob]", "call: [bob]")
            ),
        )
        assert await reload(it) == 200
        await it.passes(minutes=3)
        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [1, 1]


async def test_a_bad_file_leaves_all_as_it_was(tmp_path: Path) -> None:
    """The old people and routes go on, the metrics say that the file was refused, and mending it heals them."""
    async with night(tmp_path) as it:
        good = (it.folder / "callbridge.yaml").read_text()
        before = await it.metric("callbridge_config_last_reload_success_timestamp_seconds")
        for bad in (
            "",
            "[]",
            good.replace("bob:", "alice:"),
            good + "templates: [gone]\nsurprise: 1\n",
            "a: " + "[" * 9999,
        ):
            rewrite(it, lambda _, bad=bad: bad)  # type: ignore[misc]  # what a broken one does
            assert await reload(it) == 500
            assert await it.metric("callbridge_config_last_reload_successful") == 0
        (it.folder / "callbridge.yaml").unlink()
        assert await reload(it) == 500
        await it.passes(minutes=1)
        await it.fires("A")
        await it.passes(seconds=5)
        assert len(it.calls(ALICE)) == 1
        (it.folder / "callbridge.yaml").write_text(good)
        assert await reload(it) == 200
        assert await it.metric("callbridge_config_last_reload_successful") == 1
        assert await it.metric("callbridge_config_last_reload_success_timestamp_seconds") > before


async def test_a_fault_in_reading_stops_nobody(tmp_path: Path) -> None:
    """Our own code fails over a new file: the reload is refused, and the server goes on."""
    path = write_files(tmp_path)
    async with app_running(path) as (app, session):
        app.load = lambda _path: 1 / 0  # type: ignore[assignment,return-value]  # what a broken one does
        async with session.post("-/reload") as response:
            assert response.status == 500
            assert "ZeroDivisionError" in await response.text()
        async with session.get("-/ready") as response:
            assert response.status == 200
        told = await (await session.get("metrics")).text()
        assert sample(told, "callbridge_config_last_reload_successful") == 0


async def test_reloads_do_not_overtake_each_other(tmp_path: Path) -> None:
    """Many at once: all succeed, and the last file that was read is in force."""
    path = write_files(tmp_path)
    async with app_running(path) as (app, session):

        async def one(first: str) -> int:
            write_files(tmp_path, first=first)
            async with session.post("-/reload") as response:
                return response.status

        assert set(await asyncio.gather(*(one(first) for first in ("alice", "bob") * 5))) == {200}
        assert app.doors.config.policies["default"].steps[0].targets == ("bob",)
        assert app.dispatch.world.policies is app.doors.config.policies


# --- signals


async def test_hang_up_reloads(tmp_path: Path) -> None:
    """SIGHUP reads the file again; a bad one is refused aloud, and the process goes on."""
    path = write_files(tmp_path)
    with served(path) as it:
        path.write_text(path.read_text().replace("wait: 5m", "wait: 6m"))
        it.process.send_signal(signal.SIGHUP)
        it.wait_for('msg="config reloaded"')
        path.write_text("people: {}\n")
        it.process.send_signal(signal.SIGHUP)
        it.wait_for("level=error component=app msg=.the config was not reloaded")
        async with aiohttp.ClientSession() as session, session.get(f"{it.url}/metrics") as response:
            assert sample(await response.text(), "callbridge_config_last_reload_successful") == 0
        assert it.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """Both leave with 0, at once when nothing is under way, and say so."""
    with served(write_files(tmp_path)) as it:
        began = time.monotonic()
        assert it.stop(number) == 0
        assert time.monotonic() - began < 5
        assert "msg=stopped" in it.said()
        assert "Traceback" not in it.said()


async def test_told_to_stop_while_the_gateway_hangs(tmp_path: Path) -> None:
    """A call under way at a gateway that does not answer: 0 within its time-out; the call is found at the restart."""
    async with Simulator(SystemClock(), key=KEY) as phones:
        phones.script(ALICE, sleeps())
        phones.faults.set(hang_after=True, times=1)
        path = write_files(tmp_path, api=phones.url, timeout="3s")
        with served(path) as it:
            await post(it, CRITICAL)
            await phones.until(lambda: phones.calls)
            began = time.monotonic()
            assert await asyncio.to_thread(it.stop) == 0
            assert time.monotonic() - began < 8
            assert "Traceback" not in it.said()
        with served(path, log="again.log") as it:
            await eventually(lambda: placed(it))
            assert len(phones.calls) == 1
            assert it.stop() == 0


async def placed(it: Served) -> bool:
    """Whether the one call is known to have been placed."""
    listed = await get(it, "/api/v1/calls")
    return len(listed["calls"]) == 1 and listed["calls"][0]["gateway_id"] is not None


async def test_the_end_is_bounded(tmp_path: Path) -> None:
    """Whatever hangs, for however long: it ends when the patience is over."""
    async with Simulator(SystemClock(), key=KEY) as phones:
        phones.faults.set(hang_before=True, on="any")
        path = write_files(tmp_path, api=phones.url, timeout="60s")
        app = App(Options(path, listen=("127.0.0.1:0",)), patience=timedelta(seconds=0.5))
        running = asyncio.create_task(app.run())
        await app.started.wait()
        async with aiohttp.ClientSession() as session:
            async with session.post(
                f"{app.addresses[0]}/webhook/alertmanager", json=CRITICAL, headers=BEARER
            ) as response:
                assert response.status == 200
            await eventually(lambda: _true(phones.requests))
            app.stop.set()
            async with asyncio.timeout(5):
                await running


async def _true(of: Any) -> bool:
    return bool(of)


async def test_a_webhook_that_comes_while_it_stops(tmp_path: Path) -> None:
    """While it waits for the gateway the door is shut or says 503: Alertmanager asks again, and nothing hangs."""
    async with Simulator(SystemClock(), key=KEY) as phones:
        phones.faults.set(hang_before=True, on="any")
        path = write_files(tmp_path, api=phones.url, timeout="2s")
        app = App(Options(path, listen=("127.0.0.1:0",)))
        running = asyncio.create_task(app.run())
        await app.started.wait()
        async with aiohttp.ClientSession() as session:
            url = f"{app.addresses[0]}/webhook/alertmanager"
            async with session.post(url, json=CRITICAL, headers=BEARER) as response:
                assert response.status == 200
            await eventually(lambda: _true(phones.requests))
            app.stop.set()
            await asyncio.sleep(0.1)
            for method, name in (("POST", "webhook/alertmanager"), ("GET", "-/ready")):
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    door = f"{app.addresses[0]}/{name}"
                    async with (
                        asyncio.timeout(1),
                        session.request(method, door, json=quiet(), headers=BEARER) as response,
                    ):
                        assert response.status == 503
        async with asyncio.timeout(15):
            await running


async def test_it_can_be_told_to_reload_while_it_starts_and_stops(tmp_path: Path) -> None:
    """SIGHUP at any moment harms nothing."""
    path = write_files(tmp_path)
    with served(path) as it:
        for _ in range(20):
            it.process.send_signal(signal.SIGHUP)
        assert it.stop() == 0
        assert "Traceback" not in it.said()


# --- what the log tells


async def post(it: Served, content: object, path: str = "/webhook/alertmanager") -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(it.url + path, json=content, headers=BEARER) as response,
    ):
        assert response.status == 200


async def get(it: Served, path: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(it.url + path) as response:
        return await response.json()


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
async def test_the_log_of_a_whole_run(tmp_path: Path, log_format: str) -> None:
    """At level debug, with strangers, a refused reload and a gateway that fails: no key, token or number."""
    async with Simulator(SystemClock(), key=KEY, scale=0.02) as phones:
        phones.script(ALICE, sleeps())
        phones.script(BOB, presses("1"))
        phones.faults.set(code=600, times=1)
        path = write_files(tmp_path, api=phones.url)
        with served(path, "--log.level=debug", f"--log.format={log_format}") as it:
            phones.subscribe(f"{it.url}/webhook/sms77/{TOKEN}")
            await post(it, {**CRITICAL, "externalURL": f"http://x.test/?{AM_TOKEN}={KEY}&tel=+491711234567"})
            await strangers(it)
            path.write_text(path.read_text() + f"surprise: {KEY}\n")
            it.process.send_signal(signal.SIGHUP)
            await eventually(lambda: acknowledged(it), 25)
            assert it.stop() == 0
        said = it.said()
    assert "call placed" in said
    assert "turned away" in said
    for secret in (
        KEY,
        AM_TOKEN,
        TOKEN,
        TOKEN[:-3],
        "1711234567",
        "171 1234567",
        "1717654321",
        "171 7654321",
        "301234567",
    ):
        assert secret not in said, [line for line in said.splitlines() if secret in line]
    if log_format == "json":
        assert all(json.loads(line)["level"] in ("debug", "info", "warn", "error") for line in said.splitlines())


async def strangers(it: Served) -> None:
    """Knock in every wrong way, secrets in hand."""
    async with aiohttp.ClientSession() as session:
        for path, content in (
            (f"/webhook/sms77/{TOKEN}", b"{"),
            (f"/webhook/sms77/{TOKEN[:-3]}", b"id=1&status=failed"),
            (f"/webhook/keypress/{TOKEN}", b""),
            (f"/{TOKEN}", b""),
            ("/webhook/alertmanager", json.dumps({"version": AM_TOKEN, "groupKey": KEY, "alerts": []}).encode()),
            ("/webhook/alertmanager", b"+49 171 1234567"),
            (f"/api/v1/incidents/{TOKEN}/resolve", b"+491711234567"),
        ):
            for headers in (BEARER, {"Authorization": f"Basic {KEY}"}):
                async with session.post(it.url + path, data=content, headers=headers) as response:
                    await response.read()
    host, port = it.url.removeprefix("http://").split(":")
    for line in (f"GET /webhook/sms77/{TOKEN} HTTP/9.9", f"{KEY} / HTTP/1.1", f"GET /{TOKEN}\x00 HTTP/1.1"):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{line}\r\nAuthorization: Bearer {AM_TOKEN}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()


async def acknowledged(it: Served) -> bool:
    listed = await get(it, "/api/v1/incidents")
    return bool(listed["incidents"]) and listed["incidents"][0]["state"] == "acknowledged"
