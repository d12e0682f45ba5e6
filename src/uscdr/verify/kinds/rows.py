"""How many rows the tables have, counted exactly and all at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from uscdr.models.table_names import TableText, table_text
from uscdr.verify.baseline import NO_BASELINE
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, as_far_as_read, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural


class RowsCheck(CheckSpec):
    """Exact counts against the baseline and against floors."""

    kind: Literal["rows"]
    tables: tuple[TableText, ...] = ()
    """Without any: the tables that scenarios.yaml expects, but not the volatile ones."""
    minimum: dict[TableText, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Table -> rows that it must have at least. That a table is there is asked of each that is named in `tables`."""
    shrink: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The share of its rows that a table may have lost since the baseline; all of them is always too much."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: RowsCheck, world: World) -> Finding:
    """Count."""
    named = spec.tables or tuple(one for one in world.expected.tables if one not in world.expected.volatile)
    wanted = tuple(dict.fromkeys((*named, *spec.minimum)))
    if not wanted:
        return Finding("inconclusive", "no table is named, neither here nor in `expected_tables`")
    database = world.database()
    gone = database.lacking(wanted)
    found = database.counted([table for table in wanted if table not in gone])
    counts = found.rows
    before: Mapping[str, int] = {table_text(table): rows for table, rows in world.before(name).get("rows", {}).items()}
    problems = [
        *([f"missing: {first_of(gone)}"] if gone else []),
        *_too_few(spec, counts),
        *_lost(spec, counts, before),
    ]
    words = f"{plural(sum(counts.values()), 'row')} in {plural(len(counts), 'table')}"
    finding = judged(problems, f"{words}; {_against(counts, before)}", {"rows": dict(counts)})
    return as_far_as_read(finding, found.unread, "counted")


def _too_few(spec: RowsCheck, counts: Mapping[str, int]) -> list[str]:
    return [
        f"{table} has {plural(counts[table], 'row')}, expected at least {least:,}"
        for table, least in spec.minimum.items()
        if table in counts and counts[table] < least
    ]


def _lost(spec: RowsCheck, counts: Mapping[str, int], before: Mapping[str, int]) -> list[str]:
    lost = [
        f"{table} {before[table]:,} -> {now:,}"
        for table, now in counts.items()
        if before.get(table, 0) and (now == 0 or (before[table] - now) / before[table] > spec.shrink)
    ]
    return [f"rows lost since the baseline: {first_of(lost)}"] if lost else []


def _against(counts: Mapping[str, int], before: Mapping[str, int]) -> str:
    known = [table for table in counts if table in before]
    if not known:
        return NO_BASELINE
    new = f", {plural(len(counts) - len(known), 'table')} not in it" if len(known) < len(counts) else ""
    return f"the baseline has {sum(before[table] for table in known):,}{new}"
