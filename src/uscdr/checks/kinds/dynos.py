"""Whether the required processes run in the configured quantity, and whether they stay up.

One look cannot show whether a young process stays up; the log shows whether it crashed before. A young process without
a crash is not a finding, but the evidence mentions it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.uptime import LOG_LINES, UP, DynoRestart, DynoUptime, LogLine, in_force
from uscdr.checks.verdict import Finding
from uscdr.errors import ProviderError
from uscdr.models.base import Duration
from uscdr.words import duration, first_of, moment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from uscdr.checks.context import CheckContext, Expected
    from uscdr.models.heroku import Dyno

COMING = ("starting", "idle")
"""States of dynos that may run soon; an idle dyno sleeps until the next request."""


class DynosCheck(CheckSpec):
    """The formation: required process types are scaled up and run."""

    kind: Literal["dynos"]
    only: tuple[str, ...] = ()
    """Process types; empty: all."""

    provider: ClassVar[Provider] = "platform"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        told = {one.type: one.quantity for one in context.facts.formation()}
        names = _names(self, context.expected, told)
        if not names:
            return Finding("inconclusive", "the application has no process type, and none is named in app.formation")
        stands, unread = _standing_now(context, names)
        types = [_type(one, self, context.expected, told, stands) for one in names]
        problems = [words for one in types if (words := _problem(one))]
        doubts = [words for one in types if not _problem(one) and (words := _doubt(one))]
        measures = {"quantities": {one.name: one.quantity for one in types}}
        remarks = [
            *(one.remark(context.expected.steady) for one in stands if one.remark(context.expected.steady)),
            *unread,
        ]
        good = _good(types, context.before(name)) + (f" ({first_of(remarks, comma='; ')})" if remarks else "")
        return Finding.weighed(problems, doubts, good, measures)


@dataclass(frozen=True)
class _Type:
    """One process type: the dynos required by scenarios.yaml, the quantity set at the platform, and the existing dynos.

    `single`: there must never be two.
    """

    name: str
    wanted: int
    single: bool
    quantity: int
    stands: tuple[DynoUptime, ...]

    @property
    def dynos(self) -> tuple[Dyno, ...]:
        """The existing dynos."""
        return tuple(one.dyno for one in self.stands)

    @property
    def up(self) -> int:
        """The number of running dynos."""
        return sum(one.state == UP for one in self.dynos)


def _standing_now(context: CheckContext, kinds: Collection[str]) -> tuple[tuple[DynoUptime, ...], tuple[str, ...]]:
    """Each dyno of these process types; and the reason if the log is unreadable."""
    dynos = context.facts.dynos()
    fallen: Mapping[str, tuple[DynoRestart, ...]] = {}
    unread: tuple[str, ...] = ()
    try:
        fallen = DynoRestart.by_dyno(context.facts.log_lines(LOG_LINES), in_force(context.facts.releases()))
    except ProviderError as error:
        unread = (f"unknown whether one crashed before: {error.message}",)
    return DynoUptime.of(dynos, fallen, context.now(), kinds), unread


def _names(spec: DynosCheck, expected: Expected, told: Mapping[str, int]) -> tuple[str, ...]:
    return spec.only or tuple(dict.fromkeys((*expected.formation, *sorted(expected.single), *told)))


def _type(
    name: str, spec: DynosCheck, expected: Expected, told: Mapping[str, int], there: Sequence[DynoUptime]
) -> _Type:
    named = name in spec.only or name in expected.single
    mine = tuple(one for one in there if one.dyno.type == name)
    wanted = expected.formation.get(name, 1 if named else 0)
    return _Type(name, wanted, name in expected.single, told.get(name, 0), mine)


def _problem(one: _Type) -> str:
    if crashed := [standing.words for standing in one.stands if standing.unsettled]:
        return "; ".join(crashed)
    if one.wanted and not one.quantity:
        return f"{one.name} is scaled to 0, wanted {one.wanted}"
    if one.single and max(one.quantity, one.up) > 1:
        return f"{max(one.quantity, one.up)} {one.name}, there must be exactly one"
    there = one.up + sum(dyno.state in COMING for dyno in one.dynos)
    return f"{one.name}: {one.up} of {one.quantity} up" if there < one.quantity else ""


def _doubt(one: _Type) -> str:
    if one.up >= one.quantity:
        return ""
    return ", ".join(f"{dyno.name} is {dyno.state}" for dyno in one.dynos if dyno.state in COMING)


def _good(types: Sequence[_Type], before: Mapping[str, object]) -> str:
    then = before.get("quantities")
    then = then if isinstance(then, dict) else {}
    return ", ".join(
        f"{one.name} {one.up}" + _fewer(one, then.get(one.name)) for one in types if one.quantity or one.wanted
    ) + " up"  # fmt: skip


def _fewer(one: _Type, then: object) -> str:
    if isinstance(then, int) and one.quantity < then:
        return f" (baseline {then})"
    return f" (wanted {one.wanted})" if one.quantity < one.wanted else ""


# Whether the newest release runs, and maintenance mode is off.


class ReleaseCheck(CheckSpec):
    """The newest release, and maintenance mode."""

    kind: Literal["release"]

    provider: ClassVar[Provider] = "platform"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        problems, doubts = [], []
        if context.facts.app().maintenance:
            problems.append("maintenance mode is on: it blocks users")
        releases = context.facts.releases()
        if not releases:
            return Finding.weighed([*problems, "the application has no release"], [], "")
        newest = releases[0]
        running = next((f"v{one.version}" for one in releases if one.current), "none")
        if newest.status == "pending":
            doubts.append(f"release v{newest.version} is in progress")
        elif newest.status != "succeeded":
            problems.append(f"the newest release, v{newest.version}, {_ended(newest.status)}; {running} is current")
        elif not newest.current:
            problems.append(f"the newest release is v{newest.version}, but {running} is current")
        return Finding.weighed(
            problems, doubts, f"v{newest.version} succeeded and is current", {"version": newest.version}
        )


def _ended(status: str) -> str:
    return status if status in ("failed", "expired") else "did not succeed"


# The platform's own lines in the log: errors by code, and crashes. No line is ever shown.


PASSING = "at=warning"
"""The router's code for a client that disconnects, which is not an error."""
LOG_GAP = "L"
"""The letter of codes for lost log lines, which are not errors of the application."""


