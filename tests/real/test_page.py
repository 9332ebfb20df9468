"""The page in a real browser: Debian's Chromium, driven by Playwright; calls go to the simulated telephone company."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from bridge.app import App, Options
from bridge.clock import FastClock
from bridge.simulator import PhoneCall, Simulator, sleeps
from tests.guarding import PASSWORD, basic, hash_of, web_file
from tests.paging import SCHEDULES
from tests.requirements import require
from tests.serving import eventually
from tests.stories.night import ALICE, BOB, DUSK, TOKEN, alert, body, with_policies, write_config

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
WIDE, NARROW = ViewportSize(width=1400, height=900), ViewportSize(width=390, height=844)
# Fast enough not to be waited for, and slow enough for a phone to ring while a busy machine draws a page.
RATE = 2.0
PATIENCE = 15_000  # milliseconds
POLICIES = with_policies("policies: {default: {steps: [{call: [night], wait: 5m}]}}\n")


@dataclass
class World:
    """Program, telephone company, and a browser whose windows remember what they asked for and complained of."""

    url: str
    app: App
    phones: Simulator
    session: aiohttp.ClientSession
    browser: Browser
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def fires(self, name: str, **labels: str) -> None:
        """A notification of Alertmanager."""
        text = json.dumps(body([alert(name, **labels)], group=name))
        async with self.session.post(f"{self.url}/webhook/alertmanager", data=text) as response:
            assert response.status == 200

    async def called(self, number: str) -> list[PhoneCall]:
        """The calls to `number`, once there is one."""

        async def some() -> list[PhoneCall]:
            return self.phones.calls_to(number)

        return list(await eventually(some))

    @asynccontextmanager
    async def window(self, *, user: str = "alice", login: str = "", **options: Any) -> AsyncIterator[Page]:
        """A window of `user` ("": nobody), at the first page; `login` stands in the address."""
        if user:
            options["http_credentials"] = {"username": user, "password": PASSWORD}
        context: BrowserContext = await self.browser.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        try:
            await page.goto(self.url.replace("://", f"://{login}", 1) + "/")
            yield page
        finally:
            await context.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all of them."""
    path = require("chromium", "chromium")
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        await running.close()


@asynccontextmanager
async def world(folder: Path, browser: Browser, users: bool = True) -> AsyncIterator[World]:
    """Everything, twice as fast."""
    clock = FastClock(DUSK, RATE)
    async with Simulator(clock) as phones, asyncio.TaskGroup() as tasks:
        path = write_config(folder, phones.url, SCHEDULES, text=POLICIES)
        file = web_file(folder, f"basic_auth_users: {{alice: {hash_of(PASSWORD)}}}\n") if users else None
        app = App(Options(path, listen=("127.0.0.1:0",), web_config=file), clock=clock)
        tasks.create_task(app.run())
        await asyncio.wait_for(app.started.wait(), 20)
        phones.subscribe(f"{app.addresses[0]}/webhook/sms77/{TOKEN}")
        login = {"Authorization": basic("alice", PASSWORD)} if users else {}
        async with aiohttp.ClientSession(headers=login) as session:
            one = World(app.addresses[0], app, phones, session, browser)
            try:
                yield one
            finally:
                app.stop.set()
        elsewhere = [url for url in one.asked if urlsplit(url).netloc.rpartition("@")[2] != urlsplit(one.url).netloc]
        assert elsewhere == []
        assert one.complaints == []


