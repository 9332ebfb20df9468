"""Stories of callbridge and Alertmanager asking each other: does it still fire, who has silenced it, what was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bridge.clock import ManualClock
from bridge.simulator import Simulator, presses, sleeps
from tests.alertmanagers import FakeAlertmanager, fake_alertmanager
from tests.stories.night import ALICE, BOB, DUSK, Night, alert, body, both, running

SILENCE = "silence_on_acknowledge: 4m"
RECHECKS = "callbridge_alertmanager_rechecks_total"


def asking(*fakes: FakeAlertmanager, extra: str = "") -> str:
    """The config's section for these members. They have time: the machine that runs the tests may be busy."""
    rows = "".join(f"  - {{url: {one.url!r}, {extra or 'timeout: 10s'}}}\n" for one in fakes)
    return f"alertmanagers:\n{rows}"


@asynccontextmanager
async def two_ways(folder: Path, extra: str = "", **more: Any) -> AsyncIterator[tuple[Night, FakeAlertmanager]]:
    """The night, with an Alertmanager that can be asked."""
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock) as phones,
        fake_alertmanager(clock, **more) as fake,
        running(folder, phones, clock, asking(fake, extra=extra)) as it,
    ):
        yield it, fake


async def fires(it: Night, fake: FakeAlertmanager, *names: str, **more: Any) -> None:
    """Alerts fire in Alertmanager, and its webhook says so."""
    for name in names:
        fake.fires(name, **more)
    await it.fires(*names, **more)


# --- before a late call


@both
async def test_what_is_gone_meanwhile_does_not_ring(tmp_path: Path) -> None:
    """The first sleeps; until the second call the alert is over in Alertmanager, and nobody is called for it."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        await fires(it, fake, "Down")
        assert len(it.calls(ALICE)) == 1
        fake.resolves("Down")
        await it.passes(minutes=3)

        assert len(it.calls()) == 1
        story = await it.story()
        assert story["state"] == "resolved"
        assert [one["status"] for one in story["alerts"]] == ["resolved"]
        [line] = [line for line in story["journal"] if line["word"] == "resolved"]
        assert line["note"] == "no longer in Alertmanager"
        assert await it.metric(RECHECKS, finding="gone") == 1


async def test_what_still_fires_rings_on(tmp_path: Path) -> None:
    """The first call is not late and asks nothing; the second asks, hears that it fires, and rings."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        await fires(it, fake, "Down")
        assert fake.requests("GET /alerts?filter") == []
        await it.passes(minutes=2)

        assert len(it.calls(ALICE)) == 2
        [asked] = fake.requests("GET /alerts?filter")
        assert "alertname" in asked
        assert await it.metric(RECHECKS, finding="fires") == 1


async def test_it_rings_where_nobody_answers(tmp_path: Path) -> None:
    """An Alertmanager that is down, slow, forbids or talks nonsense keeps nobody from being called, and is counted."""
    async with two_ways(tmp_path, "timeout: 300ms") as (it, fake):
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, sleeps())
        await it.fires("Down")
        fake.fails = 500
        await it.passes(minutes=2)
        assert len(it.calls(ALICE)) == 2
        await it.passes(minutes=2, seconds=45)
        fake.fails, fake.hangs = 0, True
        await it.passes(seconds=20)
        assert len(it.calls(BOB)) == 1

        assert await it.metric(RECHECKS, finding="unknown") >= 2
        failed = "callbridge_alertmanager_requests_failed_total"
        assert await it.metric(failed, operation="alerts", reason="server_error") >= 1
        assert await it.metric(failed, operation="alerts", reason="timeout") >= 1
        fake.hangs = False
        fake.gate.set()


