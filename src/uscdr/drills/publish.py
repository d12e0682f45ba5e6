"""The report of a drill, as files and on the screen."""

from __future__ import annotations

from pathlib import Path

from uscdr.drills.account import Drill, drill_json, drill_markdown
from uscdr.files import disk_errors, write_whole
from uscdr.ui.console import Output


def publish(done: Drill, summary: str, directory: Path, output: Output) -> None:
    """Write Markdown and JSON, then the result on stdout. Raises MachineError when they cannot be written."""
    data = drill_json(done)
    _write(directory, f"drill-{done.scenario}.md", drill_markdown(done))
    _write(directory, f"drill-{done.scenario}.json", data)
    output.result(data if output.json_lines else summary)


def _write(directory: Path, name: str, text: str) -> None:
    fix = "Name another place with --report; the run itself is in: uscdr runs report"
    with disk_errors(f"The report could not be written to {directory}.", fix):
        directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / name, f"{text}\n".encode(), fix)
