"""Stories of trouble on our own side: what our code cannot take, a database that is full, a restart in the middle."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bridge.clock import ManualClock
from bridge.dispatch import Command, Door, Message
from bridge.simulator import Simulator, answers, presses, silent, sleeps
from tests.stories.night import ALICE, BOB, DUSK, TOKEN, Night, alert, body, night, running, with_policies


async def sql(it: Night, statement: str, **values: object) -> None:
    """Change something behind the program's back."""

    def change(connection: Connection) -> None:
        connection.execute(text(statement), values)

    await it.app.database.write(change)


async def test_one_message_that_nobody_understands_holds_up_no_other(tmp_path: Path) -> None:
    """It stays in the inbox, is counted and tried again; those before and behind it are digested."""
    async with night(tmp_path) as it:
        now = it.clock.now()
        await it.app.dispatch.submit(Message(Door.ALERTMANAGER, now, b"no webhook at all"))
        await it.fires("DiskFull")
        assert len(await it.incidents()) == 1
        assert await it.metric("callbridge_inbox_waiting") == 1
        assert await it.metric("callbridge_inbox_failures_total") == 1

        await it.passes(seconds=6)
        assert await it.metric("callbridge_inbox_failures_total") == 2
        await sql(it, "UPDATE inbox SET body = :body WHERE digested_at IS NULL", body=b'{"alerts":[],"groupKey":"x"}')
        await it.passes(minutes=1)
        assert await it.metric("callbridge_inbox_waiting") == 0


async def test_a_message_that_is_understood_late_does_not_override_newer_ones(tmp_path: Path) -> None:
    """It says that an alert fires which has resolved since: no call for it; one that only it knows rings."""
    async with night(tmp_path) as it:
        late = json.dumps(body([alert("DiskFull"), alert("Forgotten")])).encode()
        await it.app.dispatch.submit(Message(Door.ALERTMANAGER, it.clock.now(), b"not yet understood"))
        await it.settle()
        await it.fires("DiskFull")
        await it.resolves("DiskFull")
        await sql(it, "UPDATE inbox SET body = :body WHERE digested_at IS NULL", body=late)
        await it.passes(seconds=10)

        opened = [[one["labels"]["alertname"] for one in incident["alerts"]] for incident in await it.incidents()]
        assert sorted(opened) == [["DiskFull"], ["Forgotten"]]
        assert {one["state"] for one in await it.incidents()} == {"resolved", "triggered"}


async def test_one_incident_that_cannot_be_decided_holds_up_no_other(tmp_path: Path) -> None:
    """A row that our code cannot read is put off and tried again; the others go on at their time."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers())
        await it.fires("Poison", group="a")
        await it.fires("DiskFull", group="b")
        broken = (await it.incidents())[-1]["id"]
        await it.passes(minutes=2)
        await sql(it, "UPDATE incidents SET targets = '[{]' WHERE id = :id", id=broken)
        await it.passes(minutes=4)

        assert len(it.calls(BOB)) == 1


async def test_a_full_disk_is_said_and_recovered_from(tmp_path: Path) -> None:
    """503 while it is full, nothing crashes; when there is room again everything goes on by itself."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        assert await it.fires("DiskFull") == 200
        await it.passes(seconds=1)
        await it.app.database.write(_full)
        assert await it.fires("Other", group="other", note=random.Random(1).randbytes(20_000).hex()) == 503
        async with it.session.get(it.url + "/-/ready") as response:
            assert response.status == 503
        await it.passes(minutes=2)

        await sql(it, "PRAGMA max_page_count=1000000")
        async with it.session.get(it.url + "/-/ready") as response:
            assert response.status == 200
        assert await it.fires("Other", group="other") == 200
        await it.passes(minutes=20)
        assert {one["state"] for one in await it.incidents()} == {"exhausted"}
        assert not any(call.overlap for call in it.calls())


def _full(connection: Connection) -> None:
    pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    connection.execute(text(f"PRAGMA max_page_count={pages}"))