async def test_a_restarted_alertmanager_is_not_believed_that_all_is_well(tmp_path: Path) -> None:
    """It was started after the webhook and knows no alert yet: that nothing is shown says nothing, and it rings."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, sleeps())
        await it.fires("Down")
        fake.started_at = DUSK + timedelta(seconds=30)
        await it.passes(minutes=2)
        assert len(it.calls(ALICE)) == 2

        await it.passes(minutes=4)
        assert len(it.calls(BOB)) == 1
        # It runs for so long now that Prometheus has told it everything that fires.
        await it.passes(seconds=30)
        assert (await it.story())["state"] == "resolved"


async def test_any_member_that_shows_it_is_believed(tmp_path: Path) -> None:
    """Of two members one is dead and then one knows nothing: what the other shows, rings."""
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock) as phones,
        fake_alertmanager(clock) as one,
        fake_alertmanager(clock) as other,
        running(tmp_path, phones, clock, asking(one, other)) as it,
    ):
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, sleeps())
        await fires(it, other, "Down")
        one.fails = 503
        await it.passes(minutes=2)
        assert len(it.calls(ALICE)) == 2
        one.fails = 0
        await it.passes(minutes=4)
        assert len(it.calls(BOB)) == 1
        assert (await it.story())["state"] == "exhausted"


@both
async def test_what_is_inhibited_waits_and_rings_when_it_is_not(tmp_path: Path) -> None:
    """The second call finds it inhibited: kept back, said so, and made as soon as it is inhibited no longer."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        await fires(it, fake, "Down")
        print_ = next(iter(fake.alerts))
        fake.inhibited[print_] = "feedfacefeedface"
        await it.passes(minutes=4)
        assert len(it.calls()) == 1
        story = await it.story()
        assert story["state"] == "triggered"
        [line] = [line for line in story["journal"] if line["word"] == "suppressed"]
        assert line["note"] == "Alertmanager keeps it quiet: inhibited by feedfacefeedface"

        del fake.inhibited[print_]
        await it.passes(seconds=11)
        assert len(it.calls(ALICE)) == 2
        assert "let_go" in await it.words()


async def test_kept_back_rings_when_alertmanager_dies(tmp_path: Path) -> None:
    """What was kept back for Alertmanager's word is not kept back without it."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        await fires(it, fake, "Down")
        fake.muted[next(iter(fake.alerts))] = "nights"
        await it.passes(minutes=3)
        assert len(it.calls()) == 1
        fake.fails = 502
        await it.passes(seconds=11)
        assert len(it.calls(ALICE)) == 2
        [line] = [line for line in (await it.story())["journal"] if line["word"] == "let_go"]
        assert line["note"] == "Alertmanager does not answer"


async def test_a_resolved_incident_does_not_ring_after_a_restart(tmp_path: Path) -> None:
    """The gateway is down, so is callbridge then, and meanwhile the alert ends: the call that waited is not made."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones, fake_alertmanager(clock) as fake:
        async with running(tmp_path, phones, clock, asking(fake)) as it:
            phones.faults.set(code=600)
            await fires(it, fake, "Down", "Slow")
            await it.passes(seconds=1)
        clock.advance(timedelta(seconds=2))
        fake.resolves("Down")
        phones.faults.clear()
        async with running(tmp_path, phones, clock, asking(fake)) as it:
            # What is under way at the start is not waited for by the clock.
            await phones.until(it.calls)
            await it.passes(minutes=1)
            [call] = it.calls()
            assert "Slow" in call.text
            assert "Down" not in call.text
            assert "gone" in await it.words()


# --- a human's silence


