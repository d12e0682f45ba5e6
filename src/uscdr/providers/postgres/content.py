"""The tables' content as counts, digests and keys; no values are shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from uscdr.errors import ProviderError
from uscdr.models.postgres import TableDigest, TableKeys, Unread
from uscdr.providers.postgres.errors import POOLER, TOO_MANY, translated
from uscdr.providers.postgres.inventory import Catalogue
from uscdr.providers.postgres.reading import attempt, savepoint
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection, Link
    from uscdr.providers.postgres.inventory import Layout, LiveColumn, Table


Q = TypeVar("Q")
_INTEGERS = frozenset({20, 21, 23})
_UUID, _BYTEA = 2950, 17
BUCKET_BITS = 12


@dataclass(frozen=True)
class TableQuery(Generic[Q]):
    """A query about one table, and what its rows mean. Small tables share a statement: see `read_group`."""

    text: Callable[[Layout], sql.Composable]
    answer: Callable[[Layout, Sequence[tuple[Any, ...]]], Q]


def count() -> TableQuery[int]:
    """The exact number of rows."""
    from psycopg import sql

    return TableQuery(
        lambda one: sql.SQL("SELECT count(*) FROM {}").format(one.table.rows()), lambda _, rows: int(rows[0][0])
    )


def digest() -> TableQuery[TableDigest]:
    """Exact count and content digest: equal for the same rows, in any order, on any server.

    Each row is hashed (SHA-256) as the text of its live, not generated columns (of a binary value: its own hash); NULL
    differs from an empty text. The first 128 bits are added up in two sums. The sums, the count and the column names
    are hashed again. Unlike exclusive or, sums detect a duplicate row. With an integer key the sums are also kept for
    every 4096 keys, so that two servers can find where they differ.
    """
    return TableQuery(_sums, _digest)


def _sums(one: Layout) -> sql.Composable:
    from psycopg import sql

    # OFFSET 0 stops the planner from computing the hash once for each sum.
    return sql.SQL(
        "SELECT bucket, count(*), sum(('x' || substr(h, 1, 16))::bit(64)::int8)::text,"
        " sum(('x' || substr(h, 17, 16))::bit(64)::int8)::text FROM"
        " (SELECT {bucket} AS bucket, encode(sha256(convert_to({row}, 'UTF8')), 'hex') AS h"
        " FROM {table} AS t OFFSET 0) AS hashed GROUP BY bucket"
    ).format(bucket=_bucket(one), row=_row_text(one.written), table=one.table.rows())


def _row_text(columns: Sequence[LiveColumn]) -> sql.Composable:
    """The row as text, with the SHA-256 of each binary value in its place.

    As text a binary value has twice its size, and in a row the server looks at each character of it, to quote it: that
    takes several times as long as its hash.
    """
    from psycopg import sql

    values = [sql.SQL("sha256({})" if column.type == _BYTEA else "{}").format(sql.Identifier("t", column.name))
              for column in columns]  # fmt: skip
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(values))


def _digest(one: Layout, found: Sequence[tuple[Any, ...]]) -> TableDigest:
    parts = [(part, count, int(first), int(second)) for part, count, first, second in found]
    rows = sum(count for _, count, _, _ in parts)
    sums = [str(sum(part[index] for part in parts)) for index in (2, 3)]
    whole = "\0".join([str(rows), *sums, *(column.name for column in one.written)])
    return TableDigest(
        name=one.table.name,
        rows=rows,
        digest=hashlib.sha256(whole.encode()).hexdigest()[:32],
        buckets={part: f"{count} {first} {second}" for part, count, first, second in parts if part is not None},
    )


def _bucket(one: Layout) -> sql.Composable:
    from psycopg import sql

    if one.key is None or one.key.type not in _INTEGERS:
        return sql.SQL("NULL::int8")
    return sql.SQL("({} >> {})::int8").format(sql.Identifier("t", one.key.name), sql.Literal(BUCKET_BITS))


def keys(buckets: Mapping[str, Sequence[int] | None]) -> TableQuery[TableKeys]:
    """The values of a single-column primary key, each with a fingerprint of its row.

    Integers and UUIDs are given as they are. Any other key may be secret or personal (a session, a token, an e-mail
    address): it is given as the first 16 hexadecimal digits of its SHA-256. `buckets` has, by table, the parts (see
    `digest`) whose keys are given; None: all.
    """
    return TableQuery(lambda one: _keys_text(one, buckets[one.table.name]), _keys)


def _keys_text(one: Layout, buckets: Sequence[int] | None) -> sql.Composable:
    from psycopg import sql

    if one.key is None:
        return sql.SQL("SELECT NULL::text")
    plain = one.key.type in {*_INTEGERS, _UUID}
    shown = "{}" if plain else "left(encode(sha256(convert_to({}::text, 'UTF8')), 'hex'), 16)"
    expression = sql.SQL(shown).format(sql.Identifier("t", one.key.name))
    # One text for the whole table: fetching row by row costs the client ten times as much.
    return sql.SQL(
        "SELECT string_agg(key || ' ' || print, ',') FROM"
        " (SELECT {key}::text AS key,"
        " ('x' || left(md5({row}), 8))::bit(32)::int AS print FROM {table} AS t WHERE {where}) AS rows"
    ).format(key=expression, row=_row_text(one.written), table=one.table.rows(), where=_in_buckets(one, buckets))


def _keys(one: Layout, rows: Sequence[tuple[Any, ...]]) -> TableKeys:
    if one.key is None:
        return TableKeys(name=one.table.name, column=None, keys=None)
    found: str | None = rows[0][0]
    pairs = [pair.split(" ") for pair in found.split(",")] if found else []
    order: Callable[[str], int | str] = int if one.key.type in _INTEGERS else str
    pairs.sort(key=lambda pair: order(pair[0]))
    return TableKeys(
        name=one.table.name,
        column=one.key.name,
        keys=tuple(pair[0] for pair in pairs),
        prints=tuple(int(pair[1]) for pair in pairs),
    )


def _in_buckets(one: Layout, buckets: Sequence[int] | None) -> sql.Composable:
    from psycopg import sql

    if buckets is None:
        return sql.SQL("true")
    wanted = sql.SQL(", ").join(sql.Literal(int(bucket)) for bucket in buckets)
    return sql.SQL("{} IN ({})").format(_bucket(one), wanted)


# Small tables share a statement: a request for each of thousands of tables would take longer than their rows.


_SMALL, _FEW_ROWS = 1 << 18, 2_000
"""A table is small with at most so many bytes and rows, by the server's own figures."""
_TOGETHER = 50
"""Small tables in one statement: it holds a lock on each, and on each of their indexes."""


