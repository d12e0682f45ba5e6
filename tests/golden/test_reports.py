"""Event files -> reports: Markdown, summary, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from uscdr.report.markdown import to_markdown
from uscdr.report.model import RunReport
from uscdr.report.objectives import build
from uscdr.report.summary import MOST_LINES, summarise

Golden = Callable[[str, str], None]
Replay = Callable[[str], list[str]]
RUNS = ("good", "failing", "resumed")
HASH = "c0ffee" * 10 + "abcd"


def report(lines: list[str]) -> RunReport:
    return build((json.loads(line) for line in lines), last_hash=HASH)


@pytest.mark.parametrize("run", RUNS)
def test_markdown(run: str, golden: Golden, replay: Replay) -> None:
    golden(f"{run}-report.md", to_markdown(report(replay(run))))


@pytest.mark.parametrize("run", RUNS)
def test_summary(run: str, golden: Golden, replay: Replay) -> None:
    text = summarise(report(replay(run)), journal="/state/runs/r/journal.jsonl", report_path="/state/runs/r/report.md")
    assert len(text.splitlines()) <= MOST_LINES
    golden(f"{run}-summary.txt", text + "\n")


@pytest.mark.parametrize("run", RUNS)
def test_json(run: str, golden: Golden, replay: Replay) -> None:
    golden(f"{run}-report.json", report(replay(run)).model_dump_json(indent=2) + "\n")
