"""A surprise drill: the sandbox misbehaves by a seed during the recovery, and the drill looks at what uscdr does."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from uscdr.clock import system_time
from uscdr.drills.baseline import Comparison, TableContents, content, same_rows
from uscdr.drills.colleague import colleague
from uscdr.drills.environment import capture
from uscdr.drills.faults import PlannedFault, Reaction, faults_of
from uscdr.drills.scoring import DrillTrace, Ending, FaultScore, Strike, recovery_expected, scores
from uscdr.engine.run import Outcome
from uscdr.errors import BadInput, ExitCode, LockHeld, MachineError, ProviderError
from uscdr.models.transfers import TransferState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from uscdr.drills.environment import Stage
    from uscdr.journal.reader import Journal
    from uscdr.scenarios.adapters import Request


@dataclass(frozen=True)
class Surprise:
    """The result: the seed that repeats the drill, and the score of each fault."""

    seed: int
    scores: tuple[FaultScore, ...]
    recovers: bool
    """Whether the drill must end with a recovered application."""

    @property
    def handled(self) -> bool:
        """Whether every fault that struck was handled as expected."""
        return all(one.handled for one in self.scores)


@dataclass
class Trouble:
    """The faults of one drill in its sandbox, and what became of them. Without a seed there are none."""

    stage: Stage
    run: str
    faults: tuple[PlannedFault, ...] = ()
    endings: list[Ending] = field(default_factory=list)
    strikes: dict[str, Strike] = field(default_factory=dict)
    destroyed: str = ""
    bad: str = ""
    """The name of the bad backup."""
    _archive: str = ""

    @classmethod
    def planned(cls, stage: Stage, scenario: str, run: str) -> Trouble:
        """The faults that the drill's seed chooses; none without a seed."""
        seed = stage.request.surprise
        if seed is None:
            return cls(stage, run)
        stage.output.say(f"The sandbox will misbehave: seed {seed}. To repeat it: {command(scenario, stage, seed)}")
        return cls(stage, run, faults_of(seed, scenario, stage.request.how))

    def prepare(self) -> None:
        """Before the damage: take a good backup, then a bad one, if the plan has one."""
        bad = next((one for one in self.faults if one.bad_backup), None)
        if bad is None:
            return
        self._taken()
        self.stage.control("POST", "faults", {"kind": bad.bad_backup, "method": "POST", "path": "*/backups"})
        self.bad, self._archive = self._taken()

    def _taken(self) -> tuple[str, str]:
        """Capture a backup; its name and id. Raises MachineError when it fails."""
        ended = capture(self.stage, "arrangement")
        if ended.state is not TransferState.COMPLETED:
            raise MachineError(
                f"The drill expected the backup {ended.name} to finish, but its state is {ended.state.value}.",
                next_action="Run the drill again: uscdr drill db --surprise",
            )
        return ended.name, ended.id

    def request(self, asked: Request) -> Request:
        """The recovery's request: uscdr chooses the backup when the newest one is bad."""
        return replace(asked, backup=None) if self.bad else asked

    def recover(self, request: Request, identity: Path | None) -> Outcome:
        """Recover among the faults; a second time where the cause of a stop goes away."""
        if not self.faults:
            return self.stage.recover(request, self.run, identity)
        damaged, mark = self._content(request), self.stage.mark()
        for fault in self.faults:
            if fault.rule is not None:
                self.stage.control("POST", "faults", fault.rule.document())
        outcome = self._first(request, identity)
        self._strike(mark)
        self.stage.control("DELETE", "faults")
        stopped = next((one for one in self.faults if one.expected.stops and one.name in self.strikes), None)
        if stopped is None:
            return outcome
        self.destroyed = self._damage_done(request, damaged, mark)
        if stopped.expected is Reaction.STOP or outcome.code is ExitCode.DONE:
            return outcome
        return self._second(request, identity, again=stopped.locks)

    def _first(self, request: Request, identity: Path | None) -> Outcome:
        with ExitStack() as stack:
            for fault in self.faults:
                if fault.locks:
                    stack.enter_context(colleague(self.stage.request.state, self.stage.target.key))
                    self.strikes[fault.name] = Strike(system_time(), "the lock of the target")
            return self._ended(lambda: self.stage.recover(request, self.run, identity))

    def _second(self, request: Request, identity: Path | None, *, again: bool) -> Outcome:
        """What an operator does once the cause is gone: the same command, or a resume."""
        if again:
            return self._ended(lambda: self.stage.recover(request, self.run, identity))
        return self._ended(lambda: self.stage.resume(request, self.run, identity))

    def _ended(self, attempt: Callable[[], Outcome]) -> Outcome:
        try:
            outcome = attempt()
        except LockHeld as error:
            outcome = Outcome(error.exit_code, error)
        said = (outcome.error.reason, outcome.error.next_action) if outcome.error else ("", "")
        self.endings.append(Ending(outcome.code, system_time(), *said))
        return outcome

    def _strike(self, mark: int) -> None:
        """Read from the audit log which faults took effect, and when first."""
        received = self.stage.requests(mark)
        for fault in self.faults:
            hit = _hit_by(fault, received, self._archive)
            if hit:
                first = hit[0]
                at = datetime.fromisoformat(first["time"]) - timedelta(seconds=fault.delay)
                self.strikes[fault.name] = Strike(at, f"{first['method']} {first['path']}", len(hit))

    def _content(self, request: Request) -> TableContents | None:
        """The database as it is; None when it cannot be read."""
        try:
            with self.stage.look(request) as deps:
                return content(deps)
        except (ProviderError, BadInput):
            return None

    def _damage_done(self, request: Request, before: TableContents | None, mark: int) -> str:
        """What uscdr destroyed before it stopped, by the sandbox's audit log and by the rows; empty if nothing."""
        gone = [f"{one['method']} {one['path']}" for one in self.stage.writes(mark) if destroys(one)]
        if gone:
            return f"it sent {', '.join(gone)}"
        after = self._content(request) if before is not None else None
        if before is None or not before.tables or after is None:
            return ""
        kept = same_rows(before, after)
        return "" if kept.holds else f"the rows changed: {kept.evidence}"

    def judge(self, before: TableContents, after: TableContents) -> tuple[Comparison, ...]:
        """More to compare when uscdr chose the backup: the good one was taken just before the damage."""
        return (same_rows(before, after),) if self.bad else ()

    def result(self, journal: Journal | None, findings: Iterable[Comparison]) -> Surprise | None:
        """The scores; None without a seed."""
        seed, held = self.stage.request.surprise, [one.holds for one in findings]
        if seed is None:
            return None
        events = [line.found for line in journal.lines] if journal else []
        seen = DrillTrace(
            events, self.strikes, tuple(self.endings), self.destroyed, self.bad, compared=bool(held) and all(held)
        )
        return Surprise(seed, scores(self.faults, seen), recovery_expected(self.faults, seen))


DESTRUCTIVE = (("POST", "*/restores"), ("DELETE", "*"), ("PUT", "*/reset"))
"""Writes that overwrite or delete data."""
ACCEPTED = 400


def destroys(write: dict[str, Any]) -> bool:
    """Whether the sandbox took this write, and it overwrites or deletes data."""
    meant = any(write["method"] == method and fnmatchcase(write["path"], path) for method, path in DESTRUCTIVE)
    return meant and write["status"] < ACCEPTED


def _hit_by(fault: PlannedFault, received: Sequence[dict[str, Any]], archive: str) -> list[dict[str, Any]]:
    """The requests that a fault hit, in order: those of its rule, or the downloads of the bad backup."""
    rule = fault.rule
    if rule is None:
        return [one for one in received if archive and one["path"].endswith(f"/{archive}.dump")]
    return [one for one in received if one["fault"] == rule.kind and fnmatchcase(one["path"], rule.path)
            and rule.method in ("*", one["method"])]  # fmt: skip


def command(scenario: str, stage: Stage, seed: int) -> str:
    """The command that repeats the drill."""
    asked = stage.request
    return f"uscdr drill {scenario} --how {asked.how} --patients {asked.patients} --surprise {seed}"
