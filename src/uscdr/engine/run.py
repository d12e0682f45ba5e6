"""The life of a run: plan, gate, run, and an honest end. A dry run ends after the plan."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.engine.gate import UNKNOWN, Gate, declined
from uscdr.engine.history import History
from uscdr.engine.plan import Planned, destruction, plan_all, ready_event
from uscdr.engine.runner import Runner
from uscdr.engine.step import Action, BoundStep, Effect, StepReporter, View
from uscdr.errors import CheckFailed, Declined, ExitCode, Interrupted, JournalError, UscdrError
from uscdr.models.events import Note, PlanReady, RunFinished, RunResumed, RunStarted
from uscdr.models.runs import RunKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.engine.wait import Stop
    from uscdr.events import Bus

PLANNING = "plan"
UNTOUCHED = "Nothing was changed."
NOT_OURS = "This run changed nothing; what is left was so before it (uscdr runs list)."
UNCONFIRMED = "Not confirmed: there is no terminal to ask at, and no --confirm."


@dataclass(frozen=True)
class RunInfo:
    """What a run is about."""

    begun: RunStarted
    """The first line of its journal."""
    title: str
    budgets: Mapping[str, float]
    follow_up: tuple[str, ...]
    """What is left for people once all steps are done."""
    if_it_fails: tuple[str, ...] = ()
    """What is left for them when the run changed something and failed on the way."""


@dataclass(frozen=True)
class Outcome:
    """How a process's work on a run ended; `error` is what a person must be told."""

    code: ExitCode
    error: UscdrError | None


@dataclass(frozen=True)
class AfterRun:
    """What is asked when a process's work on a run ends."""

    left: Callable[[], dict[str, str]]
    """What state was left behind."""
    tasks: Callable[[], tuple[str, ...]] = lambda: ()
    """What a person is told of this very run, before what the scenario says of every one."""


