"""The verdicts of a check. Only `pass` is a success."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from uscdr.errors import ApplicationGone, CredentialsRefused, ProviderError, RateLimited, UscdrError, WriteRefused
from uscdr.models.causes import NO_ANSWER
from uscdr.words import first_of

if TYPE_CHECKING:
    from uscdr.models.postgres import Unread

Verdict = Literal["pass", "fail", "inconclusive", "not checked"]
Measures = Mapping[str, Any]
"""The measures of a check, as JSON: counts, digests, seconds, names. Never a patient's value or a secret."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence, which contains no patient data; `measures` go into a baseline."""

    verdict: Verdict
    evidence: str
    measures: Measures = field(default_factory=dict)
    limited: bool = False
    """Whether a rate limit prevented the check; the evidence then describes only the limit."""
    cause: str = ""
    """Why there is no answer, in words that every check with the same reason has; empty if the check has its answer."""
    remedy: str = ""
    """The next action for that cause, if the provider's error has one."""

    def as_far_as_read(self, unread: Iterable[Unread | None], done: str) -> Finding:
        """This finding, plus the tables that could not be `done` (such as "counted").

        Damage is a failure. An unreachable, locked or hidden table prevents a pass.
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
        """Not checked because of a rate limit."""
        return cls("not checked", evidence, limited=True)

    @classmethod
    def weighed(
        cls, problems: Sequence[str], doubts: Sequence[str], good: str, measures: Measures | None = None
    ) -> Finding:
        """Fail with the problems (then the doubts), else inconclusive with the doubts, else pass with `good`.

        An unknown part prevents a pass.
        """
        if problems:
            return cls("fail", "; ".join((*problems, *doubts)), measures or {})
        if doubts:
            return cls("inconclusive", "; ".join(doubts), measures or {})
        return cls("pass", good, measures or {})

    @classmethod
    def without_answer(cls, error: Exception) -> Finding:
        """The finding of a check that raised `error`."""
        if isinstance(error, WriteRefused):
            return cls("not checked", "a dry run sends no POST")
        if isinstance(error, RateLimited):
            return cls.beyond_limit(_in_words(error))
        remedy = error.next_action if isinstance(error, CredentialsRefused) else ""
        return cls("inconclusive", _in_words(error), cause=_cause(error), remedy=remedy)


def _cause(error: Exception) -> str:
    """What other checks may have failed by, too; empty for a failure of this check alone."""
    if not isinstance(error, ProviderError):
        return ""
    if error.no_answer:
        return f"{NO_ANSWER}{error.provider}"
    told = "it has no such app" if isinstance(error, ApplicationGone) else error.message.partition(": ")[2].rstrip(".")
    return f"{error.provider} refuses: {told} ({error.status})" if told and error.status else ""


def _in_words(error: Exception) -> str:
    """The reason why a check is inconclusive. Shows only the type of an unexpected error, whose text may be secret."""
    if isinstance(error, UscdrError):
        return error.message + (f" ({error.why})" if error.why else "")
    return f"a defect of the check: {type(error).__name__}"
