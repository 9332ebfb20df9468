"""Recordings of the gateway: what is taken out of them, and that all else stays as it was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.gateway import Exchange, Recording

RECORDINGS = Path(__file__).parent / "data" / "gateway"
RECORDED = [(year, entry) for year in (2021, 2023) for entry in json.loads((RECORDINGS / f"{year}.json").read_text())]


def exchange(body: str, *, url: str = "https://gateway.example.test/api/voice", **form: str) -> Exchange:
    return Exchange("POST", url, form, 200, "application/json", "Thu, 31 Aug 2023 12:43:56 GMT", body)


def body_of(recording: Recording, index: int = 0) -> str:
    response = recording.entries[index]["response"]
    assert isinstance(response, dict)
    return str(response["body"])


def shape(value: object) -> object:
    """The keys and types of a JSON value."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize(("year", "entry"), RECORDED, ids=[f"{year}-{entry['name']}" for year, entry in RECORDED])
def test_real_answers_keep_their_shape(year: int, entry: dict[str, Any]) -> None:
    """Of the gateway's own recorded answers every key, type and quoting stays; numbers and texts are replaced."""
    sent = entry["response"]["body"]
    recording = Recording()
    recording.add(entry["name"], exchange(sent, url=entry["request"]["url"]))
    made = body_of(recording)
    assert json.loads(recording.as_json()) == recording.entries
    try:
        parsed = json.loads(sent)
    except ValueError:
        assert made == sent
        return
    short = parsed[:5] if isinstance(parsed, list) else parsed
    assert shape(json.loads(made)) == shape(short)
    assert "my.tld\\/webhook\\/1" in made or "target_url" not in sent
    assert "491771783130" not in made


def test_what_is_taken_out() -> None:
    """Numbers in any form, texts, addresses, headers and secrets; the same number is the same all over."""
    recording = Recording(["the-secret-token"])
    body = (
        '{"messages":[{"id":1038703,"sender":"491771783130","recipient":"4915112345678","text":"It\'s \\"burning\\"",'
        '"error":"Not authorized to call +4915112345678."}],"hooks":[{"target_url":'
        '"https:\\/\\/a.example\\/the-secret-token","headers":"Authorization: x"}],'
        '"number":4915112345678,"from":"SMS","note":"the-secret-token"}'
    )
    recording.add(
        "call", exchange(body, to="+49 151 12345678", text="Burning", foreign_id="c1", target_url="https://a.example/")
    )
    recording.add("journal", exchange("[]", url="https://gateway.example.test/api/journal?to=4915112345678&limit=100"))
    made = json.loads(body_of(recording))
    message = made["messages"][0]
    assert message == {
        "id": 1038703,
        "sender": "491999999002",
        "recipient": "491999999001",
        "text": "text 2",
        "error": "Not authorized to call ….",
    }
    assert made["hooks"][0] == {"target_url": "https://my.tld/webhook/2", "headers": "headers 1"}
    assert (made["number"], made["from"], made["note"]) == (491999999001, "SMS", "<secret>")
    first, second = (entry["request"] for entry in recording.entries)
    assert first == {
        "method": "post",
        "url": "https://gateway.example.test/api/voice",
        "body": "to=%2B491999999001&text=text+1&foreign_id=c1&target_url=https%3A%2F%2Fmy.tld%2Fwebhook%2F1",
    }
    assert second["url"].endswith("/journal?to=491999999001&limit=100")  # type: ignore[index]  # a dict, as above


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("100\n1038704\n0.1", "100\n1038704\n0.1"),
        ("900", "900"),
        ("", ""),
        ("<html>call +49 151 1234567 or 004915112345678</html>", "<html>call … or …</html>"),
        ('{"to":"","text":"","headers":""}', '{"to":"","text":"","headers":""}'),
        ('{"text":"cut', '{"text":"cut'),
    ],
)
def test_other_bodies(body: str, made: str) -> None:
    """Text replies and codes stay; a page loses what looks like a number; what is empty stays empty."""
    recording = Recording()
    recording.add("x", exchange(body))
    assert body_of(recording) == made


def test_a_long_journal_is_shortened() -> None:
    """Five rows show what the gateway answers; a thousand would show what its owner does."""
    rows = [{"id": str(number), "to": f"4915112345{number:03}", "text": "/"} for number in range(100)]
    recording = Recording()
    recording.add("journal", exchange(json.dumps(rows)))
    made = json.loads(body_of(recording))
    assert [row["to"] for row in made] == [f"491999999{number:03}" for number in range(1, 6)]


keys = st.sampled_from(["to", "text", "error", "headers", "target_url", "id"])
scalars = st.text(max_size=8) | st.integers() | st.none() | st.booleans()


@settings(max_examples=60)
@given(st.recursive(scalars, lambda one: st.lists(one, max_size=3) | st.dictionaries(keys, one), max_leaves=6))
def test_any_json_stays_json(value: object) -> None:
    """Whatever the gateway sends, what is recorded of it is of the same kind and can be read."""
    recording = Recording()
    recording.add("x", exchange(json.dumps(value)))
    made = json.loads(body_of(recording))
    assert shape(made) == shape(value[:5] if isinstance(value, list) else value)
