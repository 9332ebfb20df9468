"""The client against a gateway on loopback that answers, hangs, resets and cuts off as it is told."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from bridge import __version__
from bridge.call import CallStatus
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway import Dialect, Gateway, JournalRow, Operation, Placed, Request, open_session
from tests.requirements import require

RECORDINGS = Path(__file__).parent / "data" / "gateway"
KEY = "a-very-secret-key"
NUMBER = "+491719990001"
DIGITS = NUMBER.removeprefix("+")
CALL = Request(number=NUMBER, text="Disk full on db1.", foreign_id="01J-CALL")
ACCEPTED = "100\n1038704\n0.1"


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    raw: str


@dataclass(frozen=True)
class Say:
    """An HTTP answer; `stated` is the length that is stated, where it is not the true one."""

    body: str
    status: int = 200
    headers: str = "Content-Type: text/plain"
    stated: int | None = None

    def wire(self) -> bytes:
        body = self.body.encode()
        length = len(body) if self.stated is None else self.stated
        return f"HTTP/1.1 {self.status} X\r\n{self.headers}\r\nContent-Length: {length}\r\n\r\n".encode() + body


HANG = "hang"
RESET = "reset"
GARBAGE = "garbage"


@dataclass
class Company:
    """A telephone company of one script: each request takes the next line, the last one stays."""

    script: list[Say | str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await _read(reader))
            line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            await _act(line, reader, writer)
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, dict(parse_qsl(body)), target + "\n" + body)


async def _act(line: Say | str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if isinstance(line, Say):
        writer.write(line.wire())
        await writer.drain()
    elif line == HANG:
        await reader.read()
    elif line == RESET:
        writer.transport.abort()
    elif line == GARBAGE:
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    double = Company()
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    double.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    yield double
    server.close()
    await server.wait_closed()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


Observed = list[tuple[Operation, Reason | None]]
Make = Callable[..., Gateway]


@pytest.fixture
def observed() -> Observed:
    return []


@pytest.fixture
def gateway(company: Company, session: aiohttp.ClientSession, observed: Observed) -> Make:
    """Makes a Gateway for `company`, with changes."""

    def make(dialect: Dialect = Dialect.SEVEN, *script: Say | str, **changes: object) -> Gateway:
        company.script[:] = script
        settings: dict[str, object] = {
            "session": session,
            "api_url": company.url,
            "key": lambda: KEY + "\n",
            "sender": "+49 30 1234567",
            "ring_time": timedelta(seconds=30),
            "timeout": timedelta(seconds=2),
            "debug": False,
            "observe": lambda operation, seconds, reason: observed.append((operation, reason)),
        }
        return Gateway(dialect=dialect, **(settings | changes))  # type: ignore[arg-type]

    return make


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
    company: Company,
    gateway: Make,
    dialect: Dialect,
    request_: Request,
    changes: dict[str, object],
    form: dict[str, str],
) -> None:
    """A call is a form in a POST body with exactly the parameters of the dialect, the number in digits without plus."""
    assert await gateway(dialect, Say(ACCEPTED), **changes).place(request_) == Placed("1038704", 0.1)
    (asked,) = company.asked
    if request_.xml and dialect is Dialect.SEVEN:
        form = {k: v for k, v in FULL_SEVEN.items() if k != "foreign_id"} | form
    assert (asked.method, asked.path, asked.query, asked.form) == ("POST", "/api/voice", {}, form)
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["user-agent"] == f"callbridge/{__version__}"
    assert asked.headers["x-api-key"] == KEY
    assert (asked.headers["accept"] == "application/json") is (dialect is Dialect.SEVEN)
    assert KEY not in asked.raw


@pytest.mark.parametrize(
    ("line", "error", "reason"),
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
    company: Company,
    gateway: Make,
    observed: Observed,
    caplog: pytest.LogCaptureFixture,
    line: Say | str,
    error: type[GatewayError],
    reason: Reason,
) -> None:
    """Each fault of the wire is the right one of three errors, asked once, observed once, and tells no secret."""
    caplog.set_level(logging.DEBUG)
    client = gateway(Dialect.SEVEN, line, timeout=timedelta(seconds=0.3))
    with pytest.raises(error) as raised:
        await client.place(CALL)
    assert type(raised.value) is error
    assert raised.value.reason is reason
    assert len(company.asked) == 1
    assert observed == [(Operation.VOICE, reason)]
    told = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(raised.value) + repr(client)
    assert KEY not in told
    assert DIGITS not in told


async def closed_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_refused_connection_called_nobody(gateway: Make, observed: Observed) -> None:
    """Where nobody listens nothing was sent, so it may be tried again; the error says what is wrong."""
    client = gateway(Dialect.SEVEN, api_url=f"http://127.0.0.1:{await closed_port()}/api")
    with pytest.raises(GatewayUnavailable, match="cannot reach the gateway: connection refused") as raised:
        await client.place(CALL)
    assert raised.value.reason is Reason.CONNECTION
    assert observed == [(Operation.VOICE, Reason.CONNECTION)]


@pytest.mark.parametrize(
    "url", ["gateway.seven.io/api", "ftp://127.0.0.1/api", "http://", "http://127.0.0.1:99999/api"]
)
async def test_an_address_that_is_none_called_nobody(gateway: Make, url: str) -> None:
    """A wrong api_url is said as such, and nobody was called."""
    with pytest.raises(GatewayUnavailable, match=r"cannot reach the gateway: .*gateway\.api_url"):
        await gateway(Dialect.SEVEN, api_url=url).place(CALL)


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
async def test_a_name_that_cannot_be_found_called_nobody(gateway: Make, *, silent: bool, words: str) -> None:
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
            timeout=timedelta(seconds=0.2),
            debug=False,
        )
        with pytest.raises(GatewayUnavailable, match=words):
            await client.place(CALL)


async def test_no_tls_called_nobody(company: Company, gateway: Make) -> None:
    """An https address that answers no TLS never saw the request."""
    client = gateway(Dialect.SEVEN, api_url=company.url.replace("http:", "https:"), timeout=timedelta(seconds=0.4))
    with pytest.raises(GatewayUnavailable) as raised:
        await client.place(CALL)
    assert raised.value.reason is Reason.CONNECTION


def missing() -> str:
    raise FileNotFoundError(2, "No such file", "/run/secrets/api_key")


def broken() -> str:
    return (KEY.encode() + b"\xff").decode()


@pytest.mark.parametrize("key", [missing, broken, lambda: " \n", lambda: KEY + "\n" + KEY, lambda: KEY + "ä"])
async def test_a_key_that_is_none_is_never_sent(company: Company, gateway: Make, key: Callable[[], str]) -> None:
    """A missing or broken key asks for the file to be put right, tells nothing of it, and sends no request."""
    with pytest.raises(GatewayUnavailable, match=r"gateway\.api_key_file") as raised:
        await gateway(Dialect.SEVEN, key=key).place(CALL)
    assert raised.value.reason is Reason.AUTHENTICATION
    assert KEY not in "".join(traceback.format_exception(raised.value))
    assert company.asked == []


@pytest.mark.parametrize("number", ["", "alice", "+49 171 <script>", "+", "00", "1" * 30])
async def test_what_is_no_number_is_never_requested(company: Company, gateway: Make, number: str) -> None:
    """A text that is no telephone number is refused before any request."""
    with pytest.raises(GatewayRefused) as raised:
        await gateway(Dialect.SEVEN).place(Request(number, "text"))
    assert raised.value.reason is Reason.NUMBER_INVALID
    assert company.asked == []


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
    company: Company, gateway: Make, dialect: Dialect, refusal: Say, full: dict[str, str]
) -> None:
    """Refused for a parameter it does not know, the gateway gets only the original ones at once, and from then on."""
    client = gateway(dialect, refusal, Say(ACCEPTED))
    assert await client.place(CALL) == Placed("1038704", 0.1)
    await client.place(CALL)
    assert [asked.form for asked in company.asked] == [full, ORIGINAL, ORIGINAL]


async def test_fewer_parameters_are_not_remembered_when_they_were_not_the_reason(
    company: Company, gateway: Make
) -> None:
    """Where the gateway refuses the bare form as well, the next call has its foreign_id again."""
    client = gateway(Dialect.SEVEN, Say("308"), Say("308"), Say(ACCEPTED))
    with pytest.raises(GatewayRefused):
        await client.place(CALL)
    await client.place(CALL)
    assert [asked.form for asked in company.asked] == [FULL_SEVEN, ORIGINAL, FULL_SEVEN]


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_debug_is_never_dropped(company: Company, gateway: Make, dialect: Dialect) -> None:
    """A gateway that refuses debug=1 is never asked without it, for then the phone would ring."""
    with pytest.raises(GatewayRefused) as raised:
        await gateway(dialect, Say("308"), debug=True).place(CALL)
    assert raised.value.reason is Reason.PARAMETER_UNKNOWN
    assert len(company.asked) == 2
    assert all(asked.form["debug"] == "1" for asked in company.asked)


@pytest.mark.parametrize("code", ["201", "306"])
async def test_a_refused_caller_id_does_not_keep_the_phone_silent(
    company: Company, gateway: Make, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """Refused for the caller id, the call is requested without one at once, and the log says so as an error."""
    assert await gateway(Dialect.SEVEN, Say(code), Say(ACCEPTED)).place(CALL) == Placed("1038704", 0.1)
    assert ["from" in asked.form for asked in company.asked] == [True, False]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "gateway.from" in record.getMessage()
    assert vars(record)["fields"] == {"code": int(code), "dropped": "from"}


async def test_a_refused_number_without_caller_id_ends_there(company: Company, gateway: Make) -> None:
    """Refused for the caller id although none was sent, the refusal stands."""
    with pytest.raises(GatewayRefused):
        await gateway(Dialect.SEVEN, Say("201"), sender=None).place(CALL)
    assert len(company.asked) == 1


async def test_an_uncertain_answer_is_not_asked_again(company: Company, gateway: Make, observed: Observed) -> None:
    """After a fallback whose answer is lost there is no third request: the phone may be ringing."""
    client = gateway(Dialect.SEVEN, Say("201"), HANG, timeout=timedelta(seconds=0.3))
    with pytest.raises(GatewayUncertain):
        await client.place(CALL)
    assert observed == [(Operation.VOICE, Reason.SENDER_INVALID), (Operation.VOICE, Reason.TIMEOUT)]
    assert len(company.asked) == 2


@pytest.mark.parametrize(("debug", "errors"), [(False, 1), (True, 0)])
async def test_a_sandbox_answer_is_an_alarm(
    gateway: Make, caplog: pytest.LogCaptureFixture, *, debug: bool, errors: int
) -> None:
    """An answer that called nobody is told as such, and is an error in the log unless debug was asked for."""
    placed = await gateway(Dialect.SEVEN, Say("100\n123456789\n0"), debug=debug).place(CALL)
    assert placed == Placed("123456789", 0.0, None, debug=True)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == errors


async def test_no_connection_is_kept(company: Company, gateway: Make) -> None:
    """Each request has a connection of its own, so that one closed meanwhile cannot make a call uncertain."""
    client = gateway(Dialect.SEVEN, Say(ACCEPTED))
    await client.place(CALL)
    await client.place(CALL)
    assert [asked.headers["connection"] for asked in company.asked] == ["close", "close"]


@pytest.mark.parametrize(("force_close", "warnings"), [(True, 0), (False, 1)])
async def test_a_session_that_keeps_connections_is_warned_of(
    gateway: Make, caplog: pytest.LogCaptureFixture, *, force_close: bool, warnings: int
) -> None:
    """A session of the wrong kind is told in the log, with the remedy."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=force_close)) as session:
        gateway(Dialect.SEVEN, Say("1.5"), session=session)
    assert len([record for record in caplog.records if "open_session" in record.getMessage()]) == warnings


