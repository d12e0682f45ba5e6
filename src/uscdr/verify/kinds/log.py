"""What the platform itself wrote into the log: errors by code. No line of it is ever shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from uscdr.models.duration import Duration
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import duration, moment

LINE = re.compile(r"(?P<at>\S+)\s+(?P<source>app|heroku)\[(?P<process>[\w.-]+)\]:\s?(?P<text>.*)", re.DOTALL)
ROUTER = re.compile(r"at=error\s+code=(H\d\d)\b")
"""Only errors: a visitor who goes away, or maintenance mode, is written at another level."""
PROCESS = re.compile(r"Error ([RL]\d\d)\b")
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


class _Line(NamedTuple):
    at: datetime
    code: str


def run(name: str, spec: LogCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Count the codes."""
    lines = list(_read(world.facts.log_lines(spec.lines)))
    if not lines:
        return Finding("inconclusive", "the log holds no line that can be read")
    newest = max(one.at for one in lines)
    recent = [one for one in lines if one.at > newest - timedelta(seconds=spec.within)]
    codes = Counter(one.code for one in recent if one.code)
    errors = sum(count for code, count in codes.items() if not code.startswith(LOG_GAP))
    shown = ", ".join(f"{count} {code}" for code, count in codes.most_common()) or "no error"
    span = duration((newest - min(one.at for one in recent)).total_seconds())
    words = f"{shown} in the last {span} of the log, to {moment(newest)}"
    if errors > spec.most:
        return Finding("fail", f"{words}; allowed are {spec.most}")
    return Finding("pass", words, {"errors": errors})


def _read(lines: Iterable[str]) -> Iterator[_Line]:
    for line in lines:
        match = LINE.match(line)
        at = _moment(match["at"]) if match else None
        if match and at:
            # Only the platform's own lines are read for codes: an application can print anything.
            yield _Line(at, _code(match["process"], match["text"]) if match["source"] == "heroku" else "")


def _code(process: str, text: str) -> str:
    # The router quotes path and host, which a visitor chooses; its code comes before them.
    match = ROUTER.match(text) if process == "router" else PROCESS.match(text)
    return match[1] if match else ""


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
