"""What one kind of disaster adds to the life of a drill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from uscdr.drills.stage import Stage
from uscdr.drills.truth import Content, Finding
from uscdr.report.model import RunReport
from uscdr.scenarios.deps import Request


@dataclass(frozen=True)
class Aftermath:
    """The database before the damage and after the recovery, and the recovery's own report."""

    before: Content
    after: Content
    report: RunReport
    writes: list[dict[str, Any]]
    """What the providers received in between."""


class Disaster(ABC):
    """One scenario's damage, its recovery's request, and what must hold afterwards."""

    scenario: ClassVar[str]
    path: ClassVar[str]
    """The control of the sandbox that does the damage."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.identity: Path | None = None
        """The private key that the recovery needs, if it needs one."""

    @abstractmethod
    def prepare(self, stage: Stage) -> None:
        """Before the damage: keep what a clinic would have kept."""

    def damage(self, stage: Stage) -> dict[str, Any]:
        """Do it; what was done."""
        body = {"how": self.how, "app": stage.place.target.heroku.app}
        done: dict[str, Any] = stage.control("POST", self.path, body)
        return done

    @abstractmethod
    def request(self) -> Request:
        """What the operator asks for."""

    @abstractmethod
    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Finding, ...]:
        """Compare with the healthy state. Only asked when the recovery says that it is done."""
