"""docs/getting-started.md: its commands, out of the page, lead from nothing to a ringing phone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.requirements import require
from tests.serving import ROOT
from tests.wheels import pip_conf, wheelhouse

PAGE = ROOT / "docs" / "getting-started.md"
MOST_COMMANDS = 10
PORTS = ("10077", "10078")
PATIENCE = 60.0


def commands() -> list[tuple[str, list[str]]]:
    """Every command of the page with the lines that it shows as the answer."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", PAGE.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def like(line: str) -> re.Pattern[str]:
    """Any line that says the same with other times, ports, numbers and versions."""
    return re.compile(r"\d+".join(map(re.escape, re.split(r"\d+", line))))


@pytest.fixture
def newcomer(tmp_path: Path) -> Path:
    """A fresh checkout with nothing in it but what is committed, and the one file of the page."""
    folder = tmp_path / "callbridge"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if not name.startswith(("tests/", "docs/", "deploy/", "benchmarks/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (config,) = re.findall(r"(?ms)The rest is `callbridge.yaml`:\n\n```yaml\n(.*?)^```", PAGE.read_text())
    (folder / "callbridge.yaml").write_text(config)
    return folder


@pytest.fixture
def shell(newcomer: Path, tmp_path: Path) -> Iterator[Shell]:
    """A shell as a newcomer has it; what is left running at the end is its own, and is ended."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON", "VIRTUAL"))}
    environment["PIP_CONFIG_FILE"] = str(pip_conf(tmp_path, str(wheelhouse())))
    one = Shell(newcomer, tmp_path, environment)
    try:
        yield one
    finally:
        # The server first: it has something to say to the telephone company.
        for running in reversed(one.running):
            running.terminate()
            running.wait(30)


class Shell:
    """Runs the page's commands. Ports are free ones of this machine; nothing else of a command is changed."""

    def __init__(self, folder: Path, logs: Path, environment: dict[str, str]) -> None:
        self.folder, self.logs, self.environment = folder, logs, environment
        self.running: list[subprocess.Popen[bytes]] = []
        self.ports = {port: str(free_port()) for port in PORTS}
        file = folder / "callbridge.yaml"
        file.write_text(self.here(file.read_text()))

    def here(self, text: str) -> str:
        for port, free in self.ports.items():
            text = text.replace(f":{port}", f":{free}")
        return text

    def type(self, command: str) -> None:
        """Run it to its end, or leave it running where it ends in &; all of it is said into one log."""
        background = command.endswith(" &")
        command = self.here(command.removesuffix(" &"))
        # These listen on the page's ports by default.
        for program, port in (("serve", "10077"), ("simulator", "10078")):
            command = command.replace(f"callbridge {program} ", f"callbridge {program} {self.listen(port)} ")
        with (self.logs / "said").open("ab") as log:
            running = subprocess.Popen(
                ["bash", "-c", f"exec {command}" if background else command],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        if background:
            self.running.append(running)
        else:
            assert running.wait(300) == 0, f"{command}\n{self.said()}"

    def listen(self, port: str) -> str:
        return f"--web.listen-address=127.0.0.1:{self.ports[port]}"

    def said(self) -> str:
        return (self.logs / "said").read_text()

    def hears(self, line: str) -> None:
        """Wait until something like `line` was said; fail where that does not come."""
        pattern, until = like(self.here(line)), time.monotonic() + PATIENCE
        while not pattern.search(self.said()):
            assert time.monotonic() < until, f"never said: {line}\n{self.said()}"
            time.sleep(0.05)


def test_ten_commands() -> None:
    """The page asks for no more than ten commands, and the last ones ring a phone."""
    lines = commands()

    assert len(lines) <= MOST_COMMANDS
    assert any("ring " in answer for answer in lines[-1][1])


def test_from_nothing_to_a_ringing_phone(shell: Shell) -> None:
    """Typed one after the other in a fresh checkout, each command says what the page shows, and the phone rings."""
    require("openssl", "openssl")
    require("curl", "curl")
    for command, answers in commands():
        shell.type(command)
        for line in answers:
            shell.hears(line)

    shell.hears('state=acknowledged who=alice round=1 step=1 note="key 4"')
    shell.hears('msg="call ended: answered"')
    assert len(re.findall(r"ring +\+49 171 …67", shell.said())) == 2
