"""The hostile dumps by name: what is made in a copy of the database before it is dumped, or forged in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .dumps_forging import Forged, Item, opened

OWN = "bad_"
"""How databases are called in which a dump is made: there nothing is tried."""
_PLAIN = ("-Fc",)


@dataclass(frozen=True)
class Hostile:
    """One dump. `restores`: an ordinary role restores it well, so it must be accepted. `options` are pg_dump's."""

    name: str
    script: str = ""
    forge: Callable[[Forged], Forged] | None = None
    options: tuple[str, ...] = _PLAIN
    restores: bool = True
    says: str = ""
    """What a person is told, somewhere."""

    def spoilt(self, data: bytes) -> bytes:
        """The file."""
        return self.forge(opened(data)).bytes() if self.forge else data


def cases(marks: Path, bait: Path) -> list[Hostile]:
    """All of them. A command that runs leaves a file in `marks`; nobody may open the file `bait`."""
    return [
        *_functions(marks, bait),
        *_server(marks, bait),
        *_forged(marks, bait),
        *_texts(marks),
        *_files(marks, bait),
    ]


def _attempts(marks: Path, bait: Path) -> Iterator[str]:
    yield "RESET ROLE"
    yield "RESET SESSION AUTHORIZATION"
    yield "SET SESSION AUTHORIZATION postgres"
    yield "SET ROLE pg_execute_server_program"
    yield "ALTER ROLE CURRENT_USER SUPERUSER"
    yield "GRANT pg_execute_server_program, pg_read_server_files, pg_write_server_files TO CURRENT_USER"
    yield f"COPY (SELECT 1) TO PROGRAM 'id >>{marks}/program'"
    yield f"COPY (SELECT 1) TO '{marks}/file'"
    yield f"CREATE TEMP TABLE stolen (v text); COPY stolen FROM '{bait}'"
    yield f"SELECT pg_catalog.pg_read_file('{bait}')"
    yield f"SELECT pg_catalog.lo_import('{bait}')"
    yield f"SELECT pg_catalog.lo_export(pg_catalog.lo_from_bytea(0, 'x'), '{marks}/object')"
    yield f"ALTER SYSTEM SET archive_command = 'id >>{marks}/archive'"
    yield "CREATE EXTENSION file_fdw"
    yield "CREATE EXTENSION dblink"
    yield "CREATE EXTENSION adminpack"
    yield "CREATE FUNCTION public.system(cstring) RETURNS int AS 'libc.so.6', 'system' LANGUAGE c STRICT"
    yield f"SELECT public.system('id >>{marks}/libc')"
    yield f"LOAD '{bait}'"
    yield "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 dbname=postgres' PUBLICATION p WITH (connect = true)"
    yield f"SELECT * FROM dblink('dbname=postgres user=postgres', 'COPY (SELECT 1) TO PROGRAM ''id >>{marks}/link''')"
    yield f"SET session_preload_libraries = '{bait}'"


def _evil(marks: Path, bait: Path) -> str:
    """Functions that try everything, swallow every error, and may stand where only an unchanging one may."""
    tries = "".join(
        f"BEGIN EXECUTE $q${one}$q$; EXCEPTION WHEN OTHERS THEN NULL; END;\n" for one in _attempts(marks, bait)
    )
    return (
        "CREATE FUNCTION public.evil(v text) RETURNS text LANGUAGE plpgsql VOLATILE AS $f$ BEGIN\n"
        f"IF pg_catalog.current_database() !~ '^{OWN}' THEN {tries} END IF; RETURN v; END $f$;\n"
        "CREATE FUNCTION public.tidy(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS"
        " $f$ BEGIN RETURN public.evil(v); END $f$;\n"
    )


