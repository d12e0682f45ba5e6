"""What an installation consists of, and whether the audit of it says more than it knows."""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from tools import audit, sbom
from tools.audit import CLEAN, FOUND, UNKNOWN, judge
from uscdr.installation import MODULES

WANTED = {"httpx": "0.28.1", "typing-extensions": "4.16.0"}


def answer(*changes: dict[str, Any]) -> str:
    both = [
        {"name": "httpx", "version": "0.28.1", "vulns": []},
        {"name": "typing_extensions", "version": "4.16.0", "vulns": []},
    ]
    return json.dumps(
        {"dependencies": [{**one, **change} for one, change in zip(both, changes or ({}, {}), strict=True)]}
    )


def test_a_whole_answer_without_findings_passes() -> None:
    assert judge(WANTED, answer(), 0).code == CLEAN


def test_a_finding_fails_and_is_named() -> None:
    found = {"vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["0.28.2"]}]}
    judged = judge(WANTED, answer(found, {}), 1)
    assert judged.code == FOUND
    assert judged.lines == ("httpx 0.28.1: PYSEC-2026-1, fixed in 0.28.2",)


SKIPPED = {"skip_reason": "Dependency not found on PyPI and could not be audited: httpx (0.28.1)"}


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("", 1),  # no network
        ("not json", 0),
        ("[]", 0),
        ('{"dependencies": null}', 0),
        ('{"dependencies": []}', 0),  # nothing was looked at
        (answer(SKIPPED, {}), 0),  # pip-audit itself ends with 0
        (answer({"version": "0.28.0"}, {}), 0),  # another version was looked at
        (answer({"name": "other"}, {}), 0),
        (answer({"vulns": None}, {}), 0),
        (answer(), 1),  # a failure without a finding
    ],
)
def test_what_was_not_audited_is_an_error(output: str, code: int) -> None:
    judged = judge(WANTED, output, code)
    assert judged.code == UNKNOWN
    assert judged.lines


def test_findings_do_not_hide_what_was_not_audited() -> None:
    judged = judge(WANTED, answer({"vulns": [{"id": "PYSEC-2026-1"}]}, {"skip_reason": "unknown"}), 1)
    assert judged.code == FOUND
    assert "typing-extensions: unknown" in judged.lines


def test_the_command_asks_for_everything_but_the_program_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, str] = {}

    def unreachable(wanted: dict[str, str], place: Path) -> tuple[str, int]:
        asked.update(wanted)
        return "", 1

    monkeypatch.setattr(audit, "_asked", unreachable)
    assert audit.main() == UNKNOWN
    assert "uscdr" not in asked
    assert {"httpx", "django", "pyrage", "apprise"} <= set(asked)
    assert "no answer" in capsys.readouterr().out


def test_the_bill_has_what_every_extra_brings_and_no_address() -> None:
    bill = sbom.document(sbom.closure())
    names = {one["name"] for one in bill["components"]}
    assert {name.replace("_", "-") for modules in MODULES.values() for name in modules} <= names
    assert "pytest" not in names
    assert bill["metadata"]["component"]["name"] == "uscdr"
    assert bill["metadata"]["component"]["licenses"] == [{"expression": "MIT"}]
    assert "://" not in json.dumps(bill)
    refs = {one["bom-ref"] for one in (*bill["components"], bill["metadata"]["component"])}
    assert {one["ref"] for one in bill["dependencies"]} == refs
    assert {ref for one in bill["dependencies"] for ref in one["dependsOn"]} <= refs


def test_the_same_environment_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert sbom.main(tmp_path / name / "sbom.json") == 0
    assert (tmp_path / "first" / "sbom.json").read_bytes() == (tmp_path / "second" / "sbom.json").read_bytes()


def test_what_is_not_installed_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Distribution.from_name

    def without(name: str) -> Distribution:
        if name == "pyrage":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(sbom, "distribution", without)
    assert sbom.main(tmp_path / "sbom.json") == 1
    assert not (tmp_path / "sbom.json").exists()
