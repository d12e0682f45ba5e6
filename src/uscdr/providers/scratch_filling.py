"""A dump restored into an empty database of a server at hand, and what that needs: locale, roles, extensions."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.errors import ProviderError
from uscdr.providers.ports.progress import Progress
from uscdr.providers.postgres import locales, restoring
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.contents import Entry
from uscdr.providers.postgres.errors import translated
from uscdr.providers.postgres.lacks import lack, lacking
from uscdr.providers.postgres.restoring import Target
from uscdr.providers.postgres.selection import EXTENSIONS_SCHEMA, Selection, is_dispensable, roles

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection


@dataclass(frozen=True)
class Server:
    """Where the database is made. `url` gives the URL of a database by name, `environment` libpq's variables for it.

    `words` is what a message calls the server. `private`: it is ours alone, so roles may be made in it.
    `home` is the database in which others are made.
    """

    words: str
    place: str
    private: bool
    home: str
    url: Callable[[str], str] = field(repr=False)
    environment: Callable[[str], Mapping[str, str]] = field(repr=False)

    @contextmanager
    def session(self, database: str = "") -> Iterator[Connection]:
        """A writing session of the role that makes the database."""
        import psycopg

        with (
            translated(self.place),
            psycopg.connect(self.url(database or self.home), autocommit=True, connect_timeout=10) as connection,
        ):
            yield connection


@dataclass(frozen=True)
class Filling:
    """How a dump is restored: `extensions` are made in the schema `public` unless the dump makes them itself."""

    jobs: int
    extensions: Sequence[str]
    stop: threading.Event | None


def fill(server: Server, database: str, archive: Archive, how: Filling, progress: Progress) -> None:
    """Make the empty `database` and restore into it. Raises as `restoring.run`; `MachineError` for what is lacking."""
    with server.session() as connection:
        foreign = locales.create_database(connection, database, locales.of_dump(archive.entries))
        path = f'ALTER DATABASE "{database}" SET search_path = "$user", public, {EXTENSIONS_SCHEMA}'
        connection.execute(path.encode())
        version = connection.info.server_version // 10_000
    selection = _made_ready(server, database, archive, how)
    with server.session() as watching:
        look = _size_reporter(watching, database, progress)
        target = Target(server.environment(database), server.words, version, foreign, superuser=server.private)
        restoring.run(archive, selection, target, jobs=how.jobs, look=look, stop=how.stop)
        look()
    _analyse(server, database)


def _made_ready(server: Server, database: str, archive: Archive, how: Filling) -> Selection:
    """What the dump takes for granted is made; what is restored."""
    wanted = [name for name in how.extensions if name not in archive.extensions]
    with server.session(database) as connection:
        known = {name for (name,) in connection.execute("SELECT name::text FROM pg_available_extensions")}
        selection = _available(archive.selection, known, server)
        if missing := sorted(set(wanted) - known):
            raise lacking([f"the extension {name}" for name in missing], server.words)
        if any(entry.kind == "EXTENSION" for entry in selection.entries) and EXTENSIONS_SCHEMA not in archive.schemas:
            connection.execute(f"CREATE SCHEMA {EXTENSIONS_SCHEMA}".encode())
        _make_extensions(connection, wanted)
        _try_collations(connection, selection, server)
        return _with_roles(connection, selection, server)


def _available(selection: Selection, known: set[str], server: Server) -> Selection:
    """Without extensions that are not there and that no row needs. Raises MachineError for any other."""
    absent = [one for one in selection.entries if one.kind == "EXTENSION" and one.name not in known]
    for entry in absent:
        why = f"{server.words} does not have it, and no row needs it"
        less = selection.without({entry.number}, why) if is_dispensable(entry) else None
        if less is None:
            raise lacking([f"the extension {one.name}" for one in absent if not is_dispensable(one)], server.words)
        selection = less
    return selection


def _make_extensions(connection: Connection, names: Sequence[str]) -> None:
    from psycopg import sql

    for name in names:
        connection.execute(sql.SQL("CREATE EXTENSION {} SCHEMA public").format(sql.Identifier(name)))


def _try_collations(connection: Connection, selection: Selection, server: Server) -> None:
    """Whether the server can have the dump's collations: asked first, as a restore tells only at its end."""
    import psycopg

    lacks = []
    for entry in selection.entries:
        if entry.kind != "COLLATION":
            continue
        with connection.transaction(force_rollback=True):
            try:
                connection.execute(_schema(entry))
                connection.execute(entry.definition)
            except psycopg.Error as error:
                lacks.append(_of_collation(entry, error))
    if found := list(filter(None, lacks)):
        raise lacking(found, server.words)


def _schema(entry: Entry) -> bytes:
    from psycopg import sql

    return sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(entry.schema or "public")).as_bytes()


def _of_collation(entry: Entry, error: Exception) -> str:
    what = lack(str(getattr(getattr(error, "diag", None), "message_primary", "") or ""))
    return f"{what} (collation {entry.name})" if what else ""


def _with_roles(connection: Connection, selection: Selection, server: Server) -> Selection:
    """Roles that policies and user mappings name: made in our own server; in another, those entries are left out."""
    from psycopg import sql

    there = {name for (name,) in connection.execute("SELECT rolname::text FROM pg_catalog.pg_roles")}
    for entry in selection.entries:
        missing = sorted(roles(entry) - there)
        if server.private:
            for name in missing:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
            there.update(missing)
        elif missing:
            why = f"the role {missing[0]} does not exist on {server.words}"
            selection = selection.without({entry.number}, why) or selection
    return selection


def _analyse(server: Server, database: str) -> None:
    """Tells the planner about the fresh tables; an index on a failing function may forbid that."""
    with contextlib.suppress(ProviderError), server.session(database) as connection:
        connection.execute("ANALYZE")


def _size_reporter(connection: Connection, database: str, progress: Progress) -> Callable[[], None]:
    import psycopg

    def look() -> None:
        # A server that is gone is pg_restore's to report.
        with contextlib.suppress(psycopg.OperationalError):
            rows = connection.execute("SELECT pg_catalog.pg_database_size(%s)", (database,)).fetchall()
            progress(rows[0][0], None)

    return look
