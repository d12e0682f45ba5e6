"""The forecast of a run: how long its steps took in earlier runs, and when it will be over. Holds the words for both.

All durations are seconds. A forecast never counts the time in which the run waits for an answer of the operator.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from uscdr.models.base import Count, Moment, Span, elapsed
from uscdr.words import duration, first_of, moment, plural

ENOUGH = 10
"""From so many earlier runs on, a forecast is p50 and p90; before, the least and the most."""
DASH = "\N{EN DASH}"
EXPECTED_BACK = "service expected back"
"""The name of the forecast among the facts of a question."""


class _Forecast(BaseModel):
    """Base of what the plan's event holds of a forecast. A journal keeps it: a new field needs a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Estimate(_Forecast):
    """Seconds: p50 and p90, or the least and the most."""

    low: Span
    high: Span

    @property
    def words(self) -> str:
        """`4 min to 6 min 10 s`; one duration when both are the same in words."""
        low, high = duration(self.low), duration(self.high)
        return low if low == high else f"{low} to {high}"


class TimeRange(NamedTuple):
    """When something is expected: not before `low`, and not after `high`, if it goes as in earlier runs."""

    low: datetime
    high: datetime

    @property
    def words(self) -> str:
        """`between 03:25 and 03:40 UTC`; with the dates if it ends on another day than it begins."""
        low, high = self._minutes
        if low == high:
            return f"at {high:%H:%M} UTC"
        if low.date() != high.date():
            return f"between {moment(low)} and {moment(high)}"
        return f"between {low:%H:%M} and {high:%H:%M} UTC"

    @property
    def short(self) -> str:
        """Both times with a dash, for a narrow screen."""
        low, high = (f"{one:%H:%M}" for one in self._minutes)
        return f"{high} UTC" if low == high else f"{low}{DASH}{high} UTC"

    @property
    def _minutes(self) -> tuple[datetime, datetime]:
        """Both in UTC, to the minute: the later one is rounded up."""
        low, high = self.low.astimezone(UTC), self.high.astimezone(UTC)
        begun = high.replace(second=0, microsecond=0)
        return low.replace(second=0, microsecond=0), begun if begun == high else begun + timedelta(minutes=1)


class StepForecast(_Forecast):
    """What earlier runs say of one step of the plan."""

    id: str
    count: Count = 0
    """Successful executions in earlier runs."""
    skipped: bool = False
    """Whether earlier runs reached the step and did not need it."""
    seconds: Estimate | None = None
    """The step's own duration; None without an earlier execution."""
    scaled: bool = False
    """Whether durations were scaled to the size that this run handles."""
    to_back: Estimate | None = None
    """From the start of this step until the service is back; None for a step after that."""
    to_end: Estimate
    """From the start of this step to the end of the run."""

    @property
    def words(self) -> str:
        """`p50 4 min, p90 6 min (12 earlier runs)`, `3 earlier runs: 2 min to 5 min`, or that there is no figure."""
        if self.seconds is None:
            return "not needed in earlier runs" if self.skipped else "not known: no earlier run"
        scaled = ", scaled to this size" if self.scaled else ""
        runs = plural(self.count, "earlier run")
        if self.count < ENOUGH:
            return f"{runs}: {self.seconds.words}{scaled}"
        return f"p50 {duration(self.seconds.low)}, p90 {duration(self.seconds.high)} ({runs}{scaled})"

    @property
    def usual(self) -> str:
        """`usually 2 min to 4 min (5 runs)`; empty without a duration."""
        return f"usually {self.seconds.words} ({plural(self.count, 'run')})" if self.seconds else ""

    def pace(self, spent: float) -> str:
        """A step that has run for `spent` seconds, against earlier runs; empty without a duration."""
        if self.seconds is None:
            return ""
        low, high = (one - spent for one in (self.seconds.low, self.seconds.high))
        if high < 0:
            twice = ", more than twice as long as usual" if spent > 2 * self.seconds.high else ""
            return f"{self.passed}{twice}; {self.usual}"
        left = f"{duration(low)} to {duration(high)}" if low >= 1 else f"at most {duration(high)}"
        return f"{self.usual}, {left} left"

    @property
    def passed(self) -> str:
        """What it means that the step takes longer than `seconds.high`."""
        if self.count >= ENOUGH:
            return "longer than in 9 of 10 earlier runs"
        return f"longer than in {'the only' if self.count == 1 else f'all {self.count}'} earlier " + (
            "run" if self.count == 1 else "runs"
        )


