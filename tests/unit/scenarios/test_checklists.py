"""Which checks a wish means, and what a line of the checklists adds up to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from uscdr.checks.check import ManualCheck
from uscdr.errors import BadInput
from uscdr.scenarios.checks import ChecklistLine, CheckRequest, CheckSelection, _worst
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

CONFIG = load(packaged()).config
BOXES = re.findall(r"^\| `(db|app|integration)` \| ([^|]+?) \|", Path("docs/checklists.md").read_text(), re.MULTILINE)


def test_every_box_of_the_runbook_has_a_check_that_runs_without_a_person_and_without_writes() -> None:
    assert len(BOXES) == 22
    ours = [(key, item.item) for key, one in CONFIG.checklists.items() for item in one.items]
    assert ours == BOXES
    for one in CONFIG.checklists.values():
        for item in one.items:
            specs = [CONFIG.checks[name] for name in item.checks]
            assert any(not spec.writes and not isinstance(spec, ManualCheck) for spec in specs), item.item


def test_all_is_everything_that_only_looks() -> None:
    chosen = CheckSelection.of(CONFIG, CheckRequest())
    assert {check.name for check in chosen.checks} == {n for n, spec in CONFIG.checks.items() if not spec.writes}
    assert len(chosen.lines) == 22
    assert not any(check.spec.writes for check in chosen.checks)


def test_writes_only_when_allowed() -> None:
    chosen = CheckSelection.of(CONFIG, CheckRequest(allow_writes=True))
    assert {check.name for check in chosen.checks} == set(CONFIG.checks)
    with pytest.raises(BadInput, match="writes"):
        CheckSelection.of(CONFIG, CheckRequest(patterns=("mail-sent",)))


@pytest.mark.parametrize(
    ("which", "patterns", "wanted"),
    [
        ("all", ("homepage",), {"homepage"}),
        ("all", ("certificate-*",), {"certificate-html", "certificate-pdf", "certificate-template"}),
        ("db", ("certificate-p*", "feedback"), {"certificate-pdf", "feedback"}),
        ("integration", ("certificate",), {"certificate"}),
    ],
)
def test_names_singly_by_glob_and_by_list(which: str, patterns: tuple[str, ...], wanted: set[str]) -> None:
    assert {check.name for check in CheckSelection.of(CONFIG, CheckRequest(which, patterns)).checks} == wanted


@pytest.mark.parametrize(
    "wish", [CheckRequest("everything"), CheckRequest(patterns=("no-such",)), CheckRequest("db", ("certificate",))]
)
def test_what_is_not_there_is_refused(wish: CheckRequest) -> None:
    with pytest.raises(BadInput):
        CheckSelection.of(CONFIG, wish)


def test_manual_checks_that_are_skipped_are_named() -> None:
    chosen = CheckSelection.of(CONFIG, CheckRequest(skip_manual=True))
    assert set(chosen.skipped) == {"menus-by-eye", "monitor-by-eye"}
    assert not {check.kind for check in chosen.checks} & {"manual"}
    assert len(chosen.lines) == 22
    assert [line.skipped for line in chosen.lines if line.skipped] == [("menus-by-eye",), ("monitor-by-eye",)]


def test_only_passes_make_a_pass() -> None:
    assert _worst(["pass", "pass"]) == "pass"
    assert _worst(["pass", "not checked"]) == "not checked"
    assert _worst(["not checked", "inconclusive", "pass"]) == "inconclusive"
    assert _worst(["inconclusive", "fail"]) == "fail"
    assert _worst([]) == "not checked"
    assert ChecklistLine("db", "x", ("a", "b")).verdict({"a": "pass"}) == "inconclusive"
