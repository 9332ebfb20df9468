"""What the file points to, and files that cannot be read: secrets, the database, folders, strange bytes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config import Secret, Storage, check, load, redacted
from bridge.errors import CallbridgeError
from tests.configuring import SMALL, about, faults, write


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    """Secrets, the database and templates are looked for from the file's folder; absolute paths stay."""
    text = SMALL + "storage: {url: 'sqlite:////var/lib/c.db?timeout=3'}\ntemplates: [a, /b]\n"
    config = load(write(tmp_path, text))
    assert config.storage.url == "sqlite:////var/lib/c.db?timeout=3"
    assert config.templates == (tmp_path / "a", Path("/b"))
    assert config.gateway.api_key == Secret(tmp_path / "key")


def test_url_from_a_file(tmp_path: Path) -> None:
    """The database's URL may lie in a file of its own; what is wrong in there is told without showing it."""
    path = write(tmp_path, SMALL + "storage: {url_file: database}\n")
    (tmp_path / "database").write_text("sqlite:///other.db\n")
    assert load(path).storage.url == f"sqlite:///{tmp_path}/other.db"
    (tmp_path / "database").write_text("mysql://me:hush@db/callbridge\n")
    (fault,) = faults(path)
    assert fault.where == "storage.url_file"
    assert "hush" not in str(fault)
    (tmp_path / "database").write_text("postgresql://me:hush@db/callbridge\n")
    assert load(path).storage.url == "postgresql://me:hush@db/callbridge"
    assert "hush" not in "".join(str(fault) for fault in check(path))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgresql://db/callbridge", "postgresql://db/callbridge"),
        ("postgresql://me:hush@db:5432/callbridge", "postgresql://me:<secret>@db:5432/callbridge"),
        ("postgresql://me:hu@sh@db/callbridge?password=hush", "postgresql://me:<secret>@db/callbridge"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """A database's URL is shown without its password, and so is everything that holds it."""
    assert redacted(url) == shown
    assert "hush" not in repr(Storage(url, timedelta(days=1)))


def test_secret_is_read_at_use(tmp_path: Path) -> None:
    """A secret that changes is read anew, without the white space around it; its repr shows the path alone."""
    path = tmp_path / "key"
    path.write_text("  first\n")
    secret = Secret(path)
    assert secret.read() == "first"
    path.write_text("second\n")
    assert secret.read() == "second"
    assert repr(secret) == f"Secret(path={path!r})"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"abc\r\nX-Evil: 1", "more than one line"),
        (b"a" * 20_000, "more than one line"),
        (None, "cannot read the secret: No such file"),
    ],
)
def test_secret_that_cannot_be_used(tmp_path: Path, content: bytes | None, what: str) -> None:
    """A secret that is missing, empty or no single line of text is an error that names the file, not the content."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CallbridgeError, match=what) as caught:
        Secret(path).read()
    assert str(path) in str(caught.value)
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_secret_that_everybody_can_read(tmp_path: Path, mode: int, told: bool) -> None:
    """A secret that the whole machine can read is doubted; one for the owner and their group is not."""
    key = tmp_path / "key"
    key.write_text("invented")
    key.chmod(mode)
    doubts = [str(fault) for fault in about(check(write(tmp_path, SMALL)), "gateway.api_key_file")]
    assert any("everybody on this machine" in doubt for doubt in doubts) is told
    assert "invented" not in "".join(doubts)


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is no UTF-8 are faults with a place, like any other."""
    (missing,) = check(tmp_path / "none.yaml")
    assert str(missing).startswith(f"{tmp_path}/none.yaml:1:1: file: cannot be read: No such file")
    (folder,) = check(tmp_path)
    assert "Is a directory" in folder.what
    path = tmp_path / "latin.yaml"
    path.write_bytes("global: {}\npeople: {j: {name: Jörg}}\n".encode("latin-1"))
    (long,) = check(Path("/dev/zero"))
    assert "is longer than 16 MiB" in long.what
    (latin,) = check(path)
    assert (latin.line, latin.column) == (2, 21)
    assert "UTF-8" in latin.what


def test_names_too_long_for_a_file_system(tmp_path: Path) -> None:
    """A path that no file system can hold is doubted like one that is missing, wherever it stands."""
    long = "x" * 5000
    text = f"templates: [{long}]\nschedules: {{s: {{ical: {{file: {long}}}}}}}\nstorage: {{url: sqlite:///{long}.db}}\n"
    found = check(write(tmp_path, SMALL.replace("file: key", f"file: {long}1") + text))
    assert {fault.where for fault in found} >= {"templates[0]", "schedules.s.ical.file", "gateway.api_key_file"}


def test_a_secret_that_cannot_be_reached(tmp_path: Path) -> None:
    """A secret that is empty, or whose folder is no folder, is doubted in words."""
    (tmp_path / "key").write_text("")
    path = write(tmp_path, SMALL)
    (fault,) = about(check(path), "gateway.api_key_file")
    assert "the file is empty" in fault.what
    assert fault.what.endswith("until that is mended every call is refused")
    (fault,) = about(check(write(tmp_path, SMALL.replace("file: key", "file: key/key"))), "gateway.api_key_file")
    assert "cannot be read (Not a directory)" in fault.what


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Editors that put a mark before UTF-8 do no harm."""
    assert faults(write(tmp_path, "\ufeff" + SMALL)) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: \x01\n", (1, 4)),
        ('a: b\nc: "\\U00110000"\n', (2, 7)),
        ('a: b\nc: "\\ud800"\n', (2, 4)),
        ('a: b\nc: "\\0"\n', (2, 4)),
        ("%YAML 9.9\n---\na: b\n", (1, 1)),
        ("", (1, 1)),
        ("# nothing\n", (1, 1)),
    ],
)
def test_characters_that_cannot_be(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    """Characters and escapes that no text can hold are told with their place."""
    found = faults(write(tmp_path, text))
    assert place in [(fault.line, fault.column) for fault in found]
