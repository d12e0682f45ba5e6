"""A verification as a run: its journal, its world, its end, and the baseline that it may leave."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from uscdr.checks.baseline import Baseline
from uscdr.checks.check import Check, ManualCheck
from uscdr.checks.run import DEADLINE, Result, look_at
from uscdr.checks.verdict import Finding, Verdict
from uscdr.commands.housekeeping import clear_up, state
from uscdr.commands.run import first_line
from uscdr.errors import BadInput, CheckFailed, Declined, ExitCode, Interrupted, UscdrError
from uscdr.events import Bus
from uscdr.files import publish
from uscdr.journal import runs
from uscdr.journal import writer as journals
from uscdr.journal.reader import NAME, Journal
from uscdr.models.base import seconds
from uscdr.models.events import CheckFinished, ChecklistResult, ChecksFinished, ChecksStarted, RunFinished, StepProgress
from uscdr.report.junit import to_junit
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.checks import ALL, CheckRequest, CheckSelection
from uscdr.scenarios.config_targets import APP
from uscdr.ui.sentences import show_result
from uscdr.wiring import adapters
from uscdr.wiring.session import process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.checks.context import CheckContext
    from uscdr.ui.console import Output
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target

# What a verification is to do, and how it ended.


@dataclass(frozen=True)
class Verification:
    """What `uscdr verify` or `uscdr watch` is to do. Times in seconds."""

    wish: CheckRequest
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
class _Round:
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
class _Verified:
    """The last round that ended, and what a person must be told."""

    last: _Round | None
    error: UscdrError | None

    @property
    def code(self) -> ExitCode:
        """How the process ends."""
        return self.error.exit_code if self.error else ExitCode.DONE


# One round of checks after the other, told on the bus.


STEP = "verify"
YES, NO, LATER = "yes", "no", "later"


class _Rounds:
    """The rounds of one verification. `last` is the newest that ended."""

    def __init__(self, wanted: Verification, selection: CheckSelection, context: RunContext, bus: Bus) -> None:
        self._wanted = wanted
        self._selection = selection
        self._context = context
        self._bus = bus
        self.last: _Round | None = None

    def all(self, world: Callable[[], AbstractContextManager[CheckContext]]) -> _Round:
        """Every round; returns the last one. Raises Interrupted when the operator stops it."""
        end = time.monotonic() + self._wanted.lasting
        number = 1
        while True:
            begun = time.monotonic()
            another = self._wanted.every > 0 and begun + self._wanted.every <= end
            with world() as seen:
                self.last = self._one(number, seen, another=another)
            if not another:
                return self.last
            passed = [name for name, verdict in self.last.verdicts.items() if verdict == "pass"]
            self._selection = self._selection.repeated(passed)
            number += 1
            self._context.stop.pause(max(0.0, begun + self._wanted.every - time.monotonic()))

    def _one(self, number: int, world: CheckContext, *, another: bool) -> _Round:
        begun, begun_at = time.monotonic(), datetime.now(UTC)
        names = tuple(check.name for check in self._selection.checks)
        taken = world.baseline.taken_at if world.baseline else None
        lines = len(self._selection.lines)
        self._bus.emit(ChecksStarted(checks=names, items=lines, round=number, baseline_at=taken))
        results = []
        for result in self._results(world):
            self._bus.emit(_told(result))
            results.append(result)
        finished = ChecksFinished(
            round=number,
            items=self._lines(results),
            seconds=round(time.monotonic() - begun, 3),
            passed=sum(line.verdict == "pass" for line in self._lines(results)),
            skipped_manual=bool(self._selection.skipped),
            changed=self._changed(results),
            next_at=begun_at + timedelta(seconds=self._wanted.every) if another else None,
        )
        self._bus.emit(finished)
        return _Round(tuple(results), finished)

    def _results(self, world: CheckContext) -> Iterator[Result]:
        """Those that look first, beside each other; then questions; then those that write, one by one."""
        checks = self._selection.checks
        looking = [c for c in checks if not c.spec.writes and not isinstance(c.spec, ManualCheck)]
        stop = self._context.stop.event

        yield from look_at(world, looking, began=self._began, deadline=self._wanted.deadline, stop=stop)
        for check in checks:
            if isinstance(check.spec, ManualCheck):
                self._began(check)
                asked = time.monotonic()
                yield Result(check, self._answer(check, check.spec), time.monotonic() - asked)
        for check in checks:
            if check.spec.writes:
                self._context.stop.check()
                yield from look_at(world, [check], began=self._began, stop=stop)

    def _began(self, check: Check) -> None:
        self._bus.emit(StepProgress(step=STEP, note=check.name))

    def _answer(self, check: Check, spec: ManualCheck) -> Finding:
        """What the operator says; without a terminal nothing is answered, unless it was given with the command."""
        given = self._wanted.answers.get(check.name)
        try:
            answer = {True: YES, False: NO}[given] if given is not None else self._asked(spec)
        except Declined:
            return Finding("not checked", f"nobody answered: {spec.question}")
        how = "given with --answer" if given is not None else self._context.asker.manner
        if answer == LATER:
            return Finding("not checked", f"left for later by the operator: {spec.question}")
        return Finding("pass" if answer == YES else "fail", f"answered {answer} ({how}): {spec.question}")

    def _asked(self, spec: ManualCheck) -> str:
        return self._context.asker.choose(spec.question, (YES, NO, LATER))

    def _lines(self, results: list[Result]) -> tuple[ChecklistResult, ...]:
        verdicts = {one.check.name: one.finding.verdict for one in results}
        return tuple(
            ChecklistResult(
                list=line.list, item=line.item, verdict=line.verdict(verdicts), checks=line.checks,
                skipped=line.skipped,
            )
            for line in self._selection.lines
        )  # fmt: skip

    def _changed(self, results: list[Result]) -> tuple[str, ...]:
        before = self.last.verdicts if self.last else {}
        now = {one.check.name: one.finding.verdict for one in results}
        return tuple(f"{n}: {before[n]} -> {v}" for n, v in now.items() if n in before and before[n] != v)


def _told(result: Result) -> CheckFinished:
    """One check's end as an event."""
    check, finding = result.check, result.finding
    return CheckFinished(
        step=STEP,
        check=check.name,
        verdict=finding.verdict,
        evidence=finding.evidence,
        seconds=round(result.seconds, 3),
        why=check.spec.why if finding.verdict != "pass" else "",
    )


