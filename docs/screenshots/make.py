"""`python -m docs.screenshots.make`: makes the pictures of the page in docs/pictures, with Debian's chromium.

The real program and the simulated telephone company, on a clock that stands still while a picture is taken. With a
folder named, every page goes there: whole, narrow and wide, light and dark, for who works on the page.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import bcrypt
from playwright.async_api import Browser, async_playwright

from bridge.clock import ManualClock
from bridge.simulator import Simulator, presses, sleeps
from tests.guarding import basic
from tests.stories.night import ALICE, Night, alert, running

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
NIGHT = datetime(2026, 11, 24, 2, 3, 20, tzinfo=UTC)
PASSWORD = "for-the-pictures"  # noqa: S105 - it guards nothing
# What docs/pictures holds, by the page's name, the width and the scheme.
KEPT = {
    ("incidents", "phone", "dark"): "page-phone",
    ("incidents", "desk", "light"): "page-incidents",
    ("incident", "desk", "light"): "page-incident",
    ("oncall", "desk", "light"): "page-oncall",
}
SCHEMES = ("light", "dark")
WIDTHS = {"phone": (390, 844), "desk": (1400, 900)}
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync")  # fmt: skip

CONFIG = """
global: {{timezone: Europe/Berlin, region: DE, language: en-US}}
storage: {{url: "sqlite:///pictures.db"}}
gateway: {{api_url: {api}, dialect: {dialect}, api_key_file: key, from: "+49 30 1234567", min_balance: 5}}
webhooks: {{sms77: {{token_file: token}}}}
people:
  alice: {{name: Alice Example, phone: "+49 171 1234567"}}
  bob: {{name: Bob Example, phone: 0171 7654321, language: de-DE}}
  carol: {{name: Carol Example, phone: "+43 664 1234567"}}
schedules:
  primary:
    rotations:
      - {{name: week, people: [bob, alice, carol], every: 1w, start: 2026-01-05 09:00}}
  weekend:
    rotations:
      - {{name: saturday, people: [carol, bob], every: 1w, start: 2026-01-03 08:00, active_time_intervals: [weekend]}}
policies:
  default:
    steps:
      - {{call: [primary], wait: 5m, attempts: 2, retry_after: 1m}}
      - {{call: [bob, carol]}}
  nobody: {{steps: []}}
route:
  policy: default
  routes: [{{matchers: ['severity="info"'], policy: nobody}}]
time_intervals:
  - name: weekend
    time_intervals: [{{weekdays: ['saturday', 'sunday']}}]
limits: {{budget_per_day: 20}}
"""


async def story(it: Night) -> None:
    """A night: one incident that was taken and is over, one that somebody has, one for which a phone rings now."""
    it.phones.script(ALICE, sleeps(), presses("4", after=4, listens=12), presses("4", after=5, listens=9), sleeps())
    disk = named("DiskFull", "critical", "The disk of db1 is full in 20 minutes", "db1.example.test")
    await it.notify([disk], group="a")
    await it.passes(minutes=3)
    await it.notify([disk | {"status": "resolved", "endsAt": it.clock.now().isoformat()}], group="a")
    await it.passes(minutes=9)
    await it.notify([named("CertificateExpires", "warning", "The certificate of shop.example.test ends in 3 days",
                           "shop.example.test")], group="b")  # fmt: skip
    await it.passes(minutes=2)
    await it.notify([named("BackupSlow", "info", "Tonight's backup takes longer", "backup1.example.test")], group="c")
    await it.notify([named("ReplicationBroken", "critical", "db2 follows db1 no more", "db2.example.test"),
                     named("ReplicationLag", "warning", "db2 is 40 minutes behind", "db2.example.test")],
                    group="d")  # fmt: skip
    await it.passes(minutes=1, seconds=42)


def named(name: str, severity: str, summary: str, host: str) -> dict[str, object]:
    """An alert with words for people."""
    one = alert(name, severity=severity, hostname=host, starts="2026-11-24T02:01:00Z")
    return one | {"annotations": {"summary": summary}}


async def shoot(browser: Browser, it: Night, pages: dict[str, str], folder: Path | None) -> None:
    """A picture of each of `pages` (name → path): all of them into `folder`, or those of KEPT into docs/pictures."""
    for scheme in SCHEMES:
        for width, (across, down) in WIDTHS.items():
            wanted = {name: path for name, path in pages.items() if folder or (name, width, scheme) in KEPT}
            if not wanted:
                continue
            context = await browser.new_context(
                viewport={"width": across, "height": down},
                color_scheme="dark" if scheme == "dark" else "light",
                http_credentials={"username": "alice", "password": PASSWORD},
            )
            page = await context.new_page()
            for name, path in wanted.items():
                await page.goto(it.url + path)
                await page.wait_for_selector("main")
                file = (
                    folder / f"{name}-{width}-{scheme}.png" if folder else PICTURES / f"{KEPT[name, width, scheme]}.png"
                )
                await page.screenshot(path=file, full_page=folder is not None)
            await context.close()


@asynccontextmanager
async def night() -> AsyncIterator[Night]:
    """The program with a login, and the telephone company, before anything happens."""
    clock = ManualClock(NIGHT)
    with tempfile.TemporaryDirectory(prefix="callbridge-pictures-") as place:
        web_config = Path(place) / "web.yaml"
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        web_config.write_text(f"basic_auth_users: {{alice: {hashed}}}\n")
        async with (
            Simulator(clock) as phones,
            running(Path(place), phones, clock, text=CONFIG, web_config=web_config) as it,
            aiohttp.ClientSession(headers={"Authorization": basic("alice", PASSWORD)}) as session,
        ):
            it.session = session
            yield it


async def main(folder: Path | None) -> None:
    """All pictures."""
    async with night() as it, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        await shoot(browser, it, {"quiet": "/"}, folder)
        # What the browser waits for is none of the night's business.
        it.baseline |= asyncio.all_tasks() - it.clock.parked()
        await story(it)
        newest = (await it.incidents())[0]["id"]
        over = (await it.incidents(state="resolved"))[0]["id"]
        pages = {
            "incidents": "/",
            "incident": f"/incidents/{newest}",
            "story": f"/incidents/{over}",
            "oncall": "/oncall",
            "override": "/oncall?override=primary#override",
            "calls": "/calls",
            "status": "/status",
            "question": "/test-call?person=bob",
            "speech": f"/incidents/{newest}/speech",
        }
        await shoot(browser, it, pages, folder)
        await browser.close()


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    (place or PICTURES).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(place))
