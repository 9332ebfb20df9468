"""deploy/compose.yaml: that it hangs together, and that its very files make a phone ring.

There is no container engine here. The processes are started by hand as the file says, each with its own files; only
names, ports and paths become those of this machine, and a desk's seconds become one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge import config
from bridge.cli import main, parser
from tests.ports import free_port
from tests.requirements import require
from tests.serving import ROOT

DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"
DESK: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = DESK["services"]
OURS = {name for name, one in SERVICES.items() if one["image"].startswith("callbridge:")}
CONFIGS = DEPLOY / "compose"
SECRETS = CONFIGS / "callbridge" / "secrets"


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Where in the container → what is there: a path from deploy/, or a volume."""
    parts = [one.split(":") for one in service.get("volumes", ())]
    return {target: source for source, target, *_ in parts}


SOURCES = {source for one in SERVICES.values() for source in mounts(one).values()}
PORTS = {name: one["ports"][0].rsplit(":", 1)[1] for name, one in SERVICES.items()}


# --- that it hangs together


def test_everything_that_is_mounted_is_there() -> None:
    """Each file that a service is given lies in the project, and each volume is declared and used."""
    files = {source for source in SOURCES if source.startswith(".")}

    assert [source for source in files if not (DEPLOY / source).exists()] == []
    assert SOURCES - files == set(DESK["volumes"])
    assert all((DEPLOY / SERVICES[name]["build"] / "Dockerfile").exists() for name in OURS)


def test_nothing_is_open_to_others() -> None:
    """Every port is published on this machine only, and every image has a version of its own."""
    published = [port for one in SERVICES.values() for port in one["ports"]]

    assert len(published) == len(SERVICES)
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert all(re.search(r":v?\d+\.\d+\.\d+$", one["image"]) for name, one in SERVICES.items() if name not in OURS)
    for name in OURS:
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_the_commands_are_ours() -> None:
    """What callbridge and the telephones are started with is what the program takes."""
    asked = {name: parser(SERVICES[name]["command"]).parse_args(SERVICES[name]["command"]) for name in OURS}

    assert {name: one.command for name, one in asked.items()} == {"callbridge": "serve", "phones": "simulator"}


def test_the_services_know_each_other() -> None:
    """Every address in the files is that of a service and its port, and both ends have the same secrets."""
    texts = [re.sub(r"image: .*", "", path.read_text()) for path in (FILE, *CONFIGS.rglob("*.y*ml"))]
    named = {found for text in texts for found in re.findall(rf"\b({'|'.join(SERVICES)}):(\d+)", text)}
    phones = " ".join(SERVICES["phones"]["command"])
    loaded = config.load(CONFIGS / "callbridge" / "callbridge.yaml")

    assert named <= set(PORTS.items())
    assert {"callbridge", "phones", "alertmanager", "grafana"} <= {name for name, _ in named}
    assert loaded.gateway.api_url == f"http://phones:{PORTS['phones']}/api"
    assert f"--key={(SECRETS / 'api_key').read_text()} " in phones
    assert f"/webhook/sms77/{(SECRETS / 'report_token').read_text()}" in phones
    assert all(f"--person={person.phone}=" in phones for person in loaded.people.values())
    given = mounts(SERVICES["alertmanager"])["/etc/alertmanager/alertmanager_token"]
    assert (DEPLOY / given).samefile(SECRETS / "alertmanager_token")


def test_the_files_are_faultless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each program has nothing to say of its own file, and the doctor nothing of Alertmanager's."""
    promtool, amtool = require("promtool", "prometheus"), require("amtool", "prometheus-alertmanager")
    desk = Desk(tmp_path)
    for command in (
        [promtool, "check", "config", desk.files / "compose" / "prometheus.yml"],
        [promtool, "check", "rules", "--lint-fatal", CONFIGS / "desk.rules.yml"],
        [promtool, "check", "web-config", CONFIGS / "callbridge" / "web.yaml"],
        [amtool, "check-config", CONFIGS / "alertmanager.yml"],
    ):
        told = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=30)
        assert told.returncode == 0, told.stdout + told.stderr
    ours = str(desk.files / "compose" / "callbridge" / "callbridge.yaml")

    assert main(["check-config", "--strict", ours]) == 0
    assert main(["doctor", "--strict", str(CONFIGS / "alertmanager.yml"), f"--config.file={ours}"]) == 0
    assert "SUCCESS: nothing found" in capsys.readouterr().out


