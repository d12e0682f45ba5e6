"""Which faults are tried on which calls. All calls go through one funnel, so not each cell of the table is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest


def cells(calls: Iterable[str], faults: Sequence[str], whole: frozenset[str]) -> Sequence[object]:
    """(call, fault): every fault on the calls in `whole`, and each other call with one; the rest with `--all`."""
    table = []
    for row, call in enumerate(calls):
        for column, fault in enumerate(faults):
            wanted = call in whole or column == row % len(faults)
            table.append(pytest.param(call, fault, marks=() if wanted else pytest.mark.slow))
    return table
