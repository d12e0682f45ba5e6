"""What the pages name is there: links, files, functions in files, rooms in the picture, keys of scenarios.yaml."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from uscdr.journal.reader import RENAMED
from uscdr.models.base import Fact
from uscdr.models.data_settings import AccessTables
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_app import ApplicationConfig, ConfigManifest, Recovery
from uscdr.scenarios.config_targets import CloudinaryTarget, DnsTarget, HerokuTarget

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "uscdr"
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md")])
ARCHITECTURE, CONFIGURATION = DOCS / "architecture.md", DOCS / "configuration.md"
OF_CODE = (ARCHITECTURE, DOCS / "development.md")

SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAMED = re.compile(r"(?P<path>[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|json|yaml|toml|svg)))(?::(?P<name>[A-Za-z_][\w.]*))?")
"""A path as the pages write it: a folder with its slash, or a file, perhaps with a name in it."""


def named(text: str) -> Iterator[tuple[str, str]]:
    """Paths in backticks, each with the name in it that is meant, or nothing."""
    for span in SPAN.findall(text):
        if found := NAMED.fullmatch(span):
            yield found["path"], found["name"] or ""


def located(path: str) -> Path | None:
    """In the package, the repository or among the pages."""
    return next((base / path for base in (SOURCE, ROOT, DOCS) if (base / path).exists()), None)


def missing(text: str) -> list[str]:
    """What a page names and nobody has."""
    wrong = []
    for path, name in named(text):
        found = located(path)
        if found is None or (name and name not in defined(found)):
            wrong.append(f"{path}:{name}" if name else path)
    return wrong


@cache
def defined(path: Path) -> frozenset[str]:
    """The names of a module, those in its classes as `Class.name`."""
    return frozenset(_defined(ast.parse(path.read_text()).body, ""))


def _defined(body: Iterable[ast.stmt], before: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name):
                yield before + name
            case ast.ClassDef(name=name):
                yield before + name
                yield from _defined(node.body, f"{before}{name}.")
            case ast.Assign(targets=targets):
                yield from (before + one.id for one in targets if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield before + name


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in HEADING.findall(page.read_text())}


def broken(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere."""
    wrong = []
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and (not target.is_file() or (anchor and anchor not in anchors(target))):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text()) == []


@pytest.mark.parametrize("page", OF_CODE, ids=lambda page: page.name)
def test_files_and_functions_are_there(page: Path) -> None:
    assert len(list(named(page.read_text()))) > 10
    assert missing(page.read_text()) == []


def test_a_wrong_one_is_found() -> None:
    assert missing("`engine/step.py:Step.probe`, `docs/`, `scenarios.yaml`, `runs list`, `a/b`") == []
    assert missing("`engine/steps.py`") == ["engine/steps.py"]
    assert missing("`engine/step.py:Step.prob`") == ["engine/step.py:Step.prob"]
    links = "[a](safety.md) [b](safty.md) [c](recovery.md#how-long-will-it-take) [d](recovery.md#and-on)"
    assert broken(ARCHITECTURE, links) == ["safty.md", "recovery.md#and-on"]


def test_others_lead_to_the_page() -> None:
    for page in (ROOT / "README.md", DOCS / "development.md"):
        assert any(link.rpartition("/")[2] == ARCHITECTURE.name for link in LINK.findall(page.read_text())), page.name


def layers() -> list[set[str]]:
    """The rooms, highest first, as the imports are checked."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rows = next(one["layers"] for one in contracts if one["type"] == "layers")
    return [{name.strip(" ()") for name in row.split("|")} for row in rows]


def test_the_picture_shows_the_rooms_in_their_rows() -> None:
    drawn: dict[float, set[str]] = {}
    heights = {}
    for one in ET.parse(DOCS / "architecture.svg").iter():
        if one.tag.endswith("}rect"):
            heights[float(one.attrib["y"])] = float(one.attrib["height"])
        if one.attrib.get("class") == "room":
            y = float(one.attrib["y"])
            row = max(top for top, height in heights.items() if top < y < top + height)
            drawn.setdefault(row, set()).add(str(one.text))
    assert [drawn[row] for row in sorted(drawn)] == layers()


def test_the_page_describes_every_package() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    told = set(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE.read_text(), re.MULTILINE))
    assert packages - told == set()
    assert told <= packages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_uses_an_older_name_of_a_step(page: Path) -> None:
    assert [name for name in RENAMED if name in page.read_text()] == []


REFUSED = {"source.git", "source.status_url"}
"""Named besides in the table of what a file may not decide."""


def keys(heading: str = "") -> set[str]:
    """In the first column of the tables of the page about the configuration, or of those below one heading."""
    text = CONFIGURATION.read_text()
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0] if heading else text
    cells = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {key.lstrip(".") for cell in cells for key in SPAN.findall(cell)}


def test_every_section_of_the_configuration_is_documented() -> None:
    assert set(Config.model_fields) - {key.partition(".")[0] for key in keys()} == set()


@pytest.mark.parametrize(
    ("heading", "before", "model"),
    [
        ("`recovery`", "", Recovery),
        ("", "app.", ApplicationConfig),
        ("", "config.", ConfigManifest),
        ("A target", "heroku.", HerokuTarget),
        ("A target", "cloudinary.", CloudinaryTarget),
        ("A target", "dns.", DnsTarget),
    ],
)
def test_every_key_is_documented_and_no_other(heading: str, before: str, model: type[Fact]) -> None:
    told = {key.removeprefix(before) for key in keys(heading) if key.startswith(before)}
    assert told - REFUSED == set(model.model_fields)


def test_what_may_be_said_of_access_is_documented() -> None:
    told = set(SPAN.findall(CONFIGURATION.read_text() + (DOCS / "recovery-reference.md").read_text()))
    assert set(AccessTables.model_fields) <= told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_this_checkout(page: Path) -> None:
    assert str(ROOT) not in page.read_text()


def test_the_page_of_questions_names_every_answer() -> None:
    """Each tuple of answers that is given to `choose`, by the constants of its module."""
    page = (DOCS / "questions.md").read_text()
    found = 0
    for path in (ROOT / "src" / "uscdr").rglob("*.py"):
        tree = ast.parse(path.read_text())
        named = dict(_constants(tree))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if not ast.unparse(call.func).endswith(".choose") or not isinstance(call.args[-1], ast.Tuple):
                continue
            for one in call.args[-1].elts:
                text = str(one.value) if isinstance(one, ast.Constant) else named[ast.unparse(one)]
                found += 1
                assert f"`{text}`" in page, (path.name, text)
    assert found >= 15


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The texts that names of a module stand for: `A = "a"` and `A, B = "a", "b"`."""
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        (target,) = node.targets
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield name.id, value.value
