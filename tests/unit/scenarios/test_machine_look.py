"""What would end a recovery half-way on this machine ends it before users are locked out, with numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeMachine, World
from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.installation import install
from uscdr.models.transfers import DatabaseInfo
from uscdr.providers.probes.machine import ThisMachine

GB = 10**9


def refused(run: Rehearsal, *, dry_run: bool = False) -> str:
    """The words of a run that ended before its first write."""
    ending = run.begin(dry_run=dry_run)
    assert ending is not None
    assert ending.error is not None
    assert (run.world.writes, run.person.questions, run.person.phrases) == ([], [], [])
    assert not run.world.maintenance
    assert ending.code is ExitCode.FAILED
    return f"{ending.error.message} {ending.error.why} {ending.error.next_action}"


def large(bytes_: int) -> World:
    """A clinic whose one backup is so large."""
    world = World()
    world.transfers[-1] = world.transfers[-1].model_copy(update={"processed_bytes": bytes_})
    return world


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_the_tools_nothing_is_begun_and_the_command_that_installs_them_is_named(
    quick: Path, dry_run: bool
) -> None:
    run = Rehearsal(quick, machine=FakeMachine(lacks="this machine needs pg_restore of PostgreSQL 17 or newer"))
    words = refused(run, dry_run=dry_run)
    assert "pg_restore of PostgreSQL 17" in words
    assert install("sandbox") in words


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_room_nothing_is_begun_and_the_numbers_are_told(quick: Path, dry_run: bool) -> None:
    run = Rehearsal(quick, large(2 * GB), machine=FakeMachine(free=5 * GB))
    words = refused(run, dry_run=dry_run)
    assert "/here has 5.0 GB free" in words
    assert "the download (2.0 GB) and the proof (6.3 GB) need about 8.3 GB" in words
    assert "USCDR_STATE_DIR" in words


def test_room_is_looked_for_where_the_bytes_go(quick: Path) -> None:
    run = Rehearsal(quick, large(2 * GB), machine=FakeMachine(free=3 * GB, free_for_databases=5 * GB))
    words = refused(run)
    assert "/there has 5.0 GB free; the proof (6.3 GB) needs about 6.3 GB" in words
    assert "USCDR_SCRATCH" in words
    assert "USCDR_STATE_DIR" not in words  # which moves nothing of what lies there
    assert "/here" not in words


def test_room_that_just_does_is_no_reason_to_stop(quick: Path) -> None:
    enough = 8 * GB + (1 << 28)
    run = Rehearsal(quick, large(2 * GB), machine=FakeMachine(free=enough))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE


def test_only_the_backup_that_was_named_is_weighed(quick: Path) -> None:
    world = World()
    world.store(world.transfers[-1].kind, size=50 * GB)
    run = Rehearsal(quick, world, machine=FakeMachine(free=5 * GB))
    run.request = replace(run.request, backup="b001")
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE


def test_backups_that_are_compared_need_room_together_and_a_named_one_needs_less(quick: Path) -> None:
    world = World()
    for _ in range(3):
        world.store(world.transfers[-1].kind, size=GB)
    run = Rehearsal(quick, world, machine=FakeMachine(free=6 * GB))
    words = refused(run)
    assert "the download (2.0 GB)" in words  # the two newest; the oldest is small
    assert "--backup NAME" in words
    run.request = replace(run.request, backup="b004")
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE


def test_a_server_of_the_operators_own_needs_no_room_here_but_for_the_download(quick: Path) -> None:
    run = Rehearsal(quick, large(2 * GB), machine=FakeMachine(free=3 * GB, own_server=True, server=1))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    looked = next(one["result"] for one in run.events("step.succeeded") if one["name"] == "machine.look")
    assert "the operator's own PostgreSQL server" in looked["tools"]


def test_all_that_is_wrong_is_told_at_once(quick: Path) -> None:
    run = Rehearsal(quick, large(2 * GB), machine=FakeMachine(lacks="no pg_restore here", free=GB))
    words = refused(run)
    assert "no pg_restore here" in words
    assert "1.0 GB free" in words


def test_an_older_server_and_little_memory_are_warnings(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = DatabaseInfo(addon_id="a", facts=(("PG Version", ("18.1",)),))
    monkeypatch.setattr("fakes.FakeBackups.database_info", lambda self, addon: info)
    run = Rehearsal(quick, machine=FakeMachine(left=1 << 20))
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    warned = " ".join(str(one["text"]) for one in run.events("note"))
    assert "PostgreSQL 17 on this machine is older than 18" in warned
    assert "1.0 MB of free memory" in warned


def test_what_an_application_recovery_does_needs_no_database_programs(quick: Path) -> None:
    run = Rehearsal(quick, machine=FakeMachine(lacks="no pg_restore here", programs=frozenset()))
    run.request = replace(run.request, scenario="app")
    run.begin(dry_run=True)
    notes = " ".join(str(one["text"]) for one in run.events("note"))
    assert "git is not installed" in notes
    assert "no pg_restore" not in run.journal_path.read_text()


def test_this_very_machine_is_looked_at(tmp_path: Path) -> None:
    machine = ThisMachine(tmp_path)
    programs = machine.postgres(17)
    assert programs.server is not None
    assert programs.server >= 17
    assert programs.pg_restore >= 17
    assert machine.downloads().free > 0
    assert machine.databases() is not None
    assert ThisMachine(tmp_path, own_server=True).databases() is None
    assert ThisMachine(tmp_path, own_server=True).postgres(17).server is None
    assert (machine.memory() or 1) > 0
    assert machine.program("sh") is not None
    assert not list(tmp_path.iterdir())
