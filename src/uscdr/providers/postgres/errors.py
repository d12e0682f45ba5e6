"""Maps psycopg's errors to ours; nothing else does.

The server's own text may quote rows (`invalid input syntax ...`, DETAIL, CONTEXT) and libpq's may
quote the URL. This module reads that text to tell the cases apart and never repeats it: every word shown is written
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError

if TYPE_CHECKING:
    import psycopg

PROVIDER = "postgres"

TOO_MANY = "53300"
LOCK_TIMEOUT = "55P03"
UNREACHABLE = "08001"
LOST = "08006"
NOT_ACCEPTING = "57P03"
POOLER = "08P01"
"""A protocol violation: PgBouncer uses it for everything that it refuses."""

PASSING = frozenset({UNREACHABLE, LOST, NOT_ACCEPTING, TOO_MANY, "57P01", "57P02", "40001", "40P01"})
"""SQLSTATEs after which an immediate retry of the same read may succeed."""

Maker = Callable[[str, str], ProviderError]
"""Makes the error from the server's address and the SQLSTATE."""


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Turns every psycopg error in the block into one of ours; `server` is the address for messages."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        # The chain is cut: the cause's text may hold row values or the URL.
        raise mapped(error, server) from None


def mapped(error: psycopg.Error, server: str) -> ProviderError:
    """Our error for one of psycopg's, without any of its text."""
    state = error.sqlstate or _state_of_text(error)
    maker = _MAKERS.get(state) or _MAKERS.get(state[:3]) or _MAKERS.get(state[:2])
    if maker is not None:
        return maker(server, state)
    return ProviderError(
        f"The database at {server} refused a query.",
        provider=PROVIDER,
        why=f"SQLSTATE {state}: {words(error)}.",
        error_id=state,
    )


def unguarded(server: str) -> ProviderError:
    """The error for a transaction that is not read-only or has no time limit, although both were set."""
    return Conflict(
        f"uscdr reads nothing from the database at {server}: it does not keep its sessions read-only.",
        provider=PROVIDER,
        why="Read-only mode and time-outs had no effect; a connection pooler (such as PgBouncer) may ignore them.",
        next_action="Use the database server's own address instead of the pooler's.",
        error_id="pooler",
    )


def words(error: psycopg.Error) -> str:
    """A short description of an error, from its SQLSTATE alone, such as "undefined table"."""
    import psycopg

    if error.sqlstate is None:
        return "the connection failed" if isinstance(error, psycopg.OperationalError) else "no readable answer"
    try:
        name = psycopg.errors.lookup(error.sqlstate).__name__
    except KeyError:
        return "an unknown error"
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _state_of_text(error: psycopg.Error) -> str:
    """A failed connection attempt has no SQLSTATE: libpq's text tells the cases apart."""
    if type(error).__name__ == "ProgrammingError":  # the URL did not parse
        return "URL"
    text = str(error).lower()
    if not any(phrase in text for phrase in _CONNECTING):
        return LOST
    for phrases, state in _PHRASES:
        if any(phrase in text for phrase in phrases):
            return state
    return UNREACHABLE


_CONNECTING = ("connection failed", "connection is bad", "connection timeout", "failed to resolve")

# In order of importance: one message may contain several phrases, one for each address that was tried.
_PHRASES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("password authentication failed", "no password supplied", "password is required"), "28P01"),
    (("not currently accepting connections",), "55000"),
    (("too many clients", "too many connections", "connection slots are reserved"), TOO_MANY),
    (("starting up", "shutting down", "recovery mode", "not yet accepting"), NOT_ACCEPTING),
    (("permission denied for database", "not permitted to log in"), "42501"),
    (("ssl encryption",), "28000"),
    (("does not support ssl", "ssl error", "certificate", "ssl off", "no encryption"), "TLS"),
    (("no pg_hba.conf entry",), "28000"),
    (("role ",), "28P01"),
    (("does not exist",), "3D000"),
    (("failed to resolve", "could not translate host name"), "DNS"),
    (("timeout", "timed out"), "TIMEOUT"),
    (("connection option", "invalid connection", "invalid integer", 'missing "="', "invalid uri"), "URL"),
)


def _make(
    kind: type[ProviderError], message: str, *, why: str = "", next_action: str = "", retryable: bool = False
) -> Maker:
    def maker(server: str, state: str) -> ProviderError:
        facts: dict[str, Any] = {"provider": PROVIDER, "retryable": retryable, "error_id": state}
        return kind(message.format(server=server), why=why, next_action=next_action, **facts)

    return maker