def _functions(marks: Path, bait: Path) -> Iterator[Hostile]:
    evil = _evil(marks, bait)
    notes = evil + "CREATE TABLE public.notes (v text); INSERT INTO public.notes VALUES ('x');"
    yield Hostile("an index's expression", notes + "CREATE INDEX ON public.notes (public.tidy(v))")
    yield Hostile("an index's condition", notes + "CREATE INDEX ON public.notes (v) WHERE public.tidy(v) = 'x'")
    yield Hostile("a check", notes + "ALTER TABLE public.notes ADD CHECK (public.evil(v) = v)")
    yield Hostile(
        "a generated column",
        evil + "CREATE TABLE public.notes (v text, w text GENERATED ALWAYS AS (public.tidy(v)) STORED);"
        "INSERT INTO public.notes VALUES ('x')",
    )
    yield Hostile(
        "a domain",
        evil + "CREATE DOMAIN public.word AS text CHECK (public.evil(VALUE) = VALUE);"
        "CREATE TABLE public.notes (v public.word); INSERT INTO public.notes VALUES ('x')",
    )
    yield Hostile("a materialized view", evil + "CREATE MATERIALIZED VIEW public.seen AS SELECT public.evil('x') AS v")
    yield Hostile(
        "a function of its owner's rights",
        evil + "ALTER FUNCTION public.evil(text) SECURITY DEFINER; CREATE MATERIALIZED VIEW public.seen AS"
        " SELECT public.evil('x') AS v",
    )
    yield Hostile("statistics of an expression", notes + "CREATE STATISTICS public.s ON (public.tidy(v)), v FROM notes")
    yield Hostile("an exclusion", notes + "ALTER TABLE public.notes ADD EXCLUDE USING btree (public.tidy(v) WITH =)")
    yield Hostile("partitions", evil + _PARTITIONS)
    yield Hostile("names like the server's own", evil + _SHADOWS)
    yield Hostile(
        "policies of great names",
        notes + "ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON public.notes"
        " TO pg_execute_server_program, pg_read_server_files USING (public.evil(v) = v)",
    )


_PARTITIONS = """
CREATE TABLE public.notes (v text) PARTITION BY LIST (public.tidy(v));
CREATE TABLE public.notes_x PARTITION OF public.notes FOR VALUES IN ('x');
INSERT INTO public.notes VALUES ('x');
"""
_SHADOWS = """
CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT public.evil($1)';
CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT public.evil($1)';
CREATE FUNCTION public.differs(name, text) RETURNS bool LANGUAGE sql AS 'SELECT public.evil($2) IS NOT NULL';
CREATE OPERATOR public.<> (LEFTARG = name, RIGHTARG = text, FUNCTION = public.differs);
CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT length(public.evil($1))';
CREATE VIEW public.pg_extension AS SELECT public.evil('x')::name AS extname;
CREATE VIEW public.pg_class AS SELECT public.evil('x')::name AS relname;
"""


def _server(marks: Path, bait: Path) -> Iterator[Hostile]:
    """What only a superuser makes; it is told."""
    run = _evil(marks, bait) + (
        "CREATE FUNCTION public.told() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $f$ BEGIN PERFORM public.evil('x'); END $f$;"
    )
    for event in ("ddl_command_start", "ddl_command_end", "sql_drop", "login"):
        yield Hostile(
            f"an event trigger of {event}",
            run
            + f"CREATE EVENT TRIGGER told ON {event} EXECUTE FUNCTION public.told(); ALTER EVENT TRIGGER told DISABLE",
            says="event trigger told",
        )


