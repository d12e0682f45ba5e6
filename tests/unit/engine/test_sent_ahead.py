"""The capture after a recovery is sent once the data is verified, and awaited at its turn: once, and never in doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.models.transfers import TransferKind

FRESH = "fresh"


def order(run: Rehearsal) -> list[tuple[str, str]]:
    """Kind and step of each event of a step."""
    return [(one["kind"], one["step"]) for one in run.events() if one["kind"].startswith("step.")]


@pytest.fixture
def run(quick: Path) -> Rehearsal:
    return Rehearsal(quick)


def test_the_capture_runs_while_processes_start(run: Rehearsal) -> None:
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE, ending.error
    events = order(run)
    sent, web = events.index(("step.accepted", FRESH)), events.index(("step.started", "refill_web"))
    assert events.index(("step.succeeded", "verify_data")) < sent < web
    assert events.index(("step.succeeded", "check_app")) < events.index(("step.succeeded", FRESH))
    assert run.world.calls["capture"] == 2  # that of the damaged state, and this one


def test_its_end_says_that_it_changed_something(run: Rehearsal) -> None:
    run.begin()
    (ended,) = [one for one in run.events("step.succeeded") if one["step"] == FRESH]
    assert ended["changed"] is True
    assert ended["adopted"] is False


def test_a_refused_capture_is_not_sent_again_and_does_not_keep_users_out(run: Rehearsal) -> None:
    run.world.faults["capture", 2] = "refused"
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.FAILED
    assert run.world.calls["capture"] == 2
    assert run.world.maintenance is False
    assert order(run)[-1] == ("step.failed", FRESH)
    assert ("step.succeeded", "check_app") in order(run)
    assert run.events("step.failed")[-1]["changed"] is False


def test_a_lost_answer_is_settled_at_its_turn(run: Rehearsal) -> None:
    run.world.faults["capture", 2] = "lost_after"
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE, ending.error
    events = order(run)
    assert events.index(("step.settled", FRESH)) > events.index(("step.succeeded", "check_app"))
    assert run.world.calls["capture"] == 2


def test_nothing_is_sent_ahead_that_would_drop_a_backup(run: Rehearsal) -> None:
    """Until the application is checked, the platform keeps every backup that it has."""
    run.world.keep = 1 + sum(one.kind is TransferKind.MANUAL_BACKUP for one in run.world.transfers)
    run.begin()
    events = order(run)
    assert ("step.sending", FRESH) in events
    assert ("step.sending", FRESH) not in events[: events.index(("step.succeeded", "check_app"))]
