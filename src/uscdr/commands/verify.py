"""Runs checks as a run of its own: its journal, its result, and the baseline that it may save."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from uscdr.checks.baseline import Baseline
from uscdr.checks.run import Result
from uscdr.commands.housekeeping import clear_up, observe_target, state
from uscdr.commands.run import first_line
from uscdr.commands.verify_rounds import CheckRound, CheckRounds, Verification, told
from uscdr.errors import ApplicationGone, BadInput, CheckFailed, ExitCode, Interrupted, ProviderError, UscdrError
from uscdr.events import Bus
from uscdr.files import publish
from uscdr.journal import runs
from uscdr.journal import writer as journals
from uscdr.journal.reader import NAME, Journal
from uscdr.models.base import seconds
from uscdr.models.causes import SharedCause
from uscdr.models.events import RunFinished
from uscdr.models.runs import VERDICTS
from uscdr.report.junit import to_junit
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.checks import ALL, CheckSelection
from uscdr.scenarios.config_targets import APP
from uscdr.ui.sentences import show_result
from uscdr.wiring import adapters
from uscdr.wiring.session import process
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from uscdr.monitoring.observed import Observed
    from uscdr.report.model import RunReport
    from uscdr.ui.console import Output
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class _Verified:
    """The last finished round, and the error to show."""

    last: CheckRound | None
    error: UscdrError | None

    @property
    def code(self) -> ExitCode:
        """The process's exit code."""
        return self.error.exit_code if self.error else ExitCode.DONE


_MOST_NAMED = 6
_NETWORK = "Check the network of this machine. Then run the command again."
_LOOK = "See the evidence of each check above. To choose a recovery: uscdr recover --help"


