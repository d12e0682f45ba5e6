"""How a check ends. Only `pass` is a pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from uscdr.words import first_of

if TYPE_CHECKING:
    from uscdr.models.postgres import Unread

Verdict = Literal["pass", "fail", "inconclusive", "not checked"]
Measures = Mapping[str, Any]
"""What a check measured, as JSON: counts, digests, seconds, names. Never a patient's value, never a secret."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence, which names no patient; `measures` go into a baseline."""

    verdict: Verdict
    evidence: str
    measures: Measures = field(default_factory=dict)
    limited: bool = False
    """Not checked because somebody counts requests: a sentence on the limit, none on what was to be looked at."""


def beyond_limit(evidence: str) -> Finding:
    """Not checked, so that a limit is not used up, or as it was used up."""
    return Finding("not checked", evidence, limited=True)


def as_far_as_read(found: Finding, unread: Iterable[Unread | None], done: str) -> Finding:
    """`found`, of what could be read, with the tables that could not be `done` (such as "counted").

    Damage is a failure. What is out of reach, locked or hidden, leaves no pass.
    """
    tables = {one.table: one for one in unread if one is not None}.values()
    if not tables:
        return found
    words = first_of([one.words(done) for one in sorted(tables, key=lambda one: (not one.damaged, one.table))])
    failed = found.verdict == "fail" or any(one.damaged for one in tables)
    evidence = f"{words}; {found.evidence}"
    return Finding("fail" if failed else "inconclusive", evidence, found.measures)


def judged(problems: list[str], good: str, measures: Measures | None = None) -> Finding:
    """Fail with every problem, else pass with `good`."""
    if problems:
        return Finding("fail", "; ".join(problems), measures or {})
    return Finding("pass", good, measures or {})


# Verdicts of checks that look at several things: one that is bad fails, one that is not known is never a pass.


def weighed(problems: Sequence[str], doubts: Sequence[str], good: str, measures: Measures | None = None) -> Finding:
    """Fail with the problems (doubts behind them), else inconclusive with the doubts, else pass with `good`."""
    if problems:
        return Finding("fail", "; ".join((*problems, *doubts)), measures or {})
    if doubts:
        return Finding("inconclusive", "; ".join(doubts), measures or {})
    return Finding("pass", good, measures or {})
