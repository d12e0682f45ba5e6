"""The tables' content as counts, digests and keys; no values are shown."""

from __future__ import annotations

import hashlib
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import ProviderError
from uscdr.models.postgres import TableDigest, TableKeys
from uscdr.providers.postgres.errors import POOLER, TOO_MANY, translated
from uscdr.providers.postgres.inventory import Catalogue, Table
from uscdr.providers.postgres.reading import savepoint
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection, Link


_INTEGERS = frozenset({20, 21, 23})
_UUID = 2950
BUCKET_BITS = 12


def count(connection: Connection, table: Table) -> int:
    """The exact number of rows."""
    from psycopg import sql

    query = sql.SQL("SELECT count(*) FROM {}").format(table.rows())
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows


def digest(connection: Connection, table: Table) -> TableDigest:
    """Exact count and content digest: equal for the same rows, in any order, on any server.

    Each row is hashed (SHA-256) as the text of its live, not generated columns; NULL differs from an empty text. The
    first 128 bits are added up in two sums. The sums, the count and the column names are hashed again. Unlike exclusive
    or, sums detect a duplicate row. With an integer key the sums are also kept for every 4096 keys, so that two servers
    can find where they differ.
    """
    from psycopg import sql

    live = table.written(connection)
    # OFFSET 0 stops the planner from computing the hash once for each sum.
    query = sql.SQL(
        "SELECT bucket, count(*), sum(('x' || substr(h, 1, 16))::bit(64)::int8)::text,"
        " sum(('x' || substr(h, 17, 16))::bit(64)::int8)::text FROM"
        " (SELECT {bucket} AS bucket, encode(sha256(convert_to(ROW({columns})::text, 'UTF8')), 'hex') AS h"
        " FROM {table} AS t OFFSET 0) AS hashed GROUP BY bucket"
    ).format(
        bucket=_bucket(connection, table),
        columns=sql.SQL(", ").join(sql.Identifier("t", column.name) for column in live),
        table=table.rows(),
    )
    parts = [(part, count, int(first), int(second)) for part, count, first, second in connection.execute(query)]
    rows = sum(count for _, count, _, _ in parts)
    sums = [str(sum(part[index] for part in parts)) for index in (2, 3)]
    whole = "\0".join([str(rows), *sums, *(column.name for column in live)])
    return TableDigest(
        name=table.name,
        rows=rows,
        digest=hashlib.sha256(whole.encode()).hexdigest()[:32],
        buckets={part: f"{count} {first} {second}" for part, count, first, second in parts if part is not None},
    )


def _bucket(connection: Connection, table: Table) -> sql.Composable:
    from psycopg import sql

    key = table.primary_key(connection)
    if key is None or key.type not in _INTEGERS:
        return sql.SQL("NULL::int8")
    return sql.SQL("({} >> {})::int8").format(sql.Identifier("t", key.name), sql.Literal(BUCKET_BITS))


def keys(connection: Connection, table: Table, buckets: Sequence[int] | None = None) -> TableKeys:
    """The values of a single-column primary key, each with a fingerprint of its row.

    Integers and UUIDs are given as they are. Any other key may be secret or personal (a session, a token, an e-mail
    address): it is given as the first 16 hexadecimal digits of its SHA-256. With `buckets` (see `digest`) only their
    keys are given.
    """
    from psycopg import sql

    column = table.primary_key(connection)
    if column is None:
        return TableKeys(name=table.name, column=None, keys=None)
    plain = column.type in {*_INTEGERS, _UUID}
    shown = "{}" if plain else "left(encode(sha256(convert_to({}::text, 'UTF8')), 'hex'), 16)"
    expression = sql.SQL(shown).format(sql.Identifier("t", column.name))
    row = sql.SQL(", ").join(sql.Identifier("t", live.name) for live in table.written(connection))
    # One text for the whole table: fetching row by row costs the client ten times as much.
    query = sql.SQL(
        "SELECT string_agg(key || ' ' || print, ',') FROM"
        " (SELECT {key}::text AS key,"
        " ('x' || left(md5(ROW({row})::text), 8))::bit(32)::int AS print FROM {table} AS t WHERE {where}) AS rows"
    ).format(key=expression, row=row, table=table.rows(), where=_in_buckets(connection, table, buckets))
    found: str | None = connection.execute(query).fetchall()[0][0]
    pairs = [pair.split(" ") for pair in found.split(",")] if found else []
    order: Callable[[str], int | str] = int if column.type in _INTEGERS else str
    pairs.sort(key=lambda pair: order(pair[0]))
    return TableKeys(
        name=table.name,
        column=column.name,
        keys=tuple(pair[0] for pair in pairs),
        prints=tuple(int(pair[1]) for pair in pairs),
    )


def _in_buckets(connection: Connection, table: Table, buckets: Sequence[int] | None) -> sql.Composable:
    from psycopg import sql

    if buckets is None:
        return sql.SQL("true")
    wanted = sql.SQL(", ").join(sql.Literal(int(bucket)) for bucket in buckets)
    return sql.SQL("{} IN ({})").format(_bucket(connection, table), wanted)


# Reads spread over a few connections that share one snapshot of the database.


_NO_MORE = frozenset({TOO_MANY, POOLER, "22023", "42704"})
"""SQLSTATEs when no further connection is free, or when it cannot use the snapshot (a pooler of several servers)."""

T = TypeVar("T")
R = TypeVar("R")


def read_in_parallel(link: Link, workers: int, work: Callable[[Connection, T], R], items: Sequence[T]) -> list[R]:
    """`work` on every item, on at most `workers` connections with one snapshot; results in order.

    Items start in the given order, so the longest should come first. A read: it may be retried as a whole. When the
    server has no free connection, the open ones do the rest.
    """
    return link.retried(lambda: _spread_once(link, workers, work, items))


def _spread_once(link: Link, workers: int, work: Callable[[Connection, T], R], items: Sequence[T]) -> list[R]:
    if not items:
        return []
    crew = _Crew(link)
    try:
        crew.lead()
        tasks = [_task(crew, work, item) for item in items]
        return run_all(tasks, workers=workers, abandon=crew.cancel)
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

    def lead(self) -> None:
        with translated(self.server):
            leader = self._join()
            row = leader.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
            savepoint(leader)
        self._snapshot = row[0] if row else ""
        self._idle.put(leader)

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
SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND t.typcategory IN ('S', 'N')
ORDER BY a.attnum
"""


def distinct_values(connection: Connection, names: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """By table and column; NULL counts as a value. Missing tables are left out."""
    there = Catalogue(connection).tables_by_name()
    return {name: _of_table(connection, there[name]) for name in dict.fromkeys(names) if name in there}


def _of_table(connection: Connection, table: Table) -> dict[str, int]:
    from psycopg import sql

    columns = [name for (name,) in connection.execute(_COLUMNS, (table.oid,)).fetchall()]
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
