"""Runs checks beside each other: each has its own time limit, all together a deadline, and each ends with a verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uscdr.deadlines import Ended, Timed, run_timed
from uscdr.errors import UscdrError
from uscdr.verify.check import Check
from uscdr.verify.verdict import Finding
from uscdr.words import duration

WORKERS = 24
"""Checks at once: they wait, they do not work."""
AT_ONCE = {"application": 8, "database": 6}
"""A small application has one worker and few connections, and users that wait for it too."""
DEADLINE = 300.0
"""Seconds for all checks together."""

Ask = Callable[[Check], Finding]


@dataclass(frozen=True)
class Result:
    """One check's end."""

    check: Check
    finding: Finding
    seconds: float


def run_checks(
    checks: Sequence[Check],
    ask: Ask,
    *,
    workers: int = WORKERS,
    deadline: float = DEADLINE,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Each check's result as it comes. What hangs, raises or is never asked is `inconclusive`, never a pass.

    Raises Interrupted when `stop` is set.
    """
    tasks = [
        Timed(lambda check=check: ask(check), check.spec.timeout, check.spec.provider)  # type: ignore[misc]
        for check in checks
    ]
    for ended in run_timed(tasks, workers=workers, seconds=deadline, at_once=AT_ONCE, stop=stop):
        yield Result(checks[ended.index], _finding(ended, checks), ended.seconds)


def _finding(ended: Ended[Finding], checks: Sequence[Check]) -> Finding:
    provider = checks[ended.index].spec.provider
    if ended.value is not None:
        return ended.value
    if ended.spared is not None:
        return Finding("inconclusive", f"not asked: {provider} hung in the check {checks[ended.spared].name}")
    if ended.error is not None:
        return Finding("inconclusive", in_words(ended.error))
    return Finding("inconclusive", f"no answer from {provider} within {duration(ended.seconds)}")


def in_words(error: Exception) -> str:
    """Why a check could not tell. The text of an unforeseen error may hold anything: only its type is told."""
    if isinstance(error, UscdrError):
        return error.message + (f" ({error.why})" if error.why else "")
    return f"a defect of the check: {type(error).__name__}"


def measures(results: Sequence[Result]) -> Mapping[str, Mapping[str, Any]]:
    """What a baseline keeps: of passed checks only."""
    return {
        one.check.name: one.finding.measures
        for one in results
        if one.finding.verdict == "pass" and one.finding.measures
    }
