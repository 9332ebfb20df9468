"""SMS where something is wrong: accounts, people, templates, words that come twice, and alerts that are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.clock import ManualClock
from bridge.dispatch.post import Post
from bridge.errors import GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.simulator import Simulator, refused, silent
from bridge.store import retention, texts
from tests.alertmanagers import fake_alertmanager
from tests.stories.night import ALICE, BOB, DUSK, TOKEN, alert, body, both, night, running
from tests.stories.test_accounts import two
from tests.stories.test_alertmanagers import asking
from tests.stories.test_sms import ALONE, LIMITS, sent

ONE_IN_TEN = LIMITS.format(rates="1 per 10m", more="")


@pytest.mark.parametrize(("code", "asked"), [(500, 1), (403, 1), (202, 0)])
async def test_another_account_sends_what_the_first_does_not(tmp_path: Path, code: int, asked: int) -> None:
    """No credit or its own limit: the next account is asked at once. A wrong number is wrong everywhere."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as main, Simulator(clock) as spare:
        text = two(spare.url).replace("{{call: [alice], wait: 5m, attempts: 2, retry_after: 1m}}", "{{sms: [alice]}}")
        async with running(tmp_path, main, clock, text=text) as it:
            main.script_sms(ALICE, refused(code))
            await it.fires("DiskFull")
            shown = (await it.story())["sms"][0]

    assert (len(main.messages), len(spare.messages)) == (0, asked)
    assert shown["outcome"] == (None if asked else "refused")


async def test_whose_number_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """An SMS is held back, and by the time it may go its reader has no number: it ends as refused, and nobody waits."""
    async with night(tmp_path, ONE_IN_TEN, text=ALONE) as one:
        await one.fires("DiskFull")
        await one.fires("DiskSlow", group="h")
        path = one.app.options.config
        path.write_text(path.read_text().replace('{name: Alice, phone: "+49 171 1234567"}', "{name: Alice}"))
        await one.post("/-/reload", {})
        await one.passes(minutes=11)
        story = await one.story()

    assert len(sent(one)) == 1
    assert [page["outcome"] for page in story["pages"] if page["channel"] == "sms"] == ["refused"]


async def test_a_template_that_fails_at_night(tmp_path: Path) -> None:
    """An own template that takes a place for granted: the plain sentence goes out, and the story has the reason."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sms.txt.j2").write_text("Down: {{ subjects[0].places[0] }}")
    async with night(tmp_path, "templates: [own]\n", text=ALONE) as one:
        await one.fires("DiskFull")
        story = await one.story()

    assert sent(one)[0].startswith("This is callbridge.")
    assert any(line["word"] == "speech_fallback" and "sms.txt.j2:1" in line["note"] for line in story["journal"])


@both
async def test_a_request_that_was_cut_off_is_looked_up_after_the_start(tmp_path: Path) -> None:
    """The program dies after the gateway took the SMS, before it answered: it is found then, and not repeated."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, text=ALONE) as one:
            one.app.patience = timedelta(0)
            phones.faults.set(on="sms", hang_after=True, times=1)
            async with one.session.post(f"{one.url}/webhook/alertmanager", json=body([alert("DiskFull")])) as answer:
                assert answer.status == 200
            await phones.until(lambda: phones.messages)
        async with running(tmp_path, phones, clock, text=ALONE) as again:
            before = (await again.story())["sms"][0]["state"]
            await again.passes(minutes=1)
            story = await again.story()

    assert (before, len(phones.messages)) == ("sending", 1)
    assert story["sms"][0]["outcome"] == "delivered"
    assert "found in the gateway's journal" in [line["note"] for line in story["journal"]]


async def test_a_receipt_may_name_our_own_id(tmp_path: Path) -> None:
    """Also before the gateway's answer was read: the SMS is known by the id that we gave it; twice says nothing new."""
    async with night(tmp_path, text=ALONE) as one:
        one.phones.script_sms(ALICE, silent())
        await one.fires("DiskFull")
        mine = (await one.story())["sms"][0]["id"]
        report = f"/webhook/sms77/{TOKEN}?webhook_event=dlr&msg_id=other&foreign_id={mine}&status="
        for status in ("TRANSMITTED", "DELIVERED", "FAILED", "DELIVERED"):
            await one.post(report + status, {})
        await one.post(f"/webhook/sms77/{TOKEN}?webhook_event=dlr&status=DELIVERED", {})
        story = await one.story()

    assert story["sms"][0]["outcome"] == "delivered"
    assert [line["word"] for line in story["journal"]].count("sms_delivered") == 1


async def test_late_words_change_nothing(tmp_path: Path) -> None:
    """Whatever two processes tell of an SMS that is over: its end stays, and it is not sent again."""
    async with night(tmp_path, text=ALONE) as one:
        await one.fires("DiskFull")
        await one.passes(seconds=10)
        shown = (await one.story())["sms"][0]
        post = Post(one.app.dispatch, one.app.database)
        await post.sent(shown["id"], "another", 1.0)
        for error in (GatewayRefused, GatewayUnavailable, GatewayUncertain):
            await post.failed(shown["id"], error(Reason.TIMEOUT))
        over = await one.app.database.read(lambda connection: texts.get(connection, shown["id"]))
        assert over is not None
        for version in (over.version, over.version - 1):
            await post.not_found(replace(over, version=version), sure=True)
        await post.give_up(shown["id"])
        again = await post.begin_again(shown["id"], "")
        nobody = await post.begin_again("of nobody", "")
        after = (await one.story())["sms"][0]

    assert (again, nobody) == (None, None)
    assert after == shown


@both
async def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    """SMS go with the incidents that they told, after the retention."""
    async with night(tmp_path, text=ALONE) as one:
        await one.fires("DiskFull")
        await one.passes(seconds=10)
        await one.resolves("DiskFull")
        shown = (await one.story())["sms"][0]
        later = one.clock.now() + timedelta(days=1)
        await one.app.database.write(lambda connection: retention.forget_before(connection, later))
        kept = await one.app.database.read(lambda connection: texts.get(connection, shown["id"]))

    assert kept is None


async def test_what_alertmanager_knows_to_be_over_is_not_told(tmp_path: Path) -> None:
    """An SMS that was held back is late: Alertmanager is asked first, and the alert is over there."""
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock) as phones,
        fake_alertmanager(clock) as fake,
        running(tmp_path, phones, clock, ONE_IN_TEN + asking(fake), text=ALONE) as it,
    ):
        for name in ("DiskFull", "DiskSlow"):
            fake.fires(name)
            await it.fires(name, group=name)
        fake.resolves("DiskSlow")
        await it.passes(minutes=11)
        state = (await it.story())["state"]

    assert (len(sent(it)), state) == (1, "resolved")


async def test_one_sms_of_a_step_and_one_call_are_both_limited_by_their_own(tmp_path: Path) -> None:
    """Limits of calls hold back no SMS, and those of SMS no call."""
    text = ALONE.replace("{{sms: [alice], wait: 3m}}", "{{sms: [bob], call: [bob]}}")
    extra = 'limits: {sms_per_person: ["1 per 1h"], calls_per_person: ["1 per 1h"]}\n'
    async with night(tmp_path, extra, text=text) as one:
        await one.fires("DiskFull")
        await one.passes(minutes=2)
        await one.fires("DiskSlow", group="h")
        await one.passes(minutes=2)
        words = await one.words()

    assert (len(sent(one, BOB)), len(one.calls(BOB))) == (1, 1)
    assert {"held_back", "sms_held_back"} <= set(words)
