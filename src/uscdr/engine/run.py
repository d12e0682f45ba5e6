"""One run: plan, confirm, run the steps, record the end. A dry run ends after the plan."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.engine.history import History
from uscdr.engine.plan import LATER, Forecaster, Plan, Planned, changes
from uscdr.engine.runner import Runner
from uscdr.engine.step import Action, BoundStep, Effect, StepReporter, View
from uscdr.errors import CheckFailed, Declined, ExitCode, Interrupted, JournalError, Outdated, UscdrError
from uscdr.models.events import Note, RunFinished, RunResumed, RunStarted
from uscdr.models.runs import ANY_RECOVERY, RunKind
from uscdr.phrase import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.engine.gate import Gate
    from uscdr.engine.wait import Stop
    from uscdr.events import Bus
    from uscdr.models.events import PlanReady

PLANNING = "plan"
UNTOUCHED = "Nothing was changed."
AT_WILL = "To start again, run the same command."
ALL_DONE = "Every step is done: do not repeat the recovery. To look again: uscdr verify all"
NOT_OURS = "This run changed nothing; an earlier run left this state (see: uscdr runs list)."
UNCONFIRMED = "Not confirmed: there is no terminal to ask, and no --confirm."


@dataclass(frozen=True)
class RunInfo:
    """What the run tells about itself."""

    begun: RunStarted
    """The first line of its journal."""
    title: str
    budgets: Mapping[str, float]
    follow_up: tuple[str, ...]
    """Tasks for people once all steps are done."""
    command: str = ""
    """The command line of this run without the phrase; empty if it has no plan to show."""
    if_it_fails: tuple[str, ...] = ()
    """Tasks for people when the run changed something and then failed."""


@dataclass(frozen=True)
class Outcome:
    """How a process's work on a run ended; `error` is for the operator."""

    code: ExitCode
    error: UscdrError | None


