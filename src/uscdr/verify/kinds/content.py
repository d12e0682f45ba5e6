"""Whether tables hold what they held when the baseline was taken, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from uscdr.models.postgres import TableDigest
from uscdr.models.table_names import TableText, table_text
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, as_far_as_read, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural


class ContentCheck(CheckSpec):
    """Digests of whole tables against the baseline: for what nobody changes in daily work."""

    kind: Literal["content"]
    tables: Annotated[tuple[TableText, ...], Field(min_length=1)]
    may_grow: bool = False
    """Rows may be added and changed; only fewer rows are a failure."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: ContentCheck, world: World) -> Finding:
    """Compute the digests."""
    database = world.database()
    gone = database.lacking(spec.tables)
    found = database.digested([table for table in dict.fromkeys(spec.tables) if table not in gone])
    digests = found.tables
    before: Mapping[str, Mapping[str, Any]] = {
        table_text(table): told for table, told in world.before(name).get("tables", {}).items()
    }
    compared = [one for one in digests if one.name in before]
    new = [one for one in digests if one.name not in before]
    problems = [
        *([f"missing: {first_of(gone)}"] if gone else []),
        *_changed(spec, compared, before),
        *([f"empty: {first_of(_empty(new))}"] if _empty(new) else []),
    ]
    measured = {"tables": {one.name: {"rows": one.rows, "digest": one.digest} for one in digests}}
    return as_far_as_read(judged(problems, _good(compared, new, spec), measured), found.unread, "read")


def _empty(digests: list[TableDigest]) -> list[str]:
    return [one.name for one in digests if not one.rows]


def _changed(spec: ContentCheck, digests: list[TableDigest], before: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lost, other = [], []
    for one in digests:
        rows, digest = before[one.name]["rows"], before[one.name]["digest"]
        if one.rows < rows or (one.rows > rows and not spec.may_grow):
            lost.append(f"{one.name} {rows:,} -> {one.rows:,}")
        elif one.digest != digest and not spec.may_grow:
            other.append(one.name)
    return [
        *([f"rows differ from the baseline: {first_of(lost)}"] if lost else []),
        *([f"as many rows as in the baseline, but other content: {first_of(other)}"] if other else []),
    ]


def _good(compared: list[TableDigest], new: list[TableDigest], spec: ContentCheck) -> str:
    rows = plural(sum(one.rows for one in new), "row")
    fresh = f"no baseline: {rows} in {plural(len(new), 'table')} not compared" if new else ""
    same = "nothing lost" if spec.may_grow else "the same"
    rows = plural(sum(one.rows for one in compared), "row")
    words = f"{rows} in {plural(len(compared), 'table')}: {same} since the baseline" if compared else ""
    return "; ".join(filter(None, (words, fresh)))
