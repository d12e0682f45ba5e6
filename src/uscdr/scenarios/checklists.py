"""Which checks are meant, which lines of the runbook's checklists they stand for, and what a line adds up to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from uscdr.errors import BadInput
from uscdr.verify.check import Check
from uscdr.verify.kinds.manual import ManualCheck

if TYPE_CHECKING:
    from uscdr.scenarios.model import Config
    from uscdr.verify.verdict import Verdict

ALL = "all"
WORST: tuple[Verdict, ...] = ("fail", "inconclusive", "not checked", "pass")


@dataclass(frozen=True)
class Wish:
    """What the operator asked for: a list or `all`, patterns of names, and which checks may run."""

    which: str = ALL
    patterns: tuple[str, ...] = ()
    allow_writes: bool = False
    skip_manual: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a checklist with those of its checks that were chosen and those that were left out."""

    list: str
    item: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """What will be run."""

    checks: tuple[Check, ...]
    lines: tuple[Line, ...]
    skipped: tuple[str, ...] = ()
    """Manual checks that the operator left out."""


def select(config: Config, wish: Wish) -> Selection:
    """The checks of the wish. Raises BadInput for an unknown list or for a name that fits no check."""
    lines = _lines(config, wish.which)
    names = _named(config, wish, lines)
    names -= {name for name in names if not wish.allow_writes and config.checks[name].writes}
    skipped = {name for name in names if wish.skip_manual and isinstance(config.checks[name], ManualCheck)}
    chosen = names - skipped
    kept = tuple(
        Line(line.list, line.item, tuple(n for n in line.checks if n in chosen),
             tuple(n for n in line.checks if n in skipped))
        for line in lines if chosen.intersection(line.checks) or skipped.intersection(line.checks)
    )  # fmt: skip
    checks = tuple(check(config, name) for name in config.checks if name in chosen)
    return Selection(checks, kept, tuple(name for name in config.checks if name in skipped))


def repeated(selection: Selection, passed: Collection[str]) -> Selection:
    """What a further round of the same run asks: what passed, and is counted by who is asked, is not sent again."""
    left_out = {one.name for one in selection.checks if one.spec.counted and one.name in passed}
    lines = (replace(line, checks=tuple(n for n in line.checks if n not in left_out)) for line in selection.lines)
    checks = tuple(one for one in selection.checks if one.name not in left_out)
    return replace(selection, checks=checks, lines=tuple(line for line in lines if line.checks or line.skipped))


def check(config: Config, name: str) -> Check:
    """One check of scenarios.yaml, to be run."""
    return Check(name, config.checks[name], config.checks[name].kind)


def _lines(config: Config, which: str) -> tuple[Line, ...]:
    if which != ALL and which not in config.checklists:
        known = ", ".join([ALL, *config.checklists])
        raise BadInput(f"There is no checklist “{which}”.", next_action=f"There are: {known}.")
    return tuple(
        Line(key, item.item, item.checks)
        for key, one in config.checklists.items()
        if which in (ALL, key)
        for item in one.items
    )


def _named(config: Config, wish: Wish, lines: Sequence[Line]) -> set[str]:
    there = set(config.checks) if wish.which == ALL else {name for line in lines for name in line.checks}
    if not wish.patterns:
        return there
    found: set[str] = set()
    for pattern in wish.patterns:
        fitting = {name for name in there if fnmatchcase(name, pattern)}
        if not fitting:
            raise BadInput(
                f"No check of “{wish.which}” is called “{pattern}”.",
                next_action="See: uscdr verify --list. Names may hold * and ?, and stand alone or between commas.",
            )
        found |= fitting
    closed = {name for name in found if config.checks[name].writes}
    if closed and not wish.allow_writes:
        raise BadInput(
            f"{', '.join(sorted(closed))} writes to the application and takes it back.",
            next_action="Allow that with --allow-writes.",
        )
    return found


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """What several verdicts add up to: only passes make a pass, and nothing at all is not checked."""
    found = set(verdicts)
    return next((one for one in WORST if one in found), "not checked")


def verdict_of(line: Line, verdicts: Mapping[str, Verdict]) -> Verdict:
    """What a line's checks add up to; one that did not end is inconclusive."""
    return worst(verdicts.get(name, "inconclusive") for name in line.checks)
