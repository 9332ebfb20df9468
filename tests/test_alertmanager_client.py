"""The client of Alertmanager's API: what it asks, what it makes of the answers, and of those that are none."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bridge.alertmanager import AlertmanagerUnavailable, Ask, Cluster, Member, Why
from bridge.alertmanager.member import matcher
from bridge.alertmanager.values import read_alerts, read_groups, read_silences, read_standing
from bridge.clock import ManualClock
from bridge.config import AlertmanagerSettings, Secret
from bridge.errors import CallbridgeError
from bridge.inquiry.keeper import credentials
from bridge.inquiry.recheck import narrow
from bridge.route import parse_classic, parse_utf8
from tests.alertmanagers import fake_alertmanager
from tests.certificates import make_pair

NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
Observed = list[tuple[Ask, Why | None]]


def member(session: aiohttp.ClientSession, url: str, patience: float = 10, **more: object) -> tuple[Member, Observed]:
    """A member, and what was observed of it."""
    observed: Observed = []
    made = Member(
        session,
        url=url,
        timeout=timedelta(seconds=patience),
        observe=lambda ask, _seconds, why: observed.append((ask, why)),
        **more,  # type: ignore[arg-type]  # the tests say which
    )
    return made, observed


@asynccontextmanager
async def answering(status: int = 200, text: str = "[]", **headers: str) -> AsyncIterator[str]:
    """A server that answers everything alike."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_alerts_silences_and_standing() -> None:
    """What it shows comes as values: alerts with what keeps them quiet, silences with their matchers, its start."""
    clock = ManualClock(NOW)
    async with fake_alertmanager(clock, config="route: {}") as fake, aiohttp.ClientSession() as session:
        one, observed = member(session, fake.url + "/")
        print_ = fake.fires("Down", instance="a")
        fake.fires("Slow", receiver="chat")
        silence = fake.human_silences('alertname="Down"', 'severity=~"crit.*"', by="carol", comment="known")
        fake.inhibited[print_] = "feedfacefeedface"

        [shown] = await one.alerts(matchers=['alertname="Down"'], receiver="pager")
        assert (shown.fingerprint, shown.labels["instance"], shown.receivers) == (print_, "a", ("pager",))
        assert (shown.silenced_by, shown.inhibited_by, shown.muted_by) == ((silence,), ("feedfacefeedface",), ())
        assert not shown.tells
        [told] = await one.silences()
        assert (told.created_by, told.comment, told.lasts, told.exact) == ("carol", "known", True, False)
        assert told.labels == {"alertname": "Down"}
        standing = await one.standing()
        assert (standing.started_at, standing.config) == (NOW - timedelta(days=1), "route: {}")
        [group] = await one.groups("chat")
        assert (group.receiver, group.labels, group.alerts[0].tells) == ("chat", {"alertname": "Slow"}, True)
        assert observed == [(Ask.ALERTS, None), (Ask.SILENCES, None), (Ask.STATUS, None), (Ask.GROUPS, None)]


async def test_setting_extending_and_ending() -> None:
    """A silence is set on every label, extended under its own id, ended, and ended once more without an error."""
    clock = ManualClock(NOW)
    async with fake_alertmanager(clock) as fake, aiohttp.ClientSession() as session:
        one, _ = member(session, fake.url)
        labels = {"alertname": "Down", "path": 'C:\\a "b"\nc'}
        first = {"starts_at": NOW, "ends_at": NOW + timedelta(hours=1), "created_by": "callbridge", "comment": "ACK! x"}
        id_ = await one.silence(labels, **first)  # type: ignore[arg-type]  # as the keys say
        later = first | {"ends_at": NOW + timedelta(hours=2), "known_as": id_}
        assert await one.silence(labels, **later) == id_  # type: ignore[arg-type]  # as the keys say
        [kept] = await one.silences()
        assert (kept.labels, kept.exact, kept.ends_at) == (labels, True, NOW + timedelta(hours=2))
        assert await one.expire(id_)
        assert not await one.expire("00000000-0000-4000-8000-999999999999")
        assert fake.lasting() == []


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (401, "Unauthorized", Why.AUTHENTICATION),
        (403, "no", Why.AUTHENTICATION),
        (404, "404 page not found", Why.NOT_FOUND),
        (400, '"bad matcher format"', Why.REFUSED),
        (302, "", Why.REFUSED),
        (500, "oops", Why.SERVER_ERROR),
        (503, "starting", Why.SERVER_ERROR),
        (200, "<html>login</html>", Why.UNREADABLE),
        (200, '{"status": "success"}', Why.UNREADABLE),
        (200, '[{"labels": {"a": 1}}]', Why.UNREADABLE),
        (200, '[{"labels": {"a": "b"}, "startsAt": "yesterday"}]', Why.UNREADABLE),
        (200, "[" * 5000, Why.UNREADABLE),
    ],
)
async def test_answers_that_are_none(status: int, text: str, why: Why) -> None:
    """Whatever is not the answer of Alertmanager's API is one error, with its reason, told in a short line."""
    async with answering(status, text) as url, aiohttp.ClientSession() as session:
        one, observed = member(session, url)
        with pytest.raises(AlertmanagerUnavailable) as caught:
            await one.alerts()
        assert (caught.value.why, observed) == (why, [(Ask.ALERTS, why)])
        assert len(str(caught.value)) < 400
        assert "\n" not in str(caught.value)