# --- that a phone rings


class Desk:
    """A copy of deploy/ whose names, ports and paths are those of this machine; nothing listens on the ports yet."""

    def __init__(self, folder: Path) -> None:
        self.files, self.folder = folder / "deploy", folder
        shutil.copytree(DEPLOY, self.files, ignore=shutil.ignore_patterns("helm"))
        self.ports = {name: free_port() for name in SERVICES}
        for path in self.files.rglob("*.y*ml"):
            path.write_text(self.here(path.read_text()))
        for path in (self.files / "compose" / "callbridge" / "secrets").iterdir():
            path.chmod(0o600)

    def here(self, text: str, service: str = "") -> str:
        """The text with this machine's addresses and paths in it (of `service`: by its own mounts), and short times."""
        for name, port in PORTS.items():
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self.ports[name]}")
        for one in [SERVICES[service]] if service else SERVICES.values():
            for target, source in mounts(one).items():
                text = re.sub(rf"(?<![\w.-])(?<!:/){target}(?![\w.-])", str(self.place(source)), text)
        rules = (f"{self.files / folder}/*.rules.yml" for folder in ("compose", "prometheus"))
        text = text.replace("/etc/prometheus/rules/*.rules.yml", ", ".join(rules))
        return re.sub(r"(interval|for|group_wait): \d+s", r"\1: 1s", text)

    def place(self, source: str) -> Path:
        """A file of the project, or the folder that stands for a volume."""
        if source.startswith("."):
            return self.files / source
        (self.folder / source).mkdir(exist_ok=True)
        return self.folder / source

    @contextlib.contextmanager
    def running(self, name: str, program: list[str], *more: str) -> Iterator[Running]:
        """The service as the file starts it."""
        given = [self.here(one, name).replace(f"0.0.0.0:{PORTS[name]}", f"127.0.0.1:{self.ports[name]}")
                 for one in SERVICES[name]["command"]]  # fmt: skip
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*program, *given, *more], stdout=stream, stderr=stream, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
        try:
            yield Running(process, log)
        finally:
            process.terminate()
            process.wait(30)


@dataclass
class Running:
    """A service that runs, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, pattern: str, *others: Running) -> str:
        """All that it said, once it said `pattern`; what `others` said too, where it never does."""
        until = time.monotonic() + 40
        while not re.search(pattern, said := self.log.read_text()):
            alive = all(one.process.poll() is None for one in (self, *others))
            if not alive or time.monotonic() > until:
                raise AssertionError(said + "".join(one.log.read_text() for one in others))
            time.sleep(0.05)
        return said


def test_stopping_grafana_rings_a_phone(tmp_path: Path) -> None:
    """Prometheus finds Grafana gone, its rule fires, Alertmanager posts it, and Alice's phone rings."""
    prometheus = require("prometheus", "prometheus")
    alertmanager = require("prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
    desk = Desk(tmp_path)
    ours = [sys.executable, "-m", "bridge"]
    at = {name: f"--web.listen-address=127.0.0.1:{port}" for name, port in desk.ports.items()}
    with (
        desk.running("phones", ours) as phones,
        desk.running("callbridge", ours) as callbridge,
        desk.running("alertmanager", [alertmanager], at["alertmanager"], "--cluster.listen-address="),
    ):
        callbridge.wait_for("Listening on")
        with desk.running("prometheus", [prometheus], at["prometheus"]):
            said = phones.wait_for(r"ring +\+49 171 …67")

    assert "accept    +49 171 …67" in said
    assert (tmp_path / "callbridge" / "callbridge.db").exists()
    told = callbridge.log.read_text()
    assert re.search(r"msg=opened .*policy=default", told)
    # The Watchdog came too, and rings nobody.
    assert said.count("accept ") == 1
