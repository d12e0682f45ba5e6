"""A run is taken over after any record: by exactly one machine, to the same end, with nothing done twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from clocked_store import Clocked
from team_machines import LONG_AFTER, Machine, Pair, is_intent, lost, middle, same_end

from killed_everywhere import Some
from uscdr.errors import Declined, ExitCode, JournalError, LockHeld, MachineError
from uscdr.journal import runs
from uscdr.journal.reader import Journal
from uscdr.shared.team import Team
from uscdr.store.store import StoreUnreachable
from uscdr.wiring.context import Process
from uscdr.wiring.past_runs import remember

MOMENTS = ("before", "after")


def records(whole: Pair) -> range:
    """Those with something before and after them."""
    return range(2, len(whole.ada.events()) - 1)


def test_the_team_has_the_whole_journal_at_the_end(whole: Pair) -> None:
    assert whole.shared(whole.ada.run) == whole.ada.journal_path.read_bytes()
    assert whole.ada.behind == 0
    assert len(whole.store.names("leases")) == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_record_the_other_machine_finishes_it(whole: Pair, quick: Path, some: Some, moment: str) -> None:
    wrong = []
    for record in some(records(whole), turn=MOMENTS.index(moment)):
        pair = Pair(quick / str(record), Clocked())
        pair.ada.at(record, moment, pair.ada.dies)
        assert pair.ada.begin() is None
        pair.bob_takes_over()
        problems = same_end(pair, whole)
        if pair.shared(pair.bob.run) != pair.bob.journal_path.read_bytes():
            problems.append("the team's journal is another one")
        if problems:
            wrong.append((record, problems))
    assert wrong == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_stopped_at_any_record_and_continued_it_writes_no_more(
    whole: Pair, quick: Path, some: Some, moment: str
) -> None:
    """What SIGSTOP and SIGCONT do: the other machine comes and finishes in between."""
    wrong = []
    for record in some(records(whole), turn=MOMENTS.index(moment)):
        pair = Pair(quick / str(record), Clocked())
        pair.ada.at(record, moment, pair.bob_takes_over)
        error = lost(pair.ada, pair.ada.begin)
        problems = same_end(pair, whole)
        if "bob on bobs-desk (process 4711)" not in error.message or pair.ada.run not in error.message:
            problems.append(error.message)
        if pair.shared(pair.bob.run) != pair.bob.journal_path.read_bytes():
            problems.append("it wrote into the team's journal")
        more = [one for one in pair.ada.events()[record + 1 :] if one["kind"] == "run.finished" or is_intent(one)]
        problems += [f"its own journal goes on: {one}" for one in more]
        if problems:
            wrong.append((record, whole.ada.events()[record]["kind"], problems))
    assert wrong == []


@pytest.mark.parametrize("moved", [False, True])
def test_a_copy_of_a_state_directory_is_another_machine(whole: Pair, quick: Path, *, moved: bool) -> None:
    """Its notes say which lease is its own. The original may be at work: so it is waited for; unless it was moved."""
    pair, home = Pair(quick, Clocked()), quick / "elsewhere"
    pair.ada.at(middle(whole, "step.started", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    pair.store.down = False
    pair.ada.state.rename(home) if moved else shutil.copytree(pair.ada.state, home, symlinks=True)
    copied = Machine(home, pair.world, store=pair.store)
    copied.run = pair.ada.run
    if moved:
        ending = copied.resume()
        assert ending is not None
        assert ending.code == 0
    else:
        assert "Another run already works on" in copied.refused(copied.resume).message


def test_stopped_right_before_any_request_it_sends_nothing(whole: Pair, quick: Path, some: Some) -> None:
    """In the middle of a step, its intent long recorded: the other machine comes and finishes in between."""
    wrong = []
    for number in some(range(len(whole.world.writes))):
        pair, asked = Pair(quick / str(number), Clocked()), list[int]()

        def asking(this: Process, pair: Pair = pair, number: int = number, asked: list[int] = asked) -> None:
            asked.append(number)
            if len(asked) == number + 1:
                pair.bob_takes_over()
            this.guard()

        pair.ada.asks = asking
        error = lost(pair.ada, pair.ada.begin)
        problems = same_end(pair, whole)
        if "bob on bobs-desk (process 4711)" not in error.message or pair.restores != 1:
            problems.append(f"{pair.restores} restores: {error.message}")
        if pair.shared(pair.bob.run) != pair.bob.journal_path.read_bytes():
            problems.append("it wrote into the team's journal")
        if pair.ada.events()[-1]["kind"] in ("run.finished", "step.failed"):
            problems.append("its own journal goes on")
        if problems:
            wrong.append((whole.world.writes[number], problems))
    assert wrong == []


def test_a_store_that_goes_away_lets_no_step_begin(whole: Pair, quick: Path, some: Some) -> None:
    wrong = []
    for record in some(records(whole)):
        pair = Pair(quick / str(record), Clocked())

        def goes(pair: Pair = pair) -> None:
            pair.store.down = True

        pair.ada.at(record, "before", goes)
        ending = pair.ada.begin()
        assert ending is not None
        seen = pair.shared(pair.ada.run).decode()
        problems = [step for step in pair.ada.intents() if f'"step.started","step":"{step}"' not in seen]
        if ending.code is ExitCode.DONE:  # nothing was left to write
            problems += [] if pair.ada.behind else ["the team has it all"]
        elif ending.code is not ExitCode.FAILED or "did not begin the step" not in str(ending.error):
            problems.append(f"{ending}")
        last, here = pair.ada.events()[-1]["kind"], whole.ada.events()[record]
        if last != "run.finished" and not is_intent(here):
            problems.append(f"the journal does not tell how it ended, but: {last}")
        pair.store.down = False
        if ending.code is not ExitCode.DONE:
            again = pair.ada.resume()
            problems += [] if again and again.code is ExitCode.DONE else [str(again)]
        problems += same_end(pair, whole)
        if problems:
            wrong.append((record, problems))
    assert wrong == []


def test_nobody_begins_beside_a_run(whole: Pair, quick: Path, store: Clocked) -> None:
    pair, told = Pair(quick, store), []
    here = middle(whole, "step.accepted", "restore")

    def meanwhile() -> None:
        told.append(pair.bob.refused(pair.bob.begin))
        pair.bob.run = ""
        told.append(pair.bob.refused(pair.bob.resume))

    pair.ada.at(here, "after", meanwhile)
    ending = pair.ada.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert same_end(pair, whole) == []
    begun, resumed = told
    assert isinstance(begun, LockHeld)
    assert "Another run already works on usc-pis: ada on adas-desk (process 4711), since 20" in begun.message
    assert f"run {pair.ada.run}" in begun.why
    assert f"uscdr runs resume {pair.ada.run} --take-over" in begun.next_action
    assert "no unfinished run" in resumed.message


def test_what_another_machine_left_unfinished_is_not_begun_anew_without_words(
    whole: Pair, quick: Path, store: Clocked
) -> None:
    pair = Pair(quick, store)
    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down = False
    early = pair.bob.refused(pair.bob.begin)
    assert isinstance(early, LockHeld)
    store.seconds += LONG_AFTER
    late = pair.bob.refused(pair.bob.begin)
    assert isinstance(late, Declined)
    assert f"uscdr runs resume {pair.ada.run} --take-over" in late.next_action
    pair.bob.run = pair.ada.run
    declined = pair.bob.refused(pair.bob.resume)
    assert isinstance(declined, Declined)
    assert "ada on adas-desk" in declined.message
    assert pair.restores == 1


def test_a_dead_process_of_this_machine_is_not_waited_for(whole: Pair, quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    pair.ada.at(middle(whole, "step.started", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down = False
    ending = pair.ada.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert store.seconds == 0
    assert same_end(pair, whole) == []


@pytest.mark.parametrize(("interactive", "types"), [(False, True), (True, False), (True, True)])
def test_who_is_alive_is_taken_over_from_only_by_the_phrase(
    whole: Pair, quick: Path, store: Clocked, interactive: bool, types: bool
) -> None:
    pair, told = Pair(quick, store), []
    pair.bob.person.interactive, pair.bob.person.types = interactive, types

    def renewed() -> None:
        (newest,) = store.names("leases")
        number = int(newest[-17:-5])
        store.put_once(f"{newest[:-17]}{number + 1:012d}.json", store.read(newest))
        store.delete(newest)
        pair.bob.watched.meanwhile = lambda: None

    def meanwhile() -> None:
        pair.bob.watched.meanwhile = renewed
        if interactive and types:
            ending = pair.bob.resume(take_over=True)
            assert ending is not None
            assert ending.code is ExitCode.DONE
        else:
            told.append(pair.bob.refused(lambda: pair.bob.resume(take_over=True)))

    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", meanwhile)
    if interactive and types:
        assert "bob on bobs-desk" in lost(pair.ada, pair.ada.begin).message
        assert pair.bob.person.phrases[0] == f"take over {pair.ada.run[-6:]} from ada@adas-desk"
    else:
        ending = pair.ada.begin()
        assert ending is not None
        assert ending.code is ExitCode.DONE
        assert [type(error) for error in told] == [LockHeld]
    assert store.seconds > 93 if interactive and types else store.seconds < LONG_AFTER / 2
    assert same_end(pair, whole) == []


def test_a_finished_run_of_another_machine_is_remembered_and_not_resumed(
    whole: Pair, quick: Path, store: Clocked
) -> None:
    pair = Pair(quick, store)
    assert pair.ada.begin() is not None
    Team(cast("Any", store)).refresh(pair.bob.state)
    (listed,) = runs.LocalRuns(pair.bob.state).summaries()
    assert (listed.run, listed.state, listed.user) == (pair.ada.run, "done", "ada on adas-desk")
    seen = remember(pair.bob.state, "https://api.heroku.com usc-pis")
    assert seen == remember(pair.ada.state, "https://api.heroku.com usc-pis")
    assert seen.damaged
    pair.bob.run = pair.ada.run
    assert "is finished" in pair.bob.refused(lambda: pair.bob.resume(take_over=True)).message


def test_a_dry_run_asks_nothing_of_the_team_and_tells_it_nothing(quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    assert pair.ada.begin(dry_run=True) is not None
    assert store.objects == {}


def test_a_store_that_cannot_be_reached_begins_nothing(quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    store.down = True
    error = pair.ada.refused(pair.ada.begin)
    assert isinstance(error, MachineError)
    assert (error.exit_code, "--without-shared" in error.next_action) == (ExitCode.FAILED, True)
    assert pair.world.writes == []
    assert not list((pair.ada.state / "runs").glob("*/*"))


def test_the_chain_goes_on_over_both_machines(whole: Pair, quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    pair.bob_takes_over()
    records = Journal.read(pair.bob.journal_path).records
    hosts = [record["event"]["host"] for record in records if "host" in record["event"]]
    assert hosts == ["adas-desk", "bobs-desk"]
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert pair.restores == 1


def test_an_intent_that_alone_could_not_be_stored_begins_no_step(whole: Pair, quick: Path, store: Clocked) -> None:
    pair, put = Pair(quick, store), store.put_once

    def refuse(name: str, data: bytes) -> None:
        if b'"kind":"step.started","step":"restore"' in data:
            raise StoreUnreachable("The store does not answer.")
        put(name, data)

    with mock.patch.object(store, "put_once", refuse):
        error = pair.ada.refused(pair.ada.begin)
    assert isinstance(error, JournalError)
    assert "did not begin the step" in error.message
    assert pair.restores == 0
    ending = pair.ada.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert same_end(pair, whole) == []