async def test_nobody_there_and_nobody_answers(tmp_path: Path) -> None:
    """A refused connection, an unknown name, a server that hangs, a file that holds no certificates: each says so."""
    (tmp_path / "ca").write_text("no certificate")
    clock = ManualClock(NOW)
    async with fake_alertmanager(clock, hangs=True) as fake, aiohttp.ClientSession() as session:
        for url, more, why, what in (
            ("http://127.0.0.1:9", {}, Why.CONNECTION, "cannot be reached"),
            (fake.url, {}, Why.TIMEOUT, "no answer within 0.2 s"),
            (fake.url, {"ca_file": tmp_path / "ca"}, Why.CONNECTION, "tls_config.ca_file"),
            (fake.url, {"ca_file": tmp_path / "none"}, Why.CONNECTION, "No such file"),
            (fake.url, {"credentials": _no_secret}, Why.AUTHENTICATION, "cannot read the secret"),
        ):
            one, _ = member(session, url, 0.2, **more)
            with pytest.raises(AlertmanagerUnavailable, match=what) as caught:
                await one.alerts()
            assert caught.value.why is why


def _no_secret() -> str:
    raise CallbridgeError("token: cannot read the secret: No such file")


@pytest.mark.parametrize("way", ["bearer", "basic"])
async def test_credentials(tmp_path: Path, way: str) -> None:
    """A bearer token or a user's password is sent as Prometheus sends it, and read anew each time."""
    (tmp_path / "secret").write_text("one\n")
    kept = Secret(tmp_path / "secret")
    settings = AlertmanagerSettings("http://am", timedelta(0), credentials=kept)
    if way == "basic":
        settings = AlertmanagerSettings("http://am", timedelta(0), username="me", password=kept)
    wanted = {"bearer": ("Bearer one", "Bearer two"), "basic": ("Basic bWU6b25l", "Basic bWU6dHdv")}[way]
    made = credentials(settings)
    assert made is not None
    clock = ManualClock(NOW)
    async with fake_alertmanager(clock, credentials=wanted[1]) as fake, aiohttp.ClientSession() as session:
        one, _ = member(session, fake.url, credentials=made)
        assert made() == wanted[0]
        with pytest.raises(AlertmanagerUnavailable, match="it answers 401"):
            await one.alerts()
        (tmp_path / "secret").write_text("two\n")
        assert await one.alerts() == ()
    assert credentials(AlertmanagerSettings("http://am", timedelta(0))) is None