class Saving(_Forecast):
    """A step that the operator can leave out, so that the service is back sooner."""

    step: str
    what: str
    """What the operator does, as `you leave out the capture of the damaged database`."""
    option: str
    seconds: Span


class RunForecast(_Forecast):
    """What earlier runs of the same scenario on the same target say of a planned run."""

    made_at: Moment
    rto_since: Moment
    """From when on the RTO counts."""
    rto_seconds: Span
    runs: Count
    """Earlier runs that the forecast of the end is made from; 0: there is no forecast."""
    quantiles: bool = False
    """Whether the end is p50 and p90 of whole runs; else it is the least and the most of each step, added."""
    steps: tuple[StepForecast, ...] = ()
    unknown: tuple[str, ...] = ()
    """Titles of steps that no earlier run has: the forecast of the end is without them."""
    saving: Saving | None = None

    def of(self, step_id: str) -> StepForecast | None:
        """The forecast of one step; None without one."""
        return next((step for step in self.steps if step.id == step_id), None)

    @property
    def basis(self) -> str:
        """What the forecast of the end is: p50 and p90 of runs, or `the least and the most of each step in 3 …`."""
        runs = plural(self.runs, "earlier run")
        return f"p50{DASH}p90 of {runs}" if self.quantiles else f"the least and the most of each step in {runs}"

    def window(
        self,
        now: datetime,
        following: str | None,
        *,
        running: tuple[str, datetime] | None = None,
        left: float = 0.0,
        back: bool = False,
    ) -> TimeRange | None:
        """When the run is over, or with `back` when the service is there; None when that is past or not known.

        `running` is the running step with its start, and takes at least `left` seconds more. `following` is the first
        step that has not begun.
        """
        after = self._rest(following, back=back)
        ends = _from(now + timedelta(seconds=left), after or Estimate(low=0, high=0))
        if running is None:
            return ends if after and self.runs else None
        rest = self._rest(running[0], back=back)
        if rest is None or not self.runs:
            return None
        begun = _from(running[1], rest)
        return TimeRange(max(begun.low, ends.low), max(begun.high, ends.high))

    def _rest(self, step_id: str | None, *, back: bool) -> Estimate | None:
        step = self.of(step_id) if step_id else None
        if step is None:
            return None
        return step.to_back if back else step.to_end

    def expected(self, now: datetime, following: str | None) -> list[str]:
        """The expected end in one line, and in a second one when the service is back, if that is at another time."""
        end, back = self.window(now, following), self.window(now, following, back=True)
        if end is None:
            return [] if self.runs else ["Expected: not known, no earlier run of this scenario on this target"]
        if self.unknown:
            lacking = f"{plural(len(self.unknown), 'step')} without an earlier run: {first_of(self.unknown)}"
            return [f"Expected: done at {end.low.astimezone(UTC):%H:%M} UTC at the earliest; not counted: {lacking}"]
        lines = [f"Expected: done {end.words} ({self.basis})"]
        return [*lines, *([f"Expected: service back {back.words}"] if back and back.words != end.words else [])]

    def warning(self, now: datetime, following: str | None) -> str:
        """That the RTO will or may be missed, and what would help; empty if it will be met or nothing is known."""
        back = self.window(now, following, back=True)
        late = self.late(back) if back else ""
        return f"{late}{self._help(self._spent(back), following)}." if back and late else ""

    def late(self, back: TimeRange) -> str:
        """That the RTO will or may be missed, without a full stop, if the service is back then; else empty."""
        spent = self._spent(back)
        if spent.high <= self.rto_seconds:
            return ""
        likely = "will probably" if spent.low > self.rto_seconds else "may"
        return f"The RTO of {duration(self.rto_seconds)} {likely} be missed: expected {spent.words}"

    def _spent(self, back: TimeRange) -> Estimate:
        return Estimate(low=elapsed(self.rto_since, back.low), high=elapsed(self.rto_since, back.high))

    def _help(self, spent: Estimate, following: str | None) -> str:
        saving, ids = self.saving, [step.id for step in self.steps]
        if saving is None or following not in ids or ids.index(saving.step) < ids.index(following):
            return ""
        least = spent.low if spent.low > self.rto_seconds else spent.high
        if least - saving.seconds <= self.rto_seconds:
            return f"; unless {saving.what} ({saving.option}), which saves about {duration(saving.seconds)}"
        return f". It is sooner by about {duration(saving.seconds)} if {saving.what} ({saving.option})"


def _from(start: datetime, estimate: Estimate) -> TimeRange:
    return TimeRange(start + timedelta(seconds=estimate.low), start + timedelta(seconds=estimate.high))
