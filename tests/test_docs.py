"""The documents hang together: each can be found, and each link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.serving import ROOT

DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def prose(page: Path) -> str:
    """The page without its code, in which brackets mean something else."""
    return re.sub(r"(?ms)^ *```.*?^ *```|`[^`\n]*`", "", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Where the page points to within the project."""
    found = [first or second for first, second in LINK.findall(prose(page))]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are pointed at, as GitHub makes them."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text(encoding="utf-8"))
    headings = re.findall(r"(?m)^#+ +(.+?) *$", text)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file that is there, and to a heading that it has."""
    lost = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)

    assert lost == []


def test_every_document_is_in_the_table_of_contents() -> None:
    """docs/README.md leads to every document beside it, or to the folder that it lies in."""
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(INDEX)}
    wanted = [page for page in DOCS.rglob("*") if page.is_file() and page != INDEX]

    unlinked = [str(page.relative_to(DOCS)) for page in wanted if not linked & {page, *page.parents}]

    assert unlinked == []
    assert DOCS not in linked


def test_the_threat_model_names_tests_that_are_there() -> None:
    """Each row of docs/threat-model.md names a test that shows it, and every test that it names can be found."""
    text = (DOCS / "threat-model.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    lost = [(file, name) for file, name in named if not re.search(rf"^(async )?def {name}\(", read(file), re.M)]
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.endswith("| shown by |")]

    assert lost == []
    assert [row for row in rows if "`tests/" not in row] == []
    assert len(rows) > 15


def read(file: str) -> str:
    """A file of the project; "" where there is none."""
    path = ROOT / file
    return path.read_text() if path.exists() else ""


def test_the_reliability_table_names_what_is_there() -> None:
    """Every test and every benchmark that docs/reliability.md names as its proof exists."""
    text = (DOCS / "reliability.md").read_text()
    named = set(re.findall(r"tests/[\w/]+\.py", text))
    benchmarks = {f"benchmarks/{name}.py" for name in re.findall(r"python -m benchmarks\.(\w+)", text)}

    assert named
    assert benchmarks
    assert [one for one in sorted(named | benchmarks) if not (ROOT / one).is_file()] == []
