"""`explain` held against the real program: what it says beforehand is what then happens, to the second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.call import Outcome
from bridge.cli import main
from bridge.logs import mask
from bridge.simulator import Answer, Era, answers, busy, hangs_up, mailbox, presses, sleeps
from tests.stories.night import ALICE, BOB, CAROL, DUSK, Night, night

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
NUMBERS = {"alice": ALICE, "bob": BOB, "carol": CAROL}
MANNERS = {"no": sleeps(), "yes": answers(), "key": presses(), "busy": busy(), "mailbox": mailbox()}
# What the journal tells of calls and not of decisions.
OF_CALLS = {"held_back", "calling", "placed", "initiated", "ringing", "in-progress", *Outcome}
OF_CALLS |= {"texting", "sms_held_back", "sms_sent", "sms_delivered"}

CONFIG = """
global: {{timezone: Europe/Berlin, region: DE, language: en-US}}
storage: {{url: "sqlite:///night.db"}}
gateway:
  api_url: {api}
  dialect: {dialect}
  api_key_file: key
  ring_time: 25s
  timeout: 2s
  report_timeout: 3m
webhooks: {{sms77: {{token_file: token}}}}
people:
  alice: {{name: Alice, phone: "+49 171 1234567"}}
  bob: {{name: Bob, phone: 0171 7654321, language: de-DE}}
  carol: {{name: Carol, phone: "+43 664 1234567"}}
  dave: {{name: Dave}}
schedules:
  primary:
    rotations: [{{name: week, people: [alice, bob], every: 1w, start: 2026-01-05 09:00}}]
  backup:
    rotations: [{{name: hours, people: [carol, bob], every: 1h, start: 2026-11-23 00:04}}]
  empty: {{}}
policies:
  default:
    steps:
      - {{call: [primary], wait: 5m, attempts: 2, retry_after: 1m}}
      - {{call: [empty, dave], wait: 5m}}
      - {{call: [backup, bob], wait: 3m, attempts: 2, retry_after: 20s}}
    rounds: 2
    acknowledged_for: 4h
  late: {{steps: [{{call: [carol], wait: 2m}}, {{call: [primary], wait: 1m}}]}}
  nobody: {{steps: []}}
route:
  policy: default
  routes:
    - {{matchers: ['severity="warning"'], policy: late, continue: true}}
    - {{matchers: ['team="a"'], policy: late, continue: true}}
    - {{matchers: ['instance="db3:9100"'], policy: nobody}}
    - {{matchers: ['alertname=~"HighLatency|DiskFull"'], policy: default}}
"""


@dataclass(frozen=True)
class Evening:
    """A notification, how people answer, how it ends, and what is other than usual: a line more, `but` for a change."""

    payload: str
    answers: str
    ends: str
    extra: str = ""
    but: tuple[str, str] = ("", "")
    era: Era = Era.SEVEN_2024
    dialect: str = "seven"
    shows: str = "calling"


EVENINGS = {
    "two policies, merged where one person is meant by both": Evening(
        "am025-firing-group", "alice:no+mailbox,carol:yes,bob:busy+key", "acknowledged exhausted"
    ),
    "both are taken with one key": Evening(
        "am025-firing-group", "alice:no+key,carol:no", "acknowledged acknowledged", shows="key"
    ),
    "one of two alerts is only recorded, nobody takes the other": Evening(
        "am025-mixed-firing-resolved", "alice:busy+no+yes,bob:yes,carol:mailbox", "triggered exhausted"
    ),
    "answering takes it, where that is configured": Evening(
        "am025-nested-groupkey", "carol:busy,alice:yes", "acknowledged", "acknowledgement: {answer: 10s}\n"
    ),
    "hanging up when asked to takes it, and not a mailbox": Evening(
        "am025-nested-groupkey",
        "carol:mailbox,alice:hang_up",
        "acknowledged",
        "acknowledgement: {hang_up: true}\n",
    ),
    "whoever listens is cut off when somebody else has it": Evening(
        "am025-firing-group", "alice:busy,carol:yes,bob:key", "acknowledged exhausted", shows="hung_up"
    ),
    "the phone does not ring for as long as the mailbox would need": Evening(
        "am025-nested-groupkey", "carol:mailbox,alice:mailbox", "exhausted", but=("ring_time: 25s", "ring_time: 15s")
    ),
    "limits hold calls back": Evening(
        "am025-mixed-firing-resolved",
        "alice:no,bob:no,carol:no",
        "triggered exhausted",
        'limits: {calls_per_person: ["2 per 4m"], calls_per_minute: 2}\n',
        shows="held_back",
    ),
    "there is one line only": Evening(
        "am025-firing-group",
        "alice:yes,bob:yes,carol:yes",
        "exhausted exhausted",
        but=("timeout: 2s", "timeout: 2s\n  max_concurrent_calls: 1"),
    ),
    "the old gateway rings as long as it likes, and cannot be hung up": Evening(
        "am025-firing-group",
        "alice:no+busy,carol:yes,bob:yes",
        "acknowledged acknowledged",
        "acknowledgement: {answer: 10s}\n",
        era=Era.SMS77_2021,
        dialect="sms77",
    ),
    "no report comes in, only the journal of the gateway knows": Evening(
        "am025-nested-groupkey",
        "carol:no,alice:yes",
        "exhausted",
        but=("webhooks: {{sms77: {{token_file: token}}}}", ""),
    ),
    "SMS beside calls, instead of them, and held back": Evening(
        "am025-firing-group",
        "alice:no,bob:no,carol:no",
        "exhausted exhausted",
        'limits: {sms_per_person: ["1 per 4m"]}\n',
        but=(
            """      - {{call: [primary], wait: 5m, attempts: 2, retry_after: 1m}}
      - {{call: [empty, dave], wait: 5m}}
