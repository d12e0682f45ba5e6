"""The manual pages, read by the programs for them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from needed import needs

from tools.pages.files import MAN

PAGES = sorted(MAN.glob("*.1"))


def ran(*words: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_groff_has_no_complaint(page: Path) -> None:
    assert ran(needs("groff"), "-man", "-Tutf8", "-ww", "-z", page) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_no_complaint(page: Path) -> None:
    """But that it has no date: a page changes with the program, whose version it names."""
    done = subprocess.run([needs("mandoc"), "-Tlint", "-Wwarning", page], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if "missing date" not in line] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whatis_finds_the_name_and_the_line(page: Path) -> None:
    told = ran(needs("lexgrog"), page)
    assert f'"{page.stem} - ' in told


def test_man_shows_it(tmp_path: Path) -> None:
    shown = ran(
        needs("man"), "-l", MAN / "uscdr-recover.1", env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PAGER": "cat"}
    )
    assert "uscdr recover db [OPTIONS]" in shown
    assert "uscdr recover db --backup b001 --confirm PHRASE" in shown
    assert "EXIT STATUS" in shown
