"""Signed reports: who may tell of a call, and that neither a replay, nor a late retry, nor a wrong clock costs one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bridge.app import App
from bridge.errors import StoreUnavailable
from bridge.server.signatures import MOST_NONCES, WINDOW, Nonces, signed_report
from bridge.simulator.reports import signature
from tests.serving import app_running, counted, eventually, sample, write_files
from tests.stories.night import TOKEN

Running = tuple[App, aiohttp.ClientSession]
KEY = "the-signing-key-of-the-account"
OUTSIDE = "https://calls.example.test/pager"
PATH = f"/webhook/sms77/{TOKEN}"
COMPLETED = b"id=77&status=completed&duration=12"
PRESSED = b"webhook_event=voice_dtmf&data[id]=77&data[dtmf_digit]=1"
REPLIED = b"webhook_event=sms_mo&data[sender]=491711234567&data[text]=OK"
DAYS = 3 * 86400


def config(folder: Path) -> Path:
    """A config whose reports are signed."""
    (folder / "signing_key").write_text(KEY + "\n")
    (folder / "signing_key").chmod(0o600)
    path = write_files(folder)
    told = "{token_file: report_token}"
    path.write_text(path.read_text().replace(told, "{token_file: report_token, signing_key_file: signing_key}"))
    return path


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """The program behind a proxy, under a public address with a path."""
    async with app_running(config(tmp_path), external_url=OUTSIDE, route_prefix="/pager") as one:
        yield one


def signed(
    body: bytes, *, late: float = 0, nonce: str = "n1", url: str = OUTSIDE + PATH, key: str = KEY, method: str = "POST"
) -> dict[str, str]:
    """The headers of a report that was signed `late` seconds ago."""
    stamp = str(int(time.time() - late))  # noqa: TID251 - as the gateway's clock has it
    made = signature(key, timestamp=stamp, nonce=nonce, method=method, url=url, body=body)
    return {"X-Signature": made, "X-Timestamp": stamp, "X-Nonce": nonce}


async def tell(
    running: Running, body: bytes, headers: dict[str, str], *, method: str = "POST", query: str = ""
) -> tuple[int, str]:
    """Bring a report to where the proxy brings it; status and text of the answer."""
    app, session = running
    url = app.addresses[0] + PATH + query
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    async with session.request(method, url, data=body or None, headers=headers) as response:
        return response.status, await response.text()


def kept(app: App) -> int:
    """How many reports the inbox took."""
    return int(app.metrics.webhooks_total.labels("sms77", "200")._value.get())


async def test_a_signed_report_is_taken(running: Running) -> None:
    """Signed over the public address, or over its path and query alone, in a body or in the query."""
    for number, (method, query, body, base) in enumerate(
        [
            ("POST", "", COMPLETED, OUTSIDE),
            ("POST", "", COMPLETED, "/pager"),
            ("GET", "?id=77&status=completed&x=%C3%A9", b"", OUTSIDE),
            ("POST", "?a=b", COMPLETED, "/pager"),
        ],
        1,
    ):
        headers = signed(body, nonce=f"n{number}", url=base + PATH + query, method=method)
        assert await tell(running, body, headers, method=method, query=query) == (200, "OK\n"), number
    assert kept(running[0]) == 4


async def test_a_proxy_that_cuts_the_prefix(tmp_path: Path) -> None:
    """What is signed is the address outside, whatever arrives here."""
    async with app_running(config(tmp_path), external_url=OUTSIDE) as one:
        assert (await tell(one, COMPLETED, signed(COMPLETED)))[0] == 200


@pytest.mark.parametrize("outside", ["", OUTSIDE])
async def test_a_missing_external_url_is_told_at_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, outside: str
) -> None:
    """Behind a proxy every report would be turned away, for good: who starts it so is told."""
    with caplog.at_level(logging.WARNING):
        async with app_running(config(tmp_path), external_url=outside):
            pass
    assert any("--web.external-url" in record.getMessage() for record in caplog.records) is (not outside)


async def test_without_an_external_url_the_host_stands_for_it(tmp_path: Path) -> None:
    """A right signature says that the gateway meant this very address, with TLS before us or without."""
    async with app_running(config(tmp_path)) as one:
        for number, scheme in enumerate(("http", "https")):
            headers = signed(COMPLETED, nonce=str(number), url=f"{scheme}://calls.example.test{PATH}")
            assert (await tell(one, COMPLETED, {**headers, "Host": "calls.example.test"}))[0] == 200
        for host in ("elsewhere.example.test", "[half", "a b"):
            headers = signed(COMPLETED, nonce=host[:1], url=f"http://calls.example.test{PATH}")
            assert (await tell(one, COMPLETED, {**headers, "Host": host}))[0] == 401, host


async def test_a_wrong_signature(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """401 in one line with the remedy, counted and logged without a secret; nothing is kept."""
    right = signed(COMPLETED)
    wrong = [
        {},
        right | {"X-Signature": "0" * 64},
        right | {"X-Signature": ""},
        right | {"X-Signature": "\u00e9"},
        right | {"X-Nonce": "n2"},
        right | {"X-Nonce": ""},
        right | {"X-Timestamp": str(int(right["X-Timestamp"]) + 1)},
        right | {"X-Timestamp": "now"},
        right | {"X-Timestamp": "9" * 400},
        signed(COMPLETED, key="another"),
        signed(COMPLETED + b"0"),
        signed(COMPLETED, method="GET"),
        signed(COMPLETED, url="https://other.example.test/x"),
        signed(b"nonsense", key="another"),
    ]
    with caplog.at_level(logging.WARNING):
        for headers in wrong:
            status, text = await tell(running, COMPLETED, headers)
            assert (status, text.count("\n")) == (401, 1), headers
            assert "signing_key_file" in text
            assert "--web.external-url" in text
    said = "\n".join(f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in caplog.records)
    assert said.count("turned away") == len(wrong)
    assert KEY not in said
    assert TOKEN not in said
    assert kept(running[0]) == 0
    assert running[0].metrics.webhooks_total.labels("sms77", "401")._value.get() == len(wrong)


async def test_the_token_still_counts(running: Running) -> None:
    """A right signature does not open another door: without the token it is 404."""
    app, session = running
    url = "/webhook/sms77/wrong"
    headers = signed(COMPLETED, url=OUTSIDE + url)
    async with session.post(app.addresses[0] + url, data=COMPLETED, headers=headers) as response:
        assert response.status == 404


async def test_a_key_that_cannot_be_read_is_our_fault(running: Running, tmp_path: Path) -> None:
    """503: the gateway keeps the report and comes again, and then it is taken."""
    path = tmp_path / "signing_key"
    for change in ("unlink", "empty"):
        if change == "unlink":
            path.unlink()
        else:
            path.write_text("")
        status, text = await tell(running, COMPLETED, signed(COMPLETED))
        assert (status, str(tmp_path) in text) == (503, False)
    path.write_text(KEY)
    assert (await tell(running, COMPLETED, signed(COMPLETED)))[0] == 200


async def test_a_replay_is_refused(running: Running) -> None:
    """The same nonce again is 401 and adds nothing; another one is another report."""
    headers = signed(COMPLETED)
    assert (await tell(running, COMPLETED, headers))[0] == 200
    status, text = await tell(running, COMPLETED, headers)
    assert (status, "taken before" in text) == (401, True)
    assert (await tell(running, COMPLETED, signed(COMPLETED, nonce="n2")))[0] == 200
    assert kept(running[0]) == 2


async def test_a_retry_after_a_503_is_no_replay(running: Running) -> None:
    """The gateway repeats what we could not keep, perhaps with the same nonce: it is taken, and only then known."""
    app, _ = running
    headers = signed(PRESSED)
    app.doors.ready = False
    assert (await tell(running, PRESSED, headers))[0] == 503
    app.doors.ready = True
    assert (await tell(running, PRESSED, headers))[0] == 200
    assert (await tell(running, PRESSED, headers))[0] == 401


@pytest.mark.parametrize("late", [DAYS, 301, -600, -DAYS])
async def test_what_became_of_a_call_is_taken_whenever_it_comes(running: Running, late: float) -> None:
    """Days late and not signed anew, or by a wrong clock: a 4xx would lose it for good, and it forges nothing."""
    headers = signed(COMPLETED, late=late)
    for _ in range(2):
        assert (await tell(running, COMPLETED, headers))[0] == 200
    assert (await tell(running, PRESSED, signed(PRESSED, late=late, nonce="n2")))[0] == 200


async def test_an_sms_of_yesterday_takes_nothing(running: Running) -> None:
    """It would take whatever rings now: signed too long ago 401, ahead of our clock 503, for then time heals."""
    assert (await tell(running, REPLIED, signed(REPLIED, late=301)))[0] == 401
    assert (await tell(running, REPLIED, signed(REPLIED, late=-600)))[0] == 503
    assert (await tell(running, REPLIED, signed(REPLIED, late=-200)))[0] == 200
    nobody = b"webhook_event=voice_dtmf&data[recipient]=491711234567&data[dtmf_digit]=1"
    assert (await tell(running, nobody, signed(nobody, late=301)))[0] == 401
    assert kept(running[0]) == 1


async def test_a_wrong_clock_is_told(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Who reads the log learns by how much, and what to do."""
    with caplog.at_level(logging.WARNING):
        await tell(running, COMPLETED, signed(COMPLETED, late=900))
    told = [record for record in caplog.records if "set this machine's clock" in record.getMessage()]
    assert len(told) == 1
    assert 895 <= told[0].fields["seconds_late"] <= 905  # type: ignore[attr-defined]  # what the formatter adds


