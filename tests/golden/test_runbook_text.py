"""The runbook as it is printed, from a configuration of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from uscdr.report.runbook import render
from uscdr.scenarios.loader import load

HERE = Path(__file__).parent


def test_runbook(golden: Callable[[str, str], None]) -> None:
    golden("runbook.md", render(load(HERE / "configs" / "runbook.yaml").config, None) + "\n")
