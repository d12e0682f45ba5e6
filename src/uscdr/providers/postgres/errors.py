"""The one mapper from what psycopg raises to our errors.

The server's own text may quote rows (`invalid input syntax ...`, DETAIL, CONTEXT) and libpq's may
quote the URL. It is read to tell the cases apart and never repeated: every word shown is written here.
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
"""A violation of the protocol, by which PgBouncer tells whatever it refuses."""

PASSING = frozenset({UNREACHABLE, LOST, NOT_ACCEPTING, TOO_MANY, "57P01", "57P02", "40001", "40P01"})
"""SQLSTATEs after which the same read, asked once more at once, may well succeed."""

Maker = Callable[[str, str], ProviderError]
"""Makes the error from the server's address and the SQLSTATE."""


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Turns every psycopg error of the block into one of ours; `server` is its address for messages."""
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
        f"the database at {server} refused a query",
        provider=PROVIDER,
        why=f"SQLSTATE {state}: {words(error)}",
        error_id=state,
    )


def unguarded(server: str) -> ProviderError:
    """A transaction that was not held to reading, or not bounded in time, although both were asked for."""
    return Conflict(
        f"nothing is read from the database at {server}: its sessions cannot be held to reading",
        provider=PROVIDER,
        why="read-only transactions and time-outs were asked for and did not take effect, as a connection pooler or "
        "proxy in between (such as PgBouncer) may ignore them",
        next_action="use the database server's own address instead of the pooler's",
        error_id="pooler",
    )


def words(error: psycopg.Error) -> str:
    """A few words for an error, from its SQLSTATE alone, such as "undefined table"."""
    import psycopg

    if error.sqlstate is None:
        return "the connection failed" if isinstance(error, psycopg.OperationalError) else "no readable answer"
    try:
        name = psycopg.errors.lookup(error.sqlstate).__name__
    except KeyError:
        return "an error of no known class"
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _state_of_text(error: psycopg.Error) -> str:
    """A failed connection attempt carries no SQLSTATE: tell the cases apart by libpq's words."""
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

# Phrases that may stand in one message together (several addresses were tried) come in order of weight.
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


_STATUS = "look at the platform's status page and at `heroku pg:info`, then try again"
_MAKERS: dict[str, Maker] = {
    "28P01": _make(
        CredentialsRefused,
        "the database at {server} refused the user or the password",
        why="the credentials were probably rotated since this URL was read",
        next_action="read DATABASE_URL afresh, then try again",
    ),
    "28": _make(
        CredentialsRefused,
        "the database at {server} does not let this user in",
        why="no rule of the server admits this user from this machine, perhaps for want of TLS",
        next_action="read DATABASE_URL afresh and see that TLS is on",
    ),
    "42501": _make(
        CredentialsRefused,
        "the database user at {server} lacks a right",
        why="insufficient privilege, or row-level security would hide rows",
        next_action="use the database's default credential (its owner)",
    ),
    "3D000": _make(
        NotFound,
        "the server at {server} is there, but the database is not",
        next_action="read DATABASE_URL afresh: the add-on may have been replaced",
    ),
    "42P01": _make(NotFound, "a table that was asked for is not in the database at {server}"),
    "55000": _make(
        Conflict,
        "the database at {server} is not accepting connections",
        why="somebody has forbidden connections to it (ALLOW_CONNECTIONS false), as a restore does",
        next_action="wait for a running restore to end; `heroku pg:info` shows the state",
        retryable=True,
    ),
    NOT_ACCEPTING: _make(
        Conflict,
        "the database at {server} is not accepting connections yet",
        why="the server is starting, stopping or recovering",
        next_action="wait a minute, then try again",
        retryable=True,
    ),
    TOO_MANY: _make(
        Conflict,
        "the database at {server} has no free connection",
        why="the plan's connection limit is used up",
        next_action="scale the dynos down or end sessions, then try again",
        retryable=True,
    ),
    "XX": _make(
        ProviderError,
        "the database at {server} cannot read what it stored",
        why="data corrupted: a page, a value or the catalogue is damaged",
        next_action="if it is the application's own database: uscdr recover db",
    ),
    "53": _make(ProviderError, "the database server at {server} is out of disk or memory", next_action=_STATUS),
    "57014": _make(
        ProviderError,
        "the database at {server} did not answer a query in time",
        why="the statement timeout was reached",
        next_action="raise the statement timeout, or try again when the database is less busy",
        retryable=True,
    ),
    LOCK_TIMEOUT: _make(
        Conflict,
        "a table in the database at {server} is locked by another session",
        why="the lock timeout was reached",
        next_action="see who holds it with `heroku pg:locks`, or wait for the migration or restore to end",
        retryable=True,
    ),
    "TIMEOUT": _make(
        ProviderError,
        "the database server at {server} did not answer in time",
        why="a network block, or the server is gone",
        next_action=_STATUS,
        retryable=True,
    ),
    "DNS": _make(
        ProviderError,
        "the name of the database server at {server} does not resolve",
        why="this machine's name service, or the server was replaced",
        next_action="see that this machine is on line, then read DATABASE_URL afresh",
        retryable=True,
    ),
    "TLS": _make(
        ProviderError,
        "the database server at {server} does not agree on TLS",
        why="TLS is required and was refused, or its certificate was not accepted",
        next_action="use a URL of the platform's own server; TLS is never given up silently",
    ),
    "URL": _make(
        CredentialsRefused,
        "the database URL cannot be read",
        why="it is not of the form postgres://user:password@host:port/database",
        next_action="read DATABASE_URL afresh",
    ),
    UNREACHABLE: _make(
        ProviderError,
        "the database server at {server} cannot be reached",
        why="the connection was refused",
        next_action=_STATUS,
        retryable=True,
    ),
    POOLER: _make(
        ProviderError,
        "the connection pooler at {server} refused a transaction",
        why="it allows none (statement pooling), or none of its connections to the server was free in time",
        next_action="use the database server's own address instead of the pooler's, or try again",
    ),
    "08": _make(
        ProviderError,
        "the connection to the database at {server} was lost",
        next_action="try again",
        retryable=True,
    ),
    "57P": _make(
        ProviderError,
        "the database server at {server} ended the connection",
        why="an administrator or a failover stopped it",
        next_action="try again in a minute",
        retryable=True,
    ),
    "25006": _make(ProviderError, "a write was refused: the session with {server} is read-only"),
}