def test_reprs_tell_no_number() -> None:
    """Neither a request nor a journal row shows its number or text where it is logged."""
    row = JournalRow("1", DIGITS, "text", CallStatus.FAILED, None, None, datetime(2026, 1, 1, tzinfo=UTC))
    assert DIGITS not in repr(row)
    assert DIGITS not in repr(CALL)
    assert CALL.text not in repr(CALL)


@pytest.mark.parametrize(
    ("body", "amount"),
    [
        ("54.218", 54.218),
        ('{"amount":12.35,"currency":"EUR"}', 12.35),
        ('"3.5"', 3.5),
        ("100", 100.0),
        ("0", 0.0),
        ("-1.5", -1.5),
    ],
)
async def test_balance(company: Company, gateway: Make, observed: Observed, body: str, amount: float) -> None:
    """The balance is read in both forms, with the key in the header alone."""
    assert await gateway(Dialect.SEVEN, Say(body)).balance() == amount
    (asked,) = company.asked
    assert (asked.method, asked.path, asked.query, asked.headers["x-api-key"]) == ("GET", "/api/balance", {}, KEY)
    assert observed == [(Operation.BALANCE, None)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (Say("900"), Reason.AUTHENTICATION),
        (Say('"902"'), Reason.AUTHENTICATION),
        (Say("<html>"), Reason.UNREADABLE),
        (Say(""), Reason.UNREADABLE),
        (Say('{"amount":null}'), Reason.UNREADABLE),
        (Say("NaN"), Reason.UNREADABLE),
        (Say("54.2", 502), Reason.GATEWAY_ERROR),
        (HANG, Reason.TIMEOUT),
        (RESET, Reason.CONNECTION),
    ],
)
async def test_asking_is_never_uncertain(gateway: Make, line: Say | str, reason: Reason) -> None:
    """A lost answer to a question rang nobody: it may be asked again."""
    with pytest.raises(GatewayUnavailable) as raised:
        await gateway(Dialect.SEVEN, line, timeout=timedelta(seconds=0.3)).balance()
    assert raised.value.reason is reason


