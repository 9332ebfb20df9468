"""The logbook: what it says of a call, and how a call is found again whose answer was lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from bridge.call import CallStatus
from bridge.errors import GatewayError, GatewayUnavailable, GatewayUncertain
from bridge.gateway import Dialect, Gateway, open_session
from bridge.gateway.records import read_balance, read_hooks, read_journal, read_subscribed, read_success
from bridge.gateway.replies import Answer
from bridge.gateway.values import readings

RECORDINGS = Path(__file__).parent / "data" / "gateway"
NUMBER = "+491719990001"
TEXT = "Disk full on db1, and on every other host of the rack as well."
WINTER = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def row(identity: int = 1, at: datetime = WINTER, **changes: object) -> dict[str, object]:
    """A row as the gateway sends it; `at` is put into Berlin's winter time."""
    local = (at + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
    plain: dict[str, object] = {
        "id": str(identity),
        "from": "491771783130",
        "to": "491719990001",
        "xml": False,
        "text": TEXT,
        "duration": "8",
        "status": "completed",
        "error": None,
        "timestamp": local,
        "price": "0.045",
    }
    return plain | changes


@dataclass
class Logbook:
    """A gateway that has only a logbook, at the addresses in `paths`; it pages where `paging` says so."""

    rows: list[dict[str, object]] = field(default_factory=list)
    paths: set[str] = field(default_factory=lambda: {"/api/journal", "/api/journal/voice"})
    paging: bool = True
    refusal: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        if request.path not in self.paths:
            raise web.HTTPNotFound
        if self.refusal:
            return web.Response(text=self.refusal)
        first = int(request.query.get("offset", "0")) if self.paging else 0
        return web.json_response(self.rows[first : first + 100])


@pytest.fixture
async def logbook() -> AsyncIterator[tuple[Logbook, dict[Dialect, Gateway]]]:
    """A logbook, and a client of each dialect for it."""
    book = Logbook()
    app = web.Application()
    app.router.add_get("/{path:.*}", book.answer)
    async with TestServer(app) as server, open_session() as session:
        yield (
            book,
            {
                dialect: Gateway(
                    session,
                    api_url=str(server.make_url("/api/")),
                    dialect=dialect,
                    key=lambda: "key",
                    sender=None,
                    ring_time=timedelta(seconds=30),
                    timeout=timedelta(seconds=5),
                    debug=False,
                )
                for dialect in Dialect
            },
        )


Fixture = tuple[Logbook, dict[Dialect, Gateway]]


@pytest.mark.parametrize(
    ("dialect", "path", "query"),
    [
        (Dialect.SEVEN, "/api/journal/voice", {"limit": "100"}),
        (Dialect.SMS77, "/api/journal", {"type": "voice"}),
    ],
)
async def test_the_question(logbook: Fixture, dialect: Dialect, path: str, query: dict[str, str]) -> None:
    """Each dialect asks at its own address, by number, id and first day; a last day might leave out today."""
    book, clients = logbook
    since = datetime(2026, 1, 10, 11, 30, tzinfo=UTC)
    await clients[dialect].journal(number=NUMBER, since=since, until=since, gateway_id="7")
    assert book.asked == [(path, {"to": "491719990001", "date_from": "2026-01-10", "id": "7"} | query)]
    await clients[dialect].journal(number=None, since=since - timedelta(hours=1), until=since)
    assert book.asked[1] == (path, {"date_from": "2026-01-09"} | query)


@pytest.mark.parametrize(("dialect", "path"), [(Dialect.SEVEN, "/api/journal"), (Dialect.SMS77, "/api/journal/voice")])
async def test_the_other_address_is_found_and_remembered(logbook: Fixture, dialect: Dialect, path: str) -> None:
    """A gateway that knows only the other era's address is asked there, and from then on there first."""
    book, clients = logbook
    book.rows, book.paths = [row()], {path}
    for _ in range(2):
        assert len(await clients[dialect].journal(number=NUMBER, since=WINTER, until=WINTER)) == 1
    assert [asked for asked, _ in book.asked][1:] == [path, path]


async def test_rows_are_filtered_by_instant_number_and_id(logbook: Fixture) -> None:
    """What lies outside the span, is to another number or has another id is left out; the newest comes first."""
    book, clients = logbook
    book.rows = [
        row(5, WINTER + 2 * MINUTE),
        row(4, WINTER + MINUTE),
        row(2, WINTER),
        row(3, WINTER + MINUTE / 2, to="491719990002"),
        row(1, WINTER - MINUTE),
    ]
    client = clients[Dialect.SEVEN]
    rows = await client.journal(number=NUMBER, since=WINTER, until=WINTER + MINUTE)
    assert [found.gateway_id for found in rows] == ["4", "2"]
    rows = await client.journal(number=None, since=WINTER, until=WINTER + MINUTE)
    assert [found.gateway_id for found in rows] == ["4", "3", "2"]
    rows = await client.journal(number=None, since=WINTER, until=WINTER + MINUTE, gateway_id="2")
    assert [found.gateway_id for found in rows] == ["2"]


@pytest.mark.parametrize(("paging", "found", "questions"), [(True, 250, 3), (False, 100, 2)])
async def test_pages(logbook: Fixture, *, paging: bool, found: int, questions: int) -> None:
    """Full pages are followed by the next, until one brings nothing new."""
    book, clients = logbook
    book.paging = paging
    book.rows = [row(1000 - index, WINTER - timedelta(seconds=index)) for index in range(250)]
    rows = await clients[Dialect.SEVEN].journal(number=None, since=WINTER - 60 * MINUTE, until=WINTER)
    assert len(rows) == found
    assert len(book.asked) == questions


async def test_pages_end_where_the_span_begins(logbook: Fixture) -> None:
    """A page whose oldest row is older than the span is the last one asked for."""
    book, clients = logbook
    book.rows = [row(1000 - index, WINTER - index * MINUTE) for index in range(250)]
    assert len(await clients[Dialect.SEVEN].journal(number=None, since=WINTER - 50 * MINUTE, until=WINTER)) == 51
    assert len(book.asked) == 1


LOST = WINTER + 10 * MINUTE


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], None),
        ([row(1, LOST)], "1"),
        ([row(1, LOST - timedelta(seconds=89))], "1"),
        ([row(1, LOST - timedelta(seconds=91))], None),
        ([row(1, LOST, to="491719990002")], None),
        ([row(1, LOST, to="+49 171 9990001")], "1"),
        ([row(1, LOST, text="Another incident altogether, of which the phone has told a moment ago.")], None),
        ([row(1, LOST, text="  Disk full on db1,\n and on every other host of the rack as well. ")], "1"),
        ([row(1, LOST, text=TEXT[:45])], "1"),
        ([row(1, LOST, text=TEXT[:12])], None),
        ([row(1, LOST, text=None)], "1"),
        ([row(2, LOST, text=""), row(1, LOST - MINUTE)], "1"),
        ([row(2, LOST + MINUTE), row(1, LOST)], "2"),
        ([row(9, LOST + MINUTE), row(1, LOST)], "1"),
        ([row(9, LOST)], None),
        ([row(1, LOST, status="", error="Account not authorized to call", duration=None, price=None)], "1"),
    ],
)
async def test_a_lost_call_is_found(logbook: Fixture, rows: list[dict[str, object]], found: str | None) -> None:
    """It is the newest row to the same number with the same text since then that is not another call (9)."""
    book, clients = logbook
    book.rows = rows
    match = await clients[Dialect.SEVEN].find(NUMBER, TEXT, LOST, LOST + 2 * MINUTE, known={"9"})
    assert (match and match.gateway_id) == found


