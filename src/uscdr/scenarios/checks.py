"""The checks that a recovery asks: those of `after_recovery`, run as `uscdr verify` runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from uscdr.checks.check import Check, ManualCheck
from uscdr.checks.verdict import Finding
from uscdr.errors import BadInput, Interrupted, ProviderError
from uscdr.models.base import Call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from uscdr.checks.check import CheckSpec, Provider
    from uscdr.checks.context import CheckContext
    from uscdr.checks.run import Result
    from uscdr.checks.verdict import Verdict
    from uscdr.engine.step import Reporter
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.config import Config


# Which checks are selected, which checklist lines they belong to, and the verdict of a line.


ALL = "all"
WORST: tuple[Verdict, ...] = ("fail", "inconclusive", "not checked", "pass")


@dataclass(frozen=True)
class CheckRequest:
    """What the operator asked for: a list or `all`, patterns of names, and which checks may run."""

    which: str = ALL
    patterns: tuple[str, ...] = ()
    allow_writes: bool = False
    skip_manual: bool = False


@dataclass(frozen=True)
class ChecklistLine:
    """One line of a checklist with those of its checks that were chosen and those that were left out."""

    list: str
    item: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def verdict(self, verdicts: Mapping[str, Verdict]) -> Verdict:
        """The verdict of the line; a check that did not end is inconclusive."""
        return _worst(verdicts.get(name, "inconclusive") for name in self.checks)


@dataclass(frozen=True)
class CheckSelection:
    """What will be run."""

    checks: tuple[Check, ...]
    lines: tuple[ChecklistLine, ...]
    skipped: tuple[str, ...] = ()
    """Manual checks that the operator left out."""

    @classmethod
    def of(cls, config: Config, wish: CheckRequest) -> CheckSelection:
        """The requested checks. Raises BadInput for an unknown list or for a name that matches no check."""
        lines = _lines(config, wish.which)
        names = _named(config, wish, lines)
        names -= {name for name in names if not wish.allow_writes and config.checks[name].writes}
        skipped = {name for name in names if wish.skip_manual and isinstance(config.checks[name], ManualCheck)}
        chosen = names - skipped
        kept = tuple(
            ChecklistLine(line.list, line.item, tuple(n for n in line.checks if n in chosen),
                 tuple(n for n in line.checks if n in skipped))
            for line in lines if chosen.intersection(line.checks) or skipped.intersection(line.checks)
        )  # fmt: skip
        checks = tuple(config.check(name) for name in config.checks if name in chosen)
        return cls(checks, kept, tuple(name for name in config.checks if name in skipped))

    def repeated(self, passed: Collection[str]) -> CheckSelection:
        """The checks of the next round: what passed, and what the provider counts, is not sent again."""
        left_out = {one.name for one in self.checks if one.spec.counted and one.name in passed}
        lines = (replace(line, checks=tuple(n for n in line.checks if n not in left_out)) for line in self.lines)
        checks = tuple(one for one in self.checks if one.name not in left_out)
        return replace(self, checks=checks, lines=tuple(line for line in lines if line.checks or line.skipped))


def _lines(config: Config, which: str) -> tuple[ChecklistLine, ...]:
    if which != ALL and which not in config.checklists:
        known = ", ".join([ALL, *config.checklists])
        raise BadInput(f"There is no checklist “{which}”.", next_action=f"The checklists are: {known}.")
    return tuple(
        ChecklistLine(key, item.item, item.checks)
        for key, one in config.checklists.items()
        if which in (ALL, key)
        for item in one.items
    )


def _named(config: Config, wish: CheckRequest, lines: Sequence[ChecklistLine]) -> set[str]:
    there = set(config.checks) if wish.which == ALL else {name for line in lines for name in line.checks}
    if not wish.patterns:
        return there
    found: set[str] = set()
    for pattern in wish.patterns:
        fitting = {name for name in there if fnmatchcase(name, pattern)}
        if not fitting:
            raise BadInput(
                f"No check of “{wish.which}” is called “{pattern}”.",
                next_action="See: uscdr verify --list. Names may contain * and ?; separate several with commas.",
            )
        found |= fitting
    closed = {name for name in found if config.checks[name].writes}
    if closed and not wish.allow_writes:
        raise BadInput(
            f"{', '.join(sorted(closed))} writes to the application and removes it again.",
            next_action="Allow that with --allow-writes.",
        )
    return found


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several: it is pass only if all passed; no verdict at all means not checked."""
    found = set(verdicts)
    return next((one for one in WORST if one in found), "not checked")


GATEWAY_ERRORS = ("status 502", "status 503", "status 504")


LIMITING: tuple[Provider, ...] = ("application", "media", "mail")
"""Providers whose limits prevent a check of the recovery, not the recovery itself."""
GRAVITY = ("decrypt", "invariants", "foreign_keys", "agree", "sequences", "sql", "config", "addons", "release", "dynos")
"""The order of findings: the data before what serves them; other kinds come last."""


