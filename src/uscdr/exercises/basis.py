"""What a drill showed: these steps, with this configuration, by this recovery code. When one changes, it is stale."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.exercises.records import DrillRecord
    from uscdr.scenarios.config import Config

RECOVERY_CODE = 1
"""Raise it by one with a change of the recovery code that earlier drills say nothing about.

That is a change of what a recovery sends, in which order, or how it judges: in `engine/`, `scenarios/steps/`,
`scenarios/`, or an adapter's writes. Not: words, reports, another command. Every drill recorded with a lower number is
stale from then on, and due again.
"""
_SECTIONS = {"config", "access", "recovery", "media", "invariants", "after_recovery"}
"""What a recovery uses of scenarios.yaml, besides `app`, checks and steps. Not the targets: a drill has its own."""
_OF_THE_SANDBOX = {"source", "manage"}
"""The fields of `app` that a drill takes from its sandbox."""


@dataclass(frozen=True)
class Basis:
    """Digests of what a drill of one scenario depends on: SHA-256 in hex. Values that are the default do not count."""

    steps: str
    configuration: str
    recovery_code: int = RECOVERY_CODE

    @classmethod
    def of(cls, config: Config, scenario: str) -> Basis:
        """The present one. Raises KeyError for an unknown scenario, ConfigError for invalid steps or checks."""
        steps = [{"use": one.use, "with": one.with_} for one in config.scenarios[scenario].steps]
        used: dict[str, Any] = config.model_dump(mode="json", include=_SECTIONS, exclude_defaults=True)
        used["app"] = config.app.model_dump(mode="json", exclude=_OF_THE_SANDBOX, exclude_defaults=True)
        used["checks"] = {
            one.name: one.spec.model_dump(mode="json", exclude={"why"}, exclude_defaults=True)
            for one in config.recovery_checks(scenario)
        }
        return cls(_digest(steps), _digest(used))

    def changes(self, record: DrillRecord) -> Iterator[str]:
        """What has changed since the drill, in words; nothing if it still counts."""
        if record.steps != self.steps:
            yield f"the steps of {record.scenario} have changed since"
        if record.configuration != self.configuration:
            yield "the configuration of the recovery has changed since"
        if record.recovery_code != self.recovery_code:
            yield f"the recovery code has changed since (now {self.recovery_code}, then {record.recovery_code})"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