async def sideways(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def serious(page: Page, found: dict[str, Any]) -> list[str]:
    """What axe found that is serious."""
    return [
        f"{page.url}: {one['id']}: {one['nodes'][0]['html']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


async def faults(page: Page) -> list[str]:
    """What keeps somebody from using the page: narrow in the dark, and wide in the light."""
    wrong = []
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size(NARROW)
    wrong += [f"{page.url} narrow"] if await sideways(page) else []
    wrong += serious(page, (await Axe().run(page)).response)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(WIDE)
    wrong += [f"{page.url} wide"] if await sideways(page) else []
    # It lies in the page by now.
    return wrong + serious(page, await page.evaluate("axe.run({resultTypes: ['violations']})"))


async def test_an_incident_appears_is_taken_and_its_story_grows(tmp_path: Path, browser: Browser) -> None:
    """It stands there without a reload, with whose phone rings; a click takes it; its story grows before one's eyes."""
    async with world(tmp_path, browser) as it, it.window() as page:
        it.phones.script(ALICE, sleeps())
        await expect(page.get_by_role("heading", name="All is quiet")).to_be_visible()
        await page.evaluate("window.same = true")
        await it.fires("DiskFull", hostname="db1")
        card = page.get_by_role("article", name="DiskFull is wrong")
        await expect(card).to_contain_text("Alice: the phone rings")
        await expect(card).to_contain_text("(in ")
        assert await page.evaluate("window.same")
        async with it.window() as other:
            await other.get_by_role("link", name="DiskFull is wrong").click()
            story = other.locator("ol.story li")
            await expect(story.filter(has_text="The phone of Alice rings")).to_have_count(1)
            await other.evaluate("window.same = true")
            before = await story.count()
            await card.get_by_role("button", name="I have it").click()
            await expect(page.get_by_text("Alice has it")).to_be_visible()
            await expect(story.filter(has_text="Alice has it")).to_have_count(1)
            assert await story.count() > before
            assert await other.evaluate("window.same")
            await other.get_by_role("button", name="Resolve").click()
            await expect(other.get_by_text("It is resolved.")).to_be_visible()
        await expect(page.get_by_role("heading", name="All is quiet")).to_be_visible()


async def test_an_override_in_the_calendar_takes_the_next_call(tmp_path: Path, browser: Browser) -> None:
    """A click on a piece of the calendar opens the form for it; once it is made the next call goes to that person."""
    async with world(tmp_path, browser) as it, it.window(viewport=NARROW) as page:
        await page.get_by_role("link", name="On call", exact=True).click()
        await page.locator("li.today").first.get_by_role("link").first.click()
        form = page.locator("form.override")
        await form.get_by_label("Who").select_option(label="Bob")
        await form.get_by_role("button", name="Make the override").click()
        await expect(page.get_by_text("The override is in force.")).to_be_visible()
        await it.fires("DiskFull")
        assert len(await it.called(BOB)) == 1
        assert it.phones.calls_to(ALICE) == []
        await page.get_by_role("button", name="Take back the override of Bob").click()
        await expect(page.get_by_text("The override is taken back.")).to_be_visible()


async def test_every_page_is_fit_for_everybody(tmp_path: Path, browser: Browser) -> None:
    """Narrow and wide, light and dark: nothing to be scrolled sideways, and axe finds no serious fault on any page."""
    async with world(tmp_path, browser) as it:
        it.phones.script(ALICE, sleeps())
        long = "a-very-long-name-without-any-break-in-it-" * 6
        await it.fires("DiskFull", hostname=long)
        await it.called(ALICE)
        wrong = []
        async with it.window() as page:
            to = await page.get_by_role("link", name="DiskFull is wrong").get_attribute("href") or ""
            for path in ("/", to, f"{to}/speech", "/oncall?override=night#override", "/calls", "/status",
                         "/test-call?person=bob", "/incidents/x"):  # fmt: skip
                await page.goto(it.url + path)
                wrong += await faults(page)
        # A page that is not there says so to the browser's console.
        it.complaints.clear()
        assert wrong == []


async def test_without_credentials(tmp_path: Path, browser: Browser) -> None:
    """Nothing can be changed and no number is seen; with a password set, nothing is seen at all."""
    async with world(tmp_path, browser, users=False) as it, it.window(user="") as page:
        it.phones.script(ALICE, sleeps())
        await it.fires("DiskFull")
        link = page.get_by_role("link", name="DiskFull is wrong")
        await expect(link).to_be_visible()
        to = await link.get_attribute("href")
        await it.called(ALICE)
        for path in ("/", to, "/oncall", "/calls", "/status", "/test-call?person=bob"):
            await page.goto(f"{it.url}{path}")
            assert await page.locator("button, form[method=post]").count() == 0
            text = await page.content()
            assert [one for one in ("1711234567", "1717654321", "171 1234567", "0171 7654321") if one in text] == []
        await expect(page.get_by_text("You read without credentials")).to_be_visible()
    (tmp_path / "shut").mkdir()
    async with world(tmp_path / "shut", browser) as it, aiohttp.ClientSession() as nobody:
        for path in ("/", "/calls", "/live"):
            async with nobody.get(it.url + path) as response:
                assert (response.status, await response.text()) == (401, "Unauthorized\n")


async def test_without_a_script_and_by_keyboard(tmp_path: Path, browser: Browser) -> None:
    """Without a script it reads, and its button works; the keyboard comes first to the way past the menu."""
    async with world(tmp_path, browser) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("DiskFull")
        await it.called(ALICE)
        async with it.window(java_script_enabled=False) as page:
            await expect(page.get_by_role("article", name="DiskFull is wrong")).to_contain_text("Alice")
            await page.get_by_role("button", name="I have it").click()
            await expect(page.get_by_text("Alice has it")).to_be_visible()
        async with it.window() as page:
            await page.keyboard.press("Tab")
            await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("main")).to_be_focused()


async def test_a_page_that_was_cut_off(tmp_path: Path, browser: Browser) -> None:
    """It says that it is not live; once it is again, it shows what happened meanwhile."""
    async with world(tmp_path, browser) as it, it.window() as page:
        await expect(page.get_by_role("heading", name="All is quiet")).to_be_visible()
        # What a restart does to those who listen.
        it.app.live.stopping.set()
        await expect(page.get_by_text("Not live")).to_be_visible()
        await it.fires("DiskFull")
        it.app.live.stopping.clear()
        await expect(page.get_by_role("article", name="DiskFull is wrong")).to_be_visible()
        await expect(page.get_by_text("Not live")).to_be_hidden()
        it.complaints.clear()


async def test_an_address_with_the_login_in_it(tmp_path: Path, browser: Browser) -> None:
    """As the demo prints it: the page lives with it too."""
    login = f"alice:{PASSWORD.replace(' ', '%20')}@"
    async with world(tmp_path, browser) as it, it.window(user="", login=login) as page:
        await expect(page.get_by_role("heading", name="All is quiet")).to_be_visible()
        await it.fires("DiskFull")
        await expect(page.get_by_role("article", name="DiskFull is wrong")).to_be_visible()
        await page.get_by_role("button", name="I have it").click()
        await expect(page.get_by_text("alice has it", exact=False)).to_be_visible()