MOST_NAMED = 6


def _verify(context: RunContext, wanted: Verification) -> _Verified:
    """Run the checks that were wished for. Every verdict is in the journal before it is shown.

    Raises BadInput before anything is asked: an unknown list or name, an answer to no question, a baseline of a part.
    """
    selection = _chosen(context, wanted)
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(journals.JournalWriter.create(context.state / "runs" / context.run)))
        deps = stack.enter_context(adapters.opened(context))
        bus = Bus(context.run, context.redactor)
        context.waits.bus = bus
        bus.add_ledger(ledger)
        for viewer in context.viewers:
            bus.add_viewer(viewer)
        bus.emit(first_line(context, _asked(wanted)))
        rounds = _Rounds(wanted, selection, context, bus)
        error: UscdrError | None = None
        try:
            last = rounds.all(lambda: deps.open_world("writes" if wanted.wish.allow_writes else "forms"))
            error = _complaint(last)
            if wanted.save_baseline and error is None:
                _baseline(context, last).save(context.state)
        except Interrupted:
            error = Interrupted("Interrupted before all was looked at.", next_action="Look again: uscdr verify all")
        except UscdrError as raised:
            error = raised
        bus.emit(_last_line(rounds.last, error, wanted))
        return _Verified(rounds.last, error)


def _chosen(context: RunContext, wanted: Verification) -> CheckSelection:
    """The checks of the wish. Raises BadInput as `verify` does."""
    selection = CheckSelection.of(context.target.config, wanted.wish)
    questions = {check.name for check in selection.checks if check.kind == "manual"}
    if unknown := wanted.answers.keys() - questions:
        raise BadInput(
            f"No question that would be asked is called “{min(unknown)}”.",
            next_action=f"Questions: {', '.join(sorted(questions)) or 'none'}.",
        )
    if wanted.save_baseline and (wanted.wish.which != ALL or wanted.wish.patterns):
        raise BadInput(
            "A baseline is made of all checks.", next_action="uscdr verify all --save-baseline, without names"
        )
    if not selection.checks:
        raise BadInput("Nothing is left to check.", next_action="See: uscdr verify --list")
    return selection


def _asked(wanted: Verification) -> dict[str, Any]:
    wish = {**asdict(wanted.wish), "patterns": list(wanted.wish.patterns), "answers": dict(wanted.answers)}
    return {**wish, "every": wanted.every, "lasting": wanted.lasting}


