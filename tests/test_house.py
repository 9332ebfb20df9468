"""The house keeps its own rules: what a reviewer would otherwise have to look for each time."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import __version__

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CODE = sorted((ROOT / "bridge").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

LONGEST_FUNCTION = 60
LONGEST_FILE = 400
# Words that say nothing of what a thing is.
SHUNNED = {"handler", "manager", "helper", "util", "utils", "service", "data", "item", "process", "do"}
# What a library calls its own methods, which we override.
THEIRS = {"process_bind_param", "process_result_value"}
# The packages that the design itself names; every other one has its reason in docs/decisions.
OBVIOUS = {"aiohttp", "jinja2", "prometheus-client", "pyyaml"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of the file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def committed() -> list[Path]:
    """Every text file that is or would be committed; without git, every one that a source archive carries."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
    else:
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*") if not any(p.startswith(".") for p in path.parts)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def pins(lock: str) -> dict[str, str]:
    """Package and version of each line of the lock file."""
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,-]+\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9.-]", one, maxsplit=1)[0].lower() for one in requirements}


def test_every_module_is_on_a_floor() -> None:
    """Each room of the package has its floor in the import contract, so that no import of it goes unchecked."""
    layers = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = {room for layer in layers for room in re.findall(r"\w+", layer)}
    rooms = {
        path.stem for path in (ROOT / "bridge").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert rooms - {"__init__"} <= floors


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    """No file is over 400 lines, no function over 60: what grows beyond that has become two things."""
    lines = len(path.read_text().splitlines())
    long = {
        one.name: one.end_lineno - one.lineno + 1
        for one in functions(path)
        if one.end_lineno is not None and one.end_lineno - one.lineno + 1 > LONGEST_FUNCTION
    }

    assert lines <= LONGEST_FILE
    assert long == {}


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_say_what_a_thing_is(path: Path) -> None:
    """No module, class or function is called by a word that fits everything."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds) and node.name not in THEIRS
    ]

    words = {word.lower() for name in [path.stem, *defined] for word in re.findall(r"[A-Z]?[a-z]+", name)}

    assert words & SHUNNED == set()


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_say_what_they_show(path: Path) -> None:
    """Each test states the behaviour in its docstring, so that a failure reads as a sentence."""
    silent = [one.name for one in functions(path) if one.name.startswith("test_") and not ast.get_docstring(one)]

    assert silent == []


def test_nothing_of_one_machine() -> None:
    """No file that is committed carries a path of somebody's machine or the address of a package registry."""
    somewhere = re.compile(
        r"(?<![\w.~-])/(?:home|root|Users|work|workspace|mnt|media|srv)/\w"
        r"|https?://[^\s\"']*(?:pypi\b|pythonhosted|/simple/)"
        r"|(?<![\w-])--(?:(?:extra-)?index-url|find-links|trusted-host)\b"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    )

    found = []
    for path in committed():
        text = path.read_bytes().decode(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in somewhere.finditer(text)]

    assert found == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_locks_pin_and_hash(lock: str) -> None:
    """Every line of a lock names one version and its hashes, so that what is installed is what was tested."""
    text = re.sub(r"\\\n", "", (ROOT / lock).read_text())
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]

    bad = [
        line
        for line in lines
        if not re.match(r"[a-z0-9.-]+(\[[a-z,-]+\])?==[\w.!]+( ;[^-]*)? +--hash=sha256:[0-9a-f]{64}", line)
    ]

    assert lines
    assert bad == []


def test_locks_agree() -> None:
    """What tests run with is what runs: both locks hold every dependency, in one version."""
    run, dev, build = pins("requirements.lock"), pins("requirements-dev.lock"), pins("requirements-build.lock")
    project = PYPROJECT["project"]

    assert names(project["dependencies"]) <= set(run)
    assert names(project["optional-dependencies"]["dev"]) <= set(dev)
    assert names(PYPROJECT["build-system"]["requires"]) <= set(build)
    assert run.items() <= dev.items()
    assert build.items() <= dev.items()


