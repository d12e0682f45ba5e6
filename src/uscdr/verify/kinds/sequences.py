"""Whether the next insert gets a free key: a sequence behind the keys of a table that grows by it makes it fail."""

from __future__ import annotations

from typing import ClassVar, Literal

from uscdr.models.table_names import ColumnName, TableName, column_text
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, as_far_as_read, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural


class SequencesCheck(CheckSpec):
    """No sequence gives out keys that are taken."""

    kind: Literal["sequences"]

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: SequencesCheck, world: World) -> Finding:  # noqa: ARG001 - as every kind
    """Compare every sequence with the column that it fills."""
    found = world.database().sequences()
    here = sorted({str(ColumnName(TableName.parse(one.table), one.column)) for one in found})
    known = [column_text(column) for column in world.before(name).get("columns", [])]
    gone = [column for column in known if column not in here]
    if not found and not known:
        return Finding("inconclusive", "no column takes its keys from a sequence")
    behind = sorted({str(ColumnName(TableName.parse(one.table), one.column)) for one in found if one.collides})
    problems = [
        *([f"{plural(len(behind), 'sequence')} behind: {first_of(behind)}"] if behind else []),
        *([f"no sequence any more for {first_of(gone)}"] if gone else []),
    ]
    good = judged(problems, f"{plural(len(found), 'sequence')}, none behind its column", {"columns": here})
    return as_far_as_read(good, (one.unread for one in found), "read")
