"""`callbridge gateway`: what it prints, what it asks of the gateway, and what it leaves of secrets in both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.cli.gateway import masked
from bridge.clock import SystemClock
from bridge.simulator import Era, Simulator, answers, sleeps
from tests.gateway_company import Say, open_line
from tests.serving import KEY, Run, callbridge, write_files
from tests.stories.night import ALICE, TOKEN, alert, body

OUTSIDE = "--web.external-url=https://pager.example.test/pager"
OURS = f"https://pager.example.test/pager/webhook/sms77/{TOKEN}"
ERAS = [(Era.SMS77_2021, "sms77"), (Era.SEVEN_2023, "sms77"), (Era.SEVEN_2024, "seven")]


@asynccontextmanager
async def company(
    folder: Path, era: Era = Era.SEVEN_2024, dialect: str = "seven"
) -> AsyncIterator[tuple[Simulator, str]]:
    """A telephone company that runs fast, and the flag of a config with one account there."""
    async with Simulator(SystemClock(), key=KEY, scale=0.05, era=era) as phones:
        path = write_files(folder, api=phones.url)
        path.write_text(path.read_text().replace("api_key_file: key,", f"api_key_file: key, dialect: {dialect},"))
        yield phones, f"--config.file={path}"


@asynccontextmanager
async def two_companies(folder: Path) -> AsyncIterator[tuple[Simulator, Simulator, str]]:
    """Two of them, and a config with an account at each."""
    async with company(folder) as (main, flag), Simulator(SystemClock(), key=KEY, balance=3.5) as spare:
        path = folder / "callbridge.yaml"
        one, _, rest = path.read_text().partition("gateway: {")[2].partition("}\n")
        second = f"name: spare, api_url: '{spare.url}', api_key_file: key, min_balance: 5"
        rows = f"gateways:\n  - {{name: main, {one}}}\n  - {{{second}}}\n"
        path.write_text(path.read_text().partition("gateway:")[0] + rows + rest)
        yield main, spare, flag


# --- balance


@pytest.mark.parametrize(("era", "dialect"), ERAS)
async def test_balance(run: Run, tmp_path: Path, era: Era, dialect: str) -> None:
    """The amount in euro, in every era and dialect; nothing of the key."""
    async with company(tmp_path, era, dialect) as (_, flag):
        assert await asyncio.to_thread(run, "gateway", "balance", flag) == (0, "50.00 euro\n", "")


async def test_balance_of_each_account(run: Run, tmp_path: Path) -> None:
    """With several accounts all of them by name, one that is low is told, and one that does not answer fails it."""
    async with two_companies(tmp_path) as (main, _, flag):
        low = "spare: 3.50 euro, below min_balance (5.00)\n"
        assert await asyncio.to_thread(run, "gateway", "balance", flag) == (0, "main: 50.00 euro\n" + low, "")
        assert await asyncio.to_thread(run, "gateway", "balance", flag, "--gateway=spare") == (0, low, "")
        main.faults.set(code=900, on="balance")
        code, out, err = await asyncio.to_thread(run, "gateway", "balance", flag)
        assert (code, out) == (1, low)
        assert err.startswith("callbridge: error: main: authentication: code 900")


async def test_an_account_that_is_not_in_the_file(run: Run, tmp_path: Path) -> None:
    """The error names those that are."""
    async with two_companies(tmp_path) as (_, _, flag):
        code, _, err = await asyncio.to_thread(run, "gateway", "balance", flag, "--gateway=third")
        assert code == 1
        assert "no account of that name; there is main, spare" in err


async def test_a_call_by_the_second_account(run: Run, tmp_path: Path) -> None:
    """`callbridge call` takes --gateway too: the way to try the second account before it is needed."""
    async with two_companies(tmp_path) as (main, spare, flag):
        spare.script(ALICE, answers(after=0, listens=0.5))
        code, out, err = await asyncio.to_thread(run, "call", "alice", flag, "--yes", "--gateway=spare")
        assert (code, err) == (0, "")
        assert "completed" in out
        assert (len(main.calls), len(spare.calls)) == (0, 1)


async def test_a_rehearsal_with_several_accounts(run: Run, tmp_path: Path) -> None:
    """`explain` plays on the first account, and `check-config` has nothing against the list."""
    async with two_companies(tmp_path) as (main, spare, flag):
        payload = tmp_path / "payload.json"
        payload.write_text(json.dumps(body([alert("DiskFull", severity="critical")])))
        code, out, err = await asyncio.to_thread(run, "explain", payload, flag, "--answers=alice:yes")
        assert (code, err) == (0, "")
        assert "Alice" in out
        assert (main.requests, spare.requests) == ([], [])
        assert (await asyncio.to_thread(run, "check-config", tmp_path / "callbridge.yaml"))[0] == 0


# --- subscriptions


@pytest.mark.parametrize(("era", "dialect"), ERAS)
async def test_subscribing_twice_is_subscribing_once(run: Run, tmp_path: Path, era: Era, dialect: str) -> None:
    """What callbridge hears by is subscribed, once however often; what an old gateway does not know fails nothing."""
    async with company(tmp_path, era, dialect) as (phones, flag):
        known = {"voice_status", "sms_mo", "dlr"} | ({"voice_dtmf"} if era is Era.SEVEN_2024 else set())
        for already in (0, len(known)):
            code, out, err = await asyncio.to_thread(run, "gateway", "hooks", "subscribe", flag, OUTSIDE)
            assert (code, err) == (0, "")
            assert TOKEN not in out
            assert "https://pager.example.test/pager/webhook/sms77/<token>" in out
            assert out.count("already subscribed") == already
            assert sorted(hook.event for hook in phones.hooks.values()) == sorted(known)
            assert {hook.url for hook in phones.hooks.values()} == {OURS}
            assert ("not subscribed: " in out) is (era is not Era.SEVEN_2024)
        assert {hook.method for hook in phones.hooks.values()} == {"JSON" if dialect == "seven" else "POST"}


async def test_one_event_and_the_whole_address(run: Run, tmp_path: Path) -> None:
    """--event and --url say exactly what; one that was asked for by name and is not known is a failure."""
    async with company(tmp_path, Era.SMS77_2021, "sms77") as (phones, flag):
        url = "--url=https://pager.example.test/hook/abc"
        ran = await asyncio.to_thread(run, "gateway", "hooks", "subscribe", flag, url, "--event=voice_status")
        assert ran[0] == 0
        assert [(hook.event, hook.url) for hook in phones.hooks.values()] == [("voice_status", url[6:])]
        code, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "subscribe", flag, url, "--event=voice_dtmf")
        assert code == 1
        assert "voice_dtmf    not subscribed: gateway_error" in out
        code, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "unsubscribe", flag, url)
        assert (code, out.count("unsubscribed"), len(phones.hooks)) == (0, 1, 0)


async def test_all_events_cover_each(run: Run, tmp_path: Path) -> None:
    """A subscription to `all` needs no others beside it, which would report everything twice."""
    async with company(tmp_path) as (phones, flag):
        phones.subscribe(OURS)
        code, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "subscribe", flag, OUTSIDE)
        assert code == 0
        assert out.count("all events") == 4
        assert len(phones.hooks) == 1


def listed(*ids: int) -> Say:
    """The gateway's list of subscriptions to our address, by their ids."""
    hooks = [{"id": str(id_), "target_url": OURS, "event_type": "voice_status", "enabled": True} for id_ in ids]
    return Say(json.dumps({"success": True, "code": None, "hooks": hooks}))


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ([listed(), Say(""), Say(""), listed(7), listed(7)], 0, "subscribed (7)"),
        ([listed(), Say(""), Say('{"success":true,"id":8}'), listed(7, 8), Say('{"success":true}')], 0, "twice"),
        ([listed(), Say(""), Say(""), listed()], 1, "not subscribed: unreadable"),
        ([listed(), Say(""), Say(""), Say("<html>", 502), listed()], 1, "not subscribed: unreadable"),
    ],
)
async def test_a_lost_answer_to_a_subscription(
    run: Run, tmp_path: Path, script: list[Say], code: int, said: str
) -> None:
    """It is looked for among what there is: found, it is not made again; made twice, one of them is ended."""
    async with open_line() as line:
        line.company.script[:] = script
        flag = f"--config.file={write_files(tmp_path, api=line.company.url)}"
        arguments = ("gateway", "hooks", "subscribe", flag, OUTSIDE, "--event=voice_status")
        ran = await asyncio.to_thread(run, *arguments)
        assert (ran[0], ran[2]) == (code, "")
        assert said in ran[1]
        ended = [one.query.get("id") for one in line.asked if one.method == "DELETE"]
        assert ended == (["8"] if said == "twice" else [])


