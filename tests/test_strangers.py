"""What strangers send, by the thousand: mutated webhooks and reports against the server as its operator starts it."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.access.reading import read_web_config
from bridge.alert import Source, check_body
from bridge.errors import ConfigError, NotAWebhook
from bridge.intervals import IntervalError, parse_interval
from tests.flooding import flooded
from tests.grafana import grafana_alert, grafana_body
from tests.mutating import reports, webhooks

# All of it is `python -m benchmarks.strangers`; here a part, the same each time.
MANY = int(os.environ.get("STRANGERS", "800"))
WEB_CONFIGS = (
    "tls_server_config: {cert_file: a.crt, key_file: a.key, min_version: TLS12, cipher_suites: [X]}\n",
    "basic_auth_users: {me: $2y$04$abcdefghijklmnopqrstuu}\nhttp_server_config: {http2: true, headers: {X-A: b}}\n",
)
INTERVAL_KEYS = ("times", "weekdays", "days_of_month", "months", "years", "location", "x")
SPECS = st.lists(
    st.sampled_from(("monday:friday", "1:31", "-1", "-31:-1", "1:-1", "2020:2019", "may:april", "0", "é", "1:2:3", ""))
    | st.fixed_dictionaries({"start_time": st.text(max_size=6), "end_time": st.sampled_from(("24:00", "00:00", "9"))}),
    max_size=3,
)
ANSWERS = {200, 400, 401, 404, 405, 413}


def damaged(text: str) -> st.SearchStrategy[str]:
    """The text with something else at one place."""
    places = st.integers(0, len(text))
    return st.builds(lambda at, end, more: text[:at] + more + text[max(at, end) :], places, places, st.text(max_size=9))


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Lists and objects of these."""
    keys = st.text(max_size=4) | st.sampled_from(
        ("labels", "status", "startsAt", "values", "annotations", "valueString")
    )
    return st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)


async def test_mutated_webhooks_and_reports_break_nothing(tmp_path: Path) -> None:
    """No 5xx, no cut connection, no fault in the log, nothing that cannot be digested, no memory that is kept."""
    found = await flooded(tmp_path, MANY, seed=1)

    assert set(found.webhooks) <= ANSWERS
    assert set(found.reports) <= ANSWERS
    # They are no noise only: some are still what they were, and some can never be it.
    for answered in (found.webhooks, found.reports):
        assert min(answered[200], answered[400]) > MANY // 20
    assert "Traceback" not in found.log
    assert "\nlevel=error msg=forged" not in found.log
    assert found.undigested == 0
    assert found.growth < 0.2
    assert found.told


def test_the_same_seed_sends_the_same() -> None:
    """What broke it can be sent again."""
    assert list(islice(webhooks(3), 50)) == list(islice(webhooks(3), 50))
    assert list(islice(reports(3, "token"), 50)) == list(islice(reports(3, "token"), 50))


# --- parsers that the flood does not reach


@settings(max_examples=60)
@given(st.text(max_size=200) | st.sampled_from(WEB_CONFIGS).flatmap(damaged))
def test_no_text_breaks_the_web_config(text: str) -> None:
    """It is read, or refused with every fault and its place; nothing else is raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "web.yml")
        path.write_text(text, encoding="utf-8", errors="replace")
        with suppress(ConfigError):
            read_web_config(path)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), nested, max_leaves=12)
)
def test_no_json_breaks_grafanas_door(sent: object) -> None:
    """Whatever stands where, a body is a notification or said to be none."""
    for told in (
        sent,
        {**grafana_body(grafana_alert("Disk")), "alerts": sent},
        grafana_body(grafana_alert("Disk", labels=sent)),
    ):
        with suppress(NotAWebhook):
            check_body(json.dumps(told).encode(), Source.GRAFANA)


@given(st.lists(st.dictionaries(st.sampled_from(INTERVAL_KEYS), st.text(max_size=12) | SPECS, max_size=3), max_size=2))
def test_no_text_breaks_an_interval(specs: list[dict[str, object]]) -> None:
    """What stands under time_intervals is one, or every fault of it is told."""
    with suppress(IntervalError):
        parse_interval(specs)