def test_each_dependency_has_its_reason() -> None:
    """A dependency that the design does not name is argued for in docs/decisions, with its consequences."""
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    texts = [record.read_text() for record in records]

    unexplained = {
        name
        for name in names(PYPROJECT["project"]["dependencies"]) - OBVIOUS
        if not any(re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) for text in texts)
    }

    assert unexplained == set()
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    assert all(re.search(r"(?s)## Context.*## Decision.*## Consequences", text) for text in texts)


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", dockerfile))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def test_dockerfile() -> None:
    """The image runs as nobody, starts without a shell, keeps its data in a volume, and holds no way to build."""
    steps = instructions((ROOT / "Dockerfile").read_text())
    last = steps[max(index for index, (verb, _) in enumerate(steps) if verb == "FROM") :]
    by_verb = dict(last)

    assert sum(verb == "FROM" for verb, _ in steps) == 2
    assert by_verb["USER"] == "65534:65534"
    assert by_verb["ENTRYPOINT"] == '["callbridge"]'
    assert by_verb["CMD"] == (
        '["serve", "--config.file=/etc/callbridge/callbridge.yaml", "--web.config.file=/etc/callbridge/web.yaml", '
        '"--web.listen-address=0.0.0.0:10077"]'
    )
    assert by_verb["EXPOSE"] == "10077"
    assert by_verb["VOLUME"] == "/var/lib/callbridge"
    assert "PYTHONDONTWRITEBYTECODE=1" in by_verb["ENV"]
    assert not any("pip" in argument for verb, argument in last if verb == "RUN")


def test_image_is_made_of_what_is_named() -> None:
    """Only locked packages and named files get into the image: no ADD, and nothing that is not listed."""
    steps = instructions((ROOT / "Dockerfile").read_text())
    ignored = (ROOT / ".dockerignore").read_text().split()
    admitted = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        name
        for verb, argument in steps
        if verb == "COPY" and "--from" not in argument
        for name in argument.split()[:-1]
    }
    installs = [
        command
        for verb, argument in steps
        if verb == "RUN"
        for command in argument.split("&&")
        if re.search(r"\bpip\b.* install\b", command)
    ]

    assert "ADD" not in {verb for verb, _ in steps}
    assert "*" in ignored
    assert copied == admitted
    assert len(installs) == 3
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)


def test_image_has_the_version() -> None:
    """The label of the image says the version of the package."""
    steps = instructions((ROOT / "Dockerfile").read_text())

    assert ("ARG", f"VERSION={__version__}") in steps


def test_make_help() -> None:
    """`make` without a verb tells what there is, each verb with a line."""
    told = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout

    verbs = re.findall(r"^  make (\w+) +\S", told, re.MULTILINE)

    assert verbs == ["help", "demo", "test", "check", "bench", "dashboards", "pictures", "image", "lock", "clean"]


def test_make_refuses_an_old_python() -> None:
    """A Python that is too old (or none at all) is told in one line, with what to do."""
    told = subprocess.run(
        ["make", "-s", "python", "PYTHON=false"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )

    assert told.returncode != 0
    assert "needs Python 3.11 or newer" in told.stderr


@pytest.mark.parametrize("script", [".ci/run", ".ci/servers", ".ci/helm"])
def test_scripts(script: str) -> None:
    """The scripts can be run, and the shell can read them."""
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["sh", "-n", ROOT / script], check=True, timeout=30)


def test_wheel(tmp_path: Path) -> None:
    """The wheel carries templates, the page, example config and migrations, and puts the command on the path."""
    pytest.importorskip("hatchling", reason="hatchling is missing: make test")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        commands = archive.read(f"callbridge-{__version__}.dist-info/entry_points.txt").decode()
        about = archive.read(f"callbridge-{__version__}.dist-info/METADATA").decode()

    templates = {f"bridge/_templates/{path.name}" for path in (ROOT / "templates").glob("*.j2")}
    modules = {str(path.relative_to(ROOT)) for path in CODE}
    page = {
        str(path.relative_to(ROOT))
        for folder in ("templates", "static")
        for path in (ROOT / "bridge/web" / folder).iterdir()
    }
    assert templates
    assert len(page) > 15
    assert templates | modules | page | {"bridge/config.example.yaml"} <= held
    assert "callbridge = bridge.__main__:main" in commands
    assert "License-Expression: Apache-2.0" in about
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in held)
