"""One database, live or in a private PostgreSQL. Errors as in `platform`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.models.access import AccessAgain, AccessBack, AccessSeen, KeyedAccess, Unshown
    from uscdr.models.data_settings import CanaryColumn, Invariant, ReferenceColumn
    from uscdr.models.media import FileReferences
    from uscdr.models.postgres import (
        CanaryResult,
        Extension,
        ForeignKey,
        InvariantResult,
        LeftOut,
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
    from uscdr.models.trial import MigrationScript, ScriptEnd
    from uscdr.providers.ports.progress import Progress


class Database(Protocol):
    """One database through read-only sessions with statement and lock time-outs (seconds in the adapter)."""

    def facts(self) -> ServerFacts:
        """Version, name and size; also tests whether the database answers."""
        ...

    def tables(self) -> tuple[TableSize, ...]:
        """Every table with the application's rows, by name."""
        ...

    def counted(self, tables: Sequence[str]) -> TableCounts:
        """Exact row counts, never estimates; several tables are counted in parallel.

        A table that cannot be read (damaged, locked, hidden by row-level security) is in the result's `unread`.
        """
        ...

    def counts(self, tables: Sequence[str]) -> Mapping[str, int]:
        """As `counted`; raises ProviderError, which names every unreadable table, when there is one."""
        ...

    def digested(self, tables: Sequence[str]) -> TableDigests:
        """Exact counts and content digests, comparable between servers and versions; `unread` as in `counted`."""
        ...

    def digests(self, tables: Sequence[str]) -> tuple[TableDigest, ...]:
        """As `digested`; raises ProviderError, which names every unreadable table, when there is one."""
        ...

    def keys(self, wanted: Mapping[str, Sequence[int] | None]) -> Mapping[str, TableKeys | Unread]:
        """The primary keys by table, or why one cannot be read: integers and UUIDs as text, any other key as a digest.

        Equal keys have equal digests. `wanted` has by table the buckets of its digest whose keys are read; None: all.
        """
        ...

    def lacking(self, tables: Sequence[str]) -> tuple[str, ...]:
        """The missing ones of `tables`; a partitioned table exists although its leaves hold the rows."""
        ...

    def written(self, columns: Sequence[str]) -> Mapping[str, NewestTime]:
        """For each `table.column` its newest possible time, the number of impossible ones, and why it is unreadable."""
        ...

    def newest(self, columns: Sequence[str]) -> Mapping[str, str | None]:
        """For each `table.column` its newest possible time; None when the column is empty, missing or unreadable."""
        ...

    def invariants(self, wanted: Sequence[Invariant]) -> tuple[InvariantResult, ...]:
        """Evaluate each invariant; a failing query is a result with `holds=None`, never an exception."""
        ...

    def timed(self, wanted: Invariant) -> tuple[InvariantResult, float]:
        """Evaluate one invariant; also returns the seconds of its query, whether it failed or not."""
        ...

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        """Every name or address of a file in the named columns, and which columns are missing.

        From a JSON column only file addresses and paths are read, at any depth.
        """
        ...

    def canary(self, columns: Sequence[CanaryColumn], key: SecretStr, *, sample: int = 200) -> tuple[CanaryResult, ...]:
        """Whether `key` decrypts the encrypted columns: tried on up to `sample` rows of each, including the newest.

        One result for each column, in order. A missing table, column or extension is in the result's `missing`,
        never an exception.
        """
        ...

    def extensions(self) -> tuple[Extension, ...]:
        """Installed extensions, by name."""
        ...

    def migrations(self) -> tuple[Migration, ...]:
        """Applied Django migrations, oldest first; empty when there is no such table."""
        ...

    def columns(self) -> tuple[TableColumn, ...]:
        """Every column of the tables and views that are visible without a schema name."""
        ...

    def variety(self, tables: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """By table and text or number column: how many distinct values it has; NULL counts as one.

        Missing tables are left out.
        """
        ...

    def sequences(self) -> tuple[SequenceState, ...]:
        """Every sequence that fills an integer column, with that column's greatest key, by table and column.

        All are read in one snapshot. Sequences that may start again (CYCLE) are left out.
        """
        ...

    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """Every foreign key, by table and name, with its orphans: counted exactly, even if the key is marked valid.

        All are counted in one snapshot. The statement timeout limits the count of each key.
        """
        ...

    def breaking(self, keys: Sequence[ForeignKey]) -> tuple[int, ...]:
        """How many rows violate each of these foreign keys of another database; this one may lack the key.

        0 for a missing table or column. All are counted in one snapshot.
        """
        ...

    def unique_keys(self) -> tuple[UniqueKey, ...]:
        """Primary keys and unique constraints and indexes of plain columns, by table and columns."""
        ...

    def repeated(self, keys: Sequence[UniqueKey]) -> tuple[int, ...]:
        """How many rows violate each of these unique keys of another database; this one may lack the key.

        A row with a NULL in the key violates none. 0 for a missing table or column.
        """
        ...

    def published_passwords(
        self, query: str, candidates: Sequence[SecretStr], *, seconds: float = 20.0
    ) -> PasswordResult:
        """Which accounts have one of the passwords `candidates`; `query` returns (id, hash as Django stores it).

        At most 200 accounts are tried, for about `seconds`. Neither a hash nor a candidate leaves the adapter.
        Accounts with an unusable password count as tested. Raises BadInput when `query` does not return two columns.
        """
        ...

    def texts(self, query: str) -> tuple[str, ...]:
        """The rows of `query`, which returns one column of text: addresses, names. NULL is left out.

        Raises BadInput when it returns something else. No message contains a value.
        """
        ...

    def sessions(self) -> tuple[Session, ...]:
        """Other clients' sessions on this database."""
        ...

    def end_sessions(self) -> int:
        """End other clients' sessions; returns how many (write, idempotent)."""
        ...

    def access(self, tables: KeyedAccess) -> AccessSeen:
        """Who has access. A missing table or column is in the result, never an exception."""
        ...

    def unshown(self, tables: KeyedAccess, back: AccessBack) -> Unshown:
        """The current values that `back` does not contain, such as password hashes; to be kept in memory only."""
        ...

    def withdraw(self, tables: KeyedAccess, back: AccessBack, known: Unshown) -> AccessAgain:
        """Withdraw the access that a restore would give back (write, idempotent), all or nothing.

        Accounts of `back.passwords` get the hash in `known`; without one they cannot sign in until their password is
        reset. Accounts of `back.moves` get their present value; they are deactivated when it is unknown or refused.
        """
        ...


class Copy(Database, Protocol):
    """A dump restored into a private database. Only such a database is used to try out SQL."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the restore left out of the dump, and why. It never leaves out a row."""
        ...

    def tried(self, scripts: Sequence[MigrationScript], *, seconds: float) -> tuple[ScriptEnd, ...]:
        """Run the scripts in order until one fails or `seconds` have passed; then roll everything back.

        Each sees what the earlier ones did. One result for each script that was started. A failure is a result, never
        an exception; so is a lost connection.
        """
        ...


class Scratch(Protocol):
    """A private PostgreSQL, on this machine or another server; its database is removed when the context ends."""

    def prepare(self) -> None:
        """Start the server in the background. Optional: `restore` starts it too."""
        ...

    def restore(self, dump: Path, progress: Progress) -> AbstractContextManager[Copy]:
        """Restore a custom-format dump into an empty database and open it.

        Raises `CheckFailed`, with pg_restore's reason, when the dump does not decode or restore.
        """
        ...


class Loader(Protocol):
    """Loads a dump into a live database."""

    def load(self, url: SecretStr, dump: Path, progress: Progress) -> tuple[LeftOut, ...]:
        """Make the tables of the database at `url` those of the custom-format `dump` (write, idempotent).

        Returns what was left out, and why: objects of the old platform, and objects that the owner of a database may
        not create. No row is ever left out.

        All or nothing: after any error except `AnswerLost`, and after a kill, the database is unchanged. Tables that
        are not in the dump stay. Dependents of a replaced table (a foreign key, a view) are dropped with it.
        `progress` gets the bytes of rows sent, and no total.

        Raises `CheckFailed` when the dump does not decode or load, and `Conflict` when a table stays locked or another
        load is running.
        """
        ...
