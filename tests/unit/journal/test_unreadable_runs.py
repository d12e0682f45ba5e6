"""A journal that cannot be read is an unfinished run: it is found, looked at, and no recovery begins beside it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from fakes import Killed
from rehearsal import Rehearsal
from uscdr.errors import BadInput, Declined, ExitCode, JournalError
from uscdr.journal import chain, runs
from uscdr.journal.reader import Journal
from uscdr.scenarios.adapters import Request
from uscdr.wiring.past_runs import refuse_beside_unfinished, remember

KEY, OTHER = "https://api.heroku.com usc-pis", "https://api.heroku.com another"


def flip(line: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        changed = bytearray(lines[line])
        changed[len(changed) // 2] ^= 1
        path.write_bytes(b"".join([*lines[:line], bytes(changed), *lines[line + 1 :]]))

    return damage


def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def of_another_version(path: Path) -> None:
    journal = Journal.read(path)
    record = {"run": journal.run, "seq": len(journal.records), "at": "2026-11-23T00:00:00Z", "mono": 1.0}
    line = chain.encode({**record, "event": {"kind": "step.dreamt", "step": "s"}}, journal.last_hash)
    path.write_bytes(path.read_bytes() + line)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "first line": flip(0),
    "in the middle": flip(3),
    "empty": lambda path: path.write_bytes(b""),
    "torn first line": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "directory": instead(Path.mkdir),
    "pipe": instead(os.mkfifo),
    "leads nowhere": instead(lambda path: path.symlink_to("nowhere")),
    "leads to itself": instead(lambda path: path.symlink_to(path.name)),
    "device": instead(lambda path: path.symlink_to("/dev/zero")),
    "another version": of_another_version,
    "not ours": lambda path: path.write_bytes(b"PGDMP\n" * 100),
}


def drained(state: Path) -> Rehearsal:
    """A run that was killed when processes were stopped."""
    run = Rehearsal(state)

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and [one for one in run.events("step.started") if one["step"] == "drain"]:
            raise Killed

    run.crash = crash
    with mock.patch.object(runs, "new_run_id", lambda scenario: f"20261101T000000Z-{scenario}-00000a"):
        assert run.begin() is None
    run.crash = lambda seq, moment: None
    return run


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_it_counts_as_unfinished(quick: Path, damage: Callable[[Path], object]) -> None:
    run = drained(quick)
    damage(run.journal_path)
    assert [(one.run, one.state, one.wrote) for one in runs.LocalRuns(quick).summaries()] == [
        (run.run, "damaged", True)
    ]
    assert runs.LocalRuns(quick).find(None) == run.journal_path
    with pytest.raises(Declined) as refused:
        refuse_beside_unfinished(quick, KEY)
    assert run.run in refused.value.message
    assert f"uscdr runs show {run.run}" in refused.value.next_action
    assert "--new" in refused.value.next_action


@pytest.mark.parametrize("damage", ["in the middle", "empty"])
def test_no_recovery_begins_beside_it_but_on_purpose(quick: Path, damage: str) -> None:
    run = drained(quick)
    DAMAGES[damage](run.journal_path)
    before = list(run.world.writes)
    again = Rehearsal(quick, run.world)
    with pytest.raises(Declined, match="is damaged: uscdr does not know"):
        again.begin()
    assert run.world.writes == before
    assert [one.run for one in runs.LocalRuns(quick).summaries()] == [run.run]
    again.request = Request("db", anew=True)
    ending = again.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    refuse_beside_unfinished(quick, KEY)
    with pytest.raises(BadInput, match="no unfinished run"):
        runs.LocalRuns(quick).find(None)


def test_one_that_does_not_tell_its_target_stands_in_the_way_of_all(quick: Path) -> None:
    run = drained(quick)
    flip(3)(run.journal_path)
    refuse_beside_unfinished(quick, OTHER)
    flip(0)(run.journal_path)
    with pytest.raises(Declined, match="perhaps on this target"):
        refuse_beside_unfinished(quick, OTHER)


def test_what_stands_before_the_damage_is_remembered(quick: Path) -> None:
    run = drained(quick)
    of_another_version(run.journal_path)
    assert remember(quick, KEY).formation == {"web": 2, "worker": 3, "beat": 1, "cron": 0}


@pytest.mark.parametrize("name", ["20261123T000000Z-verify-00000a", "20261123T000000Z-watch-00000a"])
def test_a_look_changed_nothing_whatever_became_of_its_journal(quick: Path, name: str) -> None:
    path = quick / "runs" / name / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nonsense\n")
    assert runs.LocalRuns(quick).summaries()[0].state == "damaged"
    refuse_beside_unfinished(quick, KEY)
    with pytest.raises(BadInput, match="no unfinished run"):
        runs.LocalRuns(quick).find(None)


def test_a_single_write_is_looked_at_and_keeps_no_recovery_from_beginning(quick: Path) -> None:
    path = quick / "runs" / "20261123T000000Z-capture-00000a" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nonsense\n")
    refuse_beside_unfinished(quick, KEY)
    assert runs.LocalRuns(quick).find(None) == path


def test_a_dry_run_is_one_even_when_its_end_is_damaged(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin(dry_run=True)
    flip(2)(run.journal_path)
    refuse_beside_unfinished(quick, KEY)


def test_a_journal_under_another_name_is_not_that_run(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin()
    other = quick / "runs" / "20990101T000000Z-db-00000a"
    shutil.copytree(run.journal_path.parent, other)
    assert [one.state for one in runs.LocalRuns(quick).summaries()] == ["done", "damaged"]
    with pytest.raises(Declined, match="20990101T000000Z"):
        refuse_beside_unfinished(quick, KEY)


def test_a_copy_of_the_teams_that_cannot_be_read_stands_in_the_way(quick: Path) -> None:
    run = drained(quick)
    copy = quick / "shared" / "0123" / "runs" / run.run / "copy.jsonl"
    copy.parent.mkdir(parents=True)
    run.journal_path.rename(copy)
    flip(3)(copy)
    assert [one.state for one in runs.LocalRuns(quick).summaries()] == ["damaged"]
    with pytest.raises(Declined, match="is damaged: uscdr does not know"):
        refuse_beside_unfinished(quick, KEY)


@pytest.mark.parametrize("what", [Path.mkdir, os.mkfifo])
def test_an_own_journal_beside_a_copy_that_is_none_counts(quick: Path, what: Callable[[Path], None]) -> None:
    run = drained(quick)
    copy = quick / "shared" / "0123" / "runs" / run.run / "copy.jsonl"
    copy.parent.mkdir(parents=True)
    what(copy)
    assert list(runs.LocalRuns(quick).journals()) == [run.journal_path]


def test_runs_that_nobody_may_list_are_no_empty_list(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drained(quick)

    def refuse(path: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(JournalError, match="does not know which runs"):
        list(runs.LocalRuns(quick).journals())


def test_what_nobody_can_read_is_not_called_nothing(quick: Path) -> None:
    run = drained(quick)
    flip(3)(run.journal_path)
    assert remember(quick, KEY).unread == (run.run,)
    assert remember(quick, OTHER).unread == ()


def test_one_that_never_told_its_target_stands_in_the_way_until_it_is_over(quick: Path) -> None:
    def nameless(path: Path) -> None:
        previous, lines = chain.FIRST, b""
        for line in path.read_bytes().splitlines():
            record = {name: value for name, value in json.loads(line).items() if name not in ("prev", "sum")}
            record["event"].get("request", {}).pop("key", None)
            lines += (line := chain.encode(record, previous))
            previous = chain.line_hash(line)
        path.write_bytes(lines)

    done = Rehearsal(quick)
    done.begin()
    nameless(done.journal_path)
    refuse_beside_unfinished(quick, OTHER)
    nameless(drained(quick).journal_path)
    with pytest.raises(Declined, match="is not finished"):
        refuse_beside_unfinished(quick, OTHER)
