"""Where a run stands: what is done, what it waits for, and the command that goes on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from uscdr.models.runs import RunKind
from uscdr.phrase import UNKNOWN
from uscdr.words import duration, plural

if TYPE_CHECKING:
    from uscdr.report.model import RunReport, StepReport

_StepState = Literal["done", "skipped", "running", "waits for its phrase", "waits for an answer", "failed", "unknown",
                     "interrupted", "not begun"]  # fmt: skip


class PositionFacts(TypedDict):
    """Where a run stands, for programs. `phrase`: what the run waits for, if for one; `states`: by a step's id."""

    at_work: str
    stands: str
    waits_for: Literal["phrase", "answer", ""]
    phrase: str
    next_command: str
    states: dict[str, _StepState]


class Position:
    """Where the run of a report stands. `at_work` names the process that works on it now; empty if none is known.

    `of_others`: another machine owns the run, whose processes cannot be seen from here.
    """

    def __init__(self, report: RunReport, at_work: str = "", *, of_others: bool = False) -> None:
        self._report = report
        self._at_work = at_work
        self._of_others = of_others
        self.planned = tuple(step for step in report.steps if step.number)

    @property
    def step(self) -> StepReport | None:
        """The first step of the plan that is neither done nor skipped; None without one."""
        return next((step for step in self.planned if step.status not in {"done", "skipped"}), None)

    @property
    def words(self) -> str:
        """`stands before 15/26 Restore the backup; 14 of 26 steps done`, or that there is no plan yet."""
        if not self.planned:
            return "made no plan yet"
        over = sum(step.status in {"done", "skipped"} for step in self.planned)
        done = f"{over} of {plural(len(self.planned), 'step')} done"
        if self.step is None:
            return done
        where = "before" if self.step.started_at is None else "in"
        return f"stands {where} {self.label(self.step)}; {done}"

    def label(self, step: StepReport) -> str:
        """A step by number and title, as `5/12 Restore the backup`."""
        return f"{step.number}/{len(self.planned)} {step.title}" if step.number else step.title

    @property
    def phrase(self) -> str:
        """The phrase that the run waits for; empty if it waits for none.

        A process that took the run up and has not come to the question yet waits for none.
        """
        asked = [gate for gate in self._report.gates if gate.step == (self.step.id if self.step else "")]
        if not asked or asked[-1].confirmed:
            return ""
        stale = bool(self._at_work) and asked[-1].asked_at < self._report.attempts[-1].started_at
        return "" if stale else asked[-1].phrase

    @property
    def waits_for(self) -> str:
        """The phrase or the question as it was asked; empty if it waits for neither."""
        if self.phrase:
            return f"the phrase: {self.phrase}"
        return f"an answer: {self._question}" if self._question else ""

    @property
    def _question(self) -> str:
        """The open question; without a process that asked it there is none."""
        return self._report.question if self._may_be_at_work else ""

    @property
    def _may_be_at_work(self) -> bool:
        """Whether a process works on it, or may: no process of a run without a lock, or of others, can be seen."""
        report = self._report
        unseen = self._of_others or report.only_looks or report.dry_run
        return report.outcome == "unfinished" and (unseen or bool(self._at_work))

    def state(self, step: StepReport) -> _StepState:
        """The state of one step of the plan."""
        if step.status in {"done", "skipped", "failed", "unknown"}:
            return step.status
        if step is self.step and self.phrase:
            return "waits for its phrase"
        if step is self.step and self._question:
            return "waits for an answer"
        if step.status == "started":
            return "running" if self._may_be_at_work else "interrupted"
        return "not begun"

    @property
    def lines(self) -> list[str]:
        """Every step of the plan with its state, its duration and what it did."""
        states = {step.id: self.state(step) for step in self.planned}
        width = max(map(len, states.values()), default=0)
        digits = len(str(len(self.planned)))
        return [f"{step.number:>{digits}}  {states[step.id]:<{width}}  {_line(step)}" for step in self.planned]

    @property
    def facts(self) -> PositionFacts:
        """The same for programs."""
        return {
            "at_work": self._at_work,
            "stands": self.words,
            "waits_for": "phrase" if self.phrase else "answer" if self._question else "",
            "phrase": self.phrase,
            "next_command": self.command,
            "states": {step.id: self.state(step) for step in self.planned},
        }

    @property
    def run_state(self) -> str:
        """The state of the run in words."""
        report = self._report
        if report.outcome != "unfinished":
            return f"{report.outcome}: {report.summary}"
        if self._at_work:
            return f"{'waits for an answer' if self.waits_for else 'running'}: {self._at_work} works on it"
        if self._may_be_at_work:
            return "not ended, as far as its journal says"
        return "interrupted: no process works on it, and none recorded its end"

    @property
    def command(self) -> str:
        """The next command to type; empty if there is nothing to do."""
        report, kind = self._report, RunKind(self._report.scenario)
        if report.only_looks or report.dry_run or report.outcome == "done":
            return ""
        if self._at_work:
            return f"uscdr runs show {report.run} --follow"
        if report.outcome != "unfinished" and self.planned and self.step is None:
            return ""
        if not report.changed and report.outcome != "unfinished":
            return kind.command
        take_over = " --take-over" if self._of_others else ""
        return f"uscdr runs resume {report.run}{take_over}{self._confirmation}"

    @property
    def _confirmation(self) -> str:
        complete = self.phrase and UNKNOWN not in self.phrase
        return f" --confirm {shlex.quote(self.phrase)}" if complete else ""


def _line(step: StepReport) -> str:
    took = f" ({duration(step.seconds)})" if step.seconds is not None else ""
    return f"{step.title}{f': {step.summary}' if step.summary else ''}{took}"