class Run:
    """Carries one run from request to end on a bus that has its ledger and viewers already.

    At the end of the process's work, `left` returns the state left behind, and `tasks` what the operator must do after
    this very run; the tasks that the scenario lists for every run follow. `sent` counts the writing requests of this
    process that may have had an effect.
    """

    def __init__(
        self,
        charter: RunInfo,
        bus: Bus,
        gate: Gate,
        stop: Stop,
        *,
        left: Callable[[], dict[str, str]],
        tasks: Callable[[], tuple[str, ...]],
        forecaster: Forecaster | None = None,
        sent: Callable[[], int] | None = None,
    ) -> None:
        self._charter = charter
        self._bus = bus
        self._gate = gate
        self._stop = stop
        self._left = left
        self._run_tasks = tasks
        self._forecaster = forecaster
        self._sent = sent
        self._wrote = False
        self._phrase = ""
        """The phrase that the run waits for."""
        self._carried_out = False
        self._all_but = ""
        """The operator's task when everything except the last write is done."""

    def announce(self, *, resumed: bool) -> None:
        """Write the journal's first line, or the line that says who resumed the run."""
        begun = self._charter.begun
        self._bus.emit(RunResumed(user=begun.user, host=begun.host, version=begun.version) if resumed else begun)

    def rehearse(
        self, steps: Sequence[BoundStep], *, beside: str = "", approved: PlanReady | None = None
    ) -> Outcome:  # fmt: skip
        """Dry run: read everything, show the plan, change nothing.

        `beside` says why a real run would be refused even though the plan is good.
        """

        def work() -> str:
            plan = self._plan(steps, View(thorough=True), approved)
            if plan.blocked:
                raise CheckFailed(f"This plan cannot run: {plan.blocked}", next_action=_instead(plan))
            return f"Dry run: nothing was changed. {beside}".rstrip()

        return self._end(work)

    def run(
        self,
        steps: Sequence[BoundStep],
        history: History,
        *,
        shortfall: Callable[[], str],
        proviso: Callable[[], str] = lambda: "",
        approved: PlanReady | None = None,
    ) -> Outcome:
        """Plan, confirm, run. With a plan that was `approved`, refuse any other one before the first change.

        After the last step, `shortfall` returns why the run is no success (empty when it is one), and `proviso` what a
        success leaves open.
        """
        self._wrote = history.wrote

        def work() -> str:
            view = View(thorough=False)
            plan = Plan(self._taken_up(steps, history), view) if history.begun else self._plan(steps, view, approved)
            known = history if history.begun else History(attempts=history.attempts)
            self._refuse_what_cannot_be_confirmed(plan, known)
            fresh = View(thorough=True)
            runner = Runner(self._bus, self._gate, self._stop, known, self._forecaster, self._sent)
            try:
                runner.run(plan.lines, fresh)
                self._carried_out = True
            finally:
                self._wrote = self._wrote or runner.wrote
                self._phrase = runner.phrase
                self._all_but = _all_but(plan.lines, runner.failed)
            short = shortfall()
            if short:
                raise CheckFailed(short, next_action=ALL_DONE)
            open_ = proviso()
            return f"{self._success()}{f'; {open_}' if open_ else ''}."

        return self._end(work)

    def _success(self) -> str:
        """What a run that reached its end did."""
        if not RunKind(self._charter.begun.scenario).recovers:
            return f"{self._charter.title}: done"
        return f"{self._charter.title}: done and verified" if self._wrote else "Nothing had to be changed: verified"

    def _taken_up(self, steps: Sequence[BoundStep], history: History) -> tuple[Planned, ...]:
        """A resumed run is not planned again: each step is checked when its turn comes."""
        if [bound.step.id for bound in steps] != history.order:
            raise Declined(
                "The scenario's steps differ from those that this run started with.",
                why="Somebody changed scenarios.yaml or uscdr since then.",
                next_action="Resume with the version that started the run, or start a new run: uscdr recover … --new",
            )
        return tuple(Planned(bound, None, _as_approved(bound, history)) for bound in steps)

    def _plan(self, steps: Sequence[BoundStep], view: View, approved: PlanReady | None = None) -> Plan:
        """The plan, shown and journalled. Raises CheckFailed if it is not the one that was approved."""
        plan = Plan.foresee(steps, View(thorough=True) if approved else view, StepReporter(self._bus, PLANNING))
        event = plan.as_event(self._charter.begun.scenario_digest, dict(self._charter.budgets))
        more: dict[str, Any] = {"command": self._charter.command, "dry_run": view.thorough}
        if self._forecaster is not None:
            more["forecast"] = self._forecaster.of_plan(event, plan)
        self._bus.emit(event.model_copy(update=more))
        if approved is not None and (differ := changes(approved, event)):
            raise CheckFailed(
                f"The saved plan is out of date: {'; '.join(differ)}.",
                next_action=f"{UNTOUCHED} Plan again: {self._charter.command} --dry-run --save-plan FILE",
            )
        return plan

    def _refuse_what_cannot_be_confirmed(self, plan: Plan, history: History) -> None:
        if plan.blocked and not history.wrote:
            raise CheckFailed(f"This plan cannot run: {plan.blocked}", next_action=_instead(plan))
        destroys = [line for line in plan.lines if line.bound.step.destructive]
        if not destroys or any(line.bound.step.id in history.confirmed for line in destroys):
            return
        blast = plan.destruction
        if blast is not None:
            self._gate.check_early(blast)
        if not self._gate.can_be_passed:
            if blast is not None:
                raise self._gate.declined(blast, "There is no terminal to ask, and no --confirm.")
            if history.begun or any(line.action.kind == "change" for line in plan.lines):
                raise self._unconfirmed(history)

    def _unconfirmed(self, history: History) -> Declined:
        """Without a terminal and a phrase the run changes nothing more; its earlier changes remain."""
        dry_run = f"{ANY_RECOVERY} --dry-run"
        if not history.wrote:
            action = f"{UNTOUCHED} A dry run prints the phrase: {dry_run}"
            return Declined(UNCONFIRMED, next_action=action)
        left = "; ".join(f"{what}: {state}" for what, state in self._left().items())
        action = f"uscdr runs resume --confirm {shlex.quote(history.phrase or 'PHRASE')}"
        if not history.phrase or UNKNOWN in history.phrase:
            action = f"A dry run prints the phrase: {dry_run}. Then: uscdr runs resume --confirm PHRASE"
        return Declined(
            UNCONFIRMED,
            why="This run already changed something and needs its phrase to continue. "
            f"It left: {left or 'users have access'}",
            next_action=action,
        )

    def _end(self, work: Callable[[], str]) -> Outcome:
        try:
            return self._concluded(work)
        except KeyboardInterrupt:
            # it may have come in the middle of a journal line: write nothing more; the reader drops a torn line
            self._stop.event.set()
            error = Interrupted(
                "uscdr stopped at once.", next_action="See what is done: uscdr runs show. Then: uscdr runs resume"
            )
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
        left = self._left()
        if error is not None:
            error.next_action = self._next(error, left)
        if error is not None and left:
            self._bus.emit(
                Note(level="warning", text="Left behind: " + "; ".join(f"{k}: {v}" for k, v in left.items()))
            )
        outcome = OUTCOMES[code]
        tasks = self._tasks() if outcome in ("done", "failed") else ()
        self._bus.emit(RunFinished(outcome=outcome, exit_code=int(code), summary=summary, left=left, follow_up=tasks))
        return Outcome(code, error)

    def _next(self, error: UscdrError, left: Mapping[str, str]) -> str:
        """What the operator does now: after an interrupted or refused question, the one command that goes on."""
        if isinstance(error, Interrupted):
            return self._again if self._wrote else f"{NOT_OURS if left else UNTOUCHED} {AT_WILL}"
        if self._wrote and self._phrase and isinstance(error, Declined) and not isinstance(error, Outdated):
            return self._again
        return self._in_words(error.next_action, left)

    @property
    def _again(self) -> str:
        """The command that resumes this run, and the phrase that it will need."""
        resume = f"uscdr runs resume {self._bus.run}"
        return f"{resume} --confirm {shlex.quote(self._phrase)}" if self._phrase else resume

    def _in_words(self, action: str, left: Mapping[str, str]) -> str:
        """The next action, true of this run: the state that an earlier run left is not called nothing."""
        kind = RunKind(self._charter.begun.scenario)
        told = kind.named(action.replace(f"{ANY_RECOVERY} --", f"{self._charter.command or kind.command} --"))
        if self._wrote:
            return kind.resumed(told)
        return told.replace(UNTOUCHED, NOT_OURS) if left else told

    def _tasks(self) -> tuple[str, ...]:
        """The scenario's tasks after a recovery only if the service is restored, also after a missed objective."""
        if not self._wrote:
            return ()
        restored = self._carried_out or self._all_but
        first = (self._all_but,) if self._all_but else ()
        return (*first, *self._run_tasks(), *(self._charter.follow_up if restored else self._charter.if_it_fails))


def _instead(plan: Plan) -> str:
    """The next action after a plan that cannot run."""
    return f"{UNTOUCHED} {plan.way}".rstrip()


def _all_but(plan: Sequence[Planned], failed: BoundStep | None) -> str:
    """The operator's task for the failed step, if the work is complete without it; else empty."""
    if failed is None:
        return ""
    after = [line.bound.step for line in plan[[line.bound.step.id for line in plan].index(failed.step.id) + 1 :]]
    return failed.step.done_without if all(step.effect is Effect.READ for step in after) else ""


def _as_approved(bound: BoundStep, history: History) -> Action:
    return Action("later", LATER, approved=history.approved.get(bound.step.id, {}))


COMPLETE = (
    "Every step is done: do not run it again. Check by hand what uscdr could not. Then record why: uscdr runs report"
)
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