async def test_a_silence_of_a_human_takes_the_incident(tmp_path: Path) -> None:
    """Whoever silences all of it in Alertmanager has it: acknowledged in their name, nobody else is called."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        await fires(it, fake, "Down", "Slow")
        fake.human_silences('alertname="Down"')
        await it.passes(seconds=20)
        assert (await it.story())["state"] == "triggered"

        id_ = fake.human_silences('alertname=~"S.*"', by="carol\n", comment="I am at it")
        await it.passes(seconds=11)
        story = await it.story()
        assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "carol")
        [line] = [line for line in story["journal"] if line["word"] == "acknowledged"]
        assert line["note"].startswith("silence 00000000-0000-4000-8000-00000000000")
        assert id_ in fake.silences
        assert await it.metric("callbridge_acknowledgements_total", by="silence") == 1
        await it.passes(minutes=6)
        assert len(it.calls()) == 1


@both
async def test_what_a_human_silenced_ends_without_a_word(tmp_path: Path) -> None:
    """Of what is silenced Alertmanager tells no end: it is seen that the alert is gone, and the incident is over."""
    async with two_ways(tmp_path) as (it, fake):
        await fires(it, fake, "Down")
        fake.human_silences('alertname="Down"')
        await it.passes(seconds=11)
        assert (await it.story())["state"] == "acknowledged"
        fake.resolves("Down")
        await it.passes(seconds=11)
        assert (await it.story())["state"] == "resolved"


async def test_a_silence_that_ends_while_it_fires_rings_again(tmp_path: Path) -> None:
    """The silence was the acknowledgement: when it has ended and the alert still fires, the chain starts again."""
    async with two_ways(tmp_path) as (it, fake):
        it.phones.script(ALICE, sleeps())
        await fires(it, fake, "Down")
        fake.human_silences('alertname="Down"', hours=0.1)
        await it.passes(minutes=5, seconds=50)
        assert len(it.calls()) == 1
        await it.passes(seconds=40)
        assert len(it.calls(ALICE)) == 2
        [line] = [line for line in (await it.story())["journal"] if line["word"] == "rang_again"]
        assert line["note"] == "the silence that covered it has ended"


# --- an acknowledge silences


async def test_an_acknowledge_silences_and_is_over_with_the_alert(tmp_path: Path) -> None:
    """One silence for each alert, on all of its labels, extended while it fires, ended when the alert is gone."""
    async with two_ways(tmp_path, SILENCE) as (it, fake):
        it.phones.script(ALICE, presses("1"))
        await fires(it, fake, "Down", "Slow", disk='a "quoted" \\ one')
        await it.passes(minutes=1)
        assert (await it.story())["state"] == "acknowledged"
        assert len(fake.lasting()) == 2
        incident = (await it.story())["id"]
        for one in fake.lasting():
            labels = {matcher.name: matcher.value for matcher in one["matchers"]}
            assert labels in [alert_["labels"] for alert_ in fake.alerts.values()]
            assert one["comment"].startswith(f"ACK! callbridge incident {incident} alert ")
            assert one["comment"].endswith("taken by alice")
            assert one["by"] == "callbridge/alice"
        ends = min(one["ends"] for one in fake.lasting())

        await it.passes(minutes=3)
        assert min(one["ends"] for one in fake.lasting()) > ends
        assert fake.made == 2
        # Its own silence is nobody's acknowledgement, and keeps nothing quiet.
        assert await it.metric("callbridge_acknowledgements_total", by="silence") == 0

        fake.resolves("Slow", disk='a "quoted" \\ one')
        await it.passes(seconds=21)
        assert len(fake.lasting()) == 1
        fake.resolves("Down", disk='a "quoted" \\ one')
        await it.passes(seconds=21)
        assert (await it.story())["state"] == "resolved"
        assert fake.lasting() == []


async def test_the_silence_ends_with_the_acknowledgement(tmp_path: Path) -> None:
    """Handed on to somebody else, it is no longer acknowledged: the silence ends, and the phone rings all the same."""
    async with two_ways(tmp_path, SILENCE) as (it, fake):
        it.phones.script(ALICE, presses("1"))
        it.phones.script(BOB, sleeps())
        await fires(it, fake, "Down")
        await it.passes(minutes=1)
        assert len(fake.lasting()) == 1
        await it.act("escalate", "alice")
        await it.passes(seconds=11)
        assert len(it.calls(BOB)) == 1
        assert fake.lasting() == []


async def test_a_silence_whose_answer_was_lost_is_found(tmp_path: Path) -> None:
    """The request that set it broke off: it is looked for, taken for ours, and no second one is set."""
    async with two_ways(tmp_path, SILENCE) as (it, fake):
        it.phones.script(ALICE, presses("1"))
        fake.loses = 1
        await fires(it, fake, "Down")
        await it.passes(minutes=2)
        assert (fake.made, len(fake.lasting())) == (1, 1)
        fake.resolves("Down")
        await it.passes(minutes=1)
        assert fake.lasting() == []


@both
async def test_silences_survive_a_restart_and_an_absence(tmp_path: Path) -> None:
    """After a restart its silences are still known; what could not be set or ended meanwhile is done then."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones, fake_alertmanager(clock) as fake:
        async with running(tmp_path, phones, clock, asking(fake, extra=SILENCE)) as it:
            phones.script(ALICE, presses("1"))
            fake.fails = 500
            await fires(it, fake, "Down")
            await it.passes(minutes=1)
            assert fake.made == 0
            fake.fails = 0
            await it.passes(minutes=1)
            assert len(fake.lasting()) == 1
        async with running(tmp_path, phones, clock, asking(fake, extra=SILENCE)) as it:
            await it.passes(minutes=3)
            assert fake.made == 1
            fake.fails = 500
            await it.resolves("Down")
            await it.passes(seconds=30)
            assert len(fake.lasting()) == 1
            fake.fails = 0
            await it.passes(minutes=1)
            assert fake.lasting() == []