class LogCheck(CheckSpec):
    """The number of router and dyno errors in the newest part of the log."""

    kind: Literal["log"]
    lines: Annotated[int, Field(ge=1, le=1500)] = 500
    most: Annotated[int, Field(ge=0)] = 10
    within: Duration = 600.0

    provider: ClassVar[Provider] = "platform"

    @model_validator(mode="after")
    def _can_fail(self) -> LogCheck:
        if self.most >= self.lines:
            raise ValueError("`most` must be less than `lines`: so few lines cannot hold more errors than that")
        return self

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        lines = [(one.at, one) for one in LogLine.read(context.facts.log_lines(self.lines)) if one.at]
        if not lines:
            return Finding("inconclusive", "the log has no readable line")
        newest = max(at for at, _ in lines)
        since = newest - timedelta(seconds=self.within)
        recent = [(at, one) for at, one in lines if at > since]
        codes = Counter(code for _, one in recent if (code := _code(one)))
        crashes, unsettled = _crashes(context, since)
        errors = sum(count for code, count in codes.items() if not code.startswith(LOG_GAP)) + crashes
        counts = [f"{crashes} crashed"] if crashes else []
        shown = ", ".join([*counts, *(f"{count} {code}" for code, count in codes.most_common())]) or "no error"
        span = duration((newest - min(at for at, _ in recent)).total_seconds())
        words = f"{shown} in the last {span} of the log, to {moment(newest)}"
        if unsettled:
            return Finding("fail", f"{'; '.join(unsettled)}; {words}")
        if errors > self.most:
            return Finding("fail", f"{words}; allowed are {self.most}")
        return Finding("pass", words, {"errors": errors})


def _crashes(context: CheckContext, since: datetime) -> tuple[int, list[str]]:
    """The number of dyno crashes, and the dynos that have not run long enough since."""
    stands, _ = _standing_now(context, {one.type for one in context.facts.formation()})
    crashes = sum(fall.at > since for one in stands for fall in one.falls)
    return crashes, [one.words for one in stands if one.falls and one.unsettled]


def _code(line: LogLine) -> str:
    return "" if line.text.startswith(PASSING) else line.code