async def test_its_own_authority_is_trusted(tmp_path: Path) -> None:
    """With tls_config.ca_file the certificate of one's own authority is trusted; without it, it is not."""
    made = make_pair(tmp_path, "am")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="[]")

    application = web.Application()
    application.router.add_get("/api/v2/alerts", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://localhost:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            trusting, _ = member(session, url, ca_file=made.certificate)
            assert await trusting.alerts() == ()
            wary, _ = member(session, url)
            with pytest.raises(AlertmanagerUnavailable, match="cannot be trusted"):
                await wary.alerts()
    finally:
        await runner.cleanup()


def test_an_alert_that_its_sender_has_ended() -> None:
    """Ended is what its own two times say; one that merely times out later is not."""
    row = '[{"labels":{"a":"b"},"startsAt":"2026-11-23T21:00:00Z","endsAt":"%s","updatedAt":"2026-11-23T21:30:00Z"}]'
    [over] = read_alerts((row % "2026-11-23T21:29:59Z").encode())
    [fires] = read_alerts((row % "2026-11-23T21:34:00Z").encode())
    [zero] = read_alerts((row % "0001-01-01T00:00:00Z").encode())
    assert (over.ended, fires.ended, zero.ended) == (True, False, False)
    assert (over.tells, fires.tells) == (False, True)


async def test_two_members_are_one_voice() -> None:
    """It fires if any member says so, is silenced only if all who show it say so; who is silent is no matter."""
    clock = ManualClock(NOW)
    async with (
        fake_alertmanager(clock) as a,
        fake_alertmanager(clock) as b,
        aiohttp.ClientSession() as session,
    ):
        one, two = member(session, a.url)[0], member(session, b.url)[0]
        cluster = Cluster([one, two])
        print_ = a.fires("Down")
        b.fires("Down")
        a.human_silences('alertname="Down"')
        heard = await cluster.alerts()
        assert heard is not None
        assert heard.alerts[print_].tells
        assert (heard.by, heard.shown_by) == ((one, two), {print_: one})
        b.human_silences('alertname="Down"')
        heard = await cluster.alerts()
        assert heard is not None
        assert not heard.alerts[print_].tells
        only_b = b.human_silences('alertname="Other"')
        assert await cluster.expire(only_b)
        assert await cluster.expire("unknown")
        a.fails = 500
        heard = await cluster.alerts()
        assert heard is not None
        assert heard.by == (two,)
        assert not await cluster.expire("unknown")
        b.fails = 500
        assert await cluster.alerts() is None
        assert await cluster.silences() is None
        assert await cluster.groups("pager") is None
        assert not await cluster.expire("unknown")
        assert await cluster.standings() == {}


async def test_a_silence_is_set_where_the_alert_is() -> None:
    """Of two clusters in one list that which shows the alert is asked first, the other where it does not answer."""
    clock = ManualClock(NOW)
    async with fake_alertmanager(clock) as a, fake_alertmanager(clock) as b, aiohttp.ClientSession() as session:
        one, two = member(session, a.url)[0], member(session, b.url)[0]
        cluster = Cluster([one, two])
        words = {"starts_at": NOW, "ends_at": NOW + timedelta(hours=1), "created_by": "callbridge", "comment": "ACK! x"}
        assert await cluster.silence({"alertname": "Down"}, first=two, **words)  # type: ignore[arg-type]  # as the keys say
        assert (len(a.lasting()), len(b.lasting())) == (0, 1)
        b.fails = 500
        assert await cluster.silence({"alertname": "Down"}, first=two, **words)  # type: ignore[arg-type]  # as the keys say
        assert (len(a.lasting()), len(b.lasting())) == (1, 1)
        a.fails = 500
        assert await cluster.silence({"alertname": "Down"}, **words) is None  # type: ignore[arg-type]  # as the keys say


def test_a_question_fits_into_an_address() -> None:
    """The name of the alert comes first, and of many or long labels only as many as there is room for."""
    labels = {f"l{number:02}": "x" * 90 for number in range(30)} | {"alertname": "Down", "odd\n": "y", "a": "new\nline"}
    found = narrow(labels)
    assert found[0] == 'alertname="Down"'
    assert 5 < len(found) < 15
    assert sum(map(len, found)) <= 1000


@given(value=st.text(max_size=30))
def test_a_filter_is_read_alike_by_every_version(value: str) -> None:
    """A label's value in a filter means itself to both parsers of Alertmanager, or it is left out."""
    made = matcher("label", value)
    if made is None:
        assert not value.isprintable()
        return
    for parse in (parse_classic, parse_utf8):
        [told] = parse(made)
        assert (told.name, told.value) == ("label", value)


@given(body=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(body: bytes) -> None:
    """Nothing that comes back raises anything but the one error."""
    readers: tuple[Callable[[bytes], object], ...] = (read_alerts, read_groups, read_silences, read_standing)
    for read in readers:
        try:
            read(body)
        except AlertmanagerUnavailable as error:
            assert error.why is Why.UNREADABLE