async def test_a_silence_ended_by_a_human_is_not_set_again(tmp_path: Path) -> None:
    """Who ends our silence wants to hear of it from Alertmanager; it stays acknowledged here."""
    async with two_ways(tmp_path, SILENCE) as (it, fake):
        it.phones.script(ALICE, presses("1"))
        await fires(it, fake, "Down")
        await it.passes(minutes=1)
        [one] = fake.lasting()
        fake.expires(one["id"])
        await it.passes(minutes=5)
        assert fake.lasting() == []
        assert (await it.story())["state"] == "acknowledged"


# --- what no webhook brought


async def test_an_alert_that_was_lost_is_found_within_a_minute(tmp_path: Path) -> None:
    """A receiver that has sent before; an alert whose webhook never came is found and called for, and said to be."""
    async with two_ways(tmp_path) as (it, fake):
        await fires(it, fake, "Known", severity="info")
        await it.act("resolve")
        before = len(it.calls())
        fake.fires("Lost")
        fake.fires("Else", receiver="chat")
        fake.inhibited[fake.fires("Hidden")] = "feedfacefeedface"
        await it.passes(seconds=39)
        assert len(it.calls()) == before
        await it.passes(seconds=21)

        [call] = it.calls()[before:]
        assert "Lost" in call.text
        story = await it.story()
        assert [one["labels"]["alertname"] for one in story["alerts"]] == ["Lost"]
        [line] = [line for line in story["journal"] if line["word"] == "found"]
        assert line["note"] == "no webhook brought it, Alertmanager's API shows it: Lost"
        assert await it.metric("callbridge_alertmanager_found_total") == 1
        await it.passes(minutes=3)
        assert len(await it.incidents()) == 2


@both
async def test_a_late_webhook_joins_what_was_found(tmp_path: Path) -> None:
    """The webhook comes after all: same incident, no second page; and its resolution ends it."""
    async with two_ways(tmp_path, "receivers: 'pag.*'") as (it, fake):
        it.phones.script(ALICE, presses("1"))
        fake.fires("Lost")
        await it.passes(minutes=1)
        assert len(it.calls()) == 1
        assert (await it.story())["state"] == "acknowledged"
        assert await late(it, [alert("Lost")]) == 200
        await it.passes(minutes=2)
        [one] = await it.incidents()
        assert (one["state"], len(it.calls())) == ("acknowledged", 1)
        assert await late(it, [alert("Lost", status="resolved", ends=it.clock.now().isoformat())]) == 200
        [one] = await it.incidents()
        assert one["state"] == "resolved"


async def test_what_was_cut_off_is_found_and_joins(tmp_path: Path) -> None:
    """A notification that lists one of two alerts: the other is found, and belongs to the same incident."""
    async with two_ways(tmp_path, group_by=("severity",)) as (it, fake):
        fake.fires("Down")
        fake.fires("Slow")
        told = body([alert("Down")]) | {"truncatedAlerts": 1, "groupLabels": {"severity": "critical"}}
        assert await it.post("/webhook/alertmanager", told) == 200
        await it.passes(minutes=1)
        [one] = await it.incidents()
        assert [alert_["labels"]["alertname"] for alert_ in one["alerts"]] == ["Down", "Slow"]
        assert len(it.calls()) == 1


