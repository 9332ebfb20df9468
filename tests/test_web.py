"""The page: what it shows to whom, what its buttons do, and what it never lets through. Without a browser."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import msgspec
import pytest

from bridge.call import By
from bridge.dispatch import Command, Door, Message
from bridge.errors import StoreUnavailable
from bridge.simulator import answers, presses, sleeps
from bridge.store import journal
from bridge.web.site import HEADERS, POLICY
from tests.guarding import AS_ME
from tests.paging import SCHEDULES, joined, newest, paged, pressed, seen, sent, token
from tests.requirements import require
from tests.serving import eventually
from tests.stories.night import ALICE, BOB, CONFIG, Night, alert, body

PAGES = ("/", "/oncall", "/calls", "/status", "/test-call?person=alice")
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
# A policy that calls the schedules, beside those that call people.
ROTAS = "rotas: {{steps: [{{call: [night]}}, {{call: [office]}}]}}\n"
NUMBERS = ("1711234567", "1717654321", "6641234567", "301234567", "171 1234567", "171 7654321", "664 1234567")


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Night]:
    """The program at dusk with two schedules, for Alice."""
    async with paged(tmp_path, extra=SCHEDULES, text=CONFIG.replace("both: {{", ROTAS + "  both: {{")) as one:
        yield one


# --- reading


async def test_a_quiet_night(it: Night) -> None:
    """Nothing is wrong: that is said, and who is on call; a gap by a word, not by colour alone."""
    text = await seen(it, "/")
    assert "All is quiet" in text
    assert re.search(r"<dt>night</dt><dd>Alice</dd>", text)
    assert re.search(r"<dt>office</dt><dd><strong class=\"gap\">Nobody</strong>", text)


async def test_an_incident_is_told(it: Night) -> None:
    """What is wrong, where, who is called now, who comes next and when; once taken, who has it."""
    joined(it)
    it.phones.script(ALICE, sleeps())
    await it.fires("DiskFull", hostname="db1")
    await it.passes(seconds=2)
    text = await seen(it, "/")
    assert re.search(r"DiskFull is wrong</a></h2>", text)
    assert "DiskFull · hostname: db1" in text
    assert "Nobody has it yet" in text
    assert re.search(r"<strong>Alice</strong>: the phone rings", text)
    assert re.search(r'Calls <strong>Bob</strong>\s* at <time datetime="2026-11-23T22:05:00.000Z"', text)
    assert 'data-until="2026-11-23T22:05:00.000Z">(in 4 min 58 s)' in text
    await it.act("acknowledge", "bob")
    text = await seen(it, "/")
    assert "Bob has it" in text
    assert ">I have it<" not in text


async def test_the_worst_that_nobody_has_comes_first(it: Night) -> None:
    """First what nobody has, the worst and the oldest of it first; what was taken, and only recorded, is counted."""
    joined(it)
    for name, severity in (("Small", "warning"), ("Taken", "critical"), ("Big", "critical"), ("Bigger", "critical")):
        await it.fires(name, group=name, severity=severity)
    await it.act("acknowledge", "bob", index=2)
    text = await seen(it, "/")
    assert re.findall(r"(\w+) is wrong</a></h2>", text) == ["Big", "Bigger", "Small", "Taken"]
    assert "3 wait for somebody" in text
    assert ", 1 taken" in text


async def test_very_many_incidents(it: Night) -> None:
    """Of very many the first hundred are shown, and how many more there are."""
    joined(it)
    for batch in range(6):
        await asyncio.gather(
            *(it.session.post(it.url + "/webhook/alertmanager", json=_body(batch * 20 + one)) for one in range(20))
        )
    await it.settle()
    text = await seen(it, "/")
    assert text.count("<article") == 100
    assert "and 20 more" in text


def _body(number: int) -> dict[str, object]:
    return body([alert(f"A{number}")], group=str(number))


async def test_the_story_of_one(it: Night) -> None:
    """Alert, step, call, ring, answer, acknowledge, resolve: a line each, in their order; calls with their cost."""
    joined(it)
    it.phones.script(ALICE, presses("4", after=4, listens=5))
    await it.fires("DiskFull")
    await it.passes(minutes=1)
    await it.resolves("DiskFull")
    text = await seen(it, f"/incidents/{await newest(it)}")
    kinds = re.findall(r'<span class="kind">(\w+)</span>', text)
    assert kinds == ["alert", "step", "call", "call", "ring", "answer", "acknowledge", "answer", "alert", "resolve"]
    assert "Alice has it" in text
    assert "key 4" in text
    assert re.search(r"\d s on the phone · 0\.\d+ €", text)
    assert "severity=<wbr>critical" in text


async def test_the_calls(it: Night) -> None:
    """What became of each call, whom it went to, what it cost, what was said, and of what."""
    joined(it)
    it.phones.script(ALICE, answers(listens=20))
    await it.fires("DiskFull")
    await it.passes(minutes=1)
    text = await seen(it, "/calls")
    assert '<span class="outcome answered">answered</span>' in text
    assert "+491711234567" in text
    assert re.search(r"Today they cost <strong>0\.\d+ €</strong>", text)
    assert "This is callbridge with one critical alert" in text
    assert re.search(r'href="/incidents/\w{22}">DiskFull is wrong</a>', text)
    assert "That is no page" in await seen(it, "/calls?after=x", status=400)


async def test_calls_page_by_page(it: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older calls are a page further."""
    joined(it)
    monkeypatch.setattr("bridge.web.account.CALLS_PER_PAGE", 2)
    it.phones.script(ALICE, sleeps(), sleeps())
    it.phones.script(BOB, sleeps())
    await it.fires("DiskFull")
    await it.passes(minutes=6)
    first = await seen(it, "/calls")
    older = re.search(r'href="(/calls\?after=\w{22})">Older', first)
    assert older is not None
    second = await seen(it, older[1])
    assert first.count("<tr>") == 1 + 2
    assert second.count("<tr>") == 1 + 1
    assert "Newest</a>" in second
    assert "hx-get" not in second


