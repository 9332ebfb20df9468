"""The container image: built from the committed Dockerfile by buildah, and run as nobody with a read-only root."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from bridge import __version__
from tests.base_image import make_base
from tests.ports import free_port
from tests.requirements import require
from tests.serving import ROOT
from tests.wheels import pip_conf, wheelhouse

# What a container engine does, without one: the root read-only, a volume, the config, and no rights at all.
CONTAINER = """
set -eu
root=$1 config=$2 home=$3 user=$4
shift 4
mount --bind "$root" "$root"
mount -t tmpfs -o mode=0700,uid="${user%:*}",gid="${user#*:}" data "$root$home"
mount --bind "$config" "$root/etc/callbridge"
mount -o remount,bind,ro "$root/etc/callbridge"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs unshare --root="$root" --wd="$home" --setgid="${user#*:}" --setuid="${user%:*}" "$@"
"""
TRY = """
import os
def tried(path):
    try:
        with open(path, "w"):
            return "written"
    except OSError as error:
        return error.strerror
print(os.getuid(), os.getgid(), os.getgroups())
print(next(line for line in open("/proc/self/status") if line.startswith("CapEff")).split()[1])
print(*map(tried, ("/opt/callbridge/x", "/etc/callbridge/x", "/tmp/x", "/var/lib/callbridge/x")), sep="; ")
"""
CONFIG = """
storage: {url: sqlite:////var/lib/callbridge/callbridge.db}
gateway: {api_key_file: key}
webhooks: {alertmanager: {credentials_file: key}, sms77: {token_file: key}}
people: {alice: {phone: +491711234567}}
policies: {default: {steps: [{call: [alice]}]}}
route: {policy: default}
"""


@dataclass(frozen=True)
class Image:
    """The image: what it says of itself, where its root is mounted, and where its config lies."""

    about: dict[str, Any]
    root: Path
    config: Path

    def command(self, *arguments: str, entry: Sequence[str] | None = None) -> list[str]:
        """The image's entry (or `entry`) with these arguments, as a container engine would start it."""
        inside = [*(self.about["Entrypoint"] if entry is None else entry), *arguments]
        given = (self.root, self.config, self.about["WorkingDir"], self.about["User"])
        container = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", CONTAINER, "sh"]
        return ["env", "-i", *self.about["Env"], *container, *map(str, given), *inside]

    def run(self, *arguments: str, entry: Sequence[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = self.command(*arguments, entry=entry)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Built once; what buildah keeps lies in a folder of its own."""
    buildah = require("buildah", "buildah")
    if os.getuid() != 0:
        pytest.skip("mounting the image's root needs root")
    driver = "overlay" if "\toverlay\n" in Path("/proc/filesystems").read_text() else "vfs"
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    store = [buildah, f"--root={folder / 'root'}", f"--runroot={folder / 'run'}", f"--storage-driver={driver}"]

    def build(*arguments: str | Path) -> str:
        told = subprocess.run(
            [*store, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout.strip()

    try:
        _base(folder, build)
        pip = pip_conf(folder, "/wheels")
        volumes = (f"--volume={wheelhouse()}:/wheels:ro", f"--volume={pip}:/etc/pip.conf:ro")
        arguments = ("--build-arg=BASE=localhost/base", "--build-arg=REVISION=abc", *volumes)
        build("bud", "--isolation=chroot", *arguments, "--tag=localhost/it", ".")
        about = json.loads(build("inspect", "--type=image", "localhost/it"))["OCIv1"]["config"]
        root = Path(build("mount", build("from", "localhost/it")))
        yield Image(about, root, _config(folder / "etc"))
    finally:
        subprocess.run([*store, "rm", "--all"], capture_output=True, check=False, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _base(folder: Path, build: Any) -> None:
    make_base(folder / "base")
    container = build("from", "scratch")
    build("copy", "--quiet", container, folder / "base", "/")
    build("config", "--env=PATH=/usr/local/bin:/usr/bin:/bin", container)
    build("commit", "--quiet", container, "localhost/base")
    build("rm", container)


def _config(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    password = bcrypt.hashpw(b"an-invented-password", bcrypt.gensalt(4)).decode()
    files = {"callbridge.yaml": CONFIG, "key": "an-invented-key", "web.yaml": f"basic_auth_users: {{me: {password}}}\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
        os.chown(folder / name, 65534, 65534)
        (folder / name).chmod(0o400)
    return folder


def test_what_the_image_says(image: Image) -> None:
    """It runs as nobody, keeps its data in a volume, tells its revision, and knows where its program is."""
    about = image.about

    assert (about["User"], about["WorkingDir"], about["Entrypoint"]) == (
        "65534:65534",
        "/var/lib/callbridge",
        ["callbridge"],
    )
    assert about["Volumes"] == {"/var/lib/callbridge": {}}
    assert about["Labels"]["org.opencontainers.image.revision"] == "abc"
    assert "CALLBRIDGE_REVISION=abc" in about["Env"]


def test_it_can_write_nothing_but_its_data(image: Image) -> None:
    """As 65534 with no capability: everything but the volume is a read-only file system."""
    told = image.run("-c", TRY, entry=["python"])

    assert told.stderr == ""
    who, capabilities, tried = told.stdout.splitlines()
    assert (who, int(capabilities, 16)) == ("65534 65534 []", 0)
    assert tried.split("; ") == [*["Read-only file system"] * 3, "written"]


def test_there_is_nothing_to_build_with(image: Image) -> None:
    """The program's environment has no pip left, and every module of it is compiled, for it cannot be later."""
    packages = next(image.root.glob("opt/callbridge/lib/python3.*/site-packages"))
    sources = set((packages / "bridge").rglob("*.py"))
    compiled = [*(packages / "bridge").rglob("*.pyc")]

    assert not (packages / "pip").exists()
    assert len(sources) > 100
    assert {one.parent.parent / f"{one.name.partition('.')[0]}.py" for one in compiled} == sources
    # Taken as they are, whatever the time stamps say: flags 1, PEP 552.
    assert {one.read_bytes()[4:8] for one in compiled} == {b"\1\0\0\0"}


def test_the_commands(image: Image) -> None:
    """Its entry tells the version, and finds nothing wrong with the config that is mounted."""
    version = image.run("--version")
    checked = image.run("check-config", "--strict", "/etc/callbridge/callbridge.yaml")

    assert (version.returncode, version.stdout.split(" (")[0]) == (0, f"callbridge, version {__version__}")
    assert (checked.returncode, checked.stdout) == (0, "/etc/callbridge/callbridge.yaml: SUCCESS\n")


def test_it_serves(image: Image, tmp_path: Path) -> None:
    """What it starts by itself becomes healthy and ready, and asks for a password."""
    address = f"127.0.0.1:{free_port()}"
    arguments = [one.replace("0.0.0.0:10077", address) for one in image.about["Cmd"]]
    assert arguments != image.about["Cmd"]
    with serving(image.command(*arguments), tmp_path / "log"):
        assert answer(f"http://{address}/-/ready", tmp_path / "log") == (200, "OK")
        assert answer(f"http://{address}/-/healthy", tmp_path / "log") == (200, "OK")
        assert answer(f"http://{address}/metrics", tmp_path / "log")[0] == 401


@contextlib.contextmanager
def serving(command: list[str], log: Path) -> Iterator[None]:
    with (
        log.open("wb") as stream,
        subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True) as running,
    ):
        try:
            yield
        finally:
            # To the whole group: unshare itself passes no signal on.
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(30)


def answer(url: str, log: Path) -> tuple[int, str]:
    """What `url` answers, once anybody does."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status, response.read().decode().strip()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return error.code, ""
        except OSError:
            pass  # nobody listens yet
        time.sleep(0.1)
    raise AssertionError(log.read_text())
