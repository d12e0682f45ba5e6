"""One PostgreSQL database as the port `Database` has it: read-only sessions, bounded in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import WriteRefused
from uscdr.models.access import AccessBack, AccessSeen, AccessTables
from uscdr.models.media import FileReferences, ReferenceColumn
from uscdr.models.postgres import (
    CanaryColumn,
    CanaryResult,
    Extension,
    ForeignKey,
    Invariant,
    InvariantResult,
    Migration,
    PasswordResult,
    SequenceState,
    ServerFacts,
    Session,
    TableDigest,
    TableKeys,
    TableSize,
)
from uscdr.providers.postgres import (
    access,
    canary,
    content,
    foreign_keys,
    inventory,
    passwords,
    references,
    sequences,
    sessions,
)
from uscdr.providers.postgres import invariants as expectations
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.errors import PROVIDER
from uscdr.providers.postgres.snapshot import spread

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

MOST_WORKERS = 4
"""Small plans allow 20 connections, which the application needs."""


class PostgresDatabase:
    """Adapter of the port `Database` for any PostgreSQL from version 13.

    `url` is a secret `postgres://` URL. Time-outs are in seconds: `statement_timeout` bounds each
    query, `lock_timeout` each wait for a lock, `connect_timeout` each attempt to connect.
    Every session is read-only whatever `read_only` says; that allows or forbids `end_sessions`.
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
    ) -> None:
        self._link = Link(
            url=url,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            connect_timeout=connect_timeout,
            application_name=application_name,
            require_tls=require_tls,
        )
        self._read_only = read_only
        self._workers = max(1, min(workers, MOST_WORKERS))

    def __repr__(self) -> str:
        return f"PostgresDatabase({self._link.server})"

    def facts(self) -> ServerFacts:
        """Version, name, size; also the test whether the database answers."""
        return self._link.read(inventory.facts)

    def tables(self) -> tuple[TableSize, ...]:
        """Every table that holds the application's rows, leaves of partitioned ones too, by name."""
        found = self._link.read(lambda connection: inventory.tables(connection, sizes=True))
        return tuple(TableSize(name=table.name, bytes=table.bytes) for table in found)

    def counts(self, tables: Sequence[str]) -> Mapping[str, int]:
        """Exact counts, all of one moment. Raises `NotFound` when a table is not there."""
        found = self._named(tables)
        rows = spread(self._link, self._workers, content.count, found)
        by_name = {table.name: number for table, number in zip(found, rows, strict=True)}
        return {name: by_name[name] for name in tables}

    def digests(self, tables: Sequence[str]) -> tuple[TableDigest, ...]:
        """Exact counts and content digests, all of one moment. Raises `NotFound` as `counts` does."""
        digests = spread(self._link, self._workers, content.digest, self._named(tables))
        by_name = {digest.name: digest for digest in digests}
        return tuple(by_name[name] for name in dict.fromkeys(tables))

    def keys(self, table: str, *, buckets: Sequence[int] | None = None) -> TableKeys:
        """The primary keys of one table; other than integers and UUIDs they are hashed (see `content.keys`)."""
        found = self._named([table])[0]
        return self._link.read(lambda connection: content.keys(connection, found, buckets))

    def newest(self, columns: Sequence[str]) -> Mapping[str, str | None]:
        """For each `table.column` the newest time, ISO 8601 UTC; None when empty, missing or not a time."""

        def ask(connection: Connection) -> dict[str, str | None]:
            known = {table.name: table for table in inventory.tables(connection, sizes=False)}
            latest: dict[str, str | None] = {}
            for wanted in columns:
                name, _, column = wanted.rpartition(".")
                table = known.get(name.removeprefix("public."))
                latest[wanted] = content.newest(connection, table, column) if table else None
            return latest

        return self._link.read(ask)

    def invariants(self, wanted: Sequence[Invariant]) -> tuple[InvariantResult, ...]:
        """Each invariant in a transaction of its own; a failing query is a result with `holds=None`."""
        return tuple(self._link.read_each(partial(expectations.ask, invariant=invariant) for invariant in wanted))

    def timed(self, wanted: Invariant) -> tuple[InvariantResult, float]:
        """One invariant, with the seconds of its query alone; connecting is not counted."""
        return self._link.read(lambda connection: expectations.timed(connection, wanted))

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        """Names and addresses of files in the named columns; see `references`."""
        return self._link.read(lambda connection: references.read(connection, wanted))

    def canary(self, columns: Sequence[CanaryColumn], key: SecretStr, *, sample: int = 200) -> tuple[CanaryResult, ...]:
        """How many encrypted rows the key opens, and whether to the plain value beside; see `canary`."""
        return self._link.read(lambda connection: canary.ask(connection, columns, key, sample=sample))

    def extensions(self) -> tuple[Extension, ...]:
        """Installed extensions, by name."""
        return self._link.read(inventory.extensions)

    def migrations(self) -> tuple[Migration, ...]:
        """Applied Django migrations, oldest first; empty when there is no such table."""
        return self._link.read(inventory.migrations)

    def sequences(self) -> tuple[SequenceState, ...]:
        """Every sequence that fills an integer column, beside its keys; see `sequences`."""
        return self._link.read(sequences.read)

    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """Every foreign key with its orphans, counted in one snapshot; see `foreign_keys`."""
        found = self._link.read(foreign_keys.listed)
        counts = spread(self._link, self._workers, foreign_keys.orphans, found)
        return tuple(sorted(map(foreign_keys.fact, found, counts), key=lambda one: (one.table, one.name)))

    def published_passwords(
        self, query: str, candidates: Sequence[SecretStr], *, seconds: float = 20.0
    ) -> PasswordResult:
        """Which accounts have a published password. Hashing begins when the connection is closed."""
        accounts = self._link.read(lambda connection: passwords.accounts(connection, query))
        return passwords.tried(accounts, candidates, seconds=seconds)

    def sessions(self) -> tuple[Session, ...]:
        """Other clients' sessions; those with our role and application name are ours and left out."""
        return self._link.read(sessions.others)

    def end_sessions(self) -> int:
        """End other clients' sessions as far as we may, for ten seconds at most (write, idempotent)."""
        if self._read_only:
            raise WriteRefused("ending sessions is refused: wired read-only", provider=PROVIDER)
        with self._link.session() as connection:
            return sessions.end(connection, lambda: self._link.moment(connection))

    def access(self, tables: AccessTables) -> AccessSeen:
        """Who may get in; see `access`."""
        return self._link.read(lambda connection: access.seen(connection, tables))

    def password_hashes(self, tables: AccessTables, keys: Sequence[str]) -> Mapping[str, SecretStr]:
        """The password hashes of these accounts."""
        return self._link.read(lambda connection: access.passwords(connection, tables, keys))

    def withdraw(self, tables: AccessTables, back: AccessBack, hashes: Mapping[str, SecretStr]) -> int:
        """Shut out again who gets in by `back` (write, idempotent), all or nothing; how many rows were changed."""
        if self._read_only:
            raise WriteRefused("withdrawing access is refused: wired read-only", provider=PROVIDER)
        with self._link.session() as connection, connection.transaction():
            connection.execute(b"SET TRANSACTION READ WRITE")
            return access.withdraw(connection, tables, back, hashes)

    def _named(self, names: Sequence[str]) -> list[inventory.Table]:
        return self._link.read(lambda connection: inventory.named(connection, names))
