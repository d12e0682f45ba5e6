"""One cause of many failures: the checks that it left without an answer, as one group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_ANSWER = "no answer from "
"""How a cause begins that is the silence of a provider, which follows."""
_GONE = "no such app"
"""In the platform's words: then the application's own silence has the same cause."""
_APPLICATION = f"{NO_ANSWER}the application"
ANSWERS = "the application answers with status "
"""How a cause begins that is a status instead of the required one, which follows."""
_FEW, _MANY = 2, 5
"""The least number of checks that make a group; of those with the same wrong status, which may be two mistakes."""


class _Told(Protocol):
    """The end of a check, as an event or in a report."""

    @property
    def check(self) -> str: ...

    @property
    def evidence(self) -> str: ...

    @property
    def cause(self) -> str: ...


@dataclass(frozen=True)
class SharedCause:
    """A cause, the checks without an answer because of it, and what the first of them saw."""

    words: str
    checks: tuple[str, ...]
    evidence: str

    @classmethod
    def among(cls, checks: Iterable[_Told]) -> tuple[SharedCause, ...]:
        """The causes that several of the checks share, the commonest first."""
        by_cause: dict[str, list[_Told]] = {}
        for one in checks:
            if one.cause:
                by_cause.setdefault(one.cause, []).append(one)
        _join_gone(by_cause)
        silent = [cause for cause in by_cause if cause.startswith(NO_ANSWER)]
        merged = [one for cause in silent for one in by_cause.pop(cause)]
        if merged:
            names = [cause.removeprefix(NO_ANSWER) for cause in silent]
            listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
            by_cause[f"{NO_ANSWER}{listed}"] = merged
        groups = [cls(cause, tuple(one.check for one in told), told[0].evidence) for cause, told in by_cause.items()]
        return tuple(sorted((one for one in groups if one.is_common), key=lambda one: -len(one.checks)))

    @property
    def is_common(self) -> bool:
        """Whether so many checks have it that it is told once, for all of them."""
        return len(self.checks) >= (_MANY if self.words.startswith(ANSWERS) else _FEW)


def _join_gone(by_cause: dict[str, list[_Told]]) -> None:
    gone = next((cause for cause in by_cause if _GONE in cause), None)
    if gone is not None:
        by_cause[gone] += by_cause.pop(_APPLICATION, [])
