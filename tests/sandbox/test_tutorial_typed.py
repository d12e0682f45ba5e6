"""The tutorial, typed line by line on a sandbox, by somebody with an empty HOME."""

from __future__ import annotations

from pathlib import Path

import pytest

from newcomer import CODES, GIVEN, LATER, README, TAKEN, TUTORIAL, Line, Newcomer, follow, lines, unread


def test_every_line_works_as_it_stands(newcomer: Newcomer) -> None:
    assert sum(line.is_run for line in lines(TUTORIAL)) > 30
    follow(TUTORIAL, newcomer)


def test_what_is_not_run_is_a_command_line_of_the_program() -> None:
    assert unread(TUTORIAL) == ["uscdr version"]


def test_every_section_and_line_that_is_named_is_there() -> None:
    found = [line for page in (README, TUTORIAL) for line in lines(page)]
    assert set(CODES) <= {f"{line.section}: {line.text}" for line in found}
    assert {*GIVEN, *TAKEN} <= {line.section for line in found}
    assert all(f"## {section}\n" in README.read_text() + TUTORIAL.read_text() for section in LATER)


def test_a_line_is_found_with_its_section_and_without_its_comment(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n## Part\n\ntext\n\n    uscdr recover db   # asks\n    uscdr runs resume RUN\n")
    assert list(lines(page)) == [Line("Part", "uscdr recover db"), Line("Part", "uscdr runs resume RUN")]
    assert [line.asks for line in lines(page)] == [True, False]
    assert [line.is_run for line in lines(page)] == [True, False]


def test_a_page_that_is_wrong_is_found(tmp_path: Path, newcomer: Newcomer) -> None:
    page = tmp_path / "page.md"
    page.write_text('# Title\n\n    export A=1\n    uscdr help "$A"\n')
    with pytest.raises(AssertionError, match="exit 2"):
        follow(page, newcomer)
