"""One value of one read-only query, and how long it took. The query's text is never told."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from uscdr.models.duration import Duration
from uscdr.models.postgres import Invariant, InvariantResult
from uscdr.verify.baseline import NO_BASELINE
from uscdr.verify.check import Bound, CheckSpec, Provider
from uscdr.verify.verdict import Finding, Measures
from uscdr.verify.world import World

Share = Annotated[float, Field(ge=0, lt=1)]
"""Below 1: a value may always have shrunk by all of itself at most."""


class SqlCheck(CheckSpec):
    """A query that returns one value, and what that must be."""

    kind: Literal["sql"]
    query: Annotated[str, Field(min_length=1)]
    equals: str | int | float | bool | None = None
    """Compared as text; numbers as numbers."""
    minimum: Bound | None = None
    maximum: Bound | None = None
    within: Duration | None = None
    """The query alone, without connecting, must end in that time."""
    shrink: Share | None = None
    """By at most this share the value may be less than in the baseline."""

    provider: ClassVar[Provider] = "database"
    may_be_empty: ClassVar[frozenset[str]] = CheckSpec.may_be_empty | {"equals"}

    @model_validator(mode="after")
    def _bounded(self) -> SqlCheck:
        if all(bound is None for bound in (self.equals, self.minimum, self.maximum, self.within, self.shrink)):
            raise ValueError("give at least one of equals, minimum, maximum, within and shrink: this cannot fail")
        return self

    def invariant(self, name: str) -> Invariant:
        """The bounds that the value has to keep by itself."""
        equals = str(self.equals).lower() if isinstance(self.equals, bool) else self.equals
        return Invariant(
            name=name,
            sql=self.query,
            equals=None if equals is None else str(equals),
            minimum=self.minimum,
            maximum=self.maximum,
        )


def run(name: str, spec: SqlCheck, world: World) -> Finding:
    """Ask the database."""
    result, seconds = world.database().timed(spec.invariant(name))
    if spec.within is not None and seconds > spec.within:
        return Finding("fail", f"the query took {seconds:.2f} s, allowed are {spec.within:g} s")
    if result.holds is None:
        return Finding("inconclusive", result.seen)
    if not result.holds:
        return Finding("fail", f"{result.seen}, expected {result.expected}")
    return _compared(spec, result, seconds, world.before(name))


def _compared(spec: SqlCheck, result: InvariantResult, seconds: float, before: Measures) -> Finding:
    value, then = number(result.seen), before.get("value")
    words = result.seen + (f" (expected {result.expected})" if result.expected else "") + f" in {seconds:.2f} s"
    measured = {"seconds": round(seconds, 3)} | ({} if value is None else {"value": value})
    if spec.shrink is None:
        return Finding("pass", words, measured)
    if value is None:
        return Finding("inconclusive", f"{result.seen}: not a number, so it cannot be compared with a baseline")
    if not isinstance(then, int | float):
        return Finding("pass", f"{words}; {NO_BASELINE}", measured)
    if then > 0 and (then - value) / then > spec.shrink:
        words = (
            f"{value:g}, the baseline has {then:g}: down by {(then - value) / then:.0%}, allowed are {spec.shrink:.0%}"
        )
        return Finding("fail", words, measured)
    return Finding("pass", f"{words}; the baseline has {then:g}", measured)


def number(seen: str) -> int | float | None:
    """The number that an invariant saw; None when it saw something else."""
    try:
        value = float(seen)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value