def _forged(marks: Path, bait: Path) -> Iterator[Hostile]:
    program = f"COPY (SELECT 1) TO PROGRAM 'id >>{marks}/forged';\n".encode()
    rise = b"RESET ROLE;\nRESET SESSION AUTHORIZATION;\nSET SESSION AUTHORIZATION postgres;\n"

    def more(kind: str, definition: bytes, name: str = "forged") -> Callable[[Forged], Forged]:
        return lambda dump: dump.with_more(kind.encode(), name.encode(), definition)

    for kind in ("TABLE", "FUNCTION", "ENCODING", "SCHEMA", "COLLATION", "TYPE", "SHELL TYPE", "DATABASE", "COMMENT"):
        yield Hostile(f"a command called {kind}", forge=more(kind, rise + program), restores=False)
        if kind in {"COLLATION", "FUNCTION"}:
            yield Hostile(f"only a command called {kind}", forge=more(kind, program), restores=False)
    yield Hostile(
        "a command after a table",
        forge=lambda dump: dump.with_first(b"TABLE", lambda one: _after(one, rise + program)), restores=False,
    )  # fmt: skip
    yield Hostile(
        "rows from a program",
        forge=lambda dump: dump.with_first(
            b"TABLE DATA", lambda one: replace(one, copy=_instead(one.copy, f"PROGRAM 'id >>{marks}/rows'"))
        ), restores=False,
    )  # fmt: skip
    yield Hostile(
        "rows from a file",
        forge=lambda dump: dump.with_first(
            b"TABLE DATA", lambda one: replace(one, copy=_instead(one.copy, f"'{bait}'"))
        ), restores=False,
    )  # fmt: skip
    for name in ("file_fdw", "dblink", "postgres_fdw", "adminpack", "plpython3u", "plperlu", "pageinspect"):
        made = f"CREATE EXTENSION {name} WITH SCHEMA public;\n".encode()
        yield Hostile(f"the extension {name}", forge=more("EXTENSION", made, name), says=f"extension {name}")
    yield Hostile(
        "an extension with a command for a schema",
        forge=more("EXTENSION", b'CREATE EXTENSION citext WITH SCHEMA "x"; ' + program, "citext"), restores=False,
    )  # fmt: skip
    yield Hostile(
        "a foreign table of a program",
        forge=lambda dump: more("EXTENSION", b"CREATE EXTENSION file_fdw WITH SCHEMA public;\n", "file_fdw")(
            more("SERVER", b"CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;\n", "s")(
                more("TABLE", f"CREATE FOREIGN TABLE public.f (v text) SERVER s OPTIONS (program 'id >>{marks}/fdw');\n"
                     f"CREATE TABLE public.g AS TABLE public.f;\n".encode(), "f")(dump)
            )
        ), restores=False,
    )  # fmt: skip
    yield Hostile(
        "a role for itself",
        forge=more("TABLE", b"ALTER ROLE CURRENT_USER SUPERUSER;\nCREATE ROLE x SUPERUSER LOGIN;\n" + program),
        restores=False,
    )
    yield Hostile("settings for those who come later", forge=more("TABLE", _FOR_LATER), restores=False)
    yield Hostile(
        "another locale of its database",
        forge=more("DATABASE", b"CREATE DATABASE x WITH TEMPLATE = template0 LOCALE = 'C' LC_CTYPE = 'C''; " + program),
    )


_FOR_LATER = b"""DO $d$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = evil, public, pg_catalog', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE 'ALTER ROLE CURRENT_USER SET default_transaction_read_only = on';
    EXECUTE 'ALTER ROLE CURRENT_USER PASSWORD NULL';
END $d$;
"""


def _after(item: Item, more: bytes) -> Item:
    return replace(item, definition=item.definition + b"\n" + more)


def _instead(copy: bytes, source: str) -> bytes:
    return copy.replace(b"FROM stdin;", f"FROM {source};".encode())


def _texts(marks: Path) -> Iterator[Hostile]:
    """What a program that reads a script would obey."""
    shell = f"\\! id >>{marks}/shell"
    restrict = f"x\n\\unrestrict x\n{shell}\n\\restrict x\n"
    name = f'"{restrict}"'
    made = f"CREATE TABLE public.{name} (v text); INSERT INTO public.{name} VALUES (E'x\\n\\\\.\\n{_twice(shell)}\\n')"
    yield Hostile("a name of several lines", made)
    yield Hostile("rows of several lines", made, options=("-Fc", "--inserts"))
    yield Hostile(
        "a function that ends a restriction",
        f"CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $f$SELECT $x${restrict}$x$$f$",
    )
    yield Hostile("a comment of several lines", f"COMMENT ON SCHEMA public IS $x${restrict}$x$")


def _twice(text: str) -> str:
    return text.replace("\\", "\\\\")


def _files(marks: Path, bait: Path) -> Iterator[Hostile]:
    """Blocks of rows that are none."""
    size = 600
    statement = f"COPY (SELECT 1) TO PROGRAM 'id >>{marks}/block';\nSELECT pg_read_file('{bait}');\n"
    more = f"'x');\n{statement}INSERT INTO public.zz_last VALUES ('y'".ljust(size + 2).encode()
    made = f"CREATE TABLE public.zz_last (v text); INSERT INTO public.zz_last VALUES (repeat('a', {size}))"

    def replaced(dump: Forged) -> Forged:
        return replace(dump, tail=dump.tail.replace(b"'" + b"a" * size + b"'", more))

    yield Hostile(
        "a command in place of rows", made, forge=replaced, options=("-Fc", "-Z0", "--inserts"), restores=False
    )
    yield Hostile(
        "a large object of a file", "SELECT lo_from_bytea(4711, 'x')",
        forge=lambda dump: dump.with_more(b"TABLE", b"lo", f"SELECT lo_import('{bait}');\n".encode()), restores=False,
    )  # fmt: skip