def grouped(tables: Sequence[Layout]) -> list[list[Layout]]:
    """The tables in their order: each big one alone, then small ones together."""
    small = [one for one in tables if one.table.bytes <= _SMALL and one.table.counted <= _FEW_ROWS]
    there = {one.table.oid for one in small}
    alone = [[one] for one in tables if one.table.oid not in there]
    return alone + [small[at : at + _TOGETHER] for at in range(0, len(small), _TOGETHER)]


def read_group(connection: Connection, query: TableQuery[Q], group: Sequence[Layout]) -> list[Q | Unread]:
    """The answer for each table, or why it cannot be read. The transaction has a `savepoint`.

    If one statement for all fails, each table is asked by itself. The locks are given back: one transaction that reads
    thousands of tables would need more of them than a small server has.
    """
    found = attempt(connection, group[0].table, lambda live, _: _asked(live, query, group))
    if not isinstance(found, Unread):
        connection.execute("ROLLBACK TO SAVEPOINT part")
        return [*found]
    if len(group) == 1:
        return [found]
    return [told for one in group for told in read_group(connection, query, [one])]


def _asked(connection: Connection, query: TableQuery[Q], group: Sequence[Layout]) -> list[Q]:
    from psycopg import sql

    numbered = sql.SQL("SELECT {}::int4, q.* FROM ({}) AS q")
    texts = [numbered.format(sql.Literal(number), query.text(one)) for number, one in enumerate(group)]
    rows: list[list[tuple[Any, ...]]] = [[] for _ in group]
    for number, *row in connection.execute(sql.SQL(" UNION ALL ").join(texts)):
        rows[number].append(tuple(row))
    return [query.answer(one, found) for one, found in zip(group, rows, strict=True)]


# Reads spread over a few connections that share one snapshot of the database.