@pytest.mark.parametrize(
    ("body", "done"), [('{"success":true,"error":null}', True), ('{"success":false,"error":"x"}', False)]
)
async def test_hanging_up(company: Company, gateway: Make, body: str, *, done: bool) -> None:
    """A call in progress is ended by its id; one that is not says False."""
    assert await gateway(Dialect.SEVEN, Say(body)).hang_up("1038704") is done
    (asked,) = company.asked
    assert (asked.method, asked.path, asked.form) == ("POST", "/api/voice/1038704/hangup", {})


@pytest.mark.parametrize(
    ("dialect", "call"), [(Dialect.SMS77, "1"), (Dialect.SEVEN, "../balance"), (Dialect.SEVEN, "")]
)
async def test_what_cannot_be_hung_up_is_not_asked_for(
    company: Company, gateway: Make, dialect: Dialect, call: str
) -> None:
    """The original dialect has no way to hang up, and an id that is none leads to no other address."""
    assert await gateway(dialect).hang_up(call) is False
    assert company.asked == []


def recorded(year: int, name: str) -> Say:
    entries = json.loads((RECORDINGS / f"{year}.json").read_text())
    return Say(next(str(entry["response"]["body"]) for entry in entries if entry["name"] == name))


@pytest.mark.parametrize(
    ("dialect", "year", "query", "ids"),
    [(Dialect.SEVEN, 2023, {}, ["2043", "2044"]), (Dialect.SMS77, 2021, {"action": "read"}, ["847"])],
)
async def test_hooks_are_listed(
    company: Company, gateway: Make, dialect: Dialect, year: int, query: dict[str, str], ids: list[str]
) -> None:
    """The recorded lists of subscriptions are read, each dialect with its verb; an address stays out of the repr."""
    hooks = await gateway(dialect, recorded(year, "hooks_read")).hooks()
    assert [hook.id for hook in hooks] == ids
    assert all(
        hook.enabled and hook.event_type == "all" and hook.target_url.startswith("https://my.tld/") for hook in hooks
    )
    assert "my.tld" not in repr(hooks)
    assert company.asked[0].query == query


