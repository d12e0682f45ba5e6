"""One round of checks after the other, told on the bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from uscdr.assembly.job import Surroundings
from uscdr.errors import Declined
from uscdr.events import Bus
from uscdr.models.events import CheckFinished, ChecklistItem, ChecksFinished, ChecksStarted, StepProgress
from uscdr.scenarios.checklists import Selection, repeated, verdict_of
from uscdr.verification.wanted import Round, Verification
from uscdr.verify.check import Check
from uscdr.verify.engine import Result, look_at
from uscdr.verify.kinds.manual import ManualCheck
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

STEP = "verify"
YES, NO, LATER = "yes", "no", "later"


class Rounds:
    """The rounds of one verification. `last` is the newest that ended."""

    def __init__(self, wanted: Verification, selection: Selection, around: Surroundings, bus: Bus) -> None:
        self._wanted = wanted
        self._selection = selection
        self._around = around
        self._bus = bus
        self.last: Round | None = None

    def all(self, world: Callable[[], AbstractContextManager[World]]) -> Round:
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
            self._selection = repeated(self._selection, passed)
            number += 1
            self._around.stop.pause(max(0.0, begun + self._wanted.every - time.monotonic()))

    def _one(self, number: int, world: World, *, another: bool) -> Round:
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
        return Round(tuple(results), finished)

    def _results(self, world: World) -> Iterator[Result]:
        """Those that look first, beside each other; then questions; then those that write, one by one."""
        checks = self._selection.checks
        looking = [c for c in checks if not c.spec.writes and not isinstance(c.spec, ManualCheck)]
        stop = self._around.stop.event

        yield from look_at(world, looking, began=self._began, deadline=self._wanted.deadline, stop=stop)
        for check in checks:
            if isinstance(check.spec, ManualCheck):
                self._began(check)
                asked = time.monotonic()
                yield Result(check, self._answer(check, check.spec), time.monotonic() - asked)
        for check in checks:
            if check.spec.writes:
                self._around.stop.check()
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
        how = "given with --answer" if given is not None else self._around.asker.manner
        if answer == LATER:
            return Finding("not checked", f"left for later by the operator: {spec.question}")
        return Finding("pass" if answer == YES else "fail", f"answered {answer} ({how}): {spec.question}")

    def _asked(self, spec: ManualCheck) -> str:
        return self._around.asker.choose(spec.question, (YES, NO, LATER))

    def _lines(self, results: list[Result]) -> tuple[ChecklistItem, ...]:
        verdicts = {one.check.name: one.finding.verdict for one in results}
        return tuple(
            ChecklistItem(
                list=line.list, item=line.item, verdict=verdict_of(line, verdicts), checks=line.checks,
                skipped=line.skipped,
            )
            for line in self._selection.lines
        )  # fmt: skip

    def _changed(self, results: list[Result]) -> tuple[str, ...]:
        before = self.last.verdicts if self.last else {}
        now = {one.check.name: one.finding.verdict for one in results}
        return tuple(f"{n}: {before[n]} -> {v}" for n, v in now.items() if n in before and before[n] != v)


def told(result: Result) -> CheckFinished:
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
