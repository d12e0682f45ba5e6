"""Compare a run with its objectives, and collect facts about the data; unknown values stay unknown."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uscdr.models.base import elapsed
from uscdr.models.forecast import EXPECTED_BACK
from uscdr.models.runs import RunKind
from uscdr.report.durations import waited
from uscdr.report.fold import Fold
from uscdr.report.model import (
    DataReport,
    ForecastReport,
    Integrity,
    ObjectiveReport,
    PhaseReport,
    RunReport,
    StepReport,
    TableLoss,
    Verdict,
    span,
)
from uscdr.words import first_of, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from uscdr.models.events import PlannedStep, Stamped

DOORS, CHECKED = "heroku.maintenance", "app.check"
"""The steps after which users can work again: the application is open and checked."""
CHOSEN, LEDGER = ("backup.choose", "infra.choose", "infra.choose_last"), "data.ledger"
COMPARED, COUNTED = "data.compare", "data.probe"
PROVEN, VERIFIED = ("backup.prove", "infra.prove", "infra.prove_last"), "data.verify"
_RESTORED = ("backup.restore", "infra.load")
"""The steps that put the chosen backup into the database."""
_CLOCKS_APART = 60.0
"""The largest difference in seconds between the clocks of two machines that worked on one run."""


def _missed(fold: Fold) -> str | None:
    """The objectives that a run with completed steps missed, in words; None if it met all."""
    achieved = {"RTO": _recovery_time(fold), "RPO": _recovery_point(fold)}
    words = [
        f"{name} {span(one.target_seconds)}, achieved {span(one.achieved_seconds)}"
        for name, one in achieved.items()
        if one.verdict == "missed"
    ]
    return "; ".join(words) or None


def shortfall(fold: Fold) -> str:
    """Why a run with completed steps is not a full success, in a sentence; empty if it is."""
    unchecked, late = _unchecked(fold), _missed(fold)
    words = [f"some checks could not run: {unchecked}"] if unchecked else []
    words += [f"the run missed an objective: {late}"] if late else []
    return f"Recovered{'' if unchecked else ' and verified'}, but {'; '.join(words)}" if words else ""


def held_back(fold: Fold) -> str:
    """The checks that the last look at the application skipped because of a rate limit; empty if none."""
    left_out = _texts(fold.result(CHECKED).get("held_back"))
    return f"not checked because of a rate limit: {first_of(left_out, comma='; ')}" if left_out else ""


def _unchecked(fold: Fold) -> str:
    hidden = [*_texts(fold.result(COMPARED).get("hidden")), *_texts(fold.result(COUNTED).get("hidden"))]
    unasked = _texts(fold.result(VERIFIED).get("unasked"))
    return "; ".join((*hidden, *(f"the query “{name}” did not run" for name in unasked)))


def _texts(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else []


def _recovery_time(fold: Fold) -> ObjectiveReport:
    """Seconds from the outage, or else from the start of the run, until service was restored, compared with the RTO.

    Service is restored when the application was opened and all its checks succeeded. In a scenario without these steps
    it is restored when the last step succeeded. Otherwise the time is unknown, and the RTO is missed once the last
    event is later than it.
    """
    target = fold.begun.rto_seconds if fold.begun else 0.0
    if fold.begun is None or fold.started_at is None:
        return _not_achieved(target, "not known", "the journal has no start")
    if beside := _has_no_objectives(fold):
        return _not_achieved(target, "does not apply", beside)
    back, basis = _service_back(fold)
    if fold.set_back > _CLOCKS_APART:
        return _not_achieved(target, "not known", f"a clock was set back by {span(fold.set_back)} during the run")
    begun = rto_since(fold) or fold.started_at
    if back is None:
        late = fold.last_at is not None and (fold.last_at - begun).total_seconds() > target
        return _not_achieved(target, "missed" if late else "not known", basis)
    since = fold.begun.rto_basis() + ("" if fold.begun.outage_at else f", {moment(fold.started_at)}")
    return ObjectiveReport.measured(target, (back - begun).total_seconds(), f"{since}, {basis}")


def _has_no_objectives(fold: Fold) -> str:
    """Why no objective applies to the run; empty if they do."""
    kind = RunKind(fold.begun.scenario if fold.begun else "")
    if not kind.recovers:
        return f"the run {'only reads' if kind.only_looks else 'is not a recovery'}"
    return "dry run" if fold.plan and fold.plan.dry_run else ""


def _not_achieved(target: float, verdict: Verdict, basis: str) -> ObjectiveReport:
    return ObjectiveReport(target_seconds=target, achieved_seconds=None, verdict=verdict, basis=basis)


def _service_times(fold: Fold) -> dict[str, datetime | None]:
    """When a recovery opened the application again, and when its checks had passed; None for one that does neither."""
    doors, dry = _doors(fold), bool(fold.plan and fold.plan.dry_run)
    recovers = fold.begun is not None and RunKind(fold.begun.scenario).recovers and not dry
    if not recovers or not (doors or fold.named(CHECKED)):
        return {"restored_at": None, "verified_at": None}
    verified = _service_back(fold)[0]
    opened = [step.ended_at for step in doors if step.ended_at and _reached(step, doors)]
    return {"restored_at": max(opened, default=verified), "verified_at": verified}


def _doors(fold: Fold) -> list[StepReport]:
    """The steps that open the application to users."""
    planned = fold.plan.steps if fold.plan else ()
    opening = {step.id for step in planned if _opens(step)}
    return [step for step in fold.named(DOORS) if step.id in opening]


def _service_back(fold: Fold) -> tuple[datetime | None, str]:
    planned, doors = (fold.plan.steps if fold.plan else ()), _doors(fold)
    marks = [*doors, *fold.named(CHECKED)] or [fold.steps[step.id] for step in planned]
    missing = [step.title for step in marks if not _reached(step, doors)]
    if missing or not marks:
        return None, f"not done: {', '.join(missing) or 'the plan has no steps'}"
    ended_at, title = max((step.ended_at, step.title) for step in marks if step.ended_at)
    return ended_at, f"until: {title}"


def _opens(step: PlannedStep) -> bool:
    return step.params.get("enabled") is False


def brings_back(step: PlannedStep) -> bool:
    """Whether the service is back only after this step: it opens the application, or checks it."""
    return step.name == CHECKED or (step.name == DOORS and _opens(step))


def rto_since(fold: Fold) -> datetime | None:
    """From when on the RTO counts: the outage, or else the start of the run; None while that is not recorded."""
    return fold.begun.counts_from(fold.started_at) if fold.begun and fold.started_at else None


def _forecast(fold: Fold) -> ForecastReport | None:
    """The forecast of the plan against the time that was needed; None without a forecast."""
    made = fold.plan.forecast if fold.plan else None
    told = made.steps[0].to_back if made and made.steps else None
    if made is None or told is None:
        return None
    expected = made.window(made.made_at, made.steps[0].id, back=True)
    report = ForecastReport(
        low_seconds=told.low, high_seconds=told.high, basis=made.basis, runs=made.runs, quantiles=made.quantiles,
        expected=expected.words if expected else "", shown=_shown(fold),
    )  # fmt: skip
    back, why = _service_back(fold)
    if back is None:
        return report.model_copy(update={"why": "dry run" if fold.plan and fold.plan.dry_run else why})
    waiting = waited(fold, back)
    took = max(0.0, elapsed(made.made_at, back) - waiting)
    verdict = "sooner" if took < told.low else "later" if took > told.high else "within"
    if sum(attempt.started_at <= back for attempt in fold.attempts) > 1:
        verdict, why = "not known", "the run was interrupted and resumed"
    found = {"took_seconds": took, "waited_seconds": waiting, "verdict": verdict, "why": why, "back_at": back}
    return report.model_copy(update=found)


def _shown(fold: Fold) -> str:
    """The forecast in the last question that was confirmed."""
    told = (gate.facts.get(EXPECTED_BACK, "") for gate in reversed(fold.gates) if gate.confirmed)
    return next(told, "")


def _no_forecast(fold: Fold) -> str:
    """Why there is no forecast; empty if there is one."""
    if fold.plan is None:
        return "the run made no plan"
    if fold.plan.forecast is None:
        return "the run's journal has none"
    return "" if fold.plan.forecast.runs else "no earlier run of this scenario on this target"


def _reached(step: StepReport, doors: list[StepReport]) -> bool:
    # If maintenance was never enabled, the step may be skipped; a skipped check proves nothing.
    may_be_skipped = step in doors or step.name != CHECKED
    return step.ended_at is not None and (step.status == "done" or (may_be_skipped and step.status == "skipped"))


def _recovery_point(fold: Fold) -> ObjectiveReport:
    """Seconds of lost writes, compared with the RPO: from the chosen backup to the last lost write.

    Not measured until the backup is in the database and was compared with it. If the ledger has no time of the last
    write, everything since the backup counts as lost: the age of the backup when it was chosen. If the time of some
    lost rows is unknown, that age is the upper bound and the last known write the lower bound.
    """
    target = fold.begun.rpo_seconds if fold.begun else 0.0
    if beside := _has_no_objectives(fold) or _restores_nothing(fold):
        return _not_achieved(target, "does not apply", beside)
    if missing := _not_restored(fold):
        return _not_achieved(target, "not measured", missing)
    chosen, ledger = fold.result(*CHOSEN), fold.result(LEDGER)
    backup, age = chosen.get("backup", "?"), _number(chosen.get("age_seconds"))
    begun, last = _moment(chosen.get("taken_at", chosen.get("created_at"))), _moment(ledger.get("last_write"))
    if begun and last:
        least = elapsed(begun, last)
        basis = f"from backup {backup} to the last lost write"
        if (undated := _undated(ledger)) and age:
            return _within(target, least, age, basis, undated)
        return ObjectiveReport.measured(target, least, basis)
    if age is None:
        return _not_achieved(target, "not known", "the journal has no age of the backup")
    return ObjectiveReport.measured(target, age, f"age of backup {backup} when it was chosen")


def _restores_nothing(fold: Fold) -> str:
    """Whether the plan has no step that restores a database, in words; empty if it has, and without a plan."""
    return "this run restores no database" if fold.plan and not fold.named(*_RESTORED) else ""


def _not_restored(fold: Fold) -> str:
    """What is missing until the database has the backup's content; empty if nothing is."""
    if fold.plan is None:
        return "the run made no plan"
    missing = [step.title for step in fold.named(*_RESTORED, COMPARED) if not _reached(step, [])]
    return f"not done: {', '.join(missing)}" if missing else ""


