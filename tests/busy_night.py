"""A night with everything in it: what dashboards and alert rules are looked at with.

Fourteen hours, the same each time: calls that are answered, slept through, refused, silent or held back, a gateway
that is down for a while, strangers at the doors, a config that is faulty for some minutes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from bridge.clock import ManualClock
from bridge.errors import ConfigError
from bridge.simulator import Answer, Simulator, answers, busy, mailbox, presses, refused, replies, silent, sleeps
from tests.alertmanagers import FakeAlertmanager, fake_alertmanager
from tests.stories.night import ALICE, BOB, CAROL, TOKEN, Night, alert, running

LENGTH = timedelta(hours=14)
BRIEF = timedelta(minutes=3)
EVENING = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
CONFIG = """
global: {{timezone: Europe/Berlin, region: DE}}
storage: {{url: "sqlite:///night.db"}}
gateway:
  api_url: {api}
  dialect: {dialect}
  api_key_file: key
  from: "+49 30 1234567"
  timeout: 2s
  report_timeout: 3m
  min_balance: 5
webhooks: {{sms77: {{token_file: token}}}}
people:
  alice: {{name: Alice, phone: "+49 171 1234567"}}
  bob: {{name: Bob, phone: 0171 7654321}}
  carol: {{name: Carol, phone: "+43 664 1234567"}}
schedules:
  primary:
    rotations: [{{name: week, people: [alice, carol], every: 12h, start: 2026-01-05 21:00}}]
  holidays: {{ical: {{file: holidays.ics}}}}
policies:
  database: {{steps: [{{call: [primary], attempts: 2}}, {{call: [bob]}}]}}
  website: {{steps: [{{call: [holidays]}}, {{call: [primary]}}, {{call: [bob]}}]}}
  backup: {{steps: [{{call: [bob], sms: [bob]}}]}}
  nobody: {{steps: []}}
route:
  policy: database
  routes:
    - {{matchers: ['team="web"'], policy: website}}
    - {{matchers: ['team="backup"'], policy: backup}}
    - {{matchers: ['severity="none"'], policy: nobody}}