async def test_nonsense_with_a_right_signature(running: Running) -> None:
    """What can never be a report is 400, signed or not, and its nonce is not used up."""
    assert (await tell(running, b"{", signed(b"{")))[0] == 400
    assert (await tell(running, COMPLETED, signed(COMPLETED)))[0] == 200


async def test_twins_at_the_same_moment(running: Running) -> None:
    """Two of one nonce at once: one is kept, the other is not kept too."""
    headers = signed(COMPLETED)
    found = await asyncio.gather(*(tell(running, COMPLETED, headers) for _ in range(8)))
    assert sorted(status for status, _ in found)[0] == 200
    assert {status for status, _ in found} <= {200, 401, 503}
    assert [status for status, _ in found].count(200) == 1


async def test_signed_reports_are_digested(running: Running) -> None:
    """A late one carries its mark through the inbox and breaks nothing there."""
    app, session = running
    await tell(running, PRESSED, signed(PRESSED, late=DAYS))
    await tell(running, COMPLETED, signed(COMPLETED, nonce="n2"))

    async def digested() -> bool:
        async with session.get(app.addresses[0] + "/metrics") as response:
            text = await response.text()
        return sample(text, "callbridge_reports_total", status="completed") == 1

    await eventually(digested)
    assert app.metrics.inbox_failures_total._value.get() == 0


