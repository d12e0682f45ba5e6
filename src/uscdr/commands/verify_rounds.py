"""The rounds of a verification: runs its checks one after the other, and reports them on the event bus."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.checks.check import Check, ManualCheck
from uscdr.checks.run import DEADLINE, Result, look_at
from uscdr.checks.verdict import Finding, Verdict
from uscdr.errors import Declined
from uscdr.models.events import CheckFinished, ChecklistResult, ChecksFinished, ChecksStarted, StepProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from uscdr.checks.context import CheckContext
    from uscdr.events import Bus
    from uscdr.monitoring.observed import Observed
    from uscdr.scenarios.checks import CheckRequest, CheckSelection
    from uscdr.wiring.context import RunContext

_STEP = "verify"
_YES, _NO, _LATER = "yes", "no", "later"


@dataclass(frozen=True)
class Verification:
    """What `uscdr verify` or `uscdr watch` checks, and for how long. Times in seconds."""

    request: CheckRequest
    answers: Mapping[str, bool] = field(default_factory=dict)
    """Answers to manual checks from the command line, by name of the check."""
    save_baseline: bool = False
    deadline: float = DEADLINE
    """Time limit for all checks of a round together."""
    lasting: float = 0.0
    """watch: no round begins after this time; 0 means one round."""
    every: float = 0.0
    """watch: time from the beginning of one round to the beginning of the next."""


@dataclass(frozen=True)
class CheckRound:
    """The result of one round."""

    results: tuple[Result, ...]
    finished: ChecksFinished

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of each check, by name."""
        return {one.check.name: one.finding.verdict for one in self.results}

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the checks that did not pass."""
        return tuple(name for name, verdict in self.verdicts.items() if verdict != "pass")


class CheckRounds:
    """The rounds of one verification. `last` is the newest finished round."""

    def __init__(
        self, wanted: Verification, selection: CheckSelection, context: RunContext, bus: Bus, seen: Observed
    ) -> None:
        self._wanted = wanted
        self._seen = seen
        self._selection = selection
        self._context = context
        self._bus = bus
        self.last: CheckRound | None = None

    def all(self, world: Callable[[], AbstractContextManager[CheckContext]]) -> CheckRound:
        """Run every round and return the last one. Raises Interrupted when the operator stops it."""
        end = time.monotonic() + self._wanted.lasting
        number = 1
        while True:
            begun = time.monotonic()
            another = self._wanted.every > 0 and begun + self._wanted.every <= end
            with world() as seen:
                self.last = self._one(number, seen, another=another)
            self._seen.verdicts = tuple(self.last.verdicts.values())
            if not another:
                return self.last
            self._seen.save()
            passed = [name for name, verdict in self.last.verdicts.items() if verdict == "pass"]
            self._selection = self._selection.repeated(passed)
            number += 1
            self._context.stop.pause(max(0.0, begun + self._wanted.every - time.monotonic()))

    def _one(self, number: int, world: CheckContext, *, another: bool) -> CheckRound:
        begun, begun_at = time.monotonic(), datetime.now(UTC)
        names = tuple(check.name for check in self._selection.checks)
        taken = world.baseline.taken_at if world.baseline else None
        lines = len(self._selection.lines)
        self._bus.emit(ChecksStarted(checks=names, items=lines, round=number, baseline_at=taken))
        results = []
        for result in self._results(world):
            self._bus.emit(told(result))
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
        return CheckRound(tuple(results), finished)

    def _results(self, world: CheckContext) -> Iterator[Result]:
        """First the checks that only read, in parallel; then the questions; then the checks that write, one by one."""
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
        self._bus.emit(StepProgress(step=_STEP, note=check.name))

    def _answer(self, check: Check, spec: ManualCheck) -> Finding:
        """The operator's answer, from --answer or the terminal; `not checked` without either."""
        given = self._wanted.answers.get(check.name)
        try:
            answer = {True: _YES, False: _NO}[given] if given is not None else self._asked(spec)
        except Declined:
            return Finding("not checked", f"nobody answered: {spec.question}")
        how = "given with --answer" if given is not None else self._context.asker.manner
        if answer == _LATER:
            return Finding("not checked", f"the operator will answer later: {spec.question}")
        return Finding("pass" if answer == _YES else "fail", f"answered {answer} ({how}): {spec.question}")

    def _asked(self, spec: ManualCheck) -> str:
        return self._context.asker.choose(spec.question, (_YES, _NO, _LATER))

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


def told(result: Result) -> CheckFinished:
    """The result of one check as an event."""
    check, finding = result.check, result.finding
    return CheckFinished(
        step=_STEP,
        check=check.name,
        verdict=finding.verdict,
        evidence=finding.evidence,
        seconds=round(result.seconds, 3),
        why=check.spec.explained(finding),
        cause=finding.cause,
    )
