"""The simulator and the gateway client, written apart from the same evidence, must understand each other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.call import CallStatus, Report
from bridge.errors import GatewayUncertain
from bridge.gateway import Dialect, Gateway, Keypress, Reply, Request, open_session, read_reports, verify_signature
from bridge.simulator import Auth, Era, answers, presses, replies
from tests.simulating import ALICE, KEY, START, receiving, simulated


@pytest.mark.parametrize("era", Era)
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("strict", [False, True])
async def test_every_dialect_gets_along_with_every_era(era: Era, dialect: Dialect, strict: bool) -> None:
    """A call is placed, reported and found in the journal; one whose answer was lost is found, not placed twice."""
    async with simulated(era) as line, receiving() as receiver, open_session() as session:
        line.simulator.account.strict_parameters = strict
        line.simulator.script(ALICE, answers(listens=10))
        gateway = Gateway(
            session,
            api_url=line.simulator.url,
            dialect=dialect,
            key=lambda: KEY,
            sender="+49301234567",
            ring_time=timedelta(seconds=30),
            timeout=timedelta(seconds=5),
            debug=False,
        )
        hook = await gateway.subscribe(receiver.url)
        placed = await gateway.place(Request(number=f"+{ALICE}", text="Disk full.", foreign_id="ours"))
        await line.advance(60)
        (row,) = await gateway.journal(number=f"+{ALICE}", since=START, until=line.clock.now())
        line.simulator.faults.set(reset_after=True, times=1)
        with pytest.raises(GatewayUncertain):
            await gateway.place(Request(number=f"+{ALICE}", text="Lost / verloren: ü", foreign_id="lost"))
        found = await gateway.find(f"+{ALICE}", "Lost / verloren: ü", line.clock.now(), line.clock.now())
        balance = await gateway.balance()
        removed = await gateway.unsubscribe(hook)

    assert placed.gateway_id == row.gateway_id == "1001"
    assert (row.status, row.duration, row.at) == (CallStatus.COMPLETED, 10, START)
    assert found is not None
    assert found.gateway_id == "1002"
    assert balance == pytest.approx(49.955)
    assert removed
    assert len(line.simulator.calls) == 2
    assert all(received.auth is Auth.HEADER and not received.key_in_url for received in line.simulator.requests)
    reports = [
        report
        for letter in receiver.letters[:4]
        for report in read_reports(content_type=letter.content_type, query=letter.query_string, body=letter.body)
    ]
    assert [report.status.value for report in reports if isinstance(report, Report)] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]


@pytest.mark.parametrize("shape", ["json", "json-flat", "form", "form-data", "get"])
async def test_every_shape_of_a_report_is_read_alike(shape: str) -> None:
    """Status, key and SMS say the same in all shapes, and each is signed as the client checks it."""
    async with simulated(signing_key="sign") as line, receiving() as receiver:
        line.simulator.subscribe(receiver.url)
        line.simulator.faults.set(report_shape=shape)
        line.simulator.script(ALICE, presses("#", listens=9), replies("on my way"))
        for _ in range(2):
            await line.call(foreign_id="ours")
            await line.advance(60)

    told = [
        read
        for letter in receiver.letters
        for read in read_reports(content_type=letter.content_type, query=letter.query_string, body=letter.body)
    ]
    ends = [read for read in told if isinstance(read, Report) and read.status is CallStatus.COMPLETED]
    assert [(end.gateway_id, end.foreign_id, end.duration) for end in ends] == [
        ("1001", "ours", 10),
        ("1002", "ours", 1),
    ]
    assert [read.digit for read in told if isinstance(read, Keypress)] == ["#"]
    assert [read.text for read in told if isinstance(read, Reply)] == ["on my way"]
    assert len(told) == len(receiver.letters) == 10
    for letter in receiver.letters:
        now = START + timedelta(minutes=2)
        url = receiver.url.partition("/reports")[0] + letter.raw_path
        assert verify_signature(
            key="sign", headers=letter.headers, method=letter.method, url=url, body=letter.body, now=now
        )