# --- nonces

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def keep(nonces: Nonces, nonce: str, now: datetime) -> None:
    with nonces.keeping(nonce, now):
        pass


def test_nonces_are_forgotten_when_they_cannot_come_again() -> None:
    """Known over both halves of the window, and then no more."""
    nonces = Nonces()
    keep(nonces, "a", NOON)
    assert nonces.seen("a", NOON + 2 * WINDOW - timedelta(seconds=1))
    assert not nonces.seen("a", NOON + 2 * WINDOW)
    assert len(nonces) == 0


def test_nonces_take_a_bounded_memory() -> None:
    """The newest are known, however many come within the window."""
    nonces = Nonces(most=100)
    for number in range(1000):
        assert not nonces.seen(str(number), NOON)
        keep(nonces, str(number), NOON)
    assert nonces.seen("999", NOON)
    assert nonces.seen("900", NOON)
    assert not nonces.seen("800", NOON)
    assert len(nonces) <= 100
    assert MOST_NONCES <= 100_000


def test_a_nonce_that_could_not_be_kept_is_not_known() -> None:
    """What failed may come again; while it is under way, its twin is told to."""
    nonces = Nonces()
    with pytest.raises(StoreUnavailable), nonces.keeping("a", NOON):
        raise StoreUnavailable("full")
    assert not nonces.seen("a", NOON)
    with nonces.keeping("a", NOON), pytest.raises(StoreUnavailable), nonces.keeping("a", NOON):
        pass
    assert nonces.seen("a", NOON)


def test_the_edge_of_the_window() -> None:
    """Five minutes on either side are fresh, a second more is not."""
    stamp = str(int(NOON.timestamp()))
    made = signature(KEY, timestamp=stamp, nonce="n", method="POST", url=OUTSIDE, body=b"")
    headers = {"x-signature": made.upper(), "X-TIMESTAMP": stamp, "X-Nonce": "n"}
    for seconds, fresh in ((0, True), (300, True), (-300, True), (301, False), (-301, False)):
        found = signed_report(KEY, headers, "POST", OUTSIDE, b"", NOON + timedelta(seconds=seconds))
        assert found is not None
        assert (found.fresh, found.age) == (fresh, seconds)


async def test_counted_by_the_door(running: Running) -> None:
    """What is turned away stands in callbridge_webhooks_total."""
    app, session = running
    await tell(running, COMPLETED, {})
    async with aiohttp.ClientSession(app.addresses[0] + "/") as inside:
        assert await counted(inside, "sms77", 401) == 1
    assert not session.closed
