"""One database, live or in a private PostgreSQL. Errors as in `platform`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.models.access import AccessAgain, AccessBack, AccessSeen, KeyedAccess, Unshown
    from uscdr.models.media import FileReferences, ReferenceColumn
    from uscdr.models.postgres import (
        CanaryColumn,
        CanaryResult,
        Extension,
        ForeignKey,
        Invariant,
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
    )
    from uscdr.models.trial import MigrationScript, ScriptEnd
    from uscdr.providers.ports.progress import Progress


class Database(Protocol):
    """One database through read-only sessions with statement and lock time-outs (seconds in the adapter)."""

    def facts(self) -> ServerFacts:
        """Version, name, size; also the test whether the database answers."""
        ...

    def tables(self) -> tuple[TableSize, ...]:
        """Every ordinary user table, by name."""
        ...

    def counted(self, tables: Sequence[str]) -> TableCounts:
        """Exact counts, never estimates; several at once on separate connections.

        A table that cannot be read (damaged, locked, hidden by row-level security) is in the result's `unread`.
        """
        ...

    def counts(self, tables: Sequence[str]) -> Mapping[str, int]:
        """As `counted`, but a table that cannot be read raises ProviderError, which names all of them."""
        ...

    def digested(self, tables: Sequence[str]) -> TableDigests:
        """Exact counts and content digests, comparable between servers and versions; `unread` as in `counted`."""
        ...

    def digests(self, tables: Sequence[str]) -> tuple[TableDigest, ...]:
        """As `digested`, but a table that cannot be read raises ProviderError, which names all of them."""
        ...

    def keys(self, table: str, *, buckets: Sequence[int] | None = None) -> TableKeys:
        """The primary keys of one table: integers and UUIDs as text, any other as a digest that still compares.

        With `buckets` only the keys in those buckets of the table's digest.
        """
        ...

    def lacking(self, tables: Sequence[str]) -> tuple[str, ...]:
        """Those of `tables` that are not there; a partitioned table is there although its leaves hold the rows."""
        ...

    def written(self, columns: Sequence[str]) -> Mapping[str, NewestTime]:
        """For each `table.column` the newest time that can be, how many cannot, and why it cannot be read."""
        ...

    def newest(self, columns: Sequence[str]) -> Mapping[str, str | None]:
        """As `written`, its newest time alone: None when empty, missing or out of reach."""
        ...

    def invariants(self, wanted: Sequence[Invariant]) -> tuple[InvariantResult, ...]:
        """Ask each invariant; a failing query is a result with `holds=None`, never an exception."""
        ...

    def timed(self, wanted: Invariant) -> tuple[InvariantResult, float]:
        """As `invariants`, of one, with the seconds that the query itself took, however it ended."""
        ...

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        """Every name or address of a file in the named columns, and which columns are not there.

        Of a JSON column only what is the address or path of a file is read, wherever in it that stands.
        """
        ...

    def canary(self, columns: Sequence[CanaryColumn], key: SecretStr, *, sample: int = 200) -> tuple[CanaryResult, ...]:
        """Whether `key` opens the encrypted columns: up to `sample` rows of each, the newest among them.

        One result a column, in order. A table, column or extension that is not there is named in the
        result's `missing`, never an exception.
        """
        ...

    def extensions(self) -> tuple[Extension, ...]:
        """Installed extensions."""
        ...

    def migrations(self) -> tuple[Migration, ...]:
        """Applied Django migrations; empty when there is no such table."""
        ...

    def columns(self) -> tuple[TableColumn, ...]:
        """Every column of the tables that statements find by their bare names, of views too."""
        ...

    def variety(self, tables: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """By table and column of texts or numbers: how many different values it holds, NULL counted as one.

        Tables that are not there are left out.
        """
        ...

    def sequences(self) -> tuple[SequenceState, ...]:
        """Every sequence that an integer column owns or takes its default from, beside the column's keys.

        All of one moment, by table and column. Sequences that may begin anew (CYCLE) are left out.
        """
        ...

    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """Every foreign key, by table and name; its orphans are counted exactly, whatever the server believes.

        All of one moment. The statement timeout bounds the count for each key.
        """
        ...

    def breaking(self, keys: Sequence[ForeignKey]) -> tuple[int, ...]:
        """How many rows break each of `keys`, which another database has and this one need not.

        0 where a table or column is not there. All of one moment.
        """
        ...

    def unique_keys(self) -> tuple[UniqueKey, ...]:
        """What may be in one row only: primary keys, constraints and indexes of plain columns, by table and columns."""
        ...

    def repeated(self, keys: Sequence[UniqueKey]) -> tuple[int, ...]:
        """How many rows break each of `keys`, which another database has and this one need not; NULL breaks none.

        0 where a table or column is not there.
        """
        ...

    def published_passwords(
        self, query: str, candidates: Sequence[SecretStr], *, seconds: float = 20.0
    ) -> PasswordResult:
        """Which accounts of `query`, which gives (id, hash as Django keeps it), have one of `candidates`.

        At most 200 accounts are tried, for about `seconds`; neither a hash nor a candidate leaves the adapter.
        Accounts that nobody can sign in to by password count as tested. Raises BadInput when `query` does not
        return two columns.
        """
        ...

    def sessions(self) -> tuple[Session, ...]:
        """Other clients' sessions on this database."""
        ...

    def end_sessions(self) -> int:
        """End other clients' sessions; how many were ended (write, idempotent)."""
        ...

    def access(self, tables: KeyedAccess) -> AccessSeen:
        """Who may get in. A table or column that is not there is named in the result, never an exception."""
        ...

    def unshown(self, tables: KeyedAccess, back: AccessBack) -> Unshown:
        """The values that `back` does not hold, such as hashes of passwords: for memory only."""
        ...

    def withdraw(self, tables: KeyedAccess, back: AccessBack, known: Unshown) -> AccessAgain:
        """Shut out again who gets in by `back` (write, idempotent), all or nothing.

        Accounts of `back.passwords` get the hash in `known`; those that it lacks cannot sign in with a password
        until it is reset. Accounts of `back.moves` get the value that they have now; where it is not known any more,
        or is refused, they are shut out.
        """
        ...


