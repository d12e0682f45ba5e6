"""How a check ends. Only `pass` is a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive", "not checked"]
Measures = Mapping[str, Any]
"""What a check measured, as JSON: counts, digests, seconds, names. Never a patient's value, never a secret."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence, which names no patient; `measures` go into a baseline."""

    verdict: Verdict
    evidence: str
    measures: Measures = field(default_factory=dict)


def judged(problems: list[str], good: str, measures: Measures | None = None) -> Finding:
    """Fail with every problem, else pass with `good`."""
    if problems:
        return Finding("fail", "; ".join(problems), measures or {})
    return Finding("pass", good, measures or {})
