"""The database's content in its healthy state, and the difference after the recovery. Only counts and digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uscdr.models.postgres import TableDigest
    from uscdr.scenarios.adapters import Adapters


@dataclass(frozen=True)
class Losses:
    """One table whose number of rows differs from before the disaster."""

    table: str
    before: int
    after: int


@dataclass(frozen=True)
class Comparison:
    """One comparison with the healthy state."""

    name: str
    holds: bool
    evidence: str


@dataclass(frozen=True)
class TableContents:
    """Rows and digest of every table except volatile ones; empty when the database was not read."""

    tables: tuple[TableDigest, ...] = ()
    by_release: frozenset[str] = frozenset()
    """Names of the tables whose rows every release rewrites."""

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows of each table."""
        return {table.name: table.rows for table in self.tables}


def content(deps: Adapters) -> TableContents:
    """Exact counts and digests of the live database."""
    database = deps.database()
    volatile = deps.config.app.volatile_tables
    names = [table.name for table in database.tables() if table.name not in volatile]
    return TableContents(database.digests(names), frozenset(deps.config.app.written_by_release))


def losses(before: TableContents, after: TableContents) -> tuple[Losses, ...]:
    """The tables whose number of rows has changed."""
    now = after.counts
    return tuple(
        Losses(table, count, now.get(table, 0))
        for table, count in sorted(before.counts.items())
        if now.get(table, 0) != count
    )


def same_rows(before: TableContents, after: TableContents) -> Comparison:
    """Whether every row is as before; tables that a release rewrites are compared by number of rows."""
    now, there = {table.name: table for table in after.tables}, before.tables
    changed = [table.name for table in there if table.name not in now or not _same(table, now[table.name], before)]
    words = f"{len(there) - len(changed)} of {len(there)} tables are the same as before"
    words += f"; different: {', '.join(changed)}" if changed else ""
    return Comparison("every row is the same as before", bool(there) and not changed, words)


def _same(then: TableDigest, now: TableDigest, before: TableContents) -> bool:
    return then.rows == now.rows if then.name in before.by_release else then.same(now)
