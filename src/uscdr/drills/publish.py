"""The report of a drill, as files and on the screen."""

from __future__ import annotations

from pathlib import Path

from uscdr.drills.account import Drill, drill_json, drill_markdown
from uscdr.errors import MachineError
from uscdr.settings import PRIVATE_FILE
from uscdr.ui.console import Output


def publish(done: Drill, summary: str, directory: Path, output: Output) -> None:
    """Write Markdown and JSON, then the result on stdout. Raises MachineError when they cannot be written."""
    data = drill_json(done)
    _write(directory, f"drill-{done.scenario}.md", drill_markdown(done))
    _write(directory, f"drill-{done.scenario}.json", data)
    output.result(data if output.json_lines else summary)


def _write(directory: Path, name: str, text: str) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text + "\n", encoding="utf-8")
        (directory / name).chmod(PRIVATE_FILE)
    except OSError as error:
        raise MachineError(
            f"The report could not be written to {directory}.",
            why=error.strerror or "",
            next_action="Name another place with --report; the run itself is in: uscdr runs report",
        ) from error
