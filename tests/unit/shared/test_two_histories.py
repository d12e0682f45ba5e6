"""A run that is not the same on two machines: whose lines count, what is set aside, what is refused."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from clocked_store import Clocked
from team_machines import LONG_AFTER, Pair, lost, middle, same_end

from uscdr.errors import ExitCode, JournalError
from uscdr.journal import runs
from uscdr.settings import Operator
from uscdr.shared.team import Team
from uscdr.store.lease import _hold


def test_what_only_the_first_machine_knew_is_set_aside_and_said(whole: Pair, quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    accepted = middle(whole, "step.accepted", "restore")
    pair.ada.at(accepted, "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down = False
    pair.bob.at(accepted + 2, "after", pair.bob.dies)
    store.seconds += LONG_AFTER
    assert pair.bob.resume(take_over=True) is None
    store.down = False
    store.seconds += LONG_AFTER
    mine = pair.ada.journal_path.read_bytes()
    ending = pair.ada.resume(take_over=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    (aside,) = pair.ada.journal_path.parent.glob("aside-*.jsonl")
    assert aside.read_bytes() == mine
    assert any(str(aside) in note["text"] for note in pair.ada.events("note"))
    assert same_end(pair, whole) == []


def test_one_that_was_stopped_adds_no_line_once_another_has_the_lease(whole: Pair, quick: Path, store: Clocked) -> None:
    """Its successor read the journal and has written nothing yet: a line of the first would take its place."""
    pair, before = Pair(quick, store), list[bytes]()
    with ExitStack() as stack:

        def taken() -> None:
            store.seconds += LONG_AFTER
            (name,) = store.names("leases")
            bob = Operator("bob", "bobs-desk", 4711)
            stack.enter_context(
                _hold(cast("Any", store), name.split("/")[1], bob, take_over=True, terms=pair.bob.terms)
            )
            before.append(pair.shared(pair.ada.run))

        pair.ada.at(middle(whole, "step.succeeded", "restore"), "after", taken)
        assert "bob on bobs-desk" in lost(pair.ada, pair.ada.begin).message
    assert [pair.shared(pair.ada.run)] == before


def test_writes_without_the_teams_knowledge_and_a_take_over_do_not_go_together(
    whole: Pair, quick: Path, store: Clocked
) -> None:
    pair = Pair(quick, store)
    drain = middle(whole, "step.started", "drain")
    pair.ada.at(drain, "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down, pair.ada.without = False, True
    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", pair.ada.dies)
    assert pair.ada.resume() is None
    store.down, pair.ada.without = False, False
    pair.bob.at(drain + 3, "after", pair.bob.dies)
    store.seconds += LONG_AFTER
    assert pair.bob.resume(take_over=True) is None
    store.down = False
    store.seconds += LONG_AFTER
    error = pair.ada.refused(lambda: pair.ada.resume(take_over=True))
    assert isinstance(error, JournalError)
    assert "Two machines continued" in error.message
    assert "drain, sessions, safety" in error.why


def test_a_run_begun_without_the_team_is_given_to_it_by_the_next_process(
    whole: Pair, quick: Path, store: Clocked
) -> None:
    pair = Pair(quick, store)
    pair.ada.without = True
    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down, pair.ada.without = False, False
    assert store.names("runs") == ()
    assert pair.ada.resume() is not None
    assert pair.shared(pair.ada.run) == pair.ada.journal_path.read_bytes()
    assert same_end(pair, whole) == []


def test_a_journal_that_was_tampered_with_in_the_store_is_refused(whole: Pair, quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down = False
    name = store.names("runs")[1]
    data, at = store.objects[name]
    store.objects[name] = (data.replace(b'"dry_run":false', b'"dry_run":true'), at)
    assert store.objects[name][0] != data
    writes = list(pair.world.writes)
    store.seconds += LONG_AFTER
    pair.bob.run = pair.ada.run
    mine = pair.ada.journal_path.read_bytes()
    for machine in (pair.bob, pair.ada):
        error = machine.refused(lambda machine=machine: machine.resume(take_over=True))  # type: ignore[misc]
        assert isinstance(error, JournalError)
        assert "is damaged at line" in error.message
        assert machine.journal_path.with_name("arriving.jsonl").is_file()
        store.seconds += LONG_AFTER
    assert pair.world.writes == writes
    assert pair.ada.journal_path.read_bytes() == mine
    assert not pair.bob.journal_path.exists()


def test_the_end_that_the_team_did_not_get_is_given_to_it_by_a_later_command(
    whole: Pair, quick: Path, store: Clocked
) -> None:
    pair, team = Pair(quick, store), Team(cast("Any", store))

    def goes() -> None:
        store.down = True

    pair.ada.at(len(whole.ada.events()) - 1, "before", goes)
    ending = pair.ada.begin()
    assert ending is not None
    assert (ending.code, pair.ada.behind > 0) == (ExitCode.DONE, True)
    store.down = False
    team.refresh(pair.bob.state)
    assert [one.state for one in runs.LocalRuns(pair.bob.state).summaries()] == ["unfinished"]
    assert team.settle(pair.ada.state) == (pair.ada.run,)
    assert pair.shared(pair.ada.run) == pair.ada.journal_path.read_bytes()
    assert team.settle(pair.ada.state) == ()
    team.refresh(pair.bob.state)
    assert [one.state for one in runs.LocalRuns(pair.bob.state).summaries()] == ["done"]


def test_the_end_of_a_run_that_was_taken_over_meanwhile_is_not_given(whole: Pair, quick: Path, store: Clocked) -> None:
    pair, team = Pair(quick, store), Team(cast("Any", store))

    def goes() -> None:
        store.down = True

    pair.ada.at(len(whole.ada.events()) - 1, "before", goes)
    assert pair.ada.begin() is not None
    pair.bob_takes_over()
    assert team.settle(pair.ada.state) == ()
    assert pair.shared(pair.bob.run) == pair.bob.journal_path.read_bytes()
    assert same_end(pair, whole) == []


def test_a_run_that_was_made_without_the_team_stays_so(quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    pair.ada.without = True
    assert pair.ada.begin() is not None
    assert Team(cast("Any", store)).settle(pair.ada.state) == ()
    assert store.objects == {}
