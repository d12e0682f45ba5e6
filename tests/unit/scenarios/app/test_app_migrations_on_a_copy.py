"""`recover app`: the SQL of pending migrations is tried on a copy of the newest backup, before users are shut out."""

from __future__ import annotations

import json
from pathlib import Path

from broken_app import advice, ended, sent, unmigrated

from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.models.trial import ScriptEnd
from uscdr.scenarios.steps.try_migrations import RESTORED_A_SECOND, SHARE_OF_RTO

TWO, THREE = "patients.0002_names", "patients.0003_phone"


def notes(run: Rehearsal) -> str:
    return json.dumps(run.events("note"), ensure_ascii=False)


def test_recover_app_tries_it_on_a_copy_of_the_newest_backup(quick: Path) -> None:
    run = unmigrated(quick)
    run.world.sql_ends[THREE] = ScriptEnd(name=THREE, state="23505", words='could not create unique index "x"')
    ending = run.begin()
    code, message = ended(ending)
    assert (code, sent(run, "set_maintenance")) == (ExitCode.CHECK_FAILED, [])
    assert f'The migration {THREE} fails on the data of b001: could not create unique index "x".' in message
    assert "uscdr backup capture, then uscdr runs resume" in advice(ending)


def test_recover_app_says_why_it_was_not_tried(quick: Path) -> None:
    for case, words in (
        ("none", "there is no backup"),
        ("large", "would take too long"),
        ("bad", "could not restore a backup"),
    ):
        run = unmigrated(quick / case)
        if case == "none":
            run.world.transfers.clear()
        if case == "bad":
            for one in run.world.dumps.values():
                one.tables.clear()
        if case == "large":
            most = run.config.objectives.rto * SHARE_OF_RTO * RESTORED_A_SECOND
            run.world.transfers = [
                one.model_copy(update={"processed_bytes": round(most) + 1}) for one in run.world.transfers
            ]
        run.begin()
        assert words in notes(run), case
        assert "set_maintenance True" in run.world.writes
        assert run.world.tried_on_copies == []


def test_what_the_live_database_has_applied_is_not_refused_for_an_older_copy(quick: Path) -> None:
    run = unmigrated(quick)
    for one in run.world.dumps.values():
        one.applied.remove(TWO)
    run.world.sql_ends[TWO] = ScriptEnd(name=TWO, state="42701", words='column "name" already exists')
    run.begin()
    assert "set_maintenance True" in run.world.writes
    assert f"{TWO} (it fails on this older copy, but the live database has it already" in notes(run)
    assert f"{THREE} (an earlier migration was not tried completely)" in notes(run)
