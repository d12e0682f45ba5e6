"""What a round of checks adds up to, for every rendering of it."""

from __future__ import annotations

from uscdr.models.checklists import NO_BASELINE, count_words, sum_words
from uscdr.models.duration import elapsed
from uscdr.report.model import CheckReport, ItemReport, RoundReport, RunReport
from uscdr.report.words import at

UNENDED = "it did not end"


def result_words(report: RunReport) -> str:
    """The newest round in one sentence without its full stop; a round that was cut off adds up to nothing."""
    one = report.round
    if one is None:
        return "no round of checks was begun"
    if one.ended_at is None:
        return f"no result: the checks were cut off, {progress_words(one)}"
    return sum_words([item.verdict for item in one.items], skipped_manual=one.skipped_manual)


def progress_words(one: RoundReport) -> str:
    """How many checks ended, and how: `12 of 45 ended (11 pass, 1 fail)`."""
    counts = count_words([check.verdict for check in one.checks])
    return f"{len(one.checks)} of {len(one.wanted)} ended ({counts})"


def baseline_words(one: RoundReport) -> str:
    """What counts were compared with."""
    return f"compared with the baseline of {at(one.baseline_at)}" if one.baseline_at else NO_BASELINE


def cut_off(report: RunReport) -> RoundReport | None:
    """The newest round, if it was cut off after another one had ended."""
    last = report.rounds[-1] if report.rounds else None
    return last if last and last is not report.round else None


def seconds_of(one: RoundReport) -> float:
    """How long the round took; of one that was cut off, until its last check ended."""
    if one.seconds is not None:
        return one.seconds
    return max((elapsed(one.started_at, check.at) for check in one.checks), default=0.0)


def not_passed(one: RoundReport) -> list[CheckReport]:
    """The checks that ended otherwise than with a pass."""
    return [check for check in one.checks if check.verdict != "pass"]


def left_out(one: RoundReport) -> list[str]:
    """Checks that the operator left out, each once."""
    return list(dict.fromkeys(name for item in one.items for name in item.skipped))


def evidence_of(one: RoundReport, item: ItemReport) -> list[str]:
    """What stands behind a line: each of its checks with its evidence, and those that were left out."""
    ended = {check.check: check for check in one.checks}
    skipped = [f"not checked {name}: left out" for name in item.skipped]
    return [_behind(name, ended.get(name)) for name in item.checks] + skipped


def problems_of(one: RoundReport, item: ItemReport) -> list[str]:
    """The same, of checks that did not pass."""
    passed = {check.check for check in one.checks if check.verdict == "pass"}
    grave = item.model_copy(update={"checks": tuple(name for name in item.checks if name not in passed)})
    return evidence_of(one, grave)


def _behind(name: str, check: CheckReport | None) -> str:
    if check is None:
        return f"inconclusive {name}: {UNENDED}"
    verdict = "" if check.verdict == "pass" else f"{check.verdict} "
    return f"{verdict}{name}: {check.evidence}"