_STATUS = "Check the platform's status page and `heroku pg:info`, then run the command again."
_MAKERS: dict[str, Maker] = {
    "28P01": _make(
        CredentialsRefused,
        "The database at {server} refused the user or the password.",
        why="The credentials were probably rotated since this URL was read.",
        next_action="Get the current DATABASE_URL, then run the command again.",
    ),
    "28": _make(
        CredentialsRefused,
        "The database at {server} refused this user.",
        why="No rule of the server (pg_hba.conf) allows this user from this machine, perhaps because TLS is off.",
        next_action="Get the current DATABASE_URL, make sure that TLS is on, then run the command again.",
    ),
    "42501": _make(
        CredentialsRefused,
        "The database user at {server} lacks a permission.",
        why="Insufficient privilege, or row-level security would hide rows.",
        next_action="Use the database's default credential (its owner).",
    ),
    "3D000": _make(
        NotFound,
        "The server at {server} answers, but the database does not exist.",
        next_action="Get the current DATABASE_URL: the add-on may have been replaced.",
    ),
    "42P01": _make(NotFound, "The database at {server} lacks a requested table."),
    "55000": _make(
        Conflict,
        "The database at {server} is not accepting connections.",
        why="Connections to it are disabled (ALLOW_CONNECTIONS false), as during a restore.",
        next_action="Wait for a running restore to end; check its state with `heroku pg:info`.",
        retryable=True,
    ),
    NOT_ACCEPTING: _make(
        Conflict,
        "The database at {server} is not accepting connections yet.",
        why="The server is starting, stopping or recovering.",
        next_action="Wait a minute, then run the command again.",
        retryable=True,
    ),
    TOO_MANY: _make(
        Conflict,
        "The database at {server} has no free connection.",
        why="The plan's connection limit is used up.",
        next_action="Scale the dynos down or end sessions with `heroku pg:killall`, then run the command again.",
        retryable=True,
    ),
    "XX": _make(
        ProviderError,
        "The database at {server} cannot read its stored data.",
        why="Data corrupted: a page, a value or the catalogue is damaged.",
        next_action="If this is the application's own database: uscdr recover db",
    ),
    "53": _make(ProviderError, "The database server at {server} is out of disk or memory.", next_action=_STATUS),
    "57014": _make(
        ProviderError,
        "The database at {server} did not answer a query in time.",
        why="The statement timeout was reached.",
        next_action="Raise the statement timeout, or run the command again when the database is less busy.",
        retryable=True,
    ),
    LOCK_TIMEOUT: _make(
        Conflict,
        "A table in the database at {server} is locked by another session.",
        why="The lock timeout was reached.",
        next_action="Find the session with `heroku pg:locks`, or wait for the migration or restore to end.",
        retryable=True,
    ),
    "TIMEOUT": _make(
        ProviderError,
        "The database server at {server} did not answer in time.",
        why="The network blocks the connection, or the server no longer exists.",
        next_action=_STATUS,
        retryable=True,
    ),
    "DNS": _make(
        ProviderError,
        "The host name of the database server at {server} does not resolve.",
        why="This machine's DNS fails, or the server was replaced.",
        next_action="Check this machine's network, then get the current DATABASE_URL.",
        retryable=True,
    ),
    "TLS": _make(
        ProviderError,
        "uscdr and the database server at {server} cannot agree on TLS.",
        why="The server refused TLS, which is required, or its certificate is not trusted.",
        next_action="Use the URL of the platform's own server; uscdr never connects without TLS.",
    ),
    "URL": _make(
        CredentialsRefused,
        "The database URL is malformed.",
        why="It must have the form postgres://user:password@host:port/database.",
        next_action="Get the current DATABASE_URL.",
    ),
    UNREACHABLE: _make(
        ProviderError,
        "uscdr cannot reach the database server at {server}.",
        why="The server refused the connection.",
        next_action=_STATUS,
        retryable=True,
    ),
    POOLER: _make(
        ProviderError,
        "The connection pooler at {server} refused a transaction.",
        why="It allows no transactions (statement pooling), or had no free connection to the server in time.",
        next_action="Use the database server's own address instead of the pooler's, or run the command again.",
    ),
    "08": _make(
        ProviderError,
        "uscdr lost the connection to the database at {server}.",
        next_action="Run the command again.",
        retryable=True,
    ),
    "57P": _make(
        ProviderError,
        "The database server at {server} ended the connection.",
        why="An administrator or a failover ended it.",
        next_action="Run the command again in a minute.",
        retryable=True,
    ),
    "25006": _make(ProviderError, "The database at {server} refused a write: the session is read-only."),
}