async def test_alertmanagers_own_times_are_kept(tmp_path: Path) -> None:
    """What it holds back by a long group_wait or a muted route is not lost, and not called for before its time."""
    async with two_ways(tmp_path, config=WAYS) as (it, fake):
        fake.fires("Patient", wait="long")
        fake.fires("Night", wait="muted")
        fake.fires("Gone", group="x")
        await it.passes(seconds=70)
        assert [call.text.count("Gone") > 0 for call in it.calls()] == [True]
        await it.passes(minutes=1, seconds=10)
        assert any("Patient" in call.text for call in it.calls())
        assert not any("Night" in call.text for call in it.calls())


WAYS = """
route:
  receiver: chat
  routes:
    - {receiver: pager, matchers: ['wait="long"'], group_wait: 2m}
    - {receiver: pager, matchers: ['wait="muted"'], mute_time_intervals: [always]}
    - {receiver: pager}
receivers: [{name: chat}, {name: pager, webhook_configs: [{url: 'http://callbridge/webhook/alertmanager'}]}]
time_intervals: [{name: always, time_intervals: [{}]}]
"""


async def test_a_group_told_lately_is_told_at_its_next_turn(tmp_path: Path) -> None:
    """An alert that joins a group waits for its group_interval in Alertmanager too: it is not called for before."""
    config = WAYS.replace("receiver: chat\n", "receiver: pager\n  group_interval: 3m\n", 1)
    config = config[: config.index("  routes")] + config[config.index("receivers") :]
    async with two_ways(tmp_path, config=config, group_by=()) as (it, fake):
        await fires(it, fake, "Down")
        fake.fires("Slow")
        await it.passes(minutes=3)
        assert len((await it.story())["alerts"]) == 1
        await it.passes(seconds=25)
        assert len((await it.story())["alerts"]) == 2


async def test_what_is_found_is_no_sign_of_life(tmp_path: Path) -> None:
    """A watchdog's alert that only the API shows does not come in: it is missing, and not found either."""
    watchdogs = "watchdogs: [{name: w, matchers: ['alertname=\"Watchdog\"'], every: 2m, policy: default}]\n"
    clock = ManualClock(DUSK)
    async with (
        Simulator(clock) as phones,
        fake_alertmanager(clock) as fake,
        running(tmp_path, phones, clock, watchdogs + asking(fake, extra="receivers: pager")) as it,
    ):
        fake.fires("Watchdog", severity="none")
        await it.passes(minutes=2, seconds=1)
        [one] = await it.incidents()
        assert one["alerts"][0]["labels"]["alertname"] == "WatchdogMissing"
        # Nobody asks Alertmanager of an alert that it does not know: the second call is made.
        await it.passes(minutes=5)
        assert len(it.calls()) >= 2


async def test_an_older_api_without_groups(tmp_path: Path) -> None:
    """Where the groups cannot be asked for, and no config is told, what is lost is found all the same."""
    gone = frozenset({"alerts/groups", "status"})
    async with two_ways(tmp_path, "receivers: pager", without=gone) as (it, fake):
        fake.fires("Lost")
        await it.passes(minutes=1)
        assert len(it.calls()) == 1
        fake.resolves("Lost")
        await it.passes(minutes=7)
        assert (await it.story())["state"] == "resolved"


async def test_a_reload_brings_other_alertmanagers_into_force(tmp_path: Path) -> None:
    """Without any nothing is asked; one that a reload brings is asked at once, and no longer when it is taken out."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones, fake_alertmanager(clock) as fake, running(tmp_path, phones, clock) as it:
        await it.passes(minutes=1)
        assert fake.asked == []
        path = tmp_path / "callbridge.yaml"
        plain = path.read_text()
        path.write_text(plain + asking(fake))
        await it.app.reload()
        await it.settle()
        assert fake.asked == ["GET /status"]
        path.write_text(plain)
        await it.app.reload()
        await it.passes(minutes=1)
        assert fake.asked == ["GET /status"]


async def late(it: Night, alerts: list[dict[str, Any]]) -> int:
    """A webhook with the labels that its group really has."""
    return await it.post("/webhook/alertmanager", body(alerts, group="late") | {"groupLabels": {"alertname": "Lost"}})