limits: {{calls_per_person: [4 per 15m], budget_per_day: 20}}
watchdogs: [{{name: prometheus, matchers: ['alertname="Watchdog"'], every: 10m, policy: backup}}]
"""
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//night//EN
BEGIN:VEVENT
UID:1@example.test
DTSTAMP:{day}T000000Z
DTSTART:{day}T010000Z
DTEND:{day}T020000Z
RRULE:FREQ=DAILY
SUMMARY:carol
END:VEVENT
BEGIN:VEVENT
UID:2@example.test
DTSTAMP:{day}T000000Z
DTSTART:{day}T230000Z
DTEND:{day}T233000Z
RRULE:FREQ=DAILY
SUMMARY:somebody else
END:VEVENT
END:VCALENDAR
"""
Tick = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alert that fires `at` minutes after the beginning for `lasts` minutes, and how the phones behave then."""

    at: int
    name: str
    lasts: int
    alice: tuple[Answer, ...] = (sleeps(),)
    bob: tuple[Answer, ...] = (sleeps(),)
    team: str = ""


KEY = presses("1", after=6, listens=9)
NIGHT = (
    Trouble(25, "DiskWillFillUp", 50, alice=(answers(after=9), KEY)),
    Trouble(70, "ShopIsSlow", 30, alice=(presses("1", after=12, listens=14),), team="web"),
    Trouble(128, "ReplicationLags", 45, alice=(sleeps(), presses("1", after=21, listens=7))),
    Trouble(131, "CheckoutFails", 30, alice=(KEY,), team="web"),
    Trouble(190, "BackupMissing", 60, bob=(replies("OK", after=8),), team="backup"),
    Trouble(243, "DatabaseDown", 40, alice=(sleeps(),), bob=(KEY,)),
    Trouble(302, "CertificateExpires", 95, alice=(mailbox(),), bob=(mailbox(after=24),), team="web"),
    Trouble(305, "QueueGrows", 50, alice=(sleeps(),), bob=(KEY,)),
    Trouble(371, "ShopIsDown", 40, alice=(sleeps(), KEY), bob=(sleeps(), KEY), team="web"),
    Trouble(430, "DatabaseDown", 45, alice=(silent(), KEY), bob=(presses("1", after=3, listens=5),)),
    Trouble(486, "SlowQueries", 20, alice=(busy(), KEY)),
    Trouble(505, "BackupMissing", 30, bob=(refused(202),), team="backup"),
    Trouble(506, "BackupIsSlow", 30, bob=(refused(202),), team="backup"),
    Trouble(560, "DiskFull", 30, alice=(KEY,)),
    Trouble(563, "InodesFull", 30, alice=(answers(after=5), KEY)),
    Trouble(566, "WalGrows", 30, alice=(answers(after=7), KEY)),
    Trouble(569, "ReplicaStops", 30, alice=(answers(after=6), KEY)),
    Trouble(572, "DatabaseReadOnly", 40, alice=(answers(after=6), KEY), bob=(KEY,)),
    Trouble(655, "ShopIsSlow", 40, alice=(presses("1", after=8, listens=12),), team="web"),
    Trouble(742, "LoginFails", 45, alice=(sleeps(), sleeps()), bob=(presses("1", after=26, listens=11),), team="web"),
    Trouble(790, "DiskWillFillUp", 40, alice=(presses("1", after=4, listens=8),)),
)


@asynccontextmanager
async def evening(folder: Path, begins: datetime = EVENING) -> AsyncIterator[Night]:
    """The program and the telephone company as they stand when the night begins."""
    (folder / "holidays.ics").write_text(CALENDAR.format(day=f"{begins:%Y%m%d}"))
    clock = ManualClock(begins)
    async with Simulator(clock, balance=7.2) as phones, running(folder, phones, clock, text=CONFIG) as it:
        phones.script_sms(BOB, replies("Who is this?", after=20))
        yield it


@asynccontextmanager
async def asking_back(folder: Path, begins: datetime) -> AsyncIterator[tuple[Night, FakeAlertmanager]]:
    """Another callbridge, which asks an Alertmanager back."""
    clock = ManualClock(begins)
    async with Simulator(clock) as phones, fake_alertmanager(clock) as fake:
        extra = (
            f"alertmanagers: [{{url: {fake.url!r}, timeout: 300ms}}]\n"
            f"heartbeat: {{url: '{fake.url}/api/v2/status', every: 15s}}\n"
        )
        async with running(folder, phones, clock, extra) as it:
            yield it, fake


async def there_and_back(it: Night, fake: FakeAlertmanager) -> None:
    """Some minutes: it still fires before the second call, one is gone before it, one no webhook brought, one fails."""
    it.phones.script(ALICE, sleeps())
    for name in ("StillFires", "IsGone"):
        fake.fires(name)
        await it.fires(name, group=name)
    fake.fires("Lost")
    await it.passes(seconds=45)
    fake.resolves("IsGone")
    await it.passes(seconds=75)
    fake.fails = 500
    await it.passes(seconds=30)


async def through(it: Night, tick: Tick | None = None, length: timedelta = LENGTH, pace: float = 1.0) -> None:
    """Let the night pass: from one thing that happens to the next, or minute by minute where somebody looks on.

    Half the `pace`: what happens comes after half the time, and lasts as long.
    """
    moments, end = _moments(it, pace), int(length.total_seconds() // 60)
    stops = [minute for minute in range(end + 1) if tick is not None or minute in moments or minute == end]
    for minute, following in pairwise(stops):
        for happens in moments.get(minute, ()):
            await happens()
        await it.passes(minutes=following - minute)
        if tick is not None:
            await tick()


def _moments(it: Night, pace: float) -> dict[int, list[Callable[[], Awaitable[object]]]]:
    """What happens in which minute."""
    found: dict[int, list[Callable[[], Awaitable[object]]]] = {}

    def put(minute: int, happens: Callable[[], Awaitable[object]], later: int = 0) -> None:
        found.setdefault(int(minute * pace) + later, []).append(happens)

    for times in range(105):
        put(0, partial(_watchdog, it), later=8 * times)
    for trouble in NIGHT:
        put(trouble.at, partial(_fires, it, trouble))
        put(trouble.at, partial(_resolves, it, trouble), later=trouble.lasts)
    put(40, partial(_strangers, it))
    put(400, partial(_acknowledged_by_hand, it))
    put(240, partial(_outage, it))
    put(520, partial(_topped_up, it))
    put(600, partial(_faulty_config, it))
    put(612, it.app.reload)
    return found


async def _watchdog(it: Night) -> None:
    await it.fires("Watchdog", group="watchdog", severity="none")


async def _fires(it: Night, trouble: Trouble) -> None:
    for number in (ALICE, CAROL):
        it.phones.script(number, *trouble.alice)
    it.phones.script(BOB, *trouble.bob)
    labels = {"team": trouble.team} if trouble.team else {}
    began = it.clock.now().isoformat()
    for _ in range(2):  # both replicas of Alertmanager
        await it.notify([alert(trouble.name, starts=began, **labels)], group=f"{trouble.name}{trouble.at}")


async def _resolves(it: Night, trouble: Trouble) -> None:
    labels = {"team": trouble.team} if trouble.team else {}
    await it.resolves(trouble.name, group=f"{trouble.name}{trouble.at}", **labels)


async def _strangers(it: Night) -> None:
    """Who knocks at the wrong door, or says what is no webhook; a report of a call that was never ours; Grafana."""
    await it.post("/webhook/alertmanager", {"hello": "world"})
    await it.post("/webhook/sms77/wrong", {})
    report = {"webhook_event": "voice_status", "data": {"callId": "999999", "status": "completed", "duration": 3}}
    await it.post(f"/webhook/sms77/{TOKEN}", report)
    for status in ("firing", "resolved"):
        told = alert("PanelAlert", severity="none", status=status, ends="2026-11-23T20:00:00Z")
        await it.post("/webhook/grafana", GRAFANA | {"status": status, "alerts": [told]})


async def _acknowledged_by_hand(it: Night) -> None:
    listed = await it.incidents(state="triggered")
    exhausted = await it.incidents(state="exhausted")
    for one in [*listed, *exhausted]:
        if one["policy"] != "nobody":
            await it.post(f"/api/v1/incidents/{one['id']}/acknowledge", {"by": "carol"})


async def _outage(it: Night) -> None:
    """For some minutes the gateway cannot be reached."""
    it.phones.faults.set(times=7, on="any", reset_before=True)


async def _topped_up(it: Night) -> None:
    it.phones.balance = 30.0


async def _faulty_config(it: Night) -> None:
    path = it.folder / "callbridge.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("policies:", "polices:"))
    try:
        await it.app.reload()
    except ConfigError:
        path.write_text(whole)
        return
    raise AssertionError("the faulty file was taken")


GRAFANA = {
    "receiver": "phone",
    "orgId": 1,
    "version": "1",
    "groupKey": "{}:{}",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://grafana.example.test/",
    "truncatedAlerts": 0,
}
