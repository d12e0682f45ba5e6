"""Verdicts of checks that look at several things: one that is bad fails, one that is not known is never a pass."""

from __future__ import annotations

from collections.abc import Sequence

from uscdr.verify.verdict import Finding, Measures


def weighed(problems: Sequence[str], doubts: Sequence[str], good: str, measures: Measures | None = None) -> Finding:
    """Fail with the problems (doubts behind them), else inconclusive with the doubts, else pass with `good`."""
    if problems:
        return Finding("fail", "; ".join((*problems, *doubts)), measures or {})
    if doubts:
        return Finding("inconclusive", "; ".join(doubts), measures or {})
    return Finding("pass", good, measures or {})
