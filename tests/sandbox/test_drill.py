"""A drill from nothing to its report: what it compares, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from test_recover_db import Desk
from uscdr.exercises.basis import Basis
from uscdr.exercises.records import read, store_of
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load


@pytest.mark.slow  # `make drills` runs it in every case
def test_a_drill_of_total_loss_compares_rows_files_keys_and_hostname_and_leaves_no_sandbox(tmp_path: Path) -> None:
    reports, state = tmp_path / "reports", tmp_path / "state"
    done = Desk(state).call("drill", "infra", "--patients", "20", "--report", str(reports))
    assert "passed" in done.stdout
    facts = json.loads((reports / "drill-infra.json").read_text())
    assert facts["sound"]
    assert {one["name"] for one in facts["findings"] if one["holds"]} == {
        "every row is the same as before",
        "the key decrypts the encrypted columns",
        "the hostname points at the new application",
        "every file is the same as before",
        "uscdr created one application and one build",
    }
    assert (facts["beyond"], facts["rows_lost"]) == ([], 0)
    assert facts["recovery"]["rto"]["verdict"] == "met"
    page = (reports / "drill-infra.md").read_text()
    assert page.startswith("# Drill: infra, app-gone")
    assert "| recover | " in page
    assert not (state / "scratch").exists()
    (record,) = read(store_of(state)).drills
    assert (record.scenario, record.sound, record.exit_code, record.patients) == ("infra", True, 0, 20)
    assert list(Basis.of(load(packaged()).config, "infra").changes(record)) == []