async def test_a_restart_while_a_request_is_under_way_rings_once(tmp_path: Path) -> None:
    """The process dies between request and answer: after the start the call is found in the gateway's journal."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        phones.script(ALICE, answers(listens=600))
        async with running(tmp_path, phones, clock) as it:
            await it.fires("DiskFull")
            await it.passes(seconds=3)
            await sql(it, "UPDATE calls SET state = 'placing', gateway_id = NULL, due_at = NULL, placed_at = NULL")
        async with running(tmp_path, phones, clock) as it:
            await it.passes(seconds=5)
            assert len(it.calls(ALICE)) == 1
            call = (await it.story())["calls"][0]
            assert (call["state"], call["gateway_id"]) == ("placed", str(it.calls()[0].id))


async def test_a_request_that_nobody_knows_of_is_made_once_more(tmp_path: Path) -> None:
    """Uncertain, looked up, not there: requested again, once; uncertain again: unconfirmed, and the chain goes on."""
    policy = "policies:\n  default: {steps: [{call: [alice]}, {call: [bob]}]}\n"
    async with night(tmp_path, text=with_policies(policy)) as it:
        it.phones.script(BOB, presses("1"))
        it.phones.faults.set(reset_before=True, times=2)
        await it.fires("DiskFull")
        await it.passes(minutes=2)

        assert it.calls(ALICE) == []
        assert "asked_again" in await it.words()
        assert await it.metric("callbridge_calls_total", outcome="unconfirmed") == 1
        assert (await it.story())["acknowledged_by"] == "bob"


async def test_a_call_that_cannot_be_looked_up_is_made_once_more_in_the_end(tmp_path: Path) -> None:
    """The journal is out of order too: after a minute a second ring is better than none."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1"))
        it.phones.faults.set(reset_before=True, times=1)
        it.phones.faults.set(code=600, on="journal")
        await it.fires("DiskFull")
        await it.passes(seconds=50)
        assert it.calls(ALICE) == []
        await it.passes(minutes=1)

        assert len(it.calls(ALICE)) == 1
        assert (await it.story())["acknowledged_by"] == "alice"


async def test_a_truth_that_comes_late_is_kept(tmp_path: Path) -> None:
    """Unconfirmed, and then its report arrives after all: the call shows what became of it, and is counted once."""
    async with night(tmp_path, "acknowledgement: {answer: 5s}\n") as it:
        it.phones.script(ALICE, silent())
        it.phones.script(BOB, sleeps())
        await it.fires("DiskFull")
        await it.passes(minutes=3, seconds=5)
        call = (await it.story())["calls"][0]
        assert call["outcome"] == "unconfirmed"

        late = {"id": call["gateway_id"], "status": "completed", "duration": "30", "pricePerMinute": 0.1}
        assert await it.post(f"/webhook/sms77/{TOKEN}", late) == 200
        story = await it.story()
        assert (story["calls"][0]["outcome"], story["acknowledged_by"]) == ("answered", "alice")
        assert await it.metric("callbridge_calls_total", outcome="unconfirmed") == 1
        assert await it.metric("callbridge_calls_total", outcome="answered") == 0


async def test_whoever_is_taken_out_of_the_config_is_passed_over(tmp_path: Path) -> None:
    """A reload takes Bob away while his page waits: the incident goes on without him."""
    policy = (
        "policies:\n  default: {steps: [{call: [bob], attempts: 3, retry_after: 2m, wait: 30m}, {call: [alice]}]}\n"
    )
    async with night(tmp_path, text=with_policies(policy)) as it:
        it.phones.script(ALICE, presses("1"))
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        path = tmp_path / "callbridge.yaml"
        path.write_text(
            path.read_text()
            .replace("  bob: {name: Bob, phone: 0171 7654321, language: de-DE}\n", "")
            .replace("[bob]", "[carol]")
        )
        assert await it.post("/-/reload", {}) == 200
        await it.passes(minutes=5)

        assert (await it.story())["acknowledged_by"] == "alice"
        assert len(it.calls(BOB)) == 1


async def test_a_template_that_fails_says_the_plain_sentence(tmp_path: Path) -> None:
    """The phone still rings and says what is wrong in plain words; the fallback is counted and told."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "call.txt.j2").write_text("Hello. {{ 1 / ((subjects[0].common_labels.disks or 1)|int) }}")
    async with night(tmp_path, "templates: [own]\n") as it:
        it.phones.script(ALICE, presses("1"))
        await it.fires("DiskFull", disks="0")
        await it.passes(minutes=1)

        assert "Disk Full is wrong" in it.calls(ALICE)[0].text
        assert await it.metric("callbridge_speech_fallbacks_total") == 1
        assert "speech_fallback" in await it.words()


async def test_what_is_acknowledged_twice_counts_once(tmp_path: Path) -> None:
    """Key and SMS of the same person, and a click: one acknowledgement, two that came too late."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1"))
        await it.fires("DiskFull")
        await it.passes(seconds=20)
        it.phones.send_sms(ALICE, "OK")
        await it.passes(seconds=5)
        assert await it.act("acknowledge", by="bob") == 200

        assert await it.metric("callbridge_acknowledgements_total", by="keypress") == 1
        assert await it.metric("callbridge_acknowledgements_total", by="reply") == 0
        assert await it.metric("callbridge_duplicates_suppressed_total", kind="acknowledgement") == 2


