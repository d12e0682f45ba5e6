"""Which run `uscdr runs resume` takes up without a name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from uscdr.journal import runs


@pytest.mark.parametrize(
    ("state", "waits"), [("unfinished", True), ("interrupted", True), ("unknown", True), ("declined", False)]
)
def test_a_run_of_which_the_outcome_is_unknown_waits_though_it_recorded_no_change(state: str, waits: bool) -> None:
    summary = SimpleNamespace(state=state, resumable=True, wrote=False)
    assert runs._waits(cast(runs.RunSummary, summary)) is waits