""",
            """      - {{call: [primary], sms: [primary, bob], wait: 5m, attempts: 2, retry_after: 1m}}
      - {{call: [empty, dave], sms: [bob]}}
      - {{sms: [carol], wait: 90s}}
""",
        ),
        shows="texting",
    ),
    "a report is awaited for less than it takes": Evening(
        "am025-nested-groupkey", "carol:no,alice:yes", "exhausted", but=("report_timeout: 3m", "report_timeout: 12s")
    ),
}


def explained(folder: Path, evening: Evening, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the command says."""
    path = PAYLOADS / f"{evening.payload}.json"
    flags = [f"--config.file={folder / 'callbridge.yaml'}", f"--at={DUSK.isoformat()}", f"--answers={evening.answers}"]
    assert main(["explain", str(path), *flags, "--output=json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def scripts(text: str, told: dict[str, Any]) -> dict[str, list[Answer]]:
    """The same answers for the telephone company; whoever hangs up when asked to does so amid the window."""
    windows = {one["person"]: (one["window_from"], one["window_until"]) for one in told["events"] if one["window_from"]}
    found: dict[str, list[Answer]] = {}
    for part in text.split(","):
        person, _, words = part.partition(":")
        amid = round(sum(windows.get(person, (0, 0))) / 2)
        found[person] = [hangs_up(listens=amid) if word == "hang_up" else MANNERS[word] for word in words.split("+")]
    return found


def seconds(at: str | datetime) -> int:
    """Since dusk."""
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return round((when - DUSK).total_seconds())


@pytest.mark.parametrize("name", EVENINGS)
async def test_what_is_explained_is_what_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Same calls, people, words, outcomes, decisions and end as the program has, each to the second."""
    evening = EVENINGS[name]
    text = CONFIG.replace(*evening.but)
    async with night(tmp_path, evening.extra, text=text, era=evening.era, dialect=evening.dialect) as it:
        told = explained(tmp_path, evening, capsys)
        for person, manners in scripts(evening.answers, told).items():
            it.phones.script(NUMBERS[person], *manners)
        body = json.loads((PAYLOADS / f"{evening.payload}.json").read_bytes())
        assert await it.post("/webhook/alertmanager", body) == 200
        # Far enough that something more would show, and not so far that an acknowledgement ends.
        await it.passes(hours=1)

        assert await happened(it) == foretold(told)
        assert written(it) == foretold_sms(told)
        assert await decisions(it) == decided(told)
        assert evening.shows in {event["event"] for event in told["events"]}
        incidents = await it.incidents()
        assert {one["policy"]: one["state"] for one in incidents} == {
            one["policy"]: one["state"] for one in told["summary"]["ends_as"]
        }
        assert sorted(one["state"] for one in incidents) == sorted(evening.ends.split())
        by = {one["policy"]: (await it.get(f"/api/v1/incidents/{one['id']}"))["acknowledged_by"] for one in incidents}
        assert by == {one["policy"]: one["acknowledged_by"] for one in told["summary"]["ends_as"]}


async def happened(it: Night) -> list[tuple[object, ...]]:
    """Each call as the telephone company saw it, and its end as the program heard of it; sorted by time and number."""
    known = {(one["requested_at"], one["number"]): one for one in (await it.get("/api/v1/calls?limit=1000"))["calls"]}
    found: list[tuple[object, ...]] = []
    for call in it.calls():
        number, lifted = mask(f"+{call.to}"), call.at("in-progress")
        ended = known[call.requested_at.isoformat().replace("+00:00", "Z"), number]
        picked_up = None if lifted is None else seconds(lifted)
        end = (ended["outcome"], seconds(ended["ended_at"]))
        found.append((seconds(call.requested_at), number, call.text, picked_up, *end))
    return sorted(found, key=str)


def written(it: Night) -> list[tuple[object, ...]]:
    """Each SMS as the telephone company got it."""
    return sorted((seconds(one.at), mask(f"+{one.to}"), one.text) for one in it.phones.messages)


def foretold_sms(told: dict[str, Any]) -> list[tuple[object, ...]]:
    """Each SMS as it was explained."""
    sms = [one for one in told["events"] if one["event"] == "texting"]
    return sorted((seconds(one["at"]), one["number"], one["text"]) for one in sms)


def foretold(told: dict[str, Any]) -> list[tuple[object, ...]]:
    """Each call as it was explained."""
    by_call: dict[int, dict[str, Any]] = {}
    for event in told["events"]:
        if event["call"] is not None:
            by_call.setdefault(event["call"], {})[event["event"]] = event
    found = [
        (
            seconds(one["calling"]["at"]),
            one["calling"]["number"],
            one["calling"]["text"],
            seconds(one["answered"]["at"]) if "answered" in one else None,
            one["ended"]["verdict"],
            seconds(one["ended"]["at"]),
        )
        for one in by_call.values()
    ]
    return sorted(found, key=str)


async def decisions(it: Night) -> dict[str, list[tuple[object, ...]]]:
    """The decisions in the journal of each incident."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for listed in await it.incidents():
        incident = await it.get(f"/api/v1/incidents/{listed['id']}")
        found[incident["policy"]] = [
            (seconds(line["at"]), line["word"], line["who"] or "", line["round"], line["step"], line["attempt"] or 0)
            for line in incident["journal"]
            if line["word"] not in OF_CALLS
        ]
    return found


def decided(told: dict[str, Any]) -> dict[str, list[tuple[object, ...]]]:
    """The decisions as they were explained."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for event in told["events"]:
        if event["event"] == "decided":
            line = (event["verdict"], event["person"] or "", event["round"], event["step"], event["attempt"] or 0)
            found.setdefault(event["policies"][0], []).append((seconds(event["at"]), *line))
    return found
