"""Two hundred megabytes in constant memory, both ways, each in a process of its own."""

from __future__ import annotations

import sys

import pytest
from store_places import Place
from store_worker import digest
from worker_process import together

SIZE = 200 << 20
LIMIT = 60 << 10
"""KiB of growth."""


def test_growth_of_resident_memory(shared: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (up,) = together(shared, ("create", "kits/large", "x", str(SIZE)))
    (down,) = together(shared, ("read", "kits/large"))
    word, written = up.split()
    found, size, read = down.split()
    assert (word, found, int(size)) == ("created", digest("x", SIZE), SIZE)
    with capsys.disabled():
        kind = shared.text.partition(":")[0] if ":" in shared.text else "directory"
        grown = f"{int(written) >> 10} MiB up, {int(read) >> 10} MiB down"
        sys.stdout.write(f"\n{kind}: 200 MiB, resident memory grew by {grown}\n")
    assert int(written) < LIMIT
    assert int(read) < LIMIT
