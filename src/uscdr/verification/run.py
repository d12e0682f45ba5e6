"""A verification as a run: its journal, its world, its end, and the baseline that it may leave."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from uscdr.assembly.job import Job, Surroundings
from uscdr.errors import BadInput, CheckFailed, ExitCode, Interrupted, UscdrError
from uscdr.events import Bus
from uscdr.journal import writer as journals
from uscdr.models.events import RunFinished
from uscdr.scenarios.checklists import ALL, Selection, select
from uscdr.verification.rounds import Rounds
from uscdr.verification.wanted import Round, Verification, Verified
from uscdr.verify.baseline import Baseline, save
from uscdr.verify.engine import measures
from uscdr.wiring import first_line, opened

MOST_NAMED = 6


def verify(job: Job, around: Surroundings, wanted: Verification) -> Verified:
    """Run the checks that were wished for. Every verdict is in the journal before it is shown.

    Raises BadInput before anything is asked: an unknown list or name, an answer to no question, a baseline of a part.
    """
    selection = chosen(job, wanted)
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(journals.create(around.state / "runs" / job.run)))
        deps, ports = stack.enter_context(opened(job, around))
        bus = Bus(job.run, ports.redactor)
        ports.waits.bus = bus
        bus.add_ledger(ledger)
        for viewer in around.viewers:
            bus.add_viewer(viewer)
        bus.emit(first_line(job, around, _asked(wanted)))
        rounds = Rounds(wanted, selection, around, bus)
        error: UscdrError | None = None
        try:
            last = rounds.all(lambda: deps.open_world("writes" if wanted.wish.allow_writes else "forms"))
            error = _complaint(last)
            if wanted.save_baseline and error is None:
                save(around.state, _baseline(job, last))
        except Interrupted:
            error = Interrupted("Interrupted before all was looked at.", next_action="Look again: uscdr verify all")
        except UscdrError as raised:
            error = raised
        bus.emit(_last_line(rounds.last, error, wanted))
        return Verified(rounds.last, error)


def chosen(job: Job, wanted: Verification) -> Selection:
    """The checks of the wish. Raises BadInput as `verify` does."""
    selection = select(job.place.config, wanted.wish)
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


def _last_line(last: Round | None, error: UscdrError | None, wanted: Verification) -> RunFinished:
    if error is not None:
        outcome, code = ("interrupted" if isinstance(error, Interrupted) else "failed"), error.exit_code
        return RunFinished(outcome=outcome, exit_code=int(code), summary=error.message)  # type: ignore[arg-type]
    words = f"All {len(last.results) if last else 0} checks passed."
    if last and last.finished.skipped_manual:
        words += " Questions to a person were skipped (--skip-manual)."
    if wanted.save_baseline:
        words += " The baseline was saved."
    return RunFinished(outcome="done", exit_code=int(ExitCode.DONE), summary=words)


def _complaint(last: Round) -> CheckFailed | None:
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


def _baseline(job: Job, last: Round) -> Baseline:
    kept = {name: dict(found) for name, found in measures(last.results).items()}
    return Baseline(key=job.place.key, taken_at=datetime.now(UTC), run=job.run, checks=kept)
