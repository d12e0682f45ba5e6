"""Runs checks beside each other: each has its own time limit, all together a deadline, and each ends with a verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.deadlines import Ended, Timed, run_timed
from uscdr.errors import RateLimited, UscdrError, WriteRefused
from uscdr.verify.check import Check
from uscdr.verify.registry import run
from uscdr.verify.verdict import Finding, beyond_limit
from uscdr.words import duration

if TYPE_CHECKING:
    from uscdr.verify.world import World

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
    answered: bool = True
    """Whether the check itself came to its finding; False when it hung, raised or was not asked."""


def look_at(
    world: World,
    checks: Sequence[Check],
    *,
    began: Callable[[Check], None],
    deadline: float = DEADLINE,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Run checks of any kind but `manual` against `world`: in `verify`, in `watch` and in every recovery.

    Results come as `run_checks` gives them; `began` is called on the check's own thread. What may take longest
    begins first. Raises Interrupted when `stop` is set.
    """

    def ask(check: Check) -> Finding:
        began(check)
        return run(check, world)

    ordered = sorted(checks, key=lambda check: -check.spec.timeout)
    yield from run_checks(ordered, ask, deadline=deadline, stop=stop)


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
        yield Result(checks[ended.index], _finding(ended, checks), ended.seconds, answered=ended.value is not None)


def _finding(ended: Ended[Finding], checks: Sequence[Check]) -> Finding:
    provider = checks[ended.index].spec.provider
    if ended.value is not None:
        return ended.value
    if ended.spared is not None:
        return Finding("inconclusive", f"not asked: {provider} hung in the check {checks[ended.spared].name}")
    if ended.error is not None:
        return without_answer(ended.error)
    return Finding("inconclusive", f"no answer from {provider} within {duration(ended.seconds)}")


def without_answer(error: Exception) -> Finding:
    """What a check says that raised."""
    if isinstance(error, WriteRefused):
        return Finding("not checked", "a dry run sends no POST")
    if isinstance(error, RateLimited):
        return beyond_limit(in_words(error))
    return Finding("inconclusive", in_words(error))


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