def _verify(context: RunContext, wanted: Verification, seen: Observed) -> _Verified:
    """Run the requested checks. Every verdict is in the journal before it is shown.

    Raises BadInput before any check runs: an unknown list or check, an answer without a question, a partial baseline.
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
        rounds = CheckRounds(wanted, selection, context, bus, seen)
        error: UscdrError | None = None
        try:
            last = rounds.all(lambda: deps.open_world("writes" if wanted.request.allow_writes else "forms"))
            error = _explained(_complaint(last), last, deps)
            if wanted.save_baseline and error is None:
                _baseline(context, last).save(context.state)
        except Interrupted:
            error = Interrupted("Interrupted before every check ran.", next_action="Check again: uscdr verify all")
        except UscdrError as raised:
            error = raised
        bus.emit(_last_line(rounds.last, error, wanted))
        return _Verified(rounds.last, error)


def _chosen(context: RunContext, wanted: Verification) -> CheckSelection:
    """The requested checks. Raises BadInput as `_verify` says."""
    selection = CheckSelection.of(context.target.config, wanted.request)
    questions = {check.name for check in selection.checks if check.kind == "manual"}
    if unknown := wanted.answers.keys() - questions:
        raise BadInput(
            f"--answer names “{min(unknown)}”, which is not one of the questions of this verification.",
            next_action=f"Answer one of: {', '.join(sorted(questions))}."
            if questions
            else "Leave --answer out: this verification has no questions.",
        )
    if wanted.save_baseline and (wanted.request.which != ALL or wanted.request.patterns):
        raise BadInput(
            "A baseline needs all checks, not a selection.", next_action="Run: uscdr verify all --save-baseline"
        )
    if not selection.checks:
        raise BadInput("The selection contains no check.", next_action="To list the checks: uscdr verify --list")
    return selection


def _asked(wanted: Verification) -> dict[str, Any]:
    asked = {**asdict(wanted.request), "patterns": list(wanted.request.patterns), "answers": dict(wanted.answers)}
    return {**asked, "every": wanted.every, "lasting": wanted.lasting}


def _last_line(last: CheckRound | None, error: UscdrError | None, wanted: Verification) -> RunFinished:
    if error is not None:
        outcome: Literal["interrupted", "failed"] = "interrupted" if isinstance(error, Interrupted) else "failed"
        return RunFinished(outcome=outcome, exit_code=int(error.exit_code), summary=error.message)
    number = len(last.results) if last else 0
    words = "The check passed." if number == 1 else f"All {number} checks passed."
    if last and last.finished.skipped_manual:
        words += " Questions to a person were skipped (--skip-manual)."
    if wanted.save_baseline:
        words += " uscdr saved the baseline."
    return RunFinished(outcome="done", exit_code=int(ExitCode.DONE), summary=words)


def _complaint(last: CheckRound) -> CheckFailed | None:
    failing = last.failing
    if not failing:
        return None
    words = f"{len(failing)} of {plural(len(last.results), 'check')} did not pass"
    found = {one.check.name: one.finding for one in last.results}
    if cause := next(iter(SharedCause.among(map(told, last.results))), None):
        remedy = found[cause.checks[0]].remedy
        return CheckFailed(
            f"{words}, {len(cause.checks)} of them for one cause: {cause.words}.",
            why=cause.evidence,
            next_action=remedy or (_NETWORK if " and " in cause.words else _LOOK),
        )
    first = min(failing, key=lambda name: VERDICTS.index(found[name].verdict))
    named = ", ".join(failing[:_MOST_NAMED]) + (" …" if len(failing) > _MOST_NAMED else "")
    why = f"{first}: {found[first].evidence}"  # which may be the question that nobody answered
    return CheckFailed(f"{words}: {named}.", why=why if why.endswith("?") else f"{why}.", next_action=_LOOK)


def _explained(complaint: CheckFailed | None, last: CheckRound, deps: Adapters) -> UscdrError | None:
    """The complaint, unless the application is gone, or nothing failed and the platform does not answer."""
    if complaint is None:
        return None
    try:
        deps.describe_app()
    except ApplicationGone as gone:
        return CheckFailed(f"{complaint.message} {gone.message}", why=gone.why, next_action=gone.next_action)
    except ProviderError as error:
        return complaint if "fail" in last.verdicts.values() else error
    return complaint


def _baseline(context: RunContext, last: CheckRound) -> Baseline:
    kept = {name: dict(found) for name, found in Result.measures(last.results).items()}
    return Baseline(key=context.target.key, taken_at=datetime.now(UTC), run=context.run, checks=kept)


# What `verify` and `watch` share: options, the run, its result and its files.


_ANSWERS = {"yes": True, "no": False}


def duration(option: str, text: str) -> float:
    """`5m` as seconds, more than 0. Raises BadInput."""
    try:
        found = seconds(text)
    except ValueError as error:
        raise BadInput(f"{option} is “{text}”.", next_action=f"{error}.".capitalize()) from None
    if found <= 0:
        raise BadInput(f"{option} must be more than 0.", next_action=f"Pass a duration, for example: {option} 5m")
    return found


def answers_of(given: Sequence[str]) -> dict[str, bool]:
    """`NAME=yes` -> True. Raises BadInput."""
    found: dict[str, bool] = {}
    for text in given:
        name, _, answer = text.partition("=")
        if answer not in _ANSWERS or name in found:
            raise BadInput(
                f"“{text}” is not a valid --answer.", next_action="Pass NAME=yes or NAME=no, and each name once."
            )
        found[name] = _ANSWERS[answer]
    return found


@dataclass(frozen=True)
class VerifyOptions:
    """The command-line options of `verify` or `watch`."""

    scenario: str
    wanted: Verification
    app: str | None = None
    junit: Path | None = None
    markdown: Path | None = None
    form: str | None = None
    """The format of the result on stdout, one of `FORMATS`; default: a text for people."""

    def __post_init__(self) -> None:
        """Raises BadInput for an unknown format, and for a file whose directory does not exist."""
        if self.form is not None and self.form not in FORMATS:
            raise BadInput(
                f"“{self.form}” is not a format.", next_action=f"Pass --output {' or --output '.join(FORMATS)}"
            )
        for path in filter(None, (self.junit, self.markdown)):
            if not path.absolute().parent.is_dir():
                raise BadInput(
                    f"The directory of {path} does not exist.",
                    next_action=f"Create it: mkdir -p {path.parent}. Or pass another file.",
                )


def carry_out(target: Target, output: Output, asked: VerifyOptions, seen: Observed) -> int:
    """Run a verification and show its result; return its exit code."""
    if asked.form is not None and output.json_lines:
        raise BadInput("--json and --output both say what goes to stdout.", next_action="Pass one of the two.")
    place, target, seen.command = target, _of_app(target, asked.app), asked.scenario
    observe_target(target, seen)
    run = runs.new_run_id(asked.scenario.partition(" ")[0])
    if asked.wanted.request.allow_writes or asked.wanted.save_baseline:
        clear_up(output, target.scratch)
    try:
        with process(output, state(), os.environ) as this:
            verified = _verify(this.on(target, Request(asked.scenario), run, dry_run=True), asked.wanted, seen)
    finally:
        _link(place, output, run, asked.scenario)
    _show(verified, output, formed=asked.form is not None)
    _publish(run, asked, output)
    return int(verified.code)


def _link(target: Target, output: Output, run: str, scenario: str) -> None:
    """Let the run belong to the open incident of the target; loads nothing if this machine knows no incident."""
    if (state() / "incidents").exists() and (state() / "runs" / run / NAME).exists():
        from uscdr.commands.incident_follow import link

        link(target, output, run, scenario)


def _of_app(target: Target, app: str | None) -> Target:
    """The target with the application `app`, at its own address. Raises BadInput for an invalid name."""
    if app is not None and not APP.fullmatch(app):
        raise BadInput(
            f"“{app}” is not a valid application name.", next_action="Pass the name on the platform: --app usc-pis"
        )
    return target.of_app(app)


def _show(verified: _Verified, output: Output, *, formed: bool) -> None:
    if verified.last is not None and not output.json_lines and not formed:
        show_result(verified.last.finished, map(told, verified.last.results), output)
    if verified.error is not None:
        output.error(verified.error)


FORMATS: Mapping[str, Callable[[RunReport], str]] = {"junit": to_junit, "markdown": to_markdown}
"""The formats of a result, by the names that `--output` takes."""


def _publish(run: str, asked: VerifyOptions, output: Output) -> None:
    """Print the result if a format is named, and write the files that are."""
    if asked.form is None and not asked.junit and not asked.markdown:
        return
    journal = Journal.read(state() / "runs" / run / NAME)
    report = build(journal.stamped, last_hash=journal.last_hash)
    if asked.form is not None:
        output.result(FORMATS[asked.form](report).rstrip("\n"))
    for path, text in ((asked.junit, to_junit), (asked.markdown, to_markdown)):
        if path is not None:
            _write(path, text(report))


def _write(path: Path, text: str) -> None:
    publish(path, text.encode(), "The result is in the journal: uscdr runs report")
