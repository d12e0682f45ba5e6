"""Restores a dump into an empty database, and prepares its locale, roles and extensions."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.errors import CheckFailed, MachineError, ProviderError
from uscdr.providers.postgres.complaints import SCRATCH, lack, lacking
from uscdr.providers.postgres.restoring import NoRight, RestoreTarget
from uscdr.providers.postgres.selection import BY_HAND, AllowedExtensions, EntrySelection, needs_permissions
from uscdr.providers.probes.machine import room
from uscdr.words import duration, first_of, size

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.models.postgres import LeftOut
    from uscdr.providers.ports.progress import Progress
    from uscdr.providers.postgres.archive import Archive
    from uscdr.providers.postgres.connection import Connection
    from uscdr.providers.postgres.contents import DumpEntry
    from uscdr.providers.postgres.scratch_server import Bench, Login, Server


# Watches a restore: its progress, the free disk space, and statements that never end.


_RESERVE = 512 * 1024 * 1024
"""Bytes of the disk that must stay free; half of the free space, if that is less."""
_BYTES_A_SECOND = 4_000_000
"""Bytes a second that the slowest disk reads: building the key of a big table may take that long and write nothing."""
_SIZE = "SELECT pg_catalog.pg_database_size(%s)"
_LONGEST = """
SELECT coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - query_start)), 0)::float
FROM pg_catalog.pg_stat_activity WHERE usename = %s AND state = 'active' AND leader_pid IS NULL
"""


class _RestoreWatch:
    """Watches one restore; `connection` is to another database. `seconds` limits a statement that writes nothing."""

    def __init__(self, connection: Connection, bench: Bench, dump: Path, seconds: float, progress: Progress) -> None:
        self._connection = connection
        self._files = bench.server.files
        self._database = bench.database
        self._owner = bench.owner.name
        self._dump = dump
        self._seconds = seconds
        self._progress = progress
        self._size = 0
        self._grew = time.monotonic()
        free = room(self._files).free if self._files else 0
        self._reserve = min(_RESERVE, free // 2)

    def look(self) -> None:
        """Reports the progress.

        Raises:
            MachineError: the disk is about to be full.
            CheckFailed: a statement of the dump does not end.
        """
        import psycopg

        # If the server has ended, pg_restore reports it.
        with contextlib.suppress(psycopg.OperationalError, FileNotFoundError):
            now: int = self._connection.execute(_SIZE, (self._database,)).fetchall()[0][0]
            if now != self._size:
                self._size, self._grew = now, time.monotonic()
            self._progress(now, None)
            self._look_at_disk()
            self._look_at_statements()

    def _look_at_disk(self) -> None:
        if self._files is None or room(self._files).free >= self._reserve:
            return
        dump = size(self._dump.stat().st_size)
        raise MachineError(
            f"There is no room to restore the dump: {self._files} has {size(room(self._files).free)} left.",
            why=f"{size(self._size)} of a dump of {dump} are restored so far; uscdr stopped the restore.",
            next_action="Free space there, then run the command again; if it grows without end, choose another backup.",
        )

    def _look_at_statements(self) -> None:
        limit = self._seconds + self._size / _BYTES_A_SECOND
        if time.monotonic() - self._grew < limit:
            return
        longest: float = self._connection.execute(_LONGEST, (self._owner,)).fetchall()[0][0]
        if longest >= limit:
            raise CheckFailed(
                f"uscdr stopped the restore: one statement of the dump ran for {duration(longest)} without an end.",
                why="It wrote nothing meanwhile; a function in the dump may call itself without an end.",
                next_action="Choose another backup.",
            )


# The locale of a scratch database: that of the dump's database, or one with the same case rules.


_OPTION = re.compile(
    r"\b(LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|BUILTIN_LOCALE|ICU_LOCALE|ICU_RULES) = ('(?:[^']|'')*'|\w+)"
)
_FOLDING = (
    "ENCODING 'UTF8' LOCALE_PROVIDER builtin LOCALE 'C' BUILTIN_LOCALE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE 'en_US.UTF-8'",
    "ENCODING 'UTF8' LOCALE 'C'",
)
"""Every server from PostgreSQL 17 on has the first; its case rules are those of any UTF-8 locale."""


@dataclass(frozen=True)
class _Locale:
    """Options of CREATE DATABASE; `name` is the locale of the dump's database, empty if unknown."""

    name: str
    options: str


def _of_dump(entries: Sequence[DumpEntry]) -> _Locale:
    """The database's options, by the dump."""
    for entry in entries:
        if entry.kind == "DATABASE":
            found = dict(_OPTION.findall(entry.definition.decode("utf-8", "replace")))
            options = " ".join(f"{option} {value}" for option, value in found.items())
            return _Locale(_name(found), f"ENCODING 'UTF8' {options}" if found else "")
    return _Locale("", "")