class Run:
    """Carries one run from request to end on a bus that has its ledger and viewers already."""

    def __init__(self, charter: RunInfo, bus: Bus, gate: Gate, stop: Stop, after: AfterRun) -> None:
        self._charter = charter
        self._bus = bus
        self._gate = gate
        self._stop = stop
        self._after = after
        self._wrote = False
        self._carried_out = False
        self._all_but = ""
        """What is left to a person of a run that is done but for its last write."""

    def announce(self, *, resumed: bool) -> None:
        """The journal's first line, or the line that says who took the run up again."""
        begun = self._charter.begun
        self._bus.emit(RunResumed(user=begun.user, host=begun.host, version=begun.version) if resumed else begun)

    def rehearse(self, steps: Sequence[BoundStep], *, beside: str = "") -> Outcome:
        """Dry run: look thoroughly, show the plan, change nothing.

        `beside` says why the run itself would be refused, though the plan is good.
        """

        def work() -> str:
            view = View(thorough=True)
            plan = self._plan(steps, view)
            blocked = [line.action.summary for line in plan if line.action.kind == "blocked"]
            if blocked:
                raise CheckFailed("The plan cannot be carried out: " + " ".join(blocked))
            return f"Dry run: nothing was changed. {beside}".rstrip()

        return self._end(work)

    def run(
        self,
        steps: Sequence[BoundStep],
        history: History,
        *,
        shortfall: Callable[[], str],
        proviso: Callable[[], str] = lambda: "",
    ) -> Outcome:
        """Plan, confirm, run. `shortfall` says after the end what speaks against a success; empty when nothing does.

        `proviso` says what a success leaves open.
        """
        self._wrote = history.wrote

        def work() -> str:
            view = View(thorough=False)
            plan = self._taken_up(steps, history) if history.begun else self._plan(steps, view)
            known = history if history.begun else History(attempts=history.attempts)
            self._refuse_what_cannot_be_confirmed(plan, view, known)
            fresh = View(thorough=True)
            runner = Runner(self._bus, self._gate, self._stop, known)
            try:
                runner.run(plan, fresh)
                self._carried_out = True
            finally:
                self._wrote = self._wrote or runner.began
                self._all_but = _all_but(plan, runner.failed)
            short = shortfall()
            if short:
                raise CheckFailed(short)
            verified = " and verified" if RunKind(self._charter.begun.scenario).recovers else ""
            open_ = proviso()
            return f"{self._charter.title}: done{verified}{f'; {open_}' if open_ else ''}."

        return self._end(work)

    def _taken_up(self, steps: Sequence[BoundStep], history: History) -> list[Planned]:
        """A resumed run is not planned anew: each step looks when its turn comes."""
        if [bound.step.id for bound in steps] != history.order:
            raise Declined(
                "The scenario's steps are not those that the run was begun with.",
                why="scenarios.yaml or uscdr itself was changed since.",
                next_action="Go on with the version it was begun with, or begin a new run: uscdr recover … --new",
            )
        return [Planned(bound, None, _as_approved(bound, history)) for bound in steps]

    def _plan(self, steps: Sequence[BoundStep], view: View) -> list[Planned]:
        plan = plan_all(steps, view, StepReporter(self._bus, PLANNING))
        self._bus.emit(self._as_event(plan, view))
        return plan

    def _as_event(self, plan: Sequence[Planned], view: View) -> PlanReady:
        return ready_event(plan, self._charter.begun.scenario_digest, dict(self._charter.budgets), view)

    def _refuse_what_cannot_be_confirmed(self, plan: Sequence[Planned], view: View, history: History) -> None:
        blocked = [line.action.summary for line in plan if line.action.kind == "blocked"]
        if blocked and not history.wrote:
            raise CheckFailed("The plan cannot be carried out: " + " ".join(blocked), next_action=UNTOUCHED)
        destroys = [line for line in plan if line.bound.step.destructive]
        if not destroys or any(line.bound.step.id in history.confirmed for line in destroys):
            return
        blast = destruction(plan, view)
        if blast is not None:
            self._gate.check_early(blast)
        if not self._gate.can_be_passed:
            if blast is not None:
                raise declined(blast, "There is no terminal to ask at, and no --confirm.")
            if history.begun or any(line.action.kind == "change" for line in plan):
                raise self._unconfirmed(history)

    def _unconfirmed(self, history: History) -> Declined:
        """Without a terminal and a phrase nothing is done; what the run changed before is as it was left."""
        dry_run = f"{RunKind(self._charter.begun.scenario).command} --dry-run"
        if not history.wrote:
            action = f"{UNTOUCHED} A dry run prints the phrase: {dry_run}"
            return Declined(UNCONFIRMED, next_action=action)
        left = "; ".join(f"{what}: {state}" for what, state in self._after.left().items())
        action = f"uscdr runs resume --confirm {shlex.quote(history.phrase or 'PHRASE')}"
        if not history.phrase or UNKNOWN in history.phrase:
            action = f"A dry run prints the phrase: {dry_run}. Then: uscdr runs resume --confirm PHRASE"
        return Declined(
            UNCONFIRMED,
            why=f"This run changed something before and waits for its phrase. It left: {left or 'users let in'}",
            next_action=action,
        )

    def _end(self, work: Callable[[], str]) -> Outcome:
        try:
            return self._concluded(work)
        except KeyboardInterrupt:
            # it may have come in the middle of a journal line: nothing more is written, the reader drops a torn one
            self._stop.event.set()
            error = Interrupted("Left at once.", next_action="See where it stands: uscdr runs show; then: runs resume")
            return Outcome(error.exit_code, error)
        except JournalError as error:
            return Outcome(error.exit_code, error)

    def _concluded(self, work: Callable[[], str]) -> Outcome:
        """Raises JournalError, also of the last line."""
        try:
            summary = work()
        except JournalError:
            raise
        except Interrupted as error:
            return self._finish(error.exit_code, self._stop.told(error), error)
        except UscdrError as error:
            return self._finish(error.exit_code, error.message, error)
        return self._finish(ExitCode.DONE, summary, None)

    def _finish(self, code: ExitCode, summary: str, error: UscdrError | None) -> Outcome:
        left = self._after.left()
        if error is not None:
            error.next_action = self._in_words(error.next_action, left)
        if error is not None and left:
            self._bus.emit(
                Note(level="warning", text="Left behind: " + "; ".join(f"{k}: {v}" for k, v in left.items()))
            )
        outcome = OUTCOMES[code]
        tasks = self._tasks() if outcome in ("done", "failed") else ()
        self._bus.emit(RunFinished(outcome=outcome, exit_code=int(code), summary=summary, left=left, follow_up=tasks))
        return Outcome(code, error)

    def _in_words(self, action: str, left: Mapping[str, str]) -> str:
        """What is to be done, as it is true of this run: a state that is left is not called nothing."""
        told = RunKind(self._charter.begun.scenario).named(action)
        return told.replace(UNTOUCHED, NOT_OURS) if left and not self._wrote else told

    def _tasks(self) -> tuple[str, ...]:
        """Nobody is told that the service is restored before it is; a missed objective takes no task."""
        if not self._wrote:
            return ()
        restored = self._carried_out or self._all_but
        first = (self._all_but,) if self._all_but else ()
        return (*first, *self._after.tasks(), *(self._charter.follow_up if restored else self._charter.if_it_fails))


def _all_but(plan: Sequence[Planned], failed: BoundStep | None) -> str:
    """What a person does for the step that failed, if the work is done without it; else empty."""
    if failed is None:
        return ""
    after = [line.bound.step for line in plan[[line.bound.step.id for line in plan].index(failed.step.id) + 1 :]]
    return failed.step.done_without if all(step.effect is Effect.READ for step in after) else ""


def _as_approved(bound: BoundStep, history: History) -> Action:
    return Action("later", "looked at when its turn comes", approved=history.approved.get(bound.step.id, {}))


OUTCOMES: Mapping[ExitCode, Any] = {
    ExitCode.DONE: "done",
    ExitCode.CHECK_FAILED: "failed",
    ExitCode.BAD_INPUT: "failed",
    ExitCode.FAILED: "failed",
    ExitCode.DECLINED: "declined",
    ExitCode.UNKNOWN: "unknown",
    ExitCode.LOCKED: "failed",
    ExitCode.INTERRUPTED: "interrupted",
}
