"""The runbook as it is printed, from a configuration of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from uscdr.report.runbook import Runbook
from uscdr.scenarios.config import Config
from uscdr.scenarios.yaml_tree import content, parse

HERE = Path(__file__).parent


def test_runbook(golden: Callable[[str, str], None]) -> None:
    path = HERE / "configs" / "runbook.yaml"  # a few steps, which no scenario could be made of
    config = Config.model_validate(parse(path, content(path)).value)
    golden("runbook.md", Runbook(config).to_markdown() + "\n")