async def test_the_status(it: Night) -> None:
    """The config in force with `<secret>` for secrets, gateway, balance, the last report, the version."""
    joined(it)
    it.phones.script(ALICE, sleeps())
    await it.fires("DiskFull")
    await it.passes(minutes=1)
    text = await seen(it, "/status")
    assert "api_key_file: &lt;secret&gt; (in key)" in text
    assert re.search(r"<dt>Version</dt><dd>\d+\.\d+", text)
    assert re.search(r"<dt>Balance</dt><dd>[\d.]+ €", text)
    assert re.search(r"<dt>Last report</dt><dd><time", text)
    assert "people.dave: has no phone" in text
    assert "simulator-key" not in text


async def test_what_is_not_there(it: Night) -> None:
    """An unknown incident, file or person is a page that says so."""
    for path in ("/incidents/nothing", "/incidents/%00", "/incidents/nothing/speech", "/incidents/x/speech.wav"):
        assert "There is no such incident" in await seen(it, path, status=404)
    assert "There is no such file" in await seen(it, "/static/passwd", status=404)
    assert "Nobody of that name" in await seen(it, "/test-call?person=dave", status=400)
    for path in ("/oncall?week=1000", "/oncall?week=x"):
        assert "no week" in await seen(it, path, status=400)


async def test_only_from_here(it: Night) -> None:
    """Every page forbids inline script and style and other servers, and has none of them; HEAD works too."""
    for path in PAGES:
        await _only_from_here(it, path)


async def _only_from_here(it: Night, path: str) -> None:
    async with it.session.get(it.url + path) as response:
        text, headers = await response.text(), response.headers
    for name, value in HEADERS.items():
        assert headers[name] == value
    assert "'unsafe" not in POLICY
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=\"|javascript:", text) == []
    assert re.findall(r"(?:src|href|action)=\"(?!/|#|data:)[^\"]*", text) == []
    async with it.session.head(it.url + path) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Content-Security-Policy"] == POLICY