async def test_a_lost_call_with_escapes_is_found(logbook: Fixture) -> None:
    """A logbook that escapes the text still has the same call."""
    book, clients = logbook
    book.rows = [row(1, LOST, text="&lt;Response&gt;A &amp; B&lt;/Response&gt;")]
    assert await clients[Dialect.SEVEN].find(NUMBER, "<Response>A & B</Response>", LOST, LOST)


@pytest.mark.parametrize("hour", [0, 1])
async def test_a_lost_call_in_the_double_hour_is_found(logbook: Fixture, hour: int) -> None:
    """02:30 on the day when clocks go back is two instants, and the one that fits is taken."""
    book, clients = logbook
    book.rows = [row(1, timestamp="2026-10-25 02:30:00")]
    placed = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    found = await clients[Dialect.SEVEN].find(NUMBER, TEXT, placed, placed)
    assert found is not None
    assert found.at == placed


async def test_a_logbook_without_end_is_left(logbook: Fixture) -> None:
    """However many full pages there are, a thousand rows are enough."""
    book, clients = logbook
    book.rows = [row(9000 - index) for index in range(2000)]
    assert len(await clients[Dialect.SEVEN].journal(number=None, since=WINTER, until=WINTER)) == 1000
    assert len(book.asked) == 10


async def test_a_no_is_not_asked_at_the_other_address(logbook: Fixture) -> None:
    """A key that is refused at one address is not tried at the other."""
    book, clients = logbook
    book.refusal = "900"
    with pytest.raises(GatewayUnavailable, match="api_key_file"):
        await clients[Dialect.SEVEN].journal(number=None, since=WINTER, until=WINTER)
    assert len(book.asked) == 1


