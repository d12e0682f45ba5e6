"""`uscdr sandbox …` as a person types it, in this process."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from uscdr.cli import main


@dataclass(frozen=True)
class Typed:
    """What one command said, and its exit code."""

    code: int
    stdout: str
    stderr: str


def typed(*words: str) -> Typed:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main.run(["sandbox", *words])
    return Typed(code, out.getvalue(), err.getvalue())
