"""The demo: the whole story in one command."""

from __future__ import annotations

import re
import time
from pathlib import Path

from bridge.cli.demo import _example, _with
from bridge.config import load
from tests.serving import callbridge

STORY = (
    "posts the captured webhook",
    "the phone says",
    "no answer",
    "acknowledged",
    "posts the captured resolution",
    "resolved",
    'callbridge_acknowledgements_total{by="keypress"} 1.0',
    'callbridge_calls_total{outcome="answered"} 1.0',
)


def test_the_demo_tells_the_story_and_leaves(tmp_path: Path) -> None:
    """From an empty folder, under 20 s: nobody answers, the next takes it, it resolves; exit 0, no rubbish left."""
    began = time.monotonic()
    ended = callbridge("demo", "--once", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began < 20
    assert "Traceback" not in ended.stdout + ended.stderr
    found = [ended.stdout.find(part) for part in STORY]
    assert found == sorted(found), list(zip(STORY, found, strict=True))
    assert -1 not in found
    # Where the page is, with who may see it.
    assert re.search(r"The page, to watch it: http://demo:([\w-]{12})@127\.0\.0\.1:\d+/ .*password \1\)", ended.stdout)
    assert list(tmp_path.iterdir()) == []
    for secret in ("demo-key", "demo-report-token", "demo-alertmanager-token", "1711234567", "171 1234567"):
        assert secret not in ended.stdout + ended.stderr


def test_the_demo_misses_nobody(tmp_path: Path) -> None:
    """The example's watchdogs are not awaited: nobody sends their alerts, and the demo runs twenty times as fast."""
    loaded = load(_example(tmp_path))
    assert loaded.watchdogs
    assert _with(loaded, tmp_path, "http://127.0.0.1:1/api").watchdogs == ()
