"""Placing a call, against a gateway on loopback that answers, hangs, resets and cuts off as it is told."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bridge import __version__
from bridge.call import CallStatus
from bridge.errors import CallbridgeError, GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import Dialect, Gateway, JournalRow, Operation, Placed, Request
from tests.gateway_company import GARBAGE, HANG, KEY, RESET, Company, Line, Say, open_line
from tests.requirements import require

NUMBER = "+491719990001"
DIGITS = NUMBER.removeprefix("+")
CALL = Request(number=NUMBER, text="Disk full on db1.", foreign_id="01J-CALL")
ACCEPTED = "100\n1038704\n0.1"


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as opened:
        yield opened


FULL_SEVEN = {"to": DIGITS, "text": CALL.text, "from": "49301234567", "ringtime": "30", "foreign_id": "01J-CALL"}
FULL_SMS77 = {"to": DIGITS, "text": CALL.text, "from": "49301234567", "json": "1"}
ORIGINAL = {"to": DIGITS, "text": CALL.text, "from": "49301234567"}


@pytest.mark.parametrize(
    ("dialect", "request_", "changes", "form"),
    [
        (Dialect.SEVEN, CALL, {}, FULL_SEVEN),
        (Dialect.SEVEN, CALL, {"debug": True}, FULL_SEVEN | {"debug": "1"}),
        (Dialect.SEVEN, CALL, {"sender": None}, {k: v for k, v in FULL_SEVEN.items() if k != "from"}),
        (Dialect.SEVEN, Request(NUMBER, "<x/>", xml=True), {}, {"text": "<x/>", "xml": "1"}),
        (Dialect.SMS77, CALL, {}, FULL_SMS77),
        (Dialect.SMS77, CALL, {"debug": True}, FULL_SMS77 | {"debug": "1"}),
        (Dialect.SMS77, Request(NUMBER, "<x/>", xml=True), {}, FULL_SMS77 | {"text": "<x/>", "xml": "1"}),
        (Dialect.SMS77, Request("0049 171 999-0001", "ä & \ud800"), {}, FULL_SMS77 | {"text": "ä & ?"}),
    ],
)
async def test_what_is_sent(
    line: Line,
    dialect: Dialect,
    request_: Request,
    changes: dict[str, object],
    form: dict[str, str],
) -> None:
    """A call is a form in a POST body with exactly the parameters of the dialect, the number in digits without plus."""
    assert await line.gateway(dialect, Say(ACCEPTED), **changes).place(request_) == Placed("1038704", 0.1)
    (asked,) = line.asked
    if request_.xml and dialect is Dialect.SEVEN:
        form = {k: v for k, v in FULL_SEVEN.items() if k != "foreign_id"} | form
    assert (asked.method, asked.path, asked.query, asked.form) == ("POST", "/api/voice", {}, form)
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["user-agent"] == f"callbridge/{__version__}"
    assert asked.headers["x-api-key"] == KEY
    assert (asked.headers["accept"] == "application/json") is (dialect is Dialect.SEVEN)
    assert KEY not in asked.raw


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (HANG, GatewayUncertain, Reason.TIMEOUT),
        (RESET, GatewayUncertain, Reason.CONNECTION),
        (GARBAGE, GatewayUncertain, Reason.UNREADABLE),
        (Say("100\n1038", stated=14), GatewayUncertain, Reason.UNREADABLE),
        (Say("", 200), GatewayUncertain, Reason.UNREADABLE),
        (Say("<html>502 Bad Gateway</html>", 502), GatewayUncertain, Reason.GATEWAY_ERROR),
        (Say("not gzip", headers="Content-Encoding: gzip"), GatewayUncertain, Reason.UNREADABLE),
        (Say(ACCEPTED + " " * (9 * 1024 * 1024)), GatewayUncertain, Reason.UNREADABLE),
        (Say("", 308, "Location: http://127.0.0.1:9/api/voice"), GatewayUnavailable, Reason.GATEWAY_ERROR),
        (Say("900"), GatewayUnavailable, Reason.AUTHENTICATION),
        (Say("202"), GatewayRefused, Reason.NUMBER_INVALID),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_goes_wrong(
    line: Line,
    caplog: pytest.LogCaptureFixture,
    answer: Say | str,
    error: type[GatewayError],
    reason: Reason,
) -> None:
    """Each fault of the wire is the right one of three errors, asked once, observed once, and tells no secret."""
    caplog.set_level(logging.DEBUG)
    client = line.gateway(Dialect.SEVEN, answer, timeout=timedelta(seconds=0.3 if answer == HANG else 10))
    with pytest.raises(error) as raised:
        await client.place(CALL)
    assert type(raised.value) is error
    assert raised.value.reason is reason
    assert len(line.asked) == 1
    assert line.observed == [(Operation.VOICE, reason)]
    told = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(raised.value) + repr(client)
    assert KEY not in told
    assert DIGITS not in told


async def closed_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_refused_connection_called_nobody(line: Line) -> None:
    """Where nobody listens nothing was sent, so it may be tried again; the error says what is wrong."""
    client = line.gateway(Dialect.SEVEN, api_url=f"http://127.0.0.1:{await closed_port()}/api")
    with pytest.raises(GatewayUnavailable, match="cannot reach the gateway: connection refused") as raised:
        await client.place(CALL)
    assert raised.value.reason is Reason.CONNECTION
    assert line.observed == [(Operation.VOICE, Reason.CONNECTION)]


@pytest.mark.parametrize(
    "url", ["gateway.seven.io/api", "ftp://127.0.0.1/api", "http://", "http://127.0.0.1:99999/api"]
)
async def test_an_address_that_is_none_called_nobody(line: Line, url: str) -> None:
    """A wrong api_url is said as such, and nobody was called."""
    with pytest.raises(GatewayUnavailable, match=r"cannot reach the gateway: .*gateway\.api_url"):
        await line.gateway(Dialect.SEVEN, api_url=url).place(CALL)


class LostName(aiohttp.abc.AbstractResolver):
    """A name server that knows nothing, or does not answer at all."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
        if self.silent:
            await asyncio.Event().wait()
        raise OSError(None, "Name or service not known")

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(("silent", "words"), [(False, "its name is not known"), (True, "no connection in time")])
async def test_a_name_that_cannot_be_found_called_nobody(line: Line, *, silent: bool, words: str) -> None:
    """Neither an unknown name nor a silent name server leaves a call uncertain."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=LostName(silent=silent), force_close=True)
    ) as session:
        client = Gateway(
            session,
            api_url="http://gateway.example/api",
            dialect=Dialect.SEVEN,
            key=lambda: KEY,
            sender=None,
            ring_time=timedelta(seconds=30),
            timeout=timedelta(seconds=0.2 if silent else 10),
            debug=False,
        )
        with pytest.raises(GatewayUnavailable, match=words):
            await client.place(CALL)


async def test_no_tls_called_nobody(line: Line) -> None:
    """An https address that answers no TLS never saw the request."""
    client = line.gateway(
        Dialect.SEVEN, api_url=line.company.url.replace("http:", "https:"), timeout=timedelta(seconds=0.4)
    )
    with pytest.raises(GatewayUnavailable) as raised:
        await client.place(CALL)
    assert raised.value.reason is Reason.CONNECTION


def missing() -> str:
    raise FileNotFoundError(2, "No such file", "/run/secrets/api_key")


def broken() -> str:
    return (KEY.encode() + b"\xff").decode()


@pytest.mark.parametrize("key", [missing, broken, lambda: " \n", lambda: KEY + "\n" + KEY, lambda: KEY + "ä"])
async def test_a_key_that_is_none_is_never_sent(line: Line, key: Callable[[], str]) -> None:
    """A missing or broken key asks for the file to be put right, tells nothing of it, and sends no request."""
    with pytest.raises(GatewayUnavailable, match=r"gateway\.api_key_file") as raised:
        await line.gateway(Dialect.SEVEN, key=key).place(CALL)
    assert raised.value.reason is Reason.AUTHENTICATION
    assert KEY not in "".join(traceback.format_exception(raised.value))
    assert line.asked == []


async def test_why_there_is_no_key_is_passed_on(line: Line) -> None:
    """What our own config says of a missing key reaches the operator."""

    def unset() -> str:
        raise CallbridgeError("gateway.api_key_file: there is none in the config")

    with pytest.raises(GatewayUnavailable, match="there is none in the config"):
        await line.gateway(Dialect.SEVEN, key=unset).balance()


@pytest.mark.parametrize("number", ["", "alice", "+49 171 <script>", "+", "00", "1" * 30])
async def test_what_is_no_number_is_never_requested(line: Line, number: str) -> None:
    """A text that is no telephone number is refused before any request."""
    with pytest.raises(GatewayRefused) as raised:
        await line.gateway(Dialect.SEVEN).place(Request(number, "text"))
    assert raised.value.reason is Reason.NUMBER_INVALID
    assert line.asked == []


@pytest.mark.parametrize(
    ("dialect", "refusal", "full"),
    [
        (Dialect.SEVEN, Say('"308"'), FULL_SEVEN),
        (Dialect.SMS77, Say("308"), FULL_SMS77),
        (Dialect.SMS77, Say("400"), FULL_SMS77),
        (Dialect.SMS77, Say("unknown parameter json", 400), FULL_SMS77),
    ],
)
async def test_a_gateway_with_fewer_parameters_is_asked_again_without_them(
    line: Line, dialect: Dialect, refusal: Say, full: dict[str, str]
) -> None:
    """Refused for a parameter it does not know, the gateway gets only the original ones at once, and from then on."""
    client = line.gateway(dialect, refusal, Say(ACCEPTED))
    assert await client.place(CALL) == Placed("1038704", 0.1)
    await client.place(CALL)
    assert [asked.form for asked in line.asked] == [full, ORIGINAL, ORIGINAL]


async def test_fewer_parameters_are_not_remembered_when_they_were_not_the_reason(line: Line) -> None:
    """Where the gateway refuses the bare form as well, the next call has its foreign_id again."""
    client = line.gateway(Dialect.SEVEN, Say("308"), Say("308"), Say(ACCEPTED))
    with pytest.raises(GatewayRefused):
        await client.place(CALL)
    await client.place(CALL)
    assert [asked.form for asked in line.asked] == [FULL_SEVEN, ORIGINAL, FULL_SEVEN]


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_debug_is_never_dropped(line: Line, dialect: Dialect) -> None:
    """A gateway that refuses debug=1 is never asked without it, for then the phone would ring."""
    with pytest.raises(GatewayRefused) as raised:
        await line.gateway(dialect, Say("308"), debug=True).place(CALL)
    assert raised.value.reason is Reason.PARAMETER_UNKNOWN
    assert len(line.asked) == 2
    assert all(asked.form["debug"] == "1" for asked in line.asked)


@pytest.mark.parametrize("code", ["201", "306"])
async def test_a_refused_caller_id_does_not_keep_the_phone_silent(
    line: Line, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """Refused for the caller id, the call is requested without one at once, and the log says so as an error."""
    assert await line.gateway(Dialect.SEVEN, Say(code), Say(ACCEPTED)).place(CALL) == Placed("1038704", 0.1)
    assert ["from" in asked.form for asked in line.asked] == [True, False]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "gateway.from" in record.getMessage()
    assert vars(record)["fields"] == {"code": int(code), "dropped": "from"}


async def test_a_refused_number_without_caller_id_ends_there(line: Line) -> None:
    """Refused for the caller id although none was sent, the refusal stands."""
    with pytest.raises(GatewayRefused):
        await line.gateway(Dialect.SEVEN, Say("201"), sender=None).place(CALL)
    assert len(line.asked) == 1


async def test_an_uncertain_answer_is_not_asked_again(line: Line) -> None:
    """After a fallback whose answer is lost there is no third request: the phone may be ringing."""
    client = line.gateway(Dialect.SEVEN, Say("201"), HANG, timeout=timedelta(seconds=1))
    with pytest.raises(GatewayUncertain):
        await client.place(CALL)
    assert line.observed == [(Operation.VOICE, Reason.SENDER_INVALID), (Operation.VOICE, Reason.TIMEOUT)]
    assert len(line.asked) == 2


@pytest.mark.parametrize(("debug", "errors"), [(False, 1), (True, 0)])
async def test_a_sandbox_answer_is_an_alarm(
    line: Line, caplog: pytest.LogCaptureFixture, *, debug: bool, errors: int
) -> None:
    """An answer that called nobody is told as such, and is an error in the log unless debug was asked for."""
    placed = await line.gateway(Dialect.SEVEN, Say("100\n123456789\n0"), debug=debug).place(CALL)
    assert placed == Placed("123456789", 0.0, None, debug=True)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == errors


async def test_no_connection_is_kept(line: Line) -> None:
    """Each request has a connection of its own, so that one closed meanwhile cannot make a call uncertain."""
    client = line.gateway(Dialect.SEVEN, Say(ACCEPTED))
    await client.place(CALL)
    await client.place(CALL)
    assert [asked.headers["connection"] for asked in line.asked] == ["close", "close"]


@pytest.mark.parametrize(("force_close", "warnings"), [(True, 0), (False, 1)])
async def test_a_session_that_keeps_connections_is_warned_of(
    line: Line, caplog: pytest.LogCaptureFixture, *, force_close: bool, warnings: int
) -> None:
    """A session of the wrong kind is told in the log, with the remedy."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=force_close)) as session:
        line.gateway(Dialect.SEVEN, Say("1.5"), session=session)
    assert len([record for record in caplog.records if "open_session" in record.getMessage()]) == warnings


def test_reprs_tell_no_number() -> None:
    """Neither a request nor a journal row shows its number or text where it is logged."""
    row = JournalRow("1", DIGITS, "text", CallStatus.FAILED, None, None, datetime(2026, 1, 1, tzinfo=UTC))
    assert DIGITS not in repr(row)
    assert DIGITS not in repr(CALL)
    assert CALL.text not in repr(CALL)


async def test_an_untrusted_certificate_gets_no_key(line: Line, tmp_path: Path) -> None:
    """A server whose certificate nobody vouches for sees neither the key nor the call, and nobody was called."""
    openssl = require("openssl", "openssl")
    names = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"), "-subj", "/CN=127.0.0.1"]
    made = await asyncio.create_subprocess_exec(
        *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    company = Company([Say(ACCEPTED)])
    server = await asyncio.start_server(company.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(GatewayUnavailable, match="its certificate is not trusted"):
        await line.gateway(Dialect.SEVEN, api_url=f"https://127.0.0.1:{port}/api").place(CALL)
    server.close()
    await server.wait_closed()
    assert line.asked == []