@pytest.mark.parametrize("key", ["keypress", "reply"])
async def test_what_is_switched_off_takes_nothing(tmp_path: Path, key: str) -> None:
    """`keypress: false`, `reply: false`: the report is kept and changes nothing."""
    async with night(tmp_path, f"acknowledgement: {{{key}: false}}\n") as it:
        it.phones.script(ALICE, presses("1") if key == "keypress" else answers())
        await it.fires("DiskFull")
        await it.passes(seconds=30)
        if key == "reply":
            it.phones.send_sms(ALICE, "OK")
        await it.passes(seconds=5)

        assert (await it.story())["state"] == "triggered"


async def test_what_a_human_asks_for_is_kept_even_if_it_takes_too_long(tmp_path: Path) -> None:
    """A command that is not done in time is answered as kept, and done later."""
    async with night(tmp_path) as it:
        await it.fires("DiskFull")
        incident = (await it.incidents())[0]["id"]
        done = await it.app.dispatch.ask(Command(incident, "acknowledge", "bob"), timeout=0)
        await it.settle()

        assert done in (True, False)
        assert (await it.story())["acknowledged_by"] == "bob"


async def test_old_stories_are_forgotten(tmp_path: Path) -> None:
    """Beyond storage.retention a closed incident goes, with everything that hangs on it; an open one stays."""
    text_ = with_policies("policies:\n  default: {steps: [{call: [alice]}]}\n").replace(
        'url: "sqlite:///night.db"', 'url: "sqlite:///night.db", retention: 2h'
    )
    async with night(tmp_path, text=text_) as it:
        await it.fires("Gone", group="a")
        await it.resolves("Gone", group="a")
        await it.fires("Stays", group="b")
        await it.passes(hours=3)

        assert [one["alerts"][0]["labels"]["alertname"] for one in await it.incidents()] == ["Stays"]
        assert await it.app.database.read(lambda c: c.execute(text("SELECT count(*) FROM alerts")).scalar_one()) == 1
        assert it.clock.now() == DUSK + timedelta(hours=3)


async def test_pages_that_cannot_be_told_hold_up_nobody_else(tmp_path: Path) -> None:
    """What Alice should be told cannot be read: Bob is called all the same, and she is as soon as it can."""
    policy = "policies:\n  default: {steps: [{call: [alice, bob], wait: 1h}]}\n"
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        phones.script(ALICE, sleeps())
        phones.script(BOB, sleeps())
        async with running(tmp_path, phones, clock, text=with_policies(policy)) as it:
            phones.faults.set(code=600)
            await it.fires("DiskFull")
            await it.passes(seconds=1)
            await sql(it, "UPDATE calls SET ended_at = 1, state = 'ended', due_at = NULL WHERE person = 'alice'")
            await sql(it, "UPDATE pages SET state = 'queued', call = NULL WHERE person = 'alice'")
            await sql(it, "UPDATE pages SET incident = 'lost' WHERE person = 'alice'")
            phones.faults.clear()
            await it.passes(minutes=2)
            assert len(it.calls(BOB)) == 1
            assert it.calls(ALICE) == []


async def test_a_database_that_is_held_is_waited_for(tmp_path: Path) -> None:
    """Somebody else holds the file for longer than we wait: nothing is lost, and the work goes on when it is free."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, presses("1"))
        await it.fires("DiskFull")
        await it.passes(seconds=50)
        with closing(sqlite3.connect(tmp_path / "night.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            it.clock.advance(timedelta(minutes=1))
            await it.settle()
            other.execute("ROLLBACK")
        await it.passes(minutes=5)

        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [2, 1]
        assert (await it.story())["acknowledged_by"] == "bob"


async def test_a_reply_is_taken_while_the_next_call_waits_for_the_gateway(tmp_path: Path) -> None:
    """She missed the first call, the second cannot be placed yet: her SMS takes it, and nobody is called again."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("DiskFull")
        await it.passes(seconds=40)
        it.phones.faults.set(code=600)
        await it.passes(seconds=70)
        it.phones.send_sms(ALICE, "OK")
        await it.passes(seconds=2)

        assert (await it.story())["acknowledged_by"] == "alice"
        assert await it.metric("callbridge_inbox_failures_total") == 0
        it.phones.faults.clear()
        await it.passes(minutes=5)
        assert len(it.calls()) == 1
