"""Following a run that another process works on: every line once, and its end, however it ends."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uscdr.commands import follow
from uscdr.commands.follow import follow_run
from uscdr.errors import Interrupted, JournalError, MachineError
from uscdr.journal.reader import COPY, NAME
from uscdr.journal.writer import JournalWriter
from uscdr.models import events as ev
from uscdr.models.runs import RunKind
from uscdr.ui.console import Output

EVENTS = Path(__file__).parents[2] / "golden" / "events"
ADA = "ada on here, process 7"
BEGUN, FROZEN = 2, 17
"""Lines of the good run with its start alone, and until maintenance mode is on."""


def journalled(name: str = "good", **changes: object) -> list[ev.Stamped]:
    lines = (EVENTS / f"{name}.jsonl").read_text().splitlines()
    found = [one for line in lines if (one := ev.Stamped.model_validate_json(line)).seq is not None]
    return [found[0].model_copy(update={"event": found[0].event.model_copy(update=changes)}), *found[1:]]


class Followed:
    """A run whose journal grows at each look, as the test says."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("USCDR_STATE_DIR", str(state))
        monkeypatch.delenv("USCDR_SHARED", raising=False)
        monkeypatch.setattr(follow, "_EVERY", 0.0)
        monkeypatch.setattr(follow, "_EVERY_SHARED", 0.0)
        monkeypatch.setattr(follow, "at_work", lambda state, run: self._look())
        self.state = state
        self.err = io.StringIO()
        self.looks: Iterator[Callable[[], str]] = iter(())

    def begin(self, events: list[ev.Stamped]) -> Path:
        """Write a journal; the writer stays open for `goes_on`."""
        self.run = events[0].run
        self._writer = JournalWriter.create(self.state / "runs" / self.run)
        return self.goes_on(*events)

    def goes_on(self, *events: ev.Stamped) -> Path:
        for stamped in events:
            self._writer.record(stamped)
        return self.state / "runs" / self.run / NAME

    def follow(self, *looks: Callable[[], str]) -> int:
        self.looks = iter(looks)
        return follow_run(None, Output(stdout=io.StringIO(), stderr=self.err))

    def _look(self) -> str:
        return next(self.looks)()


@pytest.fixture
def followed(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    return Followed(quick, monkeypatch)


def nobody() -> str:
    return ""


def somebody() -> str:
    return ADA


def test_a_run_that_ended_is_over_at_once_with_its_exit_code(followed: Followed) -> None:
    followed.begin(journalled("failing"))
    assert followed.follow(nobody) == 3


def test_every_line_is_shown_once_until_the_end(followed: Followed) -> None:
    events = journalled()
    followed.begin(events[:FROZEN])

    def restores() -> str:
        followed.goes_on(*events[FROZEN:-1])
        return ADA

    def ends() -> str:
        followed.goes_on(events[-1])
        return ADA

    assert followed.follow(somebody, somebody, restores, ends, nobody) == 0
    said = followed.err.getvalue()
    for once in ("81,213 rows restored from b118", "Database recovery: done and verified."):
        assert said.count(once) == 1, said


def test_a_run_that_ended_and_was_taken_up_goes_on(followed: Followed) -> None:
    events = journalled("resumed")
    again = next(n for n, one in enumerate(events) if isinstance(one.event, ev.RunResumed))
    followed.begin(events[:again])

    def taken_up() -> str:
        followed.goes_on(*events[again:])
        return ADA

    assert followed.follow(somebody, taken_up, nobody) == 0


def test_a_run_whose_process_died_is_said_to_have(followed: Followed) -> None:
    followed.begin(journalled()[:FROZEN])
    with pytest.raises(MachineError, match="none recorded its end") as caught:
        followed.follow(somebody, nobody, nobody)
    assert f"uscdr runs resume {followed.run}" in caught.value.next_action


def test_a_run_that_ends_between_two_looks_did_not_die(followed: Followed) -> None:
    events = journalled()
    followed.begin(events[:FROZEN])

    def ends() -> str:
        followed.goes_on(*events[FROZEN:])
        return ""

    assert followed.follow(somebody, ends) == 0


def test_ctrl_c_stops_the_following_and_not_the_run(followed: Followed) -> None:
    path = followed.begin(journalled()[:FROZEN])
    before = path.read_bytes()

    def interrupted() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return ADA

    with pytest.raises(Interrupted, match="The run itself goes on") as caught:
        followed.follow(somebody, interrupted)
    assert caught.value.next_action == f"Follow it again: uscdr runs show {followed.run} --follow"
    assert path.read_bytes() == before


def test_a_line_that_is_not_whole_yet_is_waited_for(followed: Followed) -> None:
    events = journalled()
    path = followed.begin(events)
    whole = path.read_bytes()
    cut = whole.rindex(b"\n", 0, -1) + 40  # in the middle of the last line
    path.write_bytes(whole[:cut])

    def written() -> str:
        path.write_bytes(whole)
        return ADA

    assert followed.follow(somebody, somebody, written, nobody) == 0
    path.write_bytes(whole[:cut])
    with pytest.raises(MachineError, match="none recorded its end"):
        followed.follow(nobody, nobody)


def test_damage_is_said_as_damage(followed: Followed) -> None:
    path = followed.begin(journalled()[:FROZEN])
    path.write_bytes(path.read_bytes().replace(b"usc-pis", b"usc-pos", 1))
    with pytest.raises(JournalError):
        followed.follow(somebody)
    path.write_bytes(b"")
    with pytest.raises(JournalError):
        followed.follow(somebody)


@pytest.mark.parametrize("looks", ["a dry run", "a verification"])
def test_a_run_without_a_lock_is_followed_to_its_end(followed: Followed, looks: str) -> None:
    events = journalled(request={"dry_run": True}) if looks == "a dry run" else journalled("verify-good")
    assert RunKind(events[0].event.scenario).only_looks == (looks == "a verification")  # type: ignore[union-attr]  # a start
    followed.begin(events[:BEGUN])

    def ends() -> str:
        followed.goes_on(*events[BEGUN:])
        return ""

    assert followed.follow(nobody, nobody, nobody, ends) == 0


def test_a_copy_of_another_machines_run_is_waited_for(followed: Followed) -> None:
    events = journalled()
    own = followed.begin(events[:FROZEN])
    place = followed.state / "shared" / "team" / "runs" / followed.run
    place.mkdir(parents=True)
    (place / COPY).write_bytes(own.read_bytes())
    followed.goes_on(*events[FROZEN:])
    whole = own.read_bytes()
    own.unlink()

    def copied() -> str:
        (place / COPY).write_bytes(whole)
        return ""

    assert followed.follow(nobody, nobody, nobody, copied) == 0
