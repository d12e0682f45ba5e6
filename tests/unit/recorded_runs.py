"""Recorded runs of `recover db` for tests of durations: what each step took is given, and so is who waited for whom."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from uscdr.journal.writer import JournalWriter
from uscdr.models import events as ev
from uscdr.models.forecast import RunForecast
from uscdr.report.fold import Fold

T0 = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
KEY = "heroku:usc-pis"
STEPS: tuple[tuple[str, str, str, float], ...] = (
    ("look", "database.look", "read", 3),
    ("choose", "backup.choose", "read", 2),
    ("maintenance_on", "heroku.maintenance", "idempotent", 2),
    ("stop", "heroku.stop", "idempotent", 15),
    ("safety", "backup.capture_safety", "findable", 120),
    ("prove", "backup.prove", "read", 240),
    ("ledger", "data.ledger", "read", 20),
    ("restore", "backup.restore", "findable", 360),
    ("compare", "data.compare", "read", 60),
    ("migrate", "django.migrate", "idempotent", 25),
    ("verify", "data.verify", "read", 15),
    ("start", "heroku.start", "idempotent", 40),
    ("maintenance_off", "heroku.maintenance", "idempotent", 2),
    ("settled", "app.settled", "read", 45),
    ("check", "app.check", "read", 30),
    ("fresh", "backup.capture", "findable", 90),
)
"""Id, name, effect and usual seconds of each step."""
USUAL = {step: seconds for step, _, _, seconds in STEPS}
BACK = "check"
"""After this step the service is back."""
SIZED = ("safety", "prove", "ledger", "restore", "compare", "verify", "fresh")
BYTES, DATABASE = 30e6, 200e6


@dataclass(frozen=True)
class Recorded:
    """One run: seconds of its steps by id, and what else happened."""

    number: int
    seconds: Mapping[str, float] = field(default_factory=lambda: dict(USUAL))
    size: float = 1.0
    """Of the backup and the database, against the usual ones."""
    skipped: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    upto: str = ""
    """The step that failed; empty for a whole run."""
    asked: float = 0.0
    """Seconds before the phrase was typed."""
    begin: float = 0.0
    """Seconds before the first change was begun."""
    confirm: str | None = None
    dry_run: bool = False
    key: str = KEY
    forecast: RunForecast | None = None
    days: int = 1
    """Between two runs."""

    @property
    def run(self) -> str:
        return f"{self.begun:%Y%m%dT%H%M%SZ}-db-{self.number:06x}"

    @property
    def begun(self) -> datetime:
        return T0 + timedelta(days=self.number * self.days)

    @property
    def true(self) -> dict[str, float]:
        """Seconds of work until the service was back, and until the end."""
        ids = [step for step, _, _, _ in STEPS]
        work = [self.seconds[step] for step in ids]
        return {"back": sum(work[: ids.index(BACK) + 1]), "end": sum(work)}

    def fold(self) -> Fold:
        return Fold.of(self.events())

    def events(self) -> list[ev.Stamped]:
        return [
            ev.Stamped(run=self.run, seq=number, at=self.begun + timedelta(seconds=at), mono=at, event=event)
            for number, (at, event) in enumerate(self._timed())
        ]

    def write(self, state: Path) -> None:
        """Its journal, in a state directory."""
        writer = JournalWriter.create(state / "runs" / self.run)
        for stamped in self.events():
            writer.record(stamped)
        writer.close()

    def _timed(self) -> Iterator[tuple[float, Any]]:
        yield 0.0, ev.RunStarted(
            scenario="db", target="production", app="usc-pis", version="0.1.0", user="ada", host="here",
            scenario_digest="d", rto_seconds=7200, rpo_seconds=14400,
            request={"scenario": "db", "key": self.key, "confirm": self.confirm, "dry_run": self.dry_run},
        )  # fmt: skip
        at = 4.0
        yield at, plan(dry_run=self.dry_run, forecast=self.forecast)
        for step, name, effect, _ in () if self.dry_run else STEPS:
            if step in self.skipped:
                at += self.seconds[step]
                yield at, ev.StepSkipped(step=step, name=name, reason="not needed")
                continue
            waiting = self.begin if step == "maintenance_on" else self.asked if step == "restore" else 0.0
            if step == "restore":
                facts = {"database": "postgresql-curved-1234"}
                yield at, ev.GateAsked(step=step, name=name, facts=facts, phrase="restore it")
                yield at + waiting, ev.GateAnswered(step=step, name=name, confirmed=True, by="typed")
            begun = at + waiting
            yield begun, ev.StepStarted(step=step, name=name, title=step, phase="recover", effect=effect)
            at = begun + self.seconds[step]
            if step == self.upto:
                yield at, ev.StepFailed(step=step, name=name, message="It failed.")
                break
            yield at, ev.StepSucceeded(
                step=step, name=name, seconds=self.seconds[step] + waiting, summary="done",
                result=self._result(step), adopted=step in self.adopted,
            )  # fmt: skip
        code = 3 if self.upto else 0
        yield at, ev.RunFinished(outcome="failed" if code else "done", exit_code=code, summary="over")

    def _result(self, step: str) -> dict[str, Any]:
        if step == "look":
            return {"size": int(DATABASE * self.size)}
        return {"bytes": int(BYTES * self.size)} if step == "choose" else {}


def plan(
    *, dry_run: bool = False, forecast: RunForecast | None = None, actions: Mapping[str, str] = {}
) -> ev.PlanReady:
    """The plan of these runs."""
    steps = tuple(
        ev.PlannedStep.model_validate(
            {
                "id": step, "name": name, "title": step.replace("_", " ").capitalize(), "phase": "recover",
                "effect": effect, "action": actions.get(step, "read" if effect == "read" else "later"), "summary": "",
                "params": {"enabled": step == "maintenance_on"} if name == "heroku.maintenance" else {},
            }
        )
        for step, name, effect, _ in STEPS
    )  # fmt: skip
    return ev.PlanReady(digest="d", dry_run=dry_run, steps=steps, budgets={"recover": 3600.0}, forecast=forecast)


def noisy(count: int, seed: int, *, growth: float = 0.0, asked: float = 0.0) -> list[Recorded]:
    """Runs as they are: each step varies by itself, the whole run with the provider's day, now and then one step hangs.

    Each run handles more than the one before by the share `growth`; two thirds of a step that depends on it do.
    """
    chance, runs = random.Random(seed), []
    for number in range(count):
        day, size = chance.lognormvariate(0, 0.08), (1 + growth) ** number
        seconds = {}
        for step, usual in USUAL.items():
            work = usual * ((1 + 2 * size) / 3 if step in SIZED else 1.0)
            hangs = 3.0 if chance.random() < 0.01 else 1.0
            seconds[step] = round(work * day * chance.lognormvariate(0, 0.25) * hangs, 3)
        runs.append(Recorded(number, seconds, size, asked=asked, begin=asked / 3))
    return runs
