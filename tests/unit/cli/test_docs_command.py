"""`uscdr docs`: topics, one topic, a search; in a pipe and on a terminal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import uscdr.installation
from uscdr.cli import main
from uscdr.installation import documents
from uscdr.ui import pager

ROOT = Path(__file__).parents[3]
Captured = pytest.CaptureFixture[str]


def test_every_page_is_a_topic_with_a_title_and_a_line(capsys: Captured) -> None:
    assert main.run(["--json", "docs"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["topic"] for one in rows} == {"readme", *(page.stem for page in (ROOT / "docs").glob("*.md"))}
    assert all(one["title"] and one["summary"] and len(one["summary"]) <= 100 for one in rows)


def test_in_a_pipe_a_topic_is_its_markdown(capsys: Captured) -> None:
    for name in ("recovery", "recovery.md", "docs/recovery.md"):
        assert main.run(["docs", name]) == 0
        assert capsys.readouterr().out == (ROOT / "docs" / "recovery.md").read_text()


def test_an_unknown_topic_names_the_closest(capsys: Captured) -> None:
    assert main.run(["docs", "recvoery"]) == 2
    shown = capsys.readouterr().err
    assert "The closest is recovery." in shown
    assert "uscdr docs recovery" in shown


def test_a_search_finds_sections_by_the_beginning_of_a_word(capsys: Captured) -> None:
    assert main.run(["--json", "docs", "--search", "LEASE"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"schema", "topic", "section", "line", "text"} == set(rows[0])
    assert any(one["topic"] == "team" for one in rows)
    assert not any("release" in one["text"] and "lease" not in one["text"].replace("release", "") for one in rows)
    for one in rows:
        page = ROOT / "README.md" if one["topic"] == "readme" else ROOT / "docs" / f"{one['topic']}.md"
        assert "lease" in page.read_text().splitlines()[one["line"] - 1].lower()


def test_a_search_that_finds_nothing_ends_with_1(capsys: Captured) -> None:
    assert main.run(["docs", "--search", "xylophone"]) == 1
    assert "No section mentions “xylophone”." in capsys.readouterr().out


def test_a_topic_and_a_search_exclude_each_other() -> None:
    assert main.run(["docs", "kit", "--search", "kit"]) == 2


def test_the_pages_of_a_wheel_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "uscdr"
    (package / "docs").mkdir(parents=True)
    shutil.copy(ROOT / "README.md", package / "docs")
    shutil.copy(ROOT / "docs" / "kit.md", package / "docs")
    monkeypatch.setattr(uscdr.installation, "__file__", str(package / "installation.py"))
    assert [path.name for path in documents()] == ["README.md", "kit.md"]
    assert all(package in path.parents for path in documents())


def test_an_installation_without_pages_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(uscdr.installation, "__file__", str(tmp_path / "a" / "b" / "installation.py"))
    assert main.run(["docs"]) == 3
    assert "This installation has no documentation." in capsys.readouterr().err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from uscdr.ui.console import OutputStream

    monkeypatch.setattr(OutputStream, "is_tty", property(lambda self: True))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_on_a_terminal_it_is_formatted_and_paged(
    terminal: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    keeper = tmp_path / "keeper"
    keeper.write_text(f'#!/bin/sh\ncat >"{tmp_path}/paged"\n')
    keeper.chmod(0o700)
    monkeypatch.setenv("PAGER", str(keeper))
    assert main.run(["docs", "safety"]) == 0
    paged = (tmp_path / "paged").read_text()
    assert "\x1b[" in paged
    assert "What makes it safe" in paged
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["no-such-pager", "'unclosed", "false"])
def test_without_a_pager_that_works_it_is_printed(
    terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured, name: str
) -> None:
    monkeypatch.setenv("PAGER", name)
    assert main.run(["--no-color", "docs", "safety"]) == 0
    shown = capsys.readouterr().out
    assert "What makes it safe" in shown
    assert "\x1b[" not in shown
    assert pager._pager() is None or name == "false"
