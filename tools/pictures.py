"""Draws the screens that docs/tutorial.md shows, from recorded events: `python -m tools.pictures`."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from uscdr.models.events import CheckFinished, ChecksFinished, PlanReady, Stamped
from uscdr.ui.board import Board
from uscdr.ui.planview import _plan_lines
from uscdr.ui.screen import frame
from uscdr.ui.sentences import _result_lines
from uscdr.ui.text import Line, painted

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
EVENTS = ROOT / "tests" / "golden" / "events"
"""Journals of the tutorial's own commands on a sandbox; nothing of a person is in them."""
WIDTH, HEIGHT = 100, 26
WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""A picture loads nothing from elsewhere."""


@dataclass(frozen=True)
class Picture:
    """`command` is the title of its window; `events` the recorded run; `until` the event after which it is taken."""

    command: str
    events: str
    until: str

    def stream(self) -> list[Stamped]:
        """The recorded run."""
        text = (EVENTS / f"{self.events}.jsonl").read_text(encoding="utf-8")
        return [Stamped.model_validate_json(line) for line in text.splitlines()]

    def lines(self) -> Sequence[Line]:
        """What stands on the screen. Raises StopIteration for an event that the run has not."""
        stream = self.stream()
        at = next(number for number, item in enumerate(stream) if item.event.kind == self.until)
        event = stream[at].event
        if isinstance(event, PlanReady):
            return _plan_lines(event, WIDTH)[:HEIGHT]
        if isinstance(event, ChecksFinished):
            ended = [item.event for item in stream if isinstance(item.event, CheckFinished)]
            return _result_lines(event, ended, WIDTH)
        board = Board()
        for item in stream[: at + 1]:
            board.apply(item)
        return frame(board, stream[at].at, WIDTH, HEIGHT)

    def svg(self, name: str) -> str:
        """The screen as a window. `name` makes its styles its own."""
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="standard")
        for one in self.lines():
            console.print(Text.from_ansi(painted(one, color=True)), soft_wrap=True)
        return console.export_svg(title=self.command, code_format=WITHOUT_FONTS, unique_id=name)


ALL = {
    "verify-broken": Picture("uscdr verify db --skip-manual", "tutorial-verify", "checks.finished"),
    "plan": Picture("uscdr recover db --backup b001 --dry-run", "tutorial-plan", "plan.ready"),
    "asked": Picture("uscdr recover db --backup b001", "tutorial-db", "gate.asked"),
    "done": Picture("uscdr recover db --backup b001", "tutorial-db", "run.finished"),
}


def drawn() -> Mapping[str, str]:
    """Each picture by the name of its file."""
    return {f"{name}.svg": picture.svg(name) for name, picture in ALL.items()}


def outdated(pictures: Mapping[str, str]) -> list[str]:
    """Names of pictures that are missing or differ, and of files that are none of them."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in PICTURES.glob("*")}
    return sorted(name for name in {*kept, *pictures} if kept.get(name) != pictures.get(name))


def write(pictures: Mapping[str, str]) -> None:
    """Write every picture; files that are none of them are removed."""
    PICTURES.mkdir(exist_ok=True)
    for path in PICTURES.glob("*"):
        path.unlink()
    for name, text in pictures.items():
        (PICTURES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    changed = outdated(drawn())
    write(drawn())
    sys.stdout.write("".join(f"{name}\n" for name in changed) or "Every picture was up to date.\n")