def _name(found: dict[str, str]) -> str:
    for option in ("ICU_LOCALE", "BUILTIN_LOCALE", "LOCALE", "LC_CTYPE", "LC_COLLATE"):
        if option in found:
            return found[option].strip("'").replace("''", "'")
    return ""


def _create_database(connection: Connection, name: str, locale: _Locale) -> str:
    """Creates an empty database with the server's closest locale; returns the dump's locale if it differs."""
    import psycopg

    for options in filter(None, (locale.options, *_FOLDING)):
        try:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 {options}'.encode())
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
            if isinstance(error, psycopg.errors.InsufficientPrivilege):
                raise
            continue
        return "" if options == locale.options else locale.name
    connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    return locale.name


_ROUNDS = 4
"""Rounds of restoring one dump; each round leaves out more of what its owner may not create."""
_NO_RIGHT = "the owner of a database may not create it"
_EXTENSIONS = (
    "SELECT name::text, pg_catalog.bool_or(trusted) FROM pg_catalog.pg_available_extension_versions GROUP BY 1"
)
_RESERVED, _LONGEST_NAME = "pg_", 63


@dataclass(frozen=True)
class Filling:
    """How a dump is restored. `seconds` is how long a statement of the dump may run without writing."""

    jobs: int
    stop: threading.Event | None
    seconds: float = 600.0

    def fill(self, bench: Bench, archive: Archive, progress: Progress) -> tuple[LeftOut, ...]:
        """Create the empty database and restore into it as its owner.

        Returns what was left out, and why. Raises as `RestoreTarget.restore`, and `MachineError` when the server lacks
        something.
        """
        selection, how = archive.selection, self
        for number in range(_ROUNDS):
            ready = _Ready(selection)
            try:
                ready = _made(bench, replace(archive, selection=selection))
                _filled(bench, archive, ready, how, progress)
            except NoRight as error:
                if number + 1 == _ROUNDS:
                    restorer = f"the role that a dump is restored by at {bench.server.words}"
                    raise lacking([error.reason], restorer) from None
                selection, how = _less(selection, error), replace(how, jobs=1)
                with bench.server.session() as connection:
                    drop(connection, bench.database)
            except CheckFailed as error:
                before = {one.what for one in archive.selection.left_out}
                if gone := [one for one in ready.gone if one not in before]:
                    raise _unproven(gone, error.why) from None
                raise
            else:
                return ready.selection.left_out
        raise AssertionError("the last round returns or raises")


@dataclass(frozen=True)
class _Ready:
    """The part of a dump to restore into its database.

    `gone` is what was left out so far because something is missing; `foreign` is the dump's locale if the server lacks
    it.
    """

    selection: EntrySelection
    gone: tuple[str, ...] = ()
    foreign: str = ""


def drop(connection: Connection, database: str) -> None:
    """Drops a database, even with open sessions or as a template. Raises psycopg's errors."""
    import psycopg
    from psycopg import sql

    name = sql.Identifier(database)
    with contextlib.suppress(psycopg.errors.InvalidCatalogName):
        connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(name))
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _less(selection: EntrySelection, error: NoRight) -> EntrySelection:
    """Without the entries that the role may not create.

    Raises MachineError when rows depend on them. With several workers the failing entry is unknown: then the same
    selection again, with one worker.
    """
    if not error.numbers:
        return selection
    less = selection.without(error.numbers, _NO_RIGHT)
    if less is None:
        raise needs_permissions([one for one in selection.entries if one.number in error.numbers])
    return less


def _made(bench: Bench, archive: Archive) -> _Ready:
    """Creates the database and what the dump presupposes, before any of its statements runs."""
    with bench.server.session() as connection:
        foreign = _create_database(connection, bench.database, _of_dump(archive.entries))
        connection.execute(bench.search_path())
    with bench.server.session(bench.database) as connection:
        known = dict(connection.execute(_EXTENSIONS.encode()).fetchall())
        admitted = AllowedExtensions.of(archive.selection, known, bench.server.words)
        there = _schemas(connection)
        selection = _make_extensions(connection, admitted, bench)
        made = _schemas(connection) - there
        gone = tuple(one.what for one in selection.left_out)
        selection = _with_roles(connection, selection, bench.server)
        bench.give(connection)
    kept = tuple(one for one in selection.entries if one.kind != "SCHEMA" or one.name not in made)
    return _Ready(EntrySelection(kept, selection.left_out), gone, foreign)