def worst_first(results: Iterable[Result]) -> tuple[str, ...]:
    """What did not pass, as `name: evidence`: failures before unknowns, graver kinds before others.

    A check that a limit prevented proves nothing, as long as other checks saw the application work.
    """
    seen = list(results)
    works = any(one.finding.verdict == "pass" and one.check.spec.provider == "application" for one in seen)
    bad = [one for one in seen if one.finding.verdict != "pass" and not (works and _held_back(one))]
    return tuple(map(_told, sorted(bad, key=_gravity)))


def held_back(results: Iterable[Result]) -> tuple[str, ...]:
    """What was not checked because a provider limits requests, as `name: evidence`."""
    return tuple(_told(one) for one in results if _held_back(one))


def _held_back(one: Result) -> bool:
    """What only the platform knows, such as whether the dynos run, must be checked."""
    return one.finding.limited and one.check.spec.provider in LIMITING


def _told(one: Result) -> str:
    return f"{one.check.name}: {one.finding.evidence}"


def _gravity(one: Result) -> tuple[bool, int]:
    kind = one.check.kind
    return one.finding.verdict != "fail", GRAVITY.index(kind) if kind in GRAVITY else len(GRAVITY)


def unfit_for_recovery(spec: CheckSpec) -> str:
    """Why a check cannot stand in `after_recovery`; empty when it can."""
    if isinstance(spec, ManualCheck):
        return "asks a person, and a recovery runs only checks that need nobody"
    return "writes to the application, which only --allow-writes permits" if spec.writes else ""


def calls(checks: Iterable[Check]) -> tuple[Call, ...]:
    """What the plan says of them."""
    return tuple(map(_call, checks))


def _call(one: Check) -> Call:
    from uscdr.checks.kinds.http import HttpCheck

    spec = one.spec
    if isinstance(spec, HttpCheck):
        return Call(provider="app", request=f"{spec.method} {spec.path}", writes=False)
    return Call(provider=spec.provider, request=f"check {one.name}", writes=False)


def ask(deps: Adapters, checks: Sequence[Check], tell: Reporter) -> Iterator[Result]:
    """All checks at the same time; one result does not stop the others."""
    with deps.world() as world:
        yield from _looked(deps, world, checks, tell)


def ask_until_dead(deps: Adapters, checks: Sequence[Check], tell: Reporter) -> Iterator[Result]:
    """One check after the other; an application that does not answer one is not asked the others.

    Checks that sign in come last, so that a dead application gets no login. A failed login is not a fault of the
    application: checks that need it are "not checked".
    """
    from uscdr.checks.run import Result

    silent = ""
    with deps.world() as world:
        for one in sorted(checks, key=_signs_in):
            silent = silent or (_without_login(world, tell) if _signs_in(one) else "")
            if silent:
                yield Result(one, Finding("not checked", silent), 0.0, answered=False)
                continue
            for result in _looked(deps, world, [one], tell):
                silent = _dead(result)
                yield result


def failing(results: Iterable[Result]) -> tuple[dict[str, str], int]:
    """Evidence by name of those that were checked and did not pass, and how many were checked."""
    checked = [one for one in results if one.finding.verdict != "not checked"]
    return {one.check.name: one.finding.evidence for one in checked if one.finding.verdict != "pass"}, len(checked)


def _looked(deps: Adapters, world: CheckContext, checks: Sequence[Check], tell: Reporter) -> Iterator[Result]:
    from uscdr.checks.run import look_at

    try:
        yield from look_at(world, checks, began=lambda one: tell.progress(f"checking {one.name}"), stop=deps.stop.event)
    except Interrupted:
        deps.stop.check()  # says how the run goes on
        raise


def _without_login(world: CheckContext, tell: Reporter) -> str:
    """Why the check account cannot sign in; empty when it can, or when there is none."""
    try:
        world.token()
    except ProviderError as error:
        finding = Finding.without_answer(error)
        if finding.verdict != "not checked":
            tell.warn(finding.evidence)
        return finding.evidence
    return ""


def _dead(result: Result) -> str:
    """Why the application behind the router counts as dead; empty while it answers."""
    from uscdr.checks.kinds.http import HttpCheck

    evidence, verdict = result.finding.evidence, result.finding.verdict
    silent = verdict == "inconclusive" and not result.answered
    if isinstance(result.check.spec, HttpCheck) and (silent or any(words in evidence for words in GATEWAY_ERRORS)):
        return f"the application does not answer ({evidence})"
    return ""


def _signs_in(one: Check) -> bool:
    from uscdr.checks.kinds.http import AgreeCheck, HttpCheck

    return isinstance(one.spec, HttpCheck | AgreeCheck) and one.spec.auth
