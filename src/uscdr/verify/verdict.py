"""How a check ends. Only `pass` is a pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "inconclusive", "not checked"]


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence: never a patient's value."""

    verdict: Verdict
    evidence: str
