"""What the platform itself wrote into the log: errors by code, and crashes. No line of it is ever shown."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from uscdr.models.duration import Duration
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.dynos import standing_now
from uscdr.verify.loglines import LogLine, read
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import duration, moment

PASSING = "at=warning"
"""How the router writes what is no error: a visitor who goes away."""
LOG_GAP = "L"
"""The letter of codes that tell of lost lines: no fault of the application."""


class LogCheck(CheckSpec):
    """How many errors of router and dynos stand in the newest part of the log."""

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


def run(name: str, spec: LogCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Count the codes, and what came down since the release in force began."""
    lines = [(one.at, one) for one in read(world.facts.log_lines(spec.lines)) if one.at]
    if not lines:
        return Finding("inconclusive", "the log holds no line that can be read")
    newest = max(at for at, _ in lines)
    since = newest - timedelta(seconds=spec.within)
    recent = [(at, one) for at, one in lines if at > since]
    codes = Counter(code for _, one in recent if (code := _code(one)))
    crashes, unsettled = _crashes(world, since)
    errors = sum(count for code, count in codes.items() if not code.startswith(LOG_GAP)) + crashes
    counts = [f"{crashes} crashed"] if crashes else []
    shown = ", ".join([*counts, *(f"{count} {code}" for code, count in codes.most_common())]) or "no error"
    span = duration((newest - min(at for at, _ in recent)).total_seconds())
    words = f"{shown} in the last {span} of the log, to {moment(newest)}"
    if unsettled:
        return Finding("fail", f"{'; '.join(unsettled)}; {words}")
    if errors > spec.most:
        return Finding("fail", f"{words}; allowed are {spec.most}")
    return Finding("pass", words, {"errors": errors})


def _crashes(world: World, since: datetime) -> tuple[int, list[str]]:
    """How often dynos came down by themselves, and those that have not outlived it."""
    stands, _ = standing_now(world, {one.type for one in world.facts.formation()})
    crashes = sum(fall.at > since for one in stands for fall in one.falls)
    return crashes, [one.words for one in stands if one.falls and one.unsettled]


def _code(line: LogLine) -> str:
    return "" if line.text.startswith(PASSING) else line.code