_NO_MORE = frozenset({TOO_MANY, POOLER, "22023", "42704"})
"""SQLSTATEs when no further connection is free, or when it cannot use the snapshot (a pooler of several servers)."""

T = TypeVar("T")
R = TypeVar("R")


def read_in_parallel(
    link: Link, workers: int, find: Callable[[Connection], Sequence[T]], work: Callable[[Connection, T], R]
) -> list[tuple[T, R]]:
    """`work` on every item that `find` gives, on at most `workers` connections with one snapshot; in order.

    Items start in the given order, so the longest should come first. A read: it may be retried as a whole. When the
    server has no free connection, the open ones do the rest.
    """
    return link.retried(lambda: _spread_once(link, workers, find, work))


def _spread_once(
    link: Link, workers: int, find: Callable[[Connection], Sequence[T]], work: Callable[[Connection, T], R]
) -> list[tuple[T, R]]:
    crew = _Crew(link)
    try:
        items = crew.lead(find)
        tasks = [_task(crew, work, item) for item in items]
        return list(zip(items, run_all(tasks, workers=workers, abandon=crew.cancel), strict=True))
    finally:
        crew.close()


def _task(crew: _Crew, work: Callable[[Connection, T], R], item: T) -> Callable[[], R]:
    def task() -> R:
        connection = crew.borrow()
        try:
            with translated(crew.server):
                return work(connection, item)
        finally:
            crew.give_back(connection)

    return task


class _Crew:
    """Connections that share the snapshot of the first one, whose transaction stays open to the end."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.server = link.server
        self._snapshot = ""
        self._open: list[Connection] = []
        self._idle: LifoQueue[Connection] = LifoQueue()

    def lead(self, find: Callable[[Connection], Sequence[T]]) -> Sequence[T]:
        """What `find` finds in the snapshot; it is exported only for more than one item."""
        with translated(self.server):
            leader = self._join()
            items = find(leader)
            row = leader.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone() if len(items) > 1 else None
            savepoint(leader)
        self._snapshot = row[0] if row else ""
        self._idle.put(leader)
        return items

    def borrow(self) -> Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        try:
            with translated(self.server):
                joined = self._join()
                savepoint(joined)
                return joined
        except ProviderError as error:
            if error.error_id not in _NO_MORE:
                raise
        return self._idle.get()  # every borrower returns its connection, so this ends

    def give_back(self, connection: Connection) -> None:
        self._idle.put(connection)

    def cancel(self) -> None:
        """Cancels the running queries."""
        import psycopg

        for connection in tuple(self._open):
            try:
                connection.cancel_safe(timeout=2)
            except psycopg.Error:
                connection.close()

    def close(self) -> None:
        for connection in self._open:
            connection.close()

    def _join(self) -> Connection:
        connection = self._link.open()
        self._open.append(connection)
        self._link.begin(connection, snapshot=self._snapshot)
        return connection


# How many distinct values a table's columns have: an UPDATE without its WHERE leaves one.


# Text and number columns (for a domain: its base type). Times, flags and JSON often have equal values legitimately.
_COLUMNS = """
SELECT a.attrelid::int8, a.attname::text
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND t.typcategory IN ('S', 'N')
ORDER BY a.attrelid, a.attnum
"""


def distinct_values(connection: Connection, names: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """By table and column; NULL counts as a value. Missing tables are left out."""
    there = Catalogue(connection).tables_by_name()
    wanted = {name: there[name] for name in dict.fromkeys(names) if name in there}
    columns: dict[int, list[str]] = {}
    for number, column in connection.execute(_COLUMNS, ([table.oid for table in wanted.values()],)):
        columns.setdefault(number, []).append(column)
    return {name: _of_table(connection, table, columns.get(table.oid, [])) for name, table in wanted.items()}


def _of_table(connection: Connection, table: Table, columns: Sequence[str]) -> dict[str, int]:
    from psycopg import sql

    if not columns:
        return {}
    counts = [
        sql.SQL('count(DISTINCT {0}::text COLLATE "C") + coalesce(max(({0} IS NULL)::int), 0)').format(
            sql.Identifier("t", name)
        )
        for name in columns
    ]
    query = sql.SQL("SELECT {} FROM {} AS t").format(sql.SQL(", ").join(counts), table.rows())
    return dict(zip(columns, map(int, connection.execute(query).fetchall()[0]), strict=True))