async def test_a_hook_that_was_switched_off_is_made_anew(run: Run, tmp_path: Path) -> None:
    """The gateway stops a subscription whose receiver failed for days: it is replaced by one that works."""
    async with company(tmp_path) as (phones, flag):
        hook = phones.subscribe(OURS, event="voice_status")
        phones.hooks[hook.id] = replace(hook, enabled=False)  # type: ignore[index]  # a view, which a test may write to
        code, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "list", flag)
        assert "switched off" in out
        code, out, _ = await asyncio.to_thread(
            run, "gateway", "hooks", "subscribe", flag, OUTSIDE, "--event=voice_status"
        )
        assert code == 0
        (now,) = phones.hooks.values()
        assert (now.id != hook.id, now.enabled) == (True, True)


async def test_unsubscribing_takes_ours_only(run: Run, tmp_path: Path) -> None:
    """Those of this callbridge end, also under an old token, of which subscribing tells; others' stay."""
    async with company(tmp_path) as (phones, flag):
        phones.subscribe("https://other.example.test/webhook/sms77/theirs", event="voice_status")
        phones.subscribe("https://pager.example.test/pager/webhook/sms77/an-old-token", event="voice_status")
        _, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "subscribe", flag, OUTSIDE)
        assert "with another token" in out
        code, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "unsubscribe", flag, OUTSIDE)
        assert (code, out.count("unsubscribed")) == (0, 5)
        assert [hook.url for hook in phones.hooks.values()] == ["https://other.example.test/webhook/sms77/theirs"]
        code, out, _ = await asyncio.to_thread(run, "gateway", "hooks", "unsubscribe", flag, OUTSIDE)
        assert (code, out) == (0, "no subscription of this callbridge\n")


