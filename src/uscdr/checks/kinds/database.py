"""One value of one read-only query, and its duration. The query's text is never shown."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from uscdr.checks.baseline import NO_BASELINE
from uscdr.checks.check import Bound, CheckSpec, Provider
from uscdr.checks.verdict import Finding, Measures
from uscdr.models.base import Duration
from uscdr.models.data_settings import ColumnName, Invariant, TableName
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uscdr.checks.context import CheckContext
    from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
    from uscdr.models.postgres import ForeignKey, InvariantResult

Share = Annotated[float, Field(ge=0, lt=1)]
"""Below 1: no value can shrink by more than itself."""


class SqlCheck(CheckSpec):
    """A query that returns one value, and the expected value."""

    kind: Literal["sql"]
    query: Annotated[str, Field(min_length=1)]
    equals: str | int | float | bool | None = None
    """Compared as text; numbers as numbers."""
    minimum: Bound | None = None
    maximum: Bound | None = None
    within: Duration | None = None
    """The time limit of the query, without the connection."""
    shrink: Share | None = None
    """The largest share by which the value may be smaller than in the baseline."""

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

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        result, seconds = context.database().timed(self.invariant(name))
        if self.within is not None and seconds > self.within:
            return Finding("fail", f"the query took {seconds:.2f} s, allowed are {self.within:g} s")
        if result.holds is None:
            return Finding("inconclusive", result.seen)
        if not result.holds:
            return Finding("fail", f"{result.seen}, expected {result.expected}")
        return _compared(self, result, seconds, context.before(name))


def _compared(spec: SqlCheck, result: InvariantResult, seconds: float, before: Measures) -> Finding:
    value, then = number(result.seen), before.get("value")
    seen = result.seen if value is None else _shown(value)
    words = seen + (f" (expected {result.expected})" if result.expected else "") + f" in {seconds:.2f} s"
    measured = {"seconds": round(seconds, 3)} | ({} if value is None else {"value": value})
    if spec.shrink is None:
        return Finding("pass", words, measured)
    if value is None:
        return Finding("inconclusive", f"{result.seen}: not a number, so it cannot be compared with a baseline")
    if not isinstance(then, int | float):
        return Finding("pass", f"{words}; {NO_BASELINE}", measured)
    if then > 0 and (then - value) / then > spec.shrink:
        less = f"down by {(then - value) / then:.0%}, allowed are {spec.shrink:.0%}"
        return Finding("fail", f"{seen}, the baseline has {_shown(then)}: {less}", measured)
    return Finding("pass", f"{words}; the baseline has {_shown(then)}", measured)


def _shown(value: float) -> str:
    """A number with separators, and as many digits as it has."""
    return f"{value:,.15g}"


def number(seen: str) -> int | float | None:
    """The number that an invariant saw; None when it saw something else."""
    try:
        value = float(seen)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


# The invariants of scenarios.yaml, checked on the live data.


class InvariantsCheck(CheckSpec):
    """Every invariant of scenarios.yaml passes."""

    kind: Literal["invariants"]

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        wanted = context.expected.invariants
        if not wanted:
            return Finding("inconclusive", "scenarios.yaml names no invariant")
        results = context.database().invariants(wanted)
        broken = [f"{one.name}: {one.seen}, expected {one.expected}" for one in results if one.holds is False]
        unknown = [f"{one.name}: {one.seen}" for one in results if one.holds is None]
        if broken:
            return Finding("fail", "; ".join((*broken, *unknown)))
        if unknown or len(results) < len(wanted):
            return Finding("inconclusive", "; ".join(unknown) or "some invariants have no answer")
        return Finding("pass", f"{plural(len(results), 'invariant')}, all pass")


# Checks foreign keys, and looks for rows that violate them.


class ForeignKeysCheck(CheckSpec):
    """The foreign keys exist, the server has validated them, and no row violates one."""

    kind: Literal["foreign_keys"]
    minimum: Annotated[int, Field(ge=1)] = 1
    """The least number of keys."""

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        found = context.database().foreign_keys()
        names = [f"{key.table}: {key.name}" for key in found]
        known: list[str] = context.before(name).get("keys", [])
        gone = [one for one in known if one not in set(names)]
        few = len(found) < self.minimum
        problems = [
            *([f"{plural(len(found), 'foreign key')}, expected at least {self.minimum}"] if few else []),
            *([f"{plural(len(gone), 'foreign key')} of the baseline missing: {first_of(gone)}"] if gone else []),
            *_invalid(found),
            *_orphaned(found),
        ]
        finding = Finding.weighed(
            problems, [], f"{plural(len(found), 'foreign key')}, all valid, no orphaned row", {"keys": names}
        )
        return finding.as_far_as_read((key.unread for key in found), "compared")


def _invalid(found: tuple[ForeignKey, ...]) -> list[str]:
    names = [f"{key.table}: {key.name}" for key in found if not key.validated]
    return [f"{plural(len(names), 'foreign key')} not validated: {first_of(names)}"] if names else []


def _orphaned(found: tuple[ForeignKey, ...]) -> list[str]:
    """Orphaned rows by table: the names of keys are long. A row that violates two keys counts twice."""
    rows: Counter[str] = Counter()
    for key in found:
        rows[key.table] += key.orphans
    broken = [f"{table} ({number:,})" for table, number in rows.most_common() if number]
    return [f"{plural(rows.total(), 'orphaned row')}: {first_of(broken)}"] if broken else []


# Whether the next insert gets a free key: it fails if a sequence is behind the keys of its table.


class SequencesCheck(CheckSpec):
    """No sequence returns used keys."""

    kind: Literal["sequences"]

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        found = context.database().sequences()
        here = sorted({str(ColumnName(TableName.parse(one.table), one.column)) for one in found})
        known = [str(ColumnName.parse(column)) for column in context.before(name).get("columns", [])]
        gone = [column for column in known if column not in here]
        if not found and not known:
            return Finding("inconclusive", "no column takes its keys from a sequence")
        behind = sorted({str(ColumnName(TableName.parse(one.table), one.column)) for one in found if one.collides})
        problems = [
            *([f"{plural(len(behind), 'sequence')} behind: {first_of(behind)}"] if behind else []),
            *([f"no sequence left for {first_of(gone)}"] if gone else []),
        ]
        good = Finding.weighed(
            problems, [], f"{plural(len(found), 'sequence')}, none behind its column", {"columns": here}
        )
        return good.as_far_as_read((one.unread for one in found), "read")


# Whether the schema matches the deployed code.


class MigrationsCheck(CheckSpec):
    """The applied migrations are those of the deployed code."""

    kind: Literal["migrations"]

    provider: ClassVar[Provider] = "source"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
        from uscdr.threads import Ahead

        database = context.database()
        applied_there = Ahead(database.migrations)  # while the platform and the repository are asked for the code
        code = context.code_migrations() or CodeMigrations()
        there = applied_there.result()
        found = MigrationsVerdict.compare(code, there, database.columns() if code.steps else None)
        applied = {one.full_name for one in there}
        known = frozenset(context.before(name).get("applied", ()))
        gone = _listed("of the baseline no longer applied", known - applied - code.covered)
        measured = {"applied": sorted(applied)}
        if found.known:
            return Finding.weighed([*found.problems, *gone], [], _all_applied(code, found), measured)
        if gone:
            return Finding("fail", gone[0], measured)
        if not known:
            return Finding(
                "inconclusive", f"{len(applied):,} applied; neither the deployed code nor a baseline is available"
            )
        new = _listed("applied since the baseline", applied - known)
        if new:
            return Finding("inconclusive", f"{new[0]}; the deployed code is not available")
        return Finding(
            "pass", f"{len(applied):,} applied, as in the baseline; the deployed code is not available", measured
        )


def _all_applied(code: CodeMigrations, found: MigrationsVerdict) -> str:
    words = f"{plural(len(code.migrations), 'migration')} of the code, all applied; none ahead of it"
    words += f"; under the names of those replaced: {first_of(found.renamed)}" if found.renamed else ""
    return words + (f"; tables of {first_of(found.unclear)} not judged" if found.unclear else "")


def _listed(what: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    return [f"{plural(len(found), 'migration')} {what}: {first_of(found)}"] if found else []
