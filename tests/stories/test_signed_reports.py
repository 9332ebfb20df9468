"""Stories of an account whose reports are signed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bridge.clock import ManualClock
from bridge.simulator import Simulator, answers, presses, sleeps
from bridge.simulator.reports import signature
from tests.stories.night import ALICE, BOB, CONFIG, DUSK, TOKEN, Night, both, running

KEY = "the-signing-key-of-the-account"
SIGNED = CONFIG.replace("{{token_file: token}}", "{{token_file: token, signing_key_file: signing_key}}")


def with_key(folder: Path) -> Path:
    (folder / "signing_key").write_text(KEY)
    (folder / "signing_key").chmod(0o600)
    return folder


async def tell(it: Night, body: bytes, *, late: timedelta, nonce: str, whole: bool = True) -> int:
    """A report that was signed that long ago, over the whole address or over its path alone."""
    url, stamp = f"{it.url}/webhook/sms77/{TOKEN}", str(int((it.clock.now() - late).timestamp()))
    made = signature(
        KEY, timestamp=stamp, nonce=nonce, method="POST", url=url if whole else urlsplit(url).path, body=body
    )
    headers = {"X-Signature": made, "X-Timestamp": stamp, "X-Nonce": nonce, "Content-Type": "application/json"}
    async with it.session.post(url, data=body, headers=headers) as response:
        await response.read()
    await it.settle()
    return response.status


async def test_signed_reports_tell_the_story(tmp_path: Path) -> None:
    """One sleeps, the next takes it by a key: every report of it is signed, and none is turned away."""
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock, signing_key=KEY) as phones,
        running(with_key(tmp_path), phones, clock, text=SIGNED) as it,
    ):
        phones.script(ALICE, sleeps())
        phones.script(BOB, presses("1"))
        await it.fires("DiskFull")
        await it.passes(minutes=6)

        assert (await it.story())["acknowledged_by"] == "bob"
        assert {one.answer for one in phones.deliveries} == {200}


async def test_an_account_that_does_not_sign_is_not_heard(tmp_path: Path) -> None:
    """Reports come unsigned: 401, and after report_timeout the gateway's journal says what became of the call."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones, running(with_key(tmp_path), phones, clock, text=SIGNED) as it:
        phones.script(ALICE, answers(listens=10))
        await it.fires("DiskFull")
        await it.passes(minutes=4)

        assert {one.answer for one in phones.deliveries} == {401}
        assert await it.metric("callbridge_calls_total", outcome="answered") == 1


async def test_a_key_that_is_told_late_counts_once(tmp_path: Path) -> None:
    """A key comes hours late and takes its call's incident; a replay of it never takes the incident again."""
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock, signing_key=KEY) as phones,
        running(with_key(tmp_path), phones, clock, text=SIGNED) as it,
    ):
        phones.script(ALICE, answers(listens=10))
        await it.fires("DiskFull")
        await it.passes(seconds=40)
        gateway_id = it.calls(ALICE)[0].id
        pressed = f'{{"webhook_event":"voice_dtmf","data":{{"id":"{gateway_id}","dtmf_digit":"1"}}}}'.encode()
        assert await tell(it, pressed, late=timedelta(hours=2), nonce="late") == 200
        assert (await it.story())["acknowledged_by"] == "alice"

        assert await it.act("escalate") == 200
        await it.settle()
        before = (await it.story())["state"]
        assert before != "acknowledged"
        assert await tell(it, pressed, late=timedelta(hours=2), nonce="late") == 200
        assert (await it.story())["state"] == before
        assert await it.metric("callbridge_duplicates_suppressed_total", kind="acknowledgement") == 1


@both
@pytest.mark.parametrize("report", ["reply", "key"])
async def test_a_replay_after_a_restart_takes_nothing(tmp_path: Path, report: str) -> None:
    """A captured SMS or key, sent again within its five minutes to a program that has forgotten its nonce."""
    clock = ManualClock(DUSK)
    sms = b'{"webhook_event":"sms_mo","data":{"sender":"491711234567","text":"OK"}}'
    async with Simulator(clock, signing_key=KEY) as phones:
        async with running(with_key(tmp_path), phones, clock, text=SIGNED) as it:
            phones.script(ALICE, answers(listens=10))
            await it.fires("DiskFull")
            await it.passes(seconds=40)
            key = (
                f'{{"webhook_event":"voice_dtmf","data":{{"id":"{it.calls(ALICE)[0].id}","dtmf_digit":"1"}}}}'.encode()
            )
            told = sms if report == "reply" else key
            captured_at = clock.now()
            assert await tell(it, told, late=timedelta(0), nonce="once", whole=False) == 200
            assert (await it.story())["acknowledged_by"] == "alice"
            assert await it.act("escalate") == 200
        async with running(with_key(tmp_path), phones, clock, text=SIGNED) as it:
            await it.passes(seconds=5)
            assert (await it.story())["state"] == "triggered"
            assert await tell(it, told, late=clock.now() - captured_at, nonce="once", whole=False) == 200
            assert (await it.story())["state"] == "triggered"
            assert await it.metric("callbridge_duplicates_suppressed_total", kind="acknowledgement") == 1
            assert await tell(it, told, late=timedelta(0), nonce="twice") == 200
            assert (await it.story())["state"] == "acknowledged"
