"""How a check ends. Only `pass` is a pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from uscdr.errors import RateLimited, UscdrError, WriteRefused
from uscdr.models.postgres import Unread
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

    def as_far_as_read(self, unread: Iterable[Unread | None], done: str) -> Finding:
        """Itself, of what could be read, with the tables that could not be `done` (such as "counted").

        Damage is a failure. What is out of reach, locked or hidden, leaves no pass.
        """
        tables = {one.table: one for one in unread if one is not None}.values()
        if not tables:
            return self
        words = first_of([one.words(done) for one in sorted(tables, key=lambda one: (not one.damaged, one.table))])
        failed = self.verdict == "fail" or any(one.damaged for one in tables)
        evidence = f"{words}; {self.evidence}"
        return Finding("fail" if failed else "inconclusive", evidence, self.measures)

    @classmethod
    def beyond_limit(cls, evidence: str) -> Finding:
        """Not checked, so that a limit is not used up, or as it was used up."""
        return cls("not checked", evidence, limited=True)

    @classmethod
    def weighed(
        cls, problems: Sequence[str], doubts: Sequence[str], good: str, measures: Measures | None = None
    ) -> Finding:
        """Fail with the problems (doubts behind them), else inconclusive with the doubts, else pass with `good`.

        What is not known is never a pass.
        """
        if problems:
            return cls("fail", "; ".join((*problems, *doubts)), measures or {})
        if doubts:
            return cls("inconclusive", "; ".join(doubts), measures or {})
        return cls("pass", good, measures or {})

    @classmethod
    def without_answer(cls, error: Exception) -> Finding:
        """What a check says that raised."""
        if isinstance(error, WriteRefused):
            return cls("not checked", "a dry run sends no POST")
        if isinstance(error, RateLimited):
            return cls.beyond_limit(_in_words(error))
        return cls("inconclusive", _in_words(error))


def _in_words(error: Exception) -> str:
    """Why a check could not tell. The text of an unforeseen error may hold anything: only its type is told."""
    if isinstance(error, UscdrError):
        return error.message + (f" ({error.why})" if error.why else "")
    return f"a defect of the check: {type(error).__name__}"
