"""The next action of a run that stopped: where it changed something, the command again would be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr.errors import ExitCode, ProviderError

CUT = "The download was cut at 12.3 MB of 40.0 MB."
SAID = "Run the command again: it requests a new link. Or wait, then run the command again when Heroku has recovered."


@pytest.fixture
def run(quick: Path) -> Rehearsal:
    run = Rehearsal(quick)
    links = [str(one.num) for one in run.world.transfers]
    gone = {number: ProviderError(CUT, provider="Heroku", next_action=SAID, retryable=True) for number in links}
    run.world.undelivered = gone
    return run


def test_a_run_that_changed_something_is_resumed_and_that_works(run: Rehearsal) -> None:
    ending = run.begin()
    assert ending is not None
    assert (ending.code, len(run.world.writes) > 0) == (ExitCode.FAILED, True)
    assert ending.error is not None
    assert ending.error.next_action == (
        "Resume the run (uscdr runs resume): it requests a new link. "
        "Or wait, then resume the run (uscdr runs resume) when Heroku has recovered."
    )
    assert run.events("step.failed")[-1]["next_action"] == ending.error.next_action, "the screens show this one"
    run.world.undelivered = {}
    again = run.resume()
    assert again is not None
    assert again.code is ExitCode.DONE


def test_a_dry_run_is_run_again(run: Rehearsal) -> None:
    run.world.undelivered = dict.fromkeys(run.world.undelivered, ProviderError(CUT, provider="x", next_action=SAID))
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.error is not None
    assert ending.error.next_action == SAID