def _filled(bench: Bench, archive: Archive, ready: _Ready, how: Filling, progress: Progress) -> None:
    _try_collations(bench, ready.selection)
    with bench.server.session() as watching:
        watch = _RestoreWatch(watching, bench, archive.dump, how.seconds, progress)
        version = watching.info.server_version // 10_000
        target = RestoreTarget(
            bench.server.environment(bench.database, bench.owner), bench.server.words, version, ready.foreign
        )
        target.restore(archive, ready.selection, jobs=how.jobs, look=watch.look, stop=how.stop)
        watch.look()
        bench.settle(watching)
    _analyse(bench, how.seconds)


def _schemas(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT nspname::text FROM pg_catalog.pg_namespace")}


def _make_extensions(connection: Connection, admitted: AllowedExtensions, bench: Bench) -> EntrySelection:
    """Each in the schema that the dump names. Raises MachineError for a missing one that rows need."""
    import psycopg

    selection = admitted.selection
    for one in admitted.extensions:
        try:
            _make_extension(connection, one, bench.owner)
        except psycopg.Error as error:
            what = (
                lack(str(error.diag.message_primary or ""))
                or f"a permission for, or a part of, the extension {one.name}"
            )
            with_it = EntrySelection((*selection.entries, one), selection.left_out)
            less = with_it.without({one.number}, f"{bench.server.words} lacks {what}")
            if less is None:
                raise lacking([what], bench.server.words) from None
            selection = less
    return selection


def _make_extension(connection: Connection, one: DumpEntry, login: Login) -> None:
    from psycopg import sql

    schema = _free(one.extension_schema)
    inside = sql.SQL(" SCHEMA {}").format(sql.Identifier(schema)) if schema else sql.SQL("")
    if schema:
        make = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
        connection.execute(make.format(sql.Identifier(schema), sql.Identifier(login.name)))
    connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}{}").format(sql.Identifier(one.name), inside))


def _free(schema: str) -> str:
    """Only the extension itself may choose one of the server's own schemas."""
    return "" if schema.startswith("pg_") or schema == "information_schema" else schema


def _try_collations(bench: Bench, selection: EntrySelection) -> None:
    """Checks that the server supports the dump's collations; a restore would fail only at its end."""
    import psycopg

    lacks = []
    with bench.session() as connection:
        connection.execute("SET statement_timeout = '10s'")
        for entry in selection.entries:
            if entry.kind != "COLLATION":
                continue
            with contextlib.suppress(psycopg.ProgrammingError), connection.transaction(force_rollback=True):
                try:
                    connection.execute(_schema(entry))
                    _one_statement(connection, entry.definition)
                except psycopg.Error as error:
                    lacks.append(_of_collation(entry, error))
    if found := list(filter(None, lacks)):
        raise lacking(found, bench.server.words)


def _one_statement(connection: Connection, text: bytes) -> None:
    """Uses the extended protocol, which refuses a second statement that could lift the time limit."""
    import psycopg

    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(text, ())


def _schema(entry: DumpEntry) -> bytes:
    from psycopg import sql

    return sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(entry.schema or "public")).as_bytes()


def _of_collation(entry: DumpEntry, error: Exception) -> str:
    what = lack(str(getattr(getattr(error, "diag", None), "message_primary", "") or ""))
    return f"{what} (collation {entry.name})" if what else ""


def _with_roles(connection: Connection, selection: EntrySelection, server: Server) -> EntrySelection:
    """Roles that policies name: created in our own server; elsewhere their policies are left out."""
    from psycopg import sql

    there = {name for (name,) in connection.execute("SELECT rolname::text FROM pg_catalog.pg_roles")}
    gone = dict[int, str]()
    for entry in selection.entries:
        missing = sorted(entry.roles - there)
        if not missing:
            continue
        if server.private and not any(map(_is_reserved, missing)):
            for name in missing:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
            there.update(missing)
        else:
            gone[entry.number] = f"the role {missing[0]} does not exist on {server.words}"
    return selection.less(gone)


def _is_reserved(role: str) -> bool:
    """Whether PostgreSQL reserves this role name."""
    return role.startswith(_RESERVED) or role == "none" or not 0 < len(role.encode()) <= _LONGEST_NAME


def _analyse(bench: Bench, seconds: float) -> None:
    """Runs ANALYZE on the new tables; an index on a failing function may prevent it."""
    with contextlib.suppress(ProviderError), bench.session() as connection:
        connection.execute(f"SET statement_timeout = {round(seconds * 1000)}".encode())
        connection.execute("ANALYZE")


def _unproven(gone: list[str], why: str) -> MachineError:
    """The error for a restore that needs what was left out; whether the dump is valid is unknown."""
    return MachineError(
        f"The dump needs objects that the proof left out: {first_of(gone)}.",
        why=why,
        next_action=f"{SCRATCH} Or {BY_HAND}",
    )