async def test_a_logbook_that_cannot_be_read_is_an_error(logbook: Fixture) -> None:
    """No answer is not the same as no call: an unreachable logbook raises."""
    book, clients = logbook
    book.paths = set()
    with pytest.raises(GatewayUnavailable):
        await clients[Dialect.SEVEN].find(NUMBER, TEXT, LOST, LOST)


def recorded(year: int) -> str:
    entries = json.loads((RECORDINGS / f"{year}.json").read_text())
    return next(str(entry["response"]["body"]) for entry in entries if entry["name"] == "journal_voice")


@pytest.mark.parametrize(("year", "count"), [(2021, 3), (2023, 13)])
def test_recorded_logbooks_are_read_whole(year: int, count: int) -> None:
    """Every row of the recorded logbooks is read, newest first."""
    rows, sent = read_journal(Answer(200, recorded(year)))
    assert (len(rows), sent) == (count, count)
    assert [found.at for found in rows] == sorted((found.at for found in rows), reverse=True)


def test_recorded_rows_say_what_became_of_the_call() -> None:
    """Answered, refused at set-up, and failed on the way are told apart; times are UTC, error texts without numbers."""
    rows = {found.gateway_id: found for found in read_journal(Answer(200, recorded(2023)))[0]}
    answered, refused, failed = rows["1006001"], rows["939221"], rows["909879"]
    assert (answered.status, answered.duration, answered.cost) == (CallStatus.COMPLETED, 8.0, 0.045)
    assert answered.at == datetime(2023, 8, 7, 8, 59, 59, tzinfo=UTC)
    assert (refused.status, refused.duration, refused.cost) == (CallStatus.FAILED, None, None)
    assert refused.error.startswith("Account not authorized to call")
    assert "1999999004" not in refused.error
    assert (failed.status, failed.duration, failed.cost) == (CallStatus.FAILED, 0.0, 0.0)
    assert rows["939249"].at.hour == 10


@pytest.mark.parametrize(
    "bad",
    [{"id": None}, {"id": "0"}, {"timestamp": None}, {"timestamp": "yesterday"}, {"timestamp": "0001-01-01 00:00:00"}],
)
def test_a_row_without_id_or_time_is_left_out(bad: dict[str, object]) -> None:
    """One unreadable row does not hide the others."""
    rows, sent = read_journal(Answer(200, json.dumps([row(1) | bad, "nonsense", row(2)])))
    assert [found.gateway_id for found in rows] == ["2"]
    assert sent == 3


@pytest.mark.parametrize(
    ("at", "count"),
    [(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 2), (WINTER, 1), (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), 1)],
)
def test_only_the_double_hour_has_two_readings(at: datetime, count: int) -> None:
    """A local time stands for one instant, but in one hour of the year for two."""
    assert len(readings(at)) == count


@given(
    st.integers(200, 599),
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["success", "id", "code", "hooks", "amount", "error", "timestamp"]), inner
            )
        ),
        max_leaves=8,
    ).map(json.dumps),
)
def test_any_answer_is_read_or_may_be_asked_again(status: int, body: str) -> None:
    """Whatever comes from the other doors of the gateway, it is a value or a GatewayError, and never uncertain."""
    for read in (read_balance, read_journal, read_hooks, read_subscribed, read_success):
        try:
            read(Answer(status, body))
        except GatewayError as error:
            assert not isinstance(error, GatewayUncertain)
