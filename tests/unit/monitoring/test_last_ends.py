"""When the last recovery and the last drill ended, by real journals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from rehearsal import Rehearsal
from uscdr.journal.reader import Journal
from uscdr.monitoring.past import LastEnds
from uscdr.wiring.target import Target


class InSandbox(Rehearsal):
    """The same on a target that is a sandbox."""

    @override
    def target(self) -> Target:
        return replace(super().target(), name="sandbox", identity="sandbox-1")


def end_of(run: Rehearsal) -> object:
    return Journal.read(run.journal_path).lines[-1].found.at


def test_nothing_is_known_without_journals(tmp_path: Path) -> None:
    assert LastEnds.of(tmp_path, "key") == LastEnds(None, None)


def test_a_completed_recovery_counts_for_its_own_target(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin()
    assert LastEnds.of(quick, run.target().key) == LastEnds(recovery=end_of(run), drill=None)  # type: ignore[arg-type]
    assert LastEnds.of(quick, "another") == LastEnds()
    assert LastEnds.of(quick, "") == LastEnds()


def test_what_did_not_end_or_only_looked_counts_for_nothing(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin(dry_run=True)
    run.world.transfers = []
    run.begin()
    assert LastEnds.of(quick, run.target().key) == LastEnds()


def test_a_recovery_of_a_sandbox_is_a_drill(quick: Path) -> None:
    run = InSandbox(quick)
    run.begin()
    assert LastEnds.of(quick, "https://api.heroku.com usc-pis") == LastEnds(drill=end_of(run))  # type: ignore[arg-type]


def test_journals_of_what_cron_does_often_are_not_read(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("capture", "schedule", "prune", "verify", "watch"):
        (directory := quick / "runs" / f"20261123T031500Z-{name}-4f2a9c").mkdir(parents=True)
        (directory / "journal.jsonl").touch()
    monkeypatch.setattr(Journal, "salvage", classmethod(lambda cls, path: pytest.fail(f"read {path}")))
    assert LastEnds.of(quick, "key") == LastEnds()