async def test_subscribing_in_both_dialects(company: Company, gateway: Make) -> None:
    """A subscription is requested with the verb of the dialect and gives its id, custom headers one per line."""
    hook = await gateway(Dialect.SEVEN, recorded(2023, "hooks_subscribe")).subscribe(
        "https://my.tld/x", "voice_status", "JSON", {"Authorization": "Basic x", "X-Y": "z"}
    )
    assert hook == "2045"
    form = {"target_url": "https://my.tld/x", "event_type": "voice_status", "request_method": "JSON"}
    assert company.asked[0].form == form | {"headers": "Authorization: Basic x\nX-Y: z"}
    assert await gateway(Dialect.SMS77, recorded(2021, "hooks_subscribe")).subscribe("https://my.tld/x") == "849"
    assert company.asked[1].form["action"] == "subscribe"


@pytest.mark.parametrize("year", [2021, 2023])
async def test_a_subscription_that_is_refused_says_why(gateway: Make, year: int) -> None:
    """The gateway's own words reach the operator."""
    with pytest.raises(GatewayUnavailable, match=r"Invalid (URL|event type)"):
        await gateway(Dialect.SMS77, recorded(year, "hooks_subscribe_fail")).subscribe("x")


async def test_unsubscribing_falls_back_to_the_old_verb(company: Company, gateway: Make, observed: Observed) -> None:
    """A gateway without DELETE gets the old form."""
    assert await gateway(Dialect.SEVEN, Say("", 405), Say('{"success":true}')).unsubscribe("7") is True
    assert [(asked.method, asked.query, asked.form) for asked in company.asked] == [
        ("DELETE", {"id": "7"}, {}),
        ("POST", {}, {"action": "unsubscribe", "id": "7"}),
    ]
    assert observed == [(Operation.HOOKS, Reason.GATEWAY_ERROR), (Operation.HOOKS, None)]


async def test_unsubscribing_with_a_wrong_key_is_asked_once(company: Company, gateway: Make) -> None:
    """A no is not taken for a misunderstanding."""
    with pytest.raises(GatewayUnavailable):
        await gateway(Dialect.SEVEN, Say("900")).unsubscribe("7")
    assert len(company.asked) == 1


async def test_a_header_cannot_smuggle_another(gateway: Make) -> None:
    """Custom headers with line breaks are a mistake of the caller's."""
    with pytest.raises(ValueError, match="header"):
        await gateway(Dialect.SEVEN).subscribe("https://my.tld/x", headers={"A": "b\nC: d"})


async def test_an_untrusted_certificate_gets_no_key(gateway: Make, tmp_path: Path) -> None:
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
        await gateway(Dialect.SEVEN, api_url=f"https://127.0.0.1:{port}/api").place(CALL)
    server.close()
    await server.wait_closed()
    assert company.asked == []
