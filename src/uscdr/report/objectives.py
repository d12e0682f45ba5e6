"""What was achieved against the objectives, and what became of the data; unknown stays unknown."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uscdr.models.base import elapsed
from uscdr.models.events import Stamped
from uscdr.models.runs import only_looks, recovers
from uscdr.report.fold import Fold
from uscdr.report.model import (
    DataReport,
    Integrity,
    ObjectiveReport,
    PhaseReport,
    RunReport,
    StepReport,
    TableLoss,
    Verdict,
)
from uscdr.report.words import span
from uscdr.words import first_of, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DOORS, CHECKED = "heroku.maintenance", "app.check"
"""The steps after whose success people can work again: the doors open, the application checked."""
CHOSEN, LEDGER = ("backup.choose", "infra.choose", "infra.choose_last"), "data.ledger"
COMPARED, COUNTED = "data.compare", "data.probe"
PROVEN, VERIFIED = ("backup.prove", "infra.prove", "infra.prove_last"), "data.verify"
_CLOCKS_APART = 60.0
"""Seconds by which the clocks of two machines that worked on one run may differ."""


def _missed(fold: Fold) -> str | None:
    """Which objectives a run missed whose steps are all done, in words; None when none."""
    achieved = {"RTO": recovery_time(fold), "RPO": recovery_point(fold)}
    words = [
        f"{name} {span(one.target_seconds)}, achieved {span(one.achieved_seconds)}"
        for name, one in achieved.items()
        if one.verdict == "missed"
    ]
    return "; ".join(words) or None


def shortfall(fold: Fold) -> str:
    """Why a run whose steps are all done is no whole success, in a sentence; empty when it is one."""
    unchecked, late = _unchecked(fold), _missed(fold)
    words = [f"not all of it could be checked: {unchecked}"] if unchecked else []
    words += [f"an objective was missed: {late}"] if late else []
    return f"Recovered{'' if unchecked else ' and verified'}, but {'; '.join(words)}" if words else ""


def held_back(fold: Fold) -> str:
    """What the last look at the application left out because somebody limits requests; empty when nothing."""
    left_out = _texts(fold.result(CHECKED).get("held_back"))
    return f"not checked, as a limit of requests is used up: {first_of(left_out, comma='; ')}" if left_out else ""


def _unchecked(fold: Fold) -> str:
    hidden = [*_texts(fold.result(COMPARED).get("hidden")), *_texts(fold.result(COUNTED).get("hidden"))]
    unasked = _texts(fold.result(VERIFIED).get("unasked"))
    return "; ".join((*hidden, *(f"“{name}” could not be asked" for name in unasked)))


def _texts(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else []


def recovery_time(fold: Fold) -> ObjectiveReport:
    """Seconds from the start of the run to service restored, against the RTO.

    Service is restored when the doors were opened and every check of the application has succeeded; in a scenario
    that has neither, when its last step has. Otherwise the time is not known, and the RTO is missed once the last
    event lies beyond it.
    """
    target = fold.begun.rto_seconds if fold.begun else 0.0
    if fold.begun is None or fold.started_at is None:
        return _not_achieved(target, "not known", "no start was recorded")
    if not recovers(fold.begun.scenario):
        what = "only looks" if only_looks(fold.begun.scenario) else "is no recovery"
        return _not_achieved(target, "does not apply", f"the run {what}")
    if fold.plan and fold.plan.dry_run:
        return _not_achieved(target, "does not apply", "dry run")
    back, basis = _service_back(fold)
    if fold.set_back > _CLOCKS_APART:
        return _not_achieved(target, "not known", f"a clock was set back by {span(fold.set_back)} during the run")
    if back is None:
        late = fold.last_at is not None and (fold.last_at - fold.started_at).total_seconds() > target
        return _not_achieved(target, "missed" if late else "not known", basis)
    since = f"from the begin of the run, {moment(fold.started_at)}, {basis}"
    return _achieved(target, (back - fold.started_at).total_seconds(), since)


def _not_achieved(target: float, verdict: Verdict, basis: str) -> ObjectiveReport:
    return ObjectiveReport(target_seconds=target, achieved_seconds=None, verdict=verdict, basis=basis)


def _achieved(target: float, seconds: float, basis: str) -> ObjectiveReport:
    verdict: Verdict = "met" if seconds <= target else "missed"
    return ObjectiveReport(target_seconds=target, achieved_seconds=seconds, verdict=verdict, basis=basis)


def _service_back(fold: Fold) -> tuple[datetime | None, str]:
    planned = fold.plan.steps if fold.plan else ()
    opening = {step.id for step in planned if step.params.get("enabled") is False}
    doors = [step for step in fold.named(DOORS) if step.id in opening]
    marks = [*doors, *fold.named(CHECKED)] or [fold.steps[step.id] for step in planned]
    missing = [step.title for step in marks if not _reached(step, doors)]
    if missing or not marks:
        return None, f"not done: {', '.join(missing) or 'nothing was planned'}"
    ended_at, title = max((step.ended_at, step.title) for step in marks if step.ended_at)
    return ended_at, f"until: {title}"


def _reached(step: StepReport, doors: list[StepReport]) -> bool:
    # Doors that were never shut may be skipped; a check that was not made proves nothing.
    may_be_skipped = step in doors or step.name != CHECKED
    return step.ended_at is not None and (step.status == "done" or (may_be_skipped and step.status == "skipped"))


def recovery_point(fold: Fold) -> ObjectiveReport:
    """Seconds of writes lost against the RPO: from the chosen backup to the last write that is lost.

    When the ledger does not know the last write, all that was written since the backup counts as
    lost: its age when it was chosen. Where rows are lost of which nobody can tell when they were written, that age is
    the most that it can be, and the last write that is known the least.
    """
    target = fold.begun.rpo_seconds if fold.begun else 0.0
    chosen, ledger = fold.result(*CHOSEN), fold.result(LEDGER)
    backup, age = chosen.get("backup", "?"), _number(chosen.get("age_seconds"))
    begun, last = _moment(chosen.get("taken_at", chosen.get("created_at"))), _moment(ledger.get("last_write"))
    if begun and last:
        least = elapsed(begun, last)
        basis = f"from backup {backup} to the last lost write"
        undated = _undated(ledger)
        return _within(target, least, age, basis, undated) if undated and age else _achieved(target, least, basis)
    if age is None:
        return _not_achieved(target, "does not apply", "no backup was chosen in this run")
    return _achieved(target, age, f"age of backup {backup} when it was chosen")


def _within(target: float, least: float, most: float, basis: str, why: str) -> ObjectiveReport:
    """What is known by its bounds alone: met when the most is, missed when the least is, else not known."""
    if least > target:
        return _achieved(target, least, f"{basis} that is known; {why}")
    if most <= target:
        found = _achieved(target, most, f"age of the backup when it was chosen; {why}")
        return found.model_copy(update={"at_most": True})
    return _not_achieved(target, "not known", f"between {span(least)} and {span(most)}; {why}")


def _undated(ledger: dict[str, Any]) -> str:
    """Which rows are lost of which nobody can tell when they were written, in words; empty when there are none."""
    named = ledger.get("undated")
    tables = [str(one) for one in named] if isinstance(named, list) else []
    if tables:
        return f"when what is lost of {first_of(tables)} was written is not known"
    return "what the damage took of newer rows cannot be told" if ledger.get("at_least") is True else ""


def data_facts(fold: Fold) -> DataReport:
    """Rows before, in the backup, after and lost, from the results of the steps that counted them."""
    ledger, after, chosen = fold.result(LEDGER), fold.result(VERIFIED), fold.result(*CHOSEN)
    proof = fold.result(*PROVEN)
    readable = ledger.get("readable")
    return DataReport(
        readable_before=readable if isinstance(readable, bool) else None,
        rows_before=_count(ledger.get("rows_now")),
        rows_backup=_count(ledger.get("rows_backup", proof.get("rows"))),
        rows_after=_count(after.get("rows")),
        rows_lost=_count(ledger.get("rows_lost")),
        at_least=ledger.get("at_least") is True,
        before_at_least=ledger.get("now_at_least") is True,
        tables=tuple(loss for loss in map(_table, _rows(ledger.get("tables"))) if loss),
        tables_matching=_count(after.get("tables_matching")),
        tables_checked=_count(after.get("tables")),
        invariants_held=_count(after.get("invariants_held")),
        invariants=_count(after.get("invariants")),
        backup=str(chosen.get("backup") or ""),
        backup_finished_at=str(chosen.get("finished_at") or ""),
        backup_sha256=str(proof.get("sha256") or ""),
    )


def _table(row: dict[str, Any]) -> TableLoss | None:
    known = {name: row[name] for name in TableLoss.model_fields if name in row}
    try:
        return TableLoss.model_validate(known)
    except ValidationError:  # a journal of another version: the totals still stand
        return None


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


# Journal to report: the fold that every rendering starts from.


def build(events: Iterable[Stamped | Mapping[str, Any]], *, last_hash: str = "") -> RunReport:
    """Fold `events`, in journal order, into a report; a mapping is one decoded journal line.

    `last_hash` is the SHA-256 of the journal's last line, when the reader knows it. A run without a
    `run.finished` is reported as unfinished. Raises pydantic.ValidationError for a line that is no event.
    """
    return _report(fold_of(events), last_hash)


def fold_of(events: Iterable[Stamped | Mapping[str, Any]]) -> Fold:
    """What the events tell, in journal order."""
    fold = Fold()
    for item in events:
        fold.take(item if isinstance(item, Stamped) else Stamped.model_validate(item))
    return fold


def _report(fold: Fold, last_hash: str) -> RunReport:
    begun, plan, end = fold.begun, fold.plan, fold.finished
    return RunReport(
        run=fold.run,
        scenario=begun.scenario if begun else "",
        target=begun.target if begun else "",
        app=begun.app if begun else "",
        operator=f"{begun.user} on {begun.host}" if begun else "",
        version=begun.version if begun else "",
        request=begun.request if begun else {},
        started_at=fold.started_at,
        ended_at=fold.finished_at,
        outcome=end.outcome if end else "unfinished",
        exit_code=end.exit_code if end else None,
        summary=end.summary if end else "The journal ends without an outcome.",
        dry_run=plan.dry_run if plan else False,
        plan_digest=plan.digest if plan else "",
        rto=recovery_time(fold),
        rpo=recovery_point(fold),
        data=data_facts(fold),
        phases=_phases(fold),
        steps=tuple(fold.steps.values()),
        gates=tuple(fold.gates),
        checks=tuple(fold.checks),
        rounds=tuple(fold.rounds),
        notes=tuple(fold.notes),
        attempts=tuple(fold.attempts),
        left=end.left if end else {},
        follow_up=end.follow_up if end else (),
        integrity=_integrity(fold.numbers, last_hash),
    )


def _phases(fold: Fold) -> tuple[PhaseReport, ...]:
    budgets = dict(fold.plan.budgets) if fold.plan else {}
    names = list(budgets) + [step.phase for step in fold.steps.values() if step.phase not in budgets]
    return tuple(_phase(name, budgets.get(name), fold) for name in dict.fromkeys(names))


def _phase(name: str, budget: float | None, fold: Fold) -> PhaseReport:
    steps = [step for step in fold.steps.values() if step.phase == name]
    finished = sum(step.status in {"done", "skipped"} for step in steps)
    seconds = _span(steps)
    return PhaseReport(name=name, budget_seconds=budget, seconds=seconds, steps=len(steps), finished=finished)


def _span(steps: list[StepReport]) -> float | None:
    starts = [step.started_at for step in steps if step.started_at]
    ends = [step.ended_at for step in steps if step.ended_at]
    if not starts or not ends:
        return None
    return max(0.0, (max(ends) - min(starts)).total_seconds())


def _integrity(numbers: list[int], last_hash: str) -> Integrity:
    missing = list(range(numbers[0])) if numbers else []
    for before, after in pairwise(numbers):
        missing.extend(range(before + 1, after))
    return Integrity(
        events=len(numbers),
        first_seq=numbers[0] if numbers else None,
        last_seq=numbers[-1] if numbers else None,
        missing=tuple(missing),
        last_hash=last_hash,
    )