def _within(target: float, least: float, most: float, basis: str, why: str) -> ObjectiveReport:
    """Compare two bounds: met if the upper one is, missed if the lower one is, else not known."""
    if least > target:
        return ObjectiveReport.measured(target, least, f"{basis} that is known; {why}")
    if most <= target:
        found = ObjectiveReport.measured(target, most, f"age of the backup when it was chosen; {why}")
        return found.model_copy(update={"at_most": True})
    return _not_achieved(target, "not known", f"between {span(least)} and {span(most)}; {why}")


def _undated(ledger: dict[str, Any]) -> str:
    """The lost rows without a known time, in words; empty if there are none."""
    named = ledger.get("undated")
    tables = [str(one) for one in named] if isinstance(named, list) else []
    if tables:
        return f"the time of lost rows in {first_of(tables)} is unknown"
    return "the damage may have removed newer rows" if ledger.get("at_least") is True else ""


def _data_facts(fold: Fold) -> DataReport:
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
    except ValidationError:  # a journal of another version: keep the totals
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


# Builds the report from the journal; every output format starts from it.


def build(events: Iterable[Stamped | Mapping[str, Any]], *, last_hash: str = "") -> RunReport:
    """Build a report from `events` in journal order; a mapping is one decoded journal line.

    `last_hash` is the SHA-256 of the journal's last line, if the caller knows it. A run without a
    `run.finished` is reported as unfinished. Raises pydantic.ValidationError for a line that is no event.
    """
    return _report(Fold.of(events), last_hash)


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
        summary=end.summary if end else "The journal has no outcome.",
        dry_run=plan.dry_run if plan else False,
        **_service_times(fold),
        plan_digest=plan.digest if plan else "",
        rto=_recovery_time(fold),
        rpo=_recovery_point(fold),
        forecast=_forecast(fold),
        no_forecast=_no_forecast(fold),
        data=_data_facts(fold),
        phases=_phases(fold),
        steps=tuple(fold.steps.values()),
        gates=tuple(fold.gates),
        question=fold.question,
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