def _last_line(last: _Round | None, error: UscdrError | None, wanted: Verification) -> RunFinished:
    if error is not None:
        outcome: Literal["interrupted", "failed"] = "interrupted" if isinstance(error, Interrupted) else "failed"
        return RunFinished(outcome=outcome, exit_code=int(error.exit_code), summary=error.message)
    words = f"All {len(last.results) if last else 0} checks passed."
    if last and last.finished.skipped_manual:
        words += " Questions to a person were skipped (--skip-manual)."
    if wanted.save_baseline:
        words += " The baseline was saved."
    return RunFinished(outcome="done", exit_code=int(ExitCode.DONE), summary=words)


def _complaint(last: _Round) -> CheckFailed | None:
    failing = last.failing
    if not failing:
        return None
    named = ", ".join(failing[:MOST_NAMED]) + (" …" if len(failing) > MOST_NAMED else "")
    first = next(one for one in last.results if one.check.name == failing[0])
    return CheckFailed(
        f"{len(failing)} of {len(last.results)} checks did not pass: {named}.",
        why=f"{failing[0]}: {first.finding.evidence}.",
        next_action="Each names what was seen. What is lost or broken is brought back by: uscdr recover --help",
    )


def _baseline(context: RunContext, last: _Round) -> Baseline:
    kept = {name: dict(found) for name, found in Result.measures(last.results).items()}
    return Baseline(key=context.target.key, taken_at=datetime.now(UTC), run=context.run, checks=kept)


# What `verify` and `watch` share: from options to a run, its result and its files.


ANSWERS = {"yes": True, "no": False}


def duration(option: str, text: str) -> float:
    """`5m` as seconds, more than none. Raises BadInput."""
    try:
        found = seconds(text)
    except ValueError as error:
        raise BadInput(f"{option} is “{text}”.", next_action=f"{error}.".capitalize()) from None
    if found <= 0:
        raise BadInput(f"{option} is no time at all.", next_action="Write for example 5m.")
    return found


def answers_of(given: Sequence[str]) -> dict[str, bool]:
    """`NAME=yes` -> True. Raises BadInput."""
    found: dict[str, bool] = {}
    for text in given:
        name, _, answer = text.partition("=")
        if answer not in ANSWERS or name in found:
            raise BadInput(f"--answer “{text}” is no answer.", next_action="Write NAME=yes or NAME=no, each name once.")
        found[name] = ANSWERS[answer]
    return found


@dataclass(frozen=True)
class VerifyOptions:
    """What stands on the command line of `verify` or `watch`."""

    scenario: str
    wanted: Verification
    app: str | None = None
    junit: Path | None = None
    markdown: Path | None = None

    def __post_init__(self) -> None:
        """Raises BadInput for a file whose directory does not exist."""
        for path in filter(None, (self.junit, self.markdown)):
            if not path.absolute().parent.is_dir():
                raise BadInput(f"{path}: there is no such directory.", next_action="Make it, or name another file.")


def carry_out(target: Target, output: Output, asked: VerifyOptions) -> int:
    """A verification; its exit code."""
    target = _of_app(target, asked.app)
    run = runs.new_run_id(asked.scenario.partition(" ")[0])
    if asked.wanted.wish.allow_writes or asked.wanted.save_baseline:
        clear_up(output, target.scratch)
    with process(output, state(), os.environ) as this:
        verified = _verify(this.on(target, Request(asked.scenario), run, dry_run=True), asked.wanted)
    _show(verified, output)
    _files(run, asked.junit, asked.markdown)
    return int(verified.code)


def _of_app(target: Target, app: str | None) -> Target:
    """The same target, but another application of it, at its own address. Raises BadInput for what is no name."""
    if app is not None and not APP.fullmatch(app):
        raise BadInput(f"“{app}” is no application's name.", next_action="Name it as the platform does: usc-pis")
    return target.of_app(app)


def _show(verified: _Verified, output: Output) -> None:
    if verified.last is not None and not output.json_lines:
        show_result(verified.last.finished, map(_told, verified.last.results), output)
    if verified.error is not None:
        output.error(verified.error)


def _files(run: str, junit: Path | None, markdown: Path | None) -> None:
    journal = Journal.read(state() / "runs" / run / NAME)
    report = build(journal.records, last_hash=journal.last_hash)
    for path, text in ((junit, to_junit), (markdown, to_markdown)):
        if path is not None:
            _write(path, text(report))


def _write(path: Path, text: str) -> None:
    publish(path, text.encode(), "The result is in the journal: uscdr runs report")