async def test_the_list_shows_no_token(run: Run, tmp_path: Path) -> None:
    """Each subscription with its id, event and address; whatever may be a secret in the address is left out."""
    async with company(tmp_path) as (phones, flag):
        assert (await asyncio.to_thread(run, "gateway", "hooks", "list", flag))[1] == "no subscriptions\n"
        phones.subscribe(OURS, event="voice_status", method="JSON")
        phones.subscribe("https://user:pass@chat.example.test/in/Zk3vT9qLw2Xb7Rm1?key=sesame", event="sms_mo")
        code, out, err = await asyncio.to_thread(run, "gateway", "hooks", "list", flag)
        assert (code, err) == (0, "")
        first, second = out.splitlines()
        assert first.split()[1:] == ["voice_status", "JSON", "https://pager.example.test/pager/webhook/sms77/<token>"]
        assert second.split()[1:] == ["sms_mo", "POST", "https://chat.example.test/in/<token>?<query>"]


def test_an_address_that_is_none_is_not_shown() -> None:
    """The gateway may send anything for an address."""
    assert masked("http://[::1") == "<an address that is none>"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "say where reports are to go"),
        ([OUTSIDE, "--url=https://x.example.test/y"], "say where reports are to go"),
        (["--url=ftp://x"], "write http(s)://host"),
        (["--event=everything", OUTSIDE], "invalid choice"),
        (["--urls=x"], "unknown long flag '--urls'"),
    ],
)
def test_what_cannot_be_subscribed(run: Run, tmp_path: Path, flags: list[str], said: str) -> None:
    """One clear line, before anything is asked of the gateway."""
    code, out, err = run("gateway", "hooks", "subscribe", f"--config.file={write_files(tmp_path)}", *flags)
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1


def test_without_a_report_token(run: Run, tmp_path: Path) -> None:
    """No report would be taken: it says what is missing in the config."""
    path = write_files(tmp_path)
    path.write_text(path.read_text().replace("  sms77: {token_file: report_token}\n", ""))
    code, _, err = run("gateway", "hooks", "subscribe", f"--config.file={path}", OUTSIDE)
    assert code == 1
    assert "webhooks.sms77.token_file" in err


def test_as_a_program(tmp_path: Path) -> None:
    """As its user runs it: nobody listens at the gateway's address, one line says so, exit status 1."""
    ran = callbridge("gateway", "hooks", "list", f"--config.file={write_files(tmp_path)}")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("callbridge: error: connection: cannot reach the gateway")


