"""Which kits a drill goes on with: a gap that is named is what an operator has; a part that is missing is none."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from uscdr.drills.environment import _made
from uscdr.errors import MachineError

KIT = "20261128T140526Z-usc-pis-45acf3"
SECOND = {"what": "postgresql-flat-1", "why": "WAREHOUSE_URL: its data is NOT in this kit."}


def ended(code: int, parts: list[dict[str, Any]] | None, error: str = "") -> subprocess.CompletedProcess[str]:
    told = "" if parts is None else json.dumps({"kit": KIT, "complete": not code, "parts": parts}) + "\n"
    return subprocess.CompletedProcess([], code, told, error)


def part(state: str, *gaps: dict[str, str]) -> dict[str, Any]:
    return {"name": "dump", "state": state, "gaps": list(gaps)}


def test_a_complete_kit_lacks_nothing() -> None:
    assert _made(ended(0, [part("complete")])) == (KIT, ())


def test_a_kit_that_names_what_it_does_not_cover_is_used_and_the_gap_is_told() -> None:
    assert _made(ended(1, [part("partial", SECOND)])) == (
        KIT, ("postgresql-flat-1: WAREHOUSE_URL: its data is NOT in this kit.",)
    )  # fmt: skip


def test_a_kit_without_a_part_ends_the_drill_with_the_reason() -> None:
    with pytest.raises(MachineError, match="could not build its kit") as caught:
        _made(ended(1, [part("missing", {"what": "dump", "why": "The dump does not restore."})]))
    assert "The dump does not restore." in caught.value.why


@pytest.mark.parametrize("code", [1, 3])
def test_no_kit_ends_the_drill_with_what_was_said(code: int) -> None:
    with pytest.raises(MachineError, match=f"exit code {code}") as caught:
        _made(ended(code, None, "collecting: dump\nError: The disk is full.\nNext:  Make room."))
    assert caught.value.why == "Error: The disk is full."
