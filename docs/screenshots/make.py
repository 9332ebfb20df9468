"""Makes the pictures of the page in docs/pictures: `python docs/screenshots/make.py`, with Debian's chromium installed.

The real program and the simulated telephone company, on a clock that stands still while a picture is taken.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import bcrypt
from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bridge.clock import ManualClock  # noqa: E402 - see above
from bridge.simulator import Simulator, presses, sleeps  # noqa: E402 - it runs from a checkout, too
from tests.guarding import basic  # noqa: E402 - see above
from tests.stories.night import ALICE, Night, alert, running  # noqa: E402 - see above

PICTURES = ROOT / "docs" / "pictures"
NIGHT = datetime(2026, 11, 24, 2, 3, 20, tzinfo=UTC)
PASSWORD = "for-the-pictures"  # noqa: S105 - it guards nothing
# The others are for who works on the page: name a folder for them.
KEPT = ("incidents-phone-dark", "incident-desk-light", "oncall-desk-light")
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
      - {{name: week, people: [alice, bob, carol], every: 1w, start: 2026-01-05 09:00}}
  weekend:
    rotations:
      - {{name: saturday, people: [carol, bob], every: 1w, start: 2026-01-03 08:00, active_time_intervals: [weekend]}}
policies:
  default:
    steps:
      - {{call: [alice], wait: 5m, attempts: 2, retry_after: 1m}}
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


async def pictures(browser: Browser, it: Night, target: Path, wanted: Mapping[str, str]) -> None:
    """One picture of each page in `wanted` (name → path), narrow and wide, light and dark."""
    for scheme in ("light", "dark"):
        for width, size in WIDTHS.items():
            context = await browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if scheme == "dark" else "light",
                http_credentials={"username": "alice", "password": PASSWORD},
            )
            page = await context.new_page()
            for name, path in wanted.items():
                await page.goto(it.url + path)
                await page.wait_for_selector("main")
                await page.screenshot(path=target / f"{name}-{width}-{scheme}.png", full_page=True)
            await context.close()


async def main(target: Path) -> None:
    """All pictures."""
    with tempfile.TemporaryDirectory(prefix="callbridge-pictures-") as folder:
        place = Path(folder)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (place / "web.yaml").write_text(f"basic_auth_users: {{alice: {hashed}}}\n")
        clock = ManualClock(NIGHT)
        async with (
            Simulator(clock) as phones,
            running(place, phones, clock, text=CONFIG, web_config=place / "web.yaml") as it,
            aiohttp.ClientSession(headers={"Authorization": basic("alice", PASSWORD)}) as session,
            async_playwright() as playwright,
        ):
            it.session = session
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
            wanted = {"quiet": "/"}
            await pictures(browser, it, target, wanted)
            # What the browser waits for is none of the night's business.
            it.baseline |= asyncio.all_tasks() - clock.parked()
            await story(it)
            newest = (await it.incidents())[0]["id"]
            over = (await it.incidents(state="resolved"))[0]["id"]
            wanted = {"incidents": "/", "incident": f"/incidents/{newest}", "story": f"/incidents/{over}",
                      "oncall": "/oncall", "override": "/oncall?override=primary#override", "calls": "/calls",
                      "status": "/status", "question": "/test-call?person=bob",
                      "speech": f"/incidents/{newest}/speech"}  # fmt: skip
            await pictures(browser, it, target, wanted)
            await browser.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
    for made in folder.glob("*.png"):
        if folder == PICTURES and made.stem not in KEPT:
            made.unlink()