class Copy(Database, Protocol):
    """A dump, restored into a private database: read as any other, and the only one that SQL is tried on."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of the dump is not there, and why. No row is ever left out."""
        ...

    def tried(self, scripts: Sequence[MigrationScript], *, seconds: float) -> tuple[ScriptEnd, ...]:
        """Run them in order, each as one transaction would, until one fails or `seconds` are over; keep nothing of it.

        One end for each that was begun. A failure is a result, never an exception; so is a server that is gone.
        """
        ...


class Scratch(Protocol):
    """A private PostgreSQL on this machine, gone when the context ends, however it ends."""

    def prepare(self) -> None:
        """Begin to start the server in the background; never needed, never harmful."""
        ...

    def restore(self, dump: Path, progress: Progress) -> AbstractContextManager[Copy]:
        """Restore a custom-format dump into an empty database and open it.

        Raises `CheckFailed` when the dump does not decode or restore, with the tool's own reason.
        """
        ...


class Loader(Protocol):
    """Fills a live database from a dump."""

    def load(self, url: SecretStr, dump: Path, progress: Progress) -> tuple[LeftOut, ...]:
        """Make the tables of the database at `url` those of the custom-format `dump` (write, idempotent).

        What of the dump was left out, and why: what belongs to the old platform, and what the owner of a
        database may not make. No row is ever left out.

        All or nothing: after any error but `AnswerLost`, and after a kill, the database is as it was.
        Tables that the dump does not know stay; what hangs on a table that it does know (a foreign key,
        a view) goes with it. `progress` gets bytes of rows sent, no total.

        Raises `CheckFailed` when the dump does not decode or load, `Conflict` when a table stays locked
        or another load is under way.
        """
        ...
