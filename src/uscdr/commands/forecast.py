"""Reads the earlier runs of this scenario on this target, and forecasts the present one from them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uscdr import clock
from uscdr.engine.plan import LATE
from uscdr.errors import JournalError
from uscdr.journal.reader import Journal
from uscdr.journal.runs import LocalRuns
from uscdr.models.forecast import EXPECTED_BACK
from uscdr.models.runs import RunKind
from uscdr.report.durations import TELL_SIZES, EarlierRun, sizes_in
from uscdr.report.fold import Fold
from uscdr.report.forecast import Outset, foresee
from uscdr.report.objectives import rto_since

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from uscdr.engine.plan import Plan
    from uscdr.models.events import PlanReady
    from uscdr.models.forecast import RunForecast
    from uscdr.wiring.context import RunContext

MOST_RUNS, MOST_READ = 50, 100
"""The newest runs that count, and the journals that are read to find them: each takes up to 5 ms."""


def earlier_runs(state: Path, scenario: str, key: str, *, but: str = "") -> list[EarlierRun]:
    """The times of the newest runs of a scenario on the target with this key, newest first, without run `but`.

    Skips journals that are damaged or of another version. Empty if the directory cannot be listed.
    """
    try:
        paths = list(LocalRuns(state).journals())
    except JournalError:
        return []
    named = [path for path in reversed(paths) if f"-{scenario}-" in path.parent.name and path.parent.name != but]
    return list(islice(_read(named[:MOST_READ], scenario, key), MOST_RUNS))


def _read(paths: list[Path], scenario: str, key: str) -> Iterator[EarlierRun]:
    for path in paths:
        journal = Journal.salvage(path)
        if journal.damage is not None or journal.request.get("key") != key:
            continue
        try:
            fold = Fold.of(journal.stamped)
        except ValidationError:
            continue
        found = EarlierRun.of(fold) if fold.begun and fold.begun.scenario == scenario else None
        if found is not None:
            yield found


class RecordedForecaster:
    """The engine's forecaster, from the journals in the state directory; `own` is the journal of the run itself."""

    def __init__(self, context: RunContext, own: Path) -> None:
        self._context = context
        self._own = own

    def of_plan(self, event: PlanReady, plan: Plan) -> RunForecast | None:
        """The forecast of a plan; None for a run without objectives, and for a plan that cannot run."""
        scenario = self._context.request.scenario
        if not RunKind(scenario).recovers or plan.blocked:
            return None
        target, now = self._context.target, clock.now()
        past = earlier_runs(self._context.state, scenario, target.key, but=self._context.run)
        seen = {line.bound.step.name: line.seen for line in plan.lines if line.seen is not None}
        sizes = sizes_in({name: fact.model_dump() for name, fact in seen.items() if name in TELL_SIZES})
        since, rto = self._since() or now, target.config.objectives.rto
        return foresee(Outset(event.steps, now, since, rto, sizes), past)

    def at_decision(self, step: str) -> Mapping[str, str]:
        """When the service is expected back if the operator confirms now, and that the RTO will or may be missed."""
        forecast, now = self._recorded(), clock.now()
        if forecast is None:
            return {}
        back = forecast.window(now, step, back=True)
        warning = forecast.warning(now, step)
        facts: dict[str, Any] = {EXPECTED_BACK: f"{back.words} ({forecast.basis})" if back else ""}
        return {name: words for name, words in (facts | {LATE: warning}).items() if words}

    def _since(self) -> datetime | None:
        fold = self._fold()
        return rto_since(fold) if fold else None

    def _recorded(self) -> RunForecast | None:
        fold = self._fold()
        return fold.plan.forecast if fold and fold.plan else None

    def _fold(self) -> Fold | None:
        try:
            return Fold.of(Journal.read(self._own).stamped)
        except (JournalError, ValidationError):
            return None
