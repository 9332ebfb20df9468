"""The unit of systemd: what `systemd-analyze` says of it, and that it fits the program and the documents."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bridge.cli import parser
from tests.requirements import require
from tests.serving import ROOT

UNIT = ROOT / "deploy" / "systemd" / "callbridge.service"
USERS = ROOT / "deploy" / "systemd" / "callbridge.sysusers.conf"
INSTALL = ROOT / "docs" / "install.md"
# In tenths, as systemd counts: 96 is a unit that says nothing. What is left is the network, which it is there for.
EXPOSURE = 13


def settings(text: str) -> dict[str, list[str]]:
    """Each key of the unit with its values, in order; comments left out."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"(?m)^([A-Za-z]+)=(.*)$", text):
        found.setdefault(key, []).append(value)
    return found


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False, timeout=30)


def test_the_unit_is_hardened() -> None:
    """`systemd-analyze security` finds next to nothing that the unit leaves open."""
    analyze = require("systemd-analyze", "systemd")

    told = run(analyze, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", UNIT)

    assert told.returncode == 0, told.stdout
    open_ = set(re.findall(r"(?m)^✗ (\w+)[=/:]", told.stdout))
    assert open_ <= {
        "RootDirectory",
        "RestrictAddressFamilies",
        "ProcSubset",
        "PrivateNetwork",
        "DeviceAllow",
        "IPAddressDeny",
    }


def test_the_unit_can_be_read(tmp_path: Path) -> None:
    """`systemd-analyze verify` has no word to say, once the program is where the unit looks for it."""
    analyze = require("systemd-analyze", "systemd")
    unit = tmp_path / UNIT.name
    # The real path needs an installed callbridge; that the unit names the one of the documents is shown below.
    unit.write_text(UNIT.read_text().replace("/usr/bin/callbridge", "/bin/true"))

    told = run(analyze, "verify", "--man=no", "--recursive-errors=no", unit)
    unit.write_text(unit.read_text().replace("Restart=always", "Restart=sometimes"))
    broken = run(analyze, "verify", "--man=no", "--recursive-errors=no", unit)

    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert "Failed to parse service restart specifier" in broken.stderr


def test_the_user_is_made() -> None:
    """`systemd-sysusers` makes the user that the unit names."""
    sysusers = require("systemd-sysusers", "systemd")

    told = run(sysusers, "--dry-run", USERS)

    assert (told.returncode, settings(UNIT.read_text())["User"]) == (0, ["callbridge"])
    assert "callbridge" in told.stdout + told.stderr


def test_the_unit_starts_what_there_is() -> None:
    """The command of the unit is one that the program takes, and it says ready in no way that it does not."""
    unit = settings(UNIT.read_text())
    (start,) = unit["ExecStart"]
    program, *flags = start.replace(" $ARGS", "").split()

    asked = parser(flags).parse_args(flags)

    assert program == "/usr/bin/callbridge"
    assert asked.command == "serve"
    assert str(asked.config) == "/etc/callbridge/callbridge.yaml"
    # Type=notify and WatchdogSec would wait for messages that nobody sends.
    assert unit["Type"] == ["exec"]
    assert "WatchdogSec" not in unit
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


@pytest.mark.parametrize(
    "word",
    ["/usr/bin/callbridge", "/etc/callbridge", "/etc/default/callbridge", "/var/lib/callbridge",
     "/run/credentials/callbridge.service/secrets_", "callbridge.sysusers.conf", "/etc/callbridge/secrets"],
)  # fmt: skip
def test_the_documents_know_the_paths(word: str) -> None:
    """docs/install.md tells of every path that the unit uses, so that both cannot drift apart."""
    beside = UNIT.read_text() + USERS.read_text() + UNIT.name.replace("service", "sysusers.conf")

    assert word in INSTALL.read_text()
    assert word in beside