async def test_the_files(it: Night) -> None:
    """Style and scripts come out of the package; with their version they are kept for ever, without it asked for."""
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', await seen(it, "/"))
    assert len(addresses) == 5
    for address in addresses:
        async with it.session.get(it.url + address) as response:
            assert "immutable" in response.headers["Cache-Control"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert len(await response.read()) > 100
        async with it.session.get(it.url + address.partition("?")[0]) as response:
            assert response.headers["Cache-Control"] == "no-cache"


async def test_strangers_text_stays_text(it: Night) -> None:
    """Labels, annotations, names of receivers and comments with markup are shown, and are no markup."""
    joined(it)
    one = alert(EVIL, hostname=EVIL, team=EVIL) | {"annotations": {"summary": EVIL, "description": EVIL}}
    await it.notify([one], receiver=EVIL)
    id_ = await newest(it)
    await pressed(it, f"/incidents/{id_}/acknowledge", comment=EVIL)
    for path in ("/", f"/incidents/{id_}", "/calls", f"/incidents/{id_}/speech"):
        text = await seen(it, path)
        assert re.findall("<script>|<img", text) == []
        if path != f"/incidents/{id_}/speech":
            assert "&lt;script&gt;alert(1)" in text or path == "/calls"


async def test_links_of_strangers(it: Night) -> None:
    """A runbook and the place where it was measured are links, if they are addresses of the web; a script is text."""
    joined(it)
    one = alert("DiskFull") | {"generatorURL": "https://prometheus.example.test/graph?a=1&b=2"}
    bad = {
        "one": "javascript:alert(1)",
        "two": "https://x y",
        "three": "data:text/html,x",
        "four": "http://[",
        "five": "//e",
    }
    await it.notify([one | {"annotations": {"runbook_url": "https://wiki.example.test/disk", **bad}}])
    text = await seen(it, f"/incidents/{await newest(it)}")
    found = re.findall(r'<a href="(\w[^"]*)" rel="noopener noreferrer">([^<]+)', text)
    assert found == [
        ("https://wiki.example.test/disk", "runbook url"),
        ("https://prometheus.example.test/graph?a=1&amp;b=2", "Where it was measured"),
    ]
    assert "javascript:alert(1)</p>" in text


async def test_below_a_prefix(tmp_path: Path) -> None:
    """Every link has the prefix; what stands before a proxy's path has that of the address that others use."""
    for external, prefix, base in (
        ("", "/pager", "/pager"),
        ("https://example.test/wake", "/pager", "/wake"),
        ("https://example.test/wake", "", "/wake"),
    ):
        folder = tmp_path / f"{bool(external)}{prefix.strip('/')}"
        folder.mkdir()
        async with paged(folder, extra=SCHEDULES, external_url=external, route_prefix=prefix) as it:
            joined(it)
            await it.fires("DiskFull")
            for path in ("/", "/oncall", "/status", f"/incidents/{await newest(it)}"):
                found = re.findall(r'(?:src|href|action|formaction|hx-get|sse-connect)="([^"#]+)', await seen(it, path))
                inside = [one for one in found if not one.startswith("https://example.test/wake/oncall/")]
                assert [one for one in inside if not one.startswith(f"{base}/")] == []
            to = await pressed(it, f"/incidents/{await newest(it)}/acknowledge", back="home")
            assert to == f"{base}/"
            origin = {"Origin": "https://example.test"}
            status, _, _ = await sent(it, f"/incidents/{await newest(it)}/resolve", origin, token=await token(it))
            assert status == (303 if external else 403)


async def test_the_prefix_alone(tmp_path: Path) -> None:
    """The prefix without a slash behind it is the first page too."""
    async with paged(tmp_path, route_prefix="/pager") as it, it.session.get(it.url) as response:
        assert "All is quiet" in await response.text()


# --- doing


async def test_buttons(it: Night) -> None:
    """Acknowledge, call again, escalate, resolve: each does what it says, and the metric counts them as the page's."""
    joined(it)
    it.phones.script(ALICE, sleeps(), sleeps())
    it.phones.script(BOB, sleeps())
    await it.fires("DiskFull")
    id_ = await newest(it)
    assert await pressed(it, f"/incidents/{id_}/acknowledge", comment="on it") == f"/incidents/{id_}?done=acknowledge"
    assert await it.metric("callbridge_acknowledgements_total", by="web") == 1
    await it.passes(minutes=1)
    await pressed(it, f"/incidents/{id_}/call-again")
    await it.passes(seconds=40)
    await pressed(it, f"/incidents/{id_}/escalate")
    await it.passes(seconds=40)
    assert len(it.calls(BOB)) == 1
    assert "It is taken" in await seen(it, f"/incidents/{id_}?done=acknowledge")
    await pressed(it, f"/incidents/{id_}/resolve")
    story = await it.story()
    said = [(line["word"], line["note"]) for line in story["journal"] if line["note"].startswith("by ")]
    assert said == [
        ("acknowledged", "by alice on it"),
        ("rang_again", "by alice"),
        ("next_step", "by alice"),
        ("resolved_by_hand", "by alice"),
    ]
    assert story["acknowledged_by"] in (None, "alice")
    text = await seen(it, f"/incidents/{id_}")
    assert "alice wants them called again" in text.lower()
    assert "Resolved by hand" in text
    assert "formaction" not in text


async def test_who_acts(tmp_path: Path) -> None:
    """A login that is nobody's key acts by its own name, until somebody says who sits there; the story knows both."""
    async with paged(tmp_path, user="ops") as it:
        await it.fires("DiskFull")
        id_ = await newest(it)
        await pressed(it, f"/incidents/{id_}/acknowledge")
        assert (await it.story())["acknowledged_by"] == "ops"
        assert await pressed(it, "/me", person="bob", back="/calls") == "/calls"
        it.session.cookie_jar.update_cookies({"callbridge_me": "bob"})
        assert '<option value="bob" selected>' in await seen(it, "/")
        await pressed(it, f"/incidents/{id_}/acknowledge")
        story = await it.story()
        assert story["acknowledged_by"] == "bob"
        assert story["journal"][-1]["note"] == "by bob signed in as ops"
        assert await pressed(it, "/me", person="", back="//evil.test") == "/"
        status, _, text = await sent(it, "/me", token=await token(it), person="mallory")
        assert (status, "Nobody of that name" in text) == (400, True)


async def test_no_other_site_can_act(it: Night) -> None:
    """A form from elsewhere is refused, by what the browser says of it, and by the token that it cannot know."""
    joined(it)
    await it.fires("DiskFull")
    id_, right = await newest(it), await token(it)
    for headers, given in (
        ({"Sec-Fetch-Site": "cross-site"}, right),
        ({"Sec-Fetch-Site": "same-site"}, right),
        ({"Origin": "https://evil.test"}, right),
        ({"Origin": "null"}, right),
        ({}, "0" * 40),
        ({"Sec-Fetch-Site": "same-origin"}, ""),
    ):
        status, _, text = await sent(it, f"/incidents/{id_}/acknowledge", headers, token=given)
        assert (status, "Not allowed" in text) == (403, True)
        assert (await it.story())["state"] == "triggered"
    own = {"Sec-Fetch-Site": "same-origin", "Origin": it.url}
    assert (await sent(it, f"/incidents/{id_}/acknowledge", own, token=right))[0] == 303


async def test_forms_that_are_none(it: Night) -> None:
    """What is no form, too large, of an unknown incident, or by GET, does nothing and is told."""
    joined(it)
    await it.fires("DiskFull")
    id_, right = await newest(it), await token(it)
    status, _, _ = await sent(it, "/incidents/x/acknowledge", token=right)
    assert status == 404
    async with it.session.post(f"{it.url}/incidents/{id_}/acknowledge", json={"token": right}) as response:
        assert response.status == 400
    large = io.BytesIO(f"token={right}&payload={'x' * 2**21}".encode())
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with it.session.post(f"{it.url}/preview", data=large, headers=kind) as response:
        assert (response.status, "more than a form" in await response.text()) == (400, True)
    async with it.session.get(f"{it.url}/incidents/{id_}/acknowledge") as response:
        assert response.status == 405
    assert (await it.story())["state"] == "triggered"


async def test_a_token_of_another_day(it: Night) -> None:
    """A page that was left open over night still works, one of the day before yesterday does not."""
    joined(it)
    await it.fires("DiskFull")
    id_, early = await newest(it), await token(it)
    await it.fires("DiskFull")
    await it.passes(hours=3)
    assert (await sent(it, f"/incidents/{id_}/acknowledge", token=early))[0] == 303
    it.clock.advance(timedelta(hours=46))
    await it.settle()
    status, _, text = await sent(it, f"/incidents/{id_}/acknowledge", token=early)
    assert (status, "open for too long" in text) == (403, True)


# --- without credentials


async def test_without_credentials_nothing_is_changed_and_no_number_seen(tmp_path: Path) -> None:
    """Without a web config there is no button, no number, and no way to change anything; how to get one is said."""
    async with paged(tmp_path, user=None, extra=SCHEDULES) as it:
        it.phones.script(ALICE, sleeps())
        one = alert("DiskFull") | {"annotations": {"summary": "call +49 171 1234567 or 0171 7654321"}}
        await it.notify([one])
        await it.passes(minutes=1)
        id_ = await newest(it)
        for path in (*PAGES, f"/incidents/{id_}", f"/incidents/{id_}/speech"):
            text = await seen(it, path)
            assert [number for number in NUMBERS if number in text] == []
            assert re.findall('<button|method="post"|name="token"', text) in ([], ["<button"])
            assert "--web.config.file" in text
        for path in (f"/incidents/{id_}/acknowledge", "/oncall/override", "/oncall/take-back", "/test-call", "/me",
                     "/preview"):  # fmt: skip
            status, _, text = await sent(it, path, token="0" * 40, person="bob", schedule="night")
            assert (status, "Without credentials" in text) == (403, True)
        assert len(it.calls(BOB)) == 0
        assert (await it.story())["state"] == "triggered"


async def test_who_has_none_is_not_let_in(it: Night) -> None:
    """With users in the web config every page, file and stream asks for a password; who has one sees numbers."""
    async with aiohttp.ClientSession() as nobody:
        for path in (*PAGES, "/live", "/incidents/x", "/static/page.css"):
            async with nobody.get(it.url + path) as response:
                assert response.status == 401
        async with nobody.get(it.url, headers=AS_ME) as response:
            assert response.status == 401
    assert "+491711234567" in await seen(it, "/status")


# --- on call


async def test_the_calendar(it: Night) -> None:
    """Four weeks by days in the schedule's zone, gaps by a word, and the way to an override from each piece."""
    text = await seen(it, "/oncall")
    assert text.count('class="week"') == 8
    assert re.search(r"Now: <strong>Alice</strong>", text)
    assert "⚠ nobody" in text
    assert re.search(r"\d+ gaps in which nobody is on call", text)
    assert 'href="/oncall/night.ics"' in text
    assert "/oncall?override=night&amp;from=2026-11-23T09:00&amp;until=2026-11-24T00:00#override" in text
    later = await seen(it, "/oncall?week=4")
    assert "Week from 21 December" in later
    assert "Override: 23 November" not in later


async def test_an_override_is_made_and_taken_back(it: Night) -> None:
    """Made for the wall clock of the schedule, in force at once and shown with who made it; then taken back."""
    joined(it)
    form = await seen(it, "/oncall?override=night&from=2026-11-23T23:00&until=2026-11-24T07:00")
    assert 'value="2026-11-23T23:00"' in form
    asked = {"schedule": "night", "person": "bob", "from": "2026-11-23T23:00", "until": "2026-11-24T07:00"}
    assert await pressed(it, "/oncall/override", **asked) == "/oncall?done=made"
    text = await seen(it, "/oncall?done=made")
    assert "The override is in force" in text
    assert re.search(r"Now: <strong>Bob</strong>", text)
    kept = (await it.get("/api/v1/overrides"))["overrides"][0]
    assert (kept["by"], kept["from"]) == ("alice", "2026-11-23T22:00:00Z")
    assert await pressed(it, "/oncall/take-back", id=kept["id"]) == "/oncall?done=back"
    assert re.search(r"Now: <strong>Alice</strong>", await seen(it, "/oncall"))


async def test_an_override_that_cannot_be(it: Night) -> None:
    """What is wrong with it is said, and nothing is made."""
    joined(it)
    plain = {"schedule": "night", "person": "bob", "from": "2026-11-23T23:00", "until": "2026-11-24T07:00"}
    wrong: list[tuple[dict[str, str], str]] = [
        ({"schedule": "nothing"}, "no such schedule"),
        ({"person": "mallory"}, "person: there is no"),
        ({"until": "2026-11-23T22:00"}, "write a time after"),
        ({"from": "tomorrow"}, "from: write a date and a time"),
        ({"from": "0001-01-01T00:00"}, "from: write a date and a time"),
        ({"from": "2026-11-20T00:00", "until": "2026-11-21T00:00"}, "over already"),
    ]
    for change, why in wrong:
        status, _, text = await sent(it, "/oncall/override", token=await token(it), **(plain | change))
        assert (status, why in text) == (400, True)
    assert (await it.get("/api/v1/overrides"))["overrides"] == []
    assert (await sent(it, "/oncall/take-back", token=await token(it), id="x"))[0] == 404


async def test_no_schedules(tmp_path: Path) -> None:
    """Where policies call people by name, the page says so."""
    async with paged(tmp_path) as it:
        assert "There are no schedules in the policies" in await seen(it, "/")
        assert "There are no schedules in the config" in await seen(it, "/oncall")


# --- test calls and speech


async def test_a_test_call(it: Night) -> None:
    """The first click asks, the second calls for real; it is in the list of calls with its outcome and its cost."""
    joined(it)
    it.phones.script(BOB, presses("1", after=3, listens=4))
    asked = await seen(it, "/test-call?person=bob")
    assert "Call Bob for real?" in asked
    assert "Probeanruf" in asked
    assert it.calls() == []
    assert await pressed(it, "/test-call", person="bob") == "/calls?done=test"
    status, _, text = await sent(it, "/test-call", token=await token(it), person="bob")
    assert (status, "being called already" in text) == (400, True)
    await it.passes(minutes=1)
    assert [call.text for call in it.calls(BOB)] == [
        "Hallo Bob. Dies ist ein Probeanruf von callbridge. Es ist nichts passiert."
    ]
    text = await seen(it, "/calls")
    assert "a test" in text
    assert '<span class="outcome answered">' in text
    assert (await sent(it, "/test-call", token=await token(it), person="dave"))[0] == 400
    assert await it.metric("callbridge_calls_total", outcome="answered") == 1


async def test_what_is_real_goes_before_a_test(it: Night) -> None:
    """A test that the gateway cannot take gives way to a page that waits by then."""
    joined(it)
    it.phones.faults.set(code=900)
    await pressed(it, "/test-call", person="alice")
    assert "the gateway is asked again soon" not in await seen(it, "/")
    await it.fires("DiskFull")
    it.phones.faults.clear()
    it.phones.script(ALICE, sleeps())
    await it.passes(seconds=30)
    assert [("test" in call.text) for call in it.calls(ALICE)] == [False]
    assert "a real call goes before a test" in await seen(it, "/calls")


async def test_a_test_that_comes_late_is_none(it: Night) -> None:
    """Asked for while nobody could do it, it does not ring at any later time; nor does one to somebody unknown."""
    joined(it)
    for person, at in (("bob", it.clock.now() - timedelta(minutes=2)), ("mallory", it.clock.now())):
        body = msgspec.json.encode(Command("", "test_call", "alice", way=By.WEB, person=person))
        await it.app.dispatch.submit(Message(Door.API, at, body))
        await it.settle()
    await it.passes(minutes=1)
    assert it.calls() == []
    assert "Nobody was called yet" in await seen(it, "/calls")


async def test_what_the_phone_says(it: Night) -> None:
    """Of an incident, to each person in their language; of a pasted body; what is none is told."""
    joined(it)
    await it.fires("DiskFull")
    id_ = await newest(it)
    assert "This is callbridge" in await seen(it, f"/incidents/{id_}/speech")
    assert "Hier ist callbridge" in await seen(it, f"/incidents/{id_}/speech?person=bob")
    right = await token(it)
    for payload, why in (("{}", "no webhook body"), ("x", "no webhook body")):
        status, _, text = await sent(it, "/preview", token=right, payload=payload)
        assert (status, why in text) == (400, True)


async def test_a_pasted_body_can_be_heard(it: Night) -> None:
    """What is pasted is shown as it would be said, and can be heard where espeak-ng is; one that calls nobody not."""
    require("espeak-ng", "espeak-ng")
    joined(it)
    right = await token(it)
    status, _, text = await sent(it, "/preview", token=right, payload=json.dumps(_body(1)), person="bob")
    assert status == 200
    assert "Hier ist callbridge" in text
    assert 'src="data:audio/wav;base64,UklGR' in text
    over = json.dumps(body([alert("A", status="resolved")]))
    status, _, text = await sent(it, "/preview", token=right, payload=over)
    assert (status, "Nobody would be called" in text) == (400, True)
    await it.fires("DiskFull")
    async with it.session.get(f"{it.url}/incidents/{await newest(it)}/speech.wav") as response:
        assert response.content_type == "audio/wav"
        assert (await response.read()).startswith(b"RIFF")


async def test_without_a_voice(it: Night, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where espeak-ng is not installed there is no button to play, and what to install is said."""
    joined(it)
    await it.fires("DiskFull")
    id_ = await newest(it)
    monkeypatch.setenv("PATH", str(tmp_path))
    text = await seen(it, f"/incidents/{id_}/speech")
    assert "<audio" not in text
    assert "install espeak-ng" in text
    assert "install espeak-ng" in await seen(it, f"/incidents/{id_}/speech.wav", status=404)
    assert "Hier ist" not in (await sent(it, "/preview", token=await token(it), payload=json.dumps(_body(1))))[2]


XML = """<Response><Gather action="{{ acknowledge_url }}"><Say>{{ headline }}.</Say></Gather></Response>"""


async def test_no_link_that_takes_it_is_shown(tmp_path: Path) -> None:
    """A call's text may hold the signed link that takes it: whoever reads the page does not get it."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "call.xml.j2").write_text(XML)
    outside = "https://example.test"
    async with paged(tmp_path, user=None, extra="templates: [own]\n", external_url=outside) as it:
        await it.fires("DiskFull")
        await it.passes(seconds=5)
        (call,) = (await it.get("/api/v1/calls"))["calls"]
        assert "/webhook/keypress/" in call["text"]
        for path in ("/calls", f"/incidents/{await newest(it)}", f"/incidents/{await newest(it)}/speech"):
            assert "/webhook/keypress/" not in await seen(it, path)
        assert "one critical alert." in await seen(it, "/calls")


# --- live


async def heard(stream: aiohttp.ClientResponse, patience: float = 5.0) -> bytes:
    """The next event of a stream."""
    async with asyncio.timeout(patience):
        while True:
            line = await stream.content.readline()
            if line.startswith(b"event: ") or not line:
                return line.strip()


async def test_it_says_that_something_changed(it: Night) -> None:
    """An open page hears of every change, also of an override, and of what another process wrote."""
    joined(it)
    async with it.session.get(it.url + "/live") as stream:
        assert stream.content_type == "text/event-stream"
        assert await stream.content.readline() == b"retry: 3000\n"
        await it.fires("DiskFull")
        assert await heard(stream) == b"event: changed"
        await asyncio.sleep(0.5)
        entry = journal.Entry(it.clock.now(), "placed", who="bob")
        await it.app.database.write(lambda connection: journal.write(connection, [entry]))
        it.clock.advance(timedelta(seconds=3))
        assert await heard(stream) == b"event: changed"


async def test_a_fault_of_the_page_ends_nothing(it: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is broken says so; a stream that cannot look goes on; calls are placed all the same."""
    joined(it)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bridge.web.live.mark", broken)
    monkeypatch.setattr("bridge.web.incidents.overview", broken)
    assert "itself is at fault" in await seen(it, "/", status=500)
    async with it.session.get(it.url + "/live") as stream:
        await stream.content.readline()
        await it.fires("DiskFull")
        assert await heard(stream) == b"event: changed"
    await it.passes(seconds=1)
    assert len(it.calls(ALICE)) == 1


async def test_a_stream_while_the_database_is_away(it: Night) -> None:
    """It goes on, and says what happened once it is there again."""
    joined(it)

    async def away(_query: object) -> None:
        raise StoreUnavailable("away")

    async with it.session.get(it.url + "/live") as stream:
        await stream.content.readline()
        read = it.app.database.read
        it.app.database.read = away  # type: ignore[method-assign,assignment]  # the disk of a test is always there
        it.clock.advance(timedelta(seconds=3))
        await asyncio.sleep(0.1)
        it.app.database.read = read  # type: ignore[method-assign]  # see above
        await it.fires("DiskFull")
        assert await heard(stream) == b"event: changed"


async def test_streams_end_with_the_program(tmp_path: Path) -> None:
    """Whoever listens does not hold up the end."""
    began = time.monotonic()
    async with paged(tmp_path) as it:
        stream = await it.session.get(it.url + "/live")
        await stream.content.readline()
        it.app.stop.set()
        assert await heard(stream) == b""
    assert time.monotonic() - began < 8


async def test_only_so_many_listen(it: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound nobody else may listen; when one leaves, another may."""
    joined(it)
    monkeypatch.setattr("bridge.web.live.MOST_LISTENERS", 1)
    monkeypatch.setattr("bridge.web.live.HEARTBEAT", 0.05)
    first = await it.session.get(it.url + "/live")
    await first.content.readline()
    async with it.session.get(it.url + "/live") as second:
        assert second.status == 503
    first.close()

    async def again() -> bool:
        async with it.session.get(it.url + "/live") as third:
            return third.status == 200

    await eventually(again)


async def test_while_the_database_is_gone(it: Night) -> None:
    """A page says that it cannot be shown now, and a form that it was not done."""
    joined(it)
    await it.fires("DiskFull")
    id_, right = await newest(it), await token(it)
    it.app.doors.ready = False
    status, _, text = await sent(it, f"/incidents/{id_}/acknowledge", token=right)
    assert (status, "The database cannot do this now" in text) == (503, True)
