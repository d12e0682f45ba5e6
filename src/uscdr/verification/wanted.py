"""What a verification is to do, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uscdr.errors import ExitCode, UscdrError
from uscdr.models.events import ChecksFinished
from uscdr.scenarios.checklists import Wish
from uscdr.verify.engine import DEADLINE, Result
from uscdr.verify.verdict import Verdict


@dataclass(frozen=True)
class Verification:
    """What `uscdr verify` or `uscdr watch` is to do. Times in seconds."""

    wish: Wish
    answers: Mapping[str, bool] = field(default_factory=dict)
    """Given in advance to the questions of manual checks, by name."""
    save_baseline: bool = False
    deadline: float = DEADLINE
    """For all checks of a round together."""
    lasting: float = 0.0
    """watch: no round begins later than that; 0 means one round."""
    every: float = 0.0
    """watch: from the beginning of one round to that of the next."""


@dataclass(frozen=True)
class Round:
    """One round's end."""

    results: tuple[Result, ...]
    finished: ChecksFinished

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By check."""
        return {one.check.name: one.finding.verdict for one in self.results}

    @property
    def failing(self) -> tuple[str, ...]:
        """Checks that did not pass."""
        return tuple(name for name, verdict in self.verdicts.items() if verdict != "pass")


@dataclass(frozen=True)
class Verified:
    """The last round that ended, and what a person must be told."""

    last: Round | None
    error: UscdrError | None

    @property
    def code(self) -> ExitCode:
        """How the process ends."""
        return self.error.exit_code if self.error else ExitCode.DONE
