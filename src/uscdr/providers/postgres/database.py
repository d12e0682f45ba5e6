"""The port `Database` on one PostgreSQL database: read-only sessions with time limits."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import ProviderError, WriteRefused
from uscdr.models.postgres import (
    CanaryResult,
    Extension,
    ForeignKey,
    InvariantResult,
    Migration,
    NewestTime,
    PasswordResult,
    SequenceState,
    ServerFacts,
    Session,
    TableColumn,
    TableCounts,
    TableDigest,
    TableDigests,
    TableKeys,
    TableSize,
    UniqueKey,
    Unread,
)
from uscdr.providers.postgres import canary, content, integrity, invariants, passwords, reading, references, texts
from uscdr.providers.postgres.access import AccessSession
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.content import read_in_parallel
from uscdr.providers.postgres.errors import PROVIDER
from uscdr.providers.postgres.integrity import KeyConstraint
from uscdr.providers.postgres.inventory import Catalogue
from uscdr.providers.postgres.reading import DROPPED
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pydantic import SecretStr

    from uscdr.models.access import AccessAgain, AccessBack, AccessSeen, KeyedAccess, Unshown
    from uscdr.models.data_settings import CanaryColumn, Invariant, ReferenceColumn
    from uscdr.models.media import FileReferences
    from uscdr.providers.postgres.connection import Connection
    from uscdr.providers.postgres.content import TableQuery
    from uscdr.providers.postgres.inventory import Layout


# Other clients' sessions: listed, and ended where our role has the permission.


_LIMIT = 10.0
_INTERVAL = 0.1
"""Seconds between two polls while sessions end."""

# The server hides the activity and application of another role's session from us; such a row is kept.
_OTHERS = """
FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND NOT (coalesce(a.application_name, '') = current_setting('application_name')
           AND a.usename = current_user)
"""
_LIST = (
    "SELECT a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),"
    " coalesce(a.state, 'unknown'), a.backend_start" + _OTHERS + " ORDER BY a.pid"
)
# The server's own rule for who may end a session; a call without the permission would abort the statement.
_MINE_TO_END = """
  AND ((SELECT me.rolsuper FROM pg_catalog.pg_roles me WHERE me.rolname = current_user)
       OR (NOT r.rolsuper AND (pg_catalog.pg_has_role(r.oid, 'USAGE')
                               OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))))
