"""What the doctor lets pass, the real Alertmanager takes too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bridge.doctor import Level, Where, examine, surroundings
from tests.requirements import require

FILES = Path(__file__).parent.parent / "data" / "alertmanager"
GOOD = sorted(path for path in FILES.glob("*.yml") if path.stem != "bad")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_amtool_takes_what_passes(path: Path) -> None:
    """A file in which no page is lost is one that `amtool check-config` accepts."""
    amtool = require("amtool", "prometheus-alertmanager")
    found = examine(path.read_text(), path.name, surroundings(Where(port=10077), None))

    checked = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, check=False, timeout=30)

    assert not [one for one in found if one.level is Level.ERROR]
    assert checked.returncode == 0, checked.stderr


REFUSED = [
    ("receiver: phone\n", "receiver: fone\n"),
    ("  receiver: chat\n  group_by", "  group_by"),
    ("repeat_interval: 20m", "repeat_interval: 20"),
    ("repeat_interval: 20m", "repeat_interval: 0s"),
    ("repeat_interval: 20m", "repeat_intervall: 20m"),
    ("repeat_interval: 20m", "mute_time_intervals: [x]"),
    ("name: nobody", "name: phone"),
    ("  group_by: [alertname, cluster]\n", "  group_by: [a, a]\n"),
    ("  group_by: [alertname, cluster]\n", "  group_by: ['...', a]\n"),
    ("  group_by: [alertname, cluster]\n", "  matchers: [a=b]\n"),
    ("  group_by: [alertname, cluster]\n", "  continue: true\n"),
    ("          authorization:\n", "          basic_auth: {username: a}\n          authorization:\n"),
    ("inhibit_rules:", "inhibit_rule:"),
]


@pytest.mark.parametrize(("old", "new"), REFUSED, ids=[new.strip() or old.strip() for old, new in REFUSED])
def test_amtool_refuses_what_is_said_to_be_refused(old: str, new: str, tmp_path: Path) -> None:
    """Where the doctor says that Alertmanager refuses the file, it does."""
    amtool = require("amtool", "prometheus-alertmanager")
    text = (FILES / "good.yml").read_text().replace(old, new)
    path = tmp_path / "am.yml"
    path.write_text(text)
    found = examine(text, path.name, surroundings(Where(port=10077), None))

    checked = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, check=False, timeout=30)

    assert [one for one in found if "refuses the file" in one.what]
    assert checked.returncode == 1