# --- verify


@pytest.mark.parametrize(("era", "dialect"), ERAS)
async def test_verify_calls_nobody(run: Run, tmp_path: Path, era: Era, dialect: str) -> None:
    """Balance, subscriptions, journal and a rehearsed call are asked for and recorded; no phone rings."""
    async with company(tmp_path, era, dialect) as (phones, flag):
        phones.subscribe(OURS)
        target = tmp_path / "recorded.json"
        code, out, err = await asyncio.to_thread(run, "gateway", "verify", flag, f"--record={target}")
        assert (code, err) == (0, "")
        assert [line.split()[:2] for line in out.splitlines()[1:5]] == [
            ["balance", "ok"],
            ["hooks", "ok"],
            ["journal", "ok"],
            ["call", "ok"],
        ]
        assert phones.calls == []
        entries = json.loads(target.read_text())
        assert [entry["name"] for entry in entries][:2] == ["balance", "hooks"]
        assert {"balance", "hooks", "journal", "call"} == {entry["name"] for entry in entries}
        for entry in entries:
            assert set(entry) == {"name", "request", "response"}
            assert set(entry["request"]) == {"method", "url", "body"}
            assert set(entry["response"]) == {"status", "content_type", "date", "body"}
        text = target.read_text() + out
        assert not [secret for secret in (KEY, TOKEN, "493023125000", "49301234567", "1711234567") if secret in text]
        call = entries[-1]
        assert '"debug":true' in call["response"]["body"] or call["response"]["body"].startswith("100\n123456789")
        assert "debug=1" in call["request"]["body"]


async def test_verify_of_a_gateway_that_ignores_debug(run: Run, tmp_path: Path) -> None:
    """It would have called: that is said, and the number is one that nobody has."""
    async with company(tmp_path) as (phones, flag):
        phones.account.ignores_debug = True
        code, out, _ = await asyncio.to_thread(run, "gateway", "verify", flag)
        assert code == 1
        assert "takes no notice of debug: 1" in out
        assert [call.to for call in phones.calls] == ["493023125000"]


async def test_verify_tells_what_fails(run: Run, tmp_path: Path) -> None:
    """Each thing by itself: a key without the right to the webhooks fails that, and the rest is asked all the same."""
    async with company(tmp_path) as (phones, flag):
        phones.faults.set(code=902, on="hooks")
        phones.faults.set(reply_502=True, on="journal")
        code, out, err = await asyncio.to_thread(run, "gateway", "verify", flag, "--record=-")
        assert code == 1
        assert [line.split()[:2] for line in err.splitlines()[1:5]] == [
            ["balance", "ok"],
            ["hooks", "FAILED"],
            ["journal", "FAILED"],
            ["call", "ok"],
        ]
        entries = json.loads(out)
        assert next(entry["response"]["status"] for entry in entries if entry["name"] == "journal") == 502


async def test_verify_with_a_real_call(run: Run, tmp_path: Path) -> None:
    """Only --call=PERSON makes one; it is followed to its end, and the journal's row of it is recorded."""
    async with company(tmp_path) as (phones, flag):
        phones.script(ALICE, answers(after=0, listens=0.5))
        target = tmp_path / "recorded.json"
        code, out, _ = await asyncio.to_thread(run, "gateway", "verify", flag, "--call=alice", f"--record={target}")
        assert code == 0
        assert "real call ok      answered" in out
        assert len(phones.calls) == 1
        rows = [entry for entry in json.loads(target.read_text()) if entry["name"] == "journal of the call"]
        assert '"status":"completed"' in rows[-1]["response"]["body"]
        assert "1711234567" not in target.read_text()
        assert "Alice" not in target.read_text()

        phones.script(ALICE, sleeps())
        code, out, _ = await asyncio.to_thread(run, "gateway", "verify", flag, "--call=nobody")
        assert code == 1


async def test_verify_cannot_write(run: Run, tmp_path: Path) -> None:
    """A file that cannot be written is named."""
    async with company(tmp_path) as (_, flag):
        code, _, err = await asyncio.to_thread(run, "gateway", "verify", flag, f"--record={tmp_path}")
        assert code == 1
        assert "--record=" in err