"""
_END = (
    "WITH others AS MATERIALIZED (SELECT a.pid, extract(epoch FROM a.backend_start)::text AS born"  # noqa: S608 - constants only
    + _OTHERS
    + _MINE_TO_END
    + ") SELECT pid, born, pg_catalog.pg_terminate_backend(pid) FROM others"
)


def _others(connection: Connection) -> tuple[Session, ...]:
    """Client sessions on this database except those of our role and application name."""
    rows = connection.execute(_LIST).fetchall()
    return tuple(
        Session(pid=pid, user=user, application=application, state=state, started_at=started)
        for pid, user, application, state, started in rows
    )


def _end(connection: Connection, moment: Callable[[], AbstractContextManager[None]]) -> int:
    """Ends the sessions that our role may end, repeatedly until none is left, for ten seconds at most.

    Each poll is a transaction of its own, because a transaction sees the same sessions to its end.

    Returns the number of distinct sessions ended; a client that reconnects counts again.
    """
    deadline = time.monotonic() + _LIMIT
    told: set[tuple[int, str]] = set()
    while True:
        with moment():
            here = connection.execute(_END).fetchall()
        told |= {(pid, born) for pid, born, accepted in here if accepted}
        still = {(pid, born) for pid, born, _ in here}
        if not still or time.monotonic() > deadline:
            return len(told - still)
        time.sleep(_INTERVAL)  # the interval between two polls


R = TypeVar("R")

MOST_WORKERS = 4
"""Small plans allow 20 connections, and the application needs them."""


class PostgresDatabase:
    """Adapter of the port `Database` for any PostgreSQL from version 13.

    `url` is a secret `postgres://` URL. Time-outs are in seconds: `statement_timeout` bounds each
    query, `lock_timeout` each wait for a lock, `connect_timeout` each attempt to connect.
    Reads always use read-only sessions; `read_only` also forbids `end_sessions` and other writes.
    At most `workers` (never more than four) connections are open at once, none between calls.
    """

    def __init__(
        self,
        url: SecretStr,
        *,
        read_only: bool,
        statement_timeout: float,
        lock_timeout: float,
        connect_timeout: float,
        application_name: str = "uscdr",
        require_tls: bool,
        workers: int = MOST_WORKERS,
        leave: WriteGuard = ANYHOW,
    ) -> None:
        self._link = Link(
            url=url,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            connect_timeout=connect_timeout,
            application_name=application_name,
            require_tls=require_tls,
            leave=leave,
        )
        self._read_only = read_only
        self._workers = max(1, min(workers, MOST_WORKERS))

    def __repr__(self) -> str:
        return f"PostgresDatabase({self._link.server})"

    def facts(self) -> ServerFacts:
        """Version, name, size; also checks that the database answers."""
        return self._link.read(lambda connection: Catalogue(connection).facts())

    def tables(self) -> tuple[TableSize, ...]:
        """Every table with the application's rows, including the leaves of partitioned ones, by name.

        Reads only the catalogue: exact sizes would wait for a table that another session has locked.
        """
        return tuple(
            TableSize(name=table.name, bytes=table.bytes, keyed=table.keyed)
            for table in self._link.read(lambda connection: Catalogue(connection).tables())
        )

    def counted(self, tables: Sequence[str]) -> TableCounts:
        """Exact counts in one snapshot, and the tables that could not be counted.

        Raises `NotFound` for a missing table.
        """
        read, unread = self._as_far_as_can_be(content.count(), tables)
        return TableCounts(rows={name: read[name] for name in tables if name in read}, unread=unread)

    def counts(self, tables: Sequence[str]) -> Mapping[str, int]:
        """As `counted`. Also raises `ProviderError` when a table cannot be counted."""
        found = self.counted(tables)
        self._hold_whole(found.unread, "counted")
        return found.rows

    def digested(self, tables: Sequence[str]) -> TableDigests:
        """Exact counts and content digests in one snapshot; raises as `counted` does."""
        read, unread = self._as_far_as_can_be(content.digest(), tables)
        wanted = dict.fromkeys(tables)
        return TableDigests(tables=tuple(read[name] for name in wanted if name in read), unread=unread)

    def digests(self, tables: Sequence[str]) -> tuple[TableDigest, ...]:
        """As `digested`. Also raises `ProviderError` when a table cannot be read."""
        found = self.digested(tables)
        self._hold_whole(found.unread, "read")
        return found.tables

    def keys(self, wanted: Mapping[str, Sequence[int] | None]) -> Mapping[str, TableKeys | Unread]:
        """The primary keys by table; other than integers and UUIDs they are hashed (see `content.keys`)."""
        query = content.keys(wanted)

        def there(connection: Connection) -> list[list[Layout]]:
            return content.grouped([*Catalogue(connection).layouts(wanted).values()])

        read = self._by_table(query, there)
        return {name: Unread(table=name, why=DROPPED) for name in wanted} | dict(read)

    def lacking(self, tables: Sequence[str]) -> tuple[str, ...]:
        """The missing ones of `tables`; a partitioned table counts as a whole."""
        there = self._link.read(lambda connection: Catalogue(connection).tables_by_name())
        return tuple(name for name in dict.fromkeys(tables) if name not in there)

    def written(self, columns: Sequence[str]) -> Mapping[str, NewestTime]:
        """For each `table.column` its newest possible time; None when empty, missing or not a time."""
        return self._link.read(lambda connection: reading.newest_times(connection, columns))

    def newest(self, columns: Sequence[str]) -> Mapping[str, str | None]:
        """For each `table.column` the newest possible time, ISO 8601 UTC; None as in `written`."""
        return {name: one.newest for name, one in self.written(columns).items()}

    def invariants(self, wanted: Sequence[Invariant]) -> tuple[InvariantResult, ...]:
        """Each invariant in a transaction of its own; a failing query is a result with `holds=None`."""
        results = self._link.read_each(partial(invariants.timed, invariant=invariant) for invariant in wanted)
        return tuple(result for result, _ in results)

    def timed(self, wanted: Invariant) -> tuple[InvariantResult, float]:
        """One invariant, with the seconds of its query; connecting is not counted."""
        return self._link.read(lambda connection: invariants.timed(connection, wanted))

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        """Names and addresses of files in the named columns; see `references`."""
        return self._link.read(lambda connection: references.file_references(connection, wanted))

    def canary(self, columns: Sequence[CanaryColumn], key: SecretStr, *, sample: int = 200) -> tuple[CanaryResult, ...]:
        """How many encrypted rows the key decrypts, and how many match the plain value; see `canary`."""
        return self._link.read(lambda connection: canary.try_key(connection, columns, key, sample=sample))

    def extensions(self) -> tuple[Extension, ...]:
        """Installed extensions, by name."""
        return self._link.read(lambda connection: Catalogue(connection).extensions())

    def migrations(self) -> tuple[Migration, ...]:
        """Applied Django migrations, oldest first; empty when there is no such table."""
        return self._link.read(lambda connection: Catalogue(connection).migrations())

    def columns(self) -> tuple[TableColumn, ...]:
        """Every column of the tables that are visible without a schema name."""
        return self._link.read(lambda connection: Catalogue(connection).visible_columns())

    def variety(self, tables: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """How many distinct values each text or number column has; see `content.distinct_values`."""
        return self._link.read(lambda connection: content.distinct_values(connection, tables))

    def sequences(self) -> tuple[SequenceState, ...]:
        """Every sequence that fills an integer column, with the column's keys; see `integrity.sequences`."""
        return self._link.read(integrity.sequences)

    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """Every foreign key with its orphans, counted in one snapshot."""
        found = read_in_parallel(self._link, self._workers, KeyConstraint.all_in, lambda live, key: key.counted(live))
        facts = (key.fact(orphans) for key, orphans in found)
        return tuple(sorted(facts, key=lambda one: (one.table, one.name)))

    def breaking(self, keys: Sequence[ForeignKey]) -> tuple[int, ...]:
        """How many rows violate each of these foreign keys of another database."""
        return self._link.read(lambda connection: integrity.rows_without_parent(connection, keys))

    def unique_keys(self) -> tuple[UniqueKey, ...]:
        """Every key and unique index of plain columns."""
        return self._link.read(integrity.list_unique_keys)

    def repeated(self, keys: Sequence[UniqueKey]) -> tuple[int, ...]:
        """How many rows violate each of these unique keys of another database."""
        return self._link.read(lambda connection: integrity.repeated_rows(connection, keys))

    def published_passwords(
        self, query: str, candidates: Sequence[SecretStr], *, seconds: float = 20.0
    ) -> PasswordResult:
        """The accounts with a published password. Hashing starts after the connection is closed."""
        accounts = self._link.read(lambda connection: passwords.accounts(connection, query))
        return passwords.try_passwords(accounts, candidates, seconds=seconds)

    def texts(self, query: str) -> tuple[str, ...]:
        """The rows of `query`, which returns one column of text. See `texts`."""
        return self._link.read(lambda connection: texts.texts(connection, query))

    def sessions(self) -> tuple[Session, ...]:
        """Other clients' sessions; sessions with our role and application name are left out."""
        return self._link.read(_others)

    def end_sessions(self) -> int:
        """End other clients' sessions where permitted, for ten seconds at most (write, idempotent)."""
        if self._read_only:
            raise WriteRefused("uscdr refused to end sessions: this run only reads.", provider=PROVIDER)
        with self._link.session() as connection:
            self._link.leave()
            return _end(connection, lambda: self._link.moment(connection))

    def access(self, tables: KeyedAccess) -> AccessSeen:
        """Who has access; see `access`."""
        return self._link.read(lambda connection: AccessSession(connection, tables).seen())

    def unshown(self, tables: KeyedAccess, back: AccessBack) -> Unshown:
        """The current values of the accounts in `back`; kept in memory only."""
        return self._link.read(lambda connection: AccessSession(connection, tables).unshown(back))

    def withdraw(self, tables: KeyedAccess, back: AccessBack, known: Unshown) -> AccessAgain:
        """Withdraw the access in `back` again (write, idempotent), all or nothing."""
        if self._read_only:
            raise WriteRefused("uscdr refused to withdraw access: this run only reads.", provider=PROVIDER)
        with self._link.session() as connection, self._link.change(connection):
            return AccessSession(connection, tables).withdraw(back, known)

    def _as_far_as_can_be(self, query: TableQuery[R], names: Sequence[str]) -> tuple[dict[str, R], tuple[Unread, ...]]:
        """The answers by table, and the tables that cannot be read by name."""

        def there(connection: Connection) -> list[list[Layout]]:
            return content.grouped(Catalogue(connection).tables_named(names))

        found = self._by_table(query, there)
        unread = (answer for _, answer in found if isinstance(answer, Unread))
        return (
            {name: answer for name, answer in found if not isinstance(answer, Unread)},
            tuple(sorted(unread, key=lambda one: one.table)),
        )

    def _by_table(
        self, query: TableQuery[R], there: Callable[[Connection], list[list[Layout]]]
    ) -> list[tuple[str, R | Unread]]:  # fmt: skip
        """The answer of each table that `there` finds, in one snapshot on a few connections."""
        read = read_in_parallel(
            self._link, self._workers, there, lambda live, group: content.read_group(live, query, group)
        )
        return [(one.table.name, answer) for group, answers in read for one, answer in zip(group, answers, strict=True)]

    def _hold_whole(self, unread: Sequence[Unread], done: str) -> None:
        if unread:
            raise ProviderError(
                f"Some tables of the database at {self._link.server} cannot be {done}.",
                provider=PROVIDER,
                why="; ".join(one.words(done) for one in unread),
                error_id="unread",
            )
