"""How a database is read: in transactions that cannot write, bounded in time, in one fixed text format.

A connection pooler may ignore start-up options, and give the next transaction another session of the server.
So nothing is left to the session: every transaction is told all of it, and is looked at before anything is read.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.waiting import READY_NONE
from typing_extensions import override

from uscdr.errors import ProviderError
from uscdr.providers.http.outages import borne
from uscdr.providers.postgres.errors import PASSING, translated, unguarded
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from psycopg.abc import PQGen
    from pydantic import SecretStr

    Connection = psycopg.Connection[tuple[Any, ...]]

R = TypeVar("R")

OWN_SOCKET = "this machine's socket"
_ATTEMPTS = 3
_BEGIN = b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_GUARDS = ("statement_timeout", "lock_timeout", "row_security")
"""Settings without which nothing is read, beside `transaction_read_only`."""

# Text must not depend on the server's or the role's settings, or digests could not be compared;
# row_security=off turns silently hidden rows into an error.
_SETTINGS = {
    "default_transaction_read_only": "on",
    "row_security": "off",
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "client_min_messages": "error",
}


@dataclass(frozen=True)
class Link:
    """Where a database is and how to talk to it. Time-outs are in seconds; `url` is a secret.

    `leave` is asked right before what was changed is committed.
    """

    url: SecretStr = field(repr=False)
    statement_timeout: float
    lock_timeout: float
    connect_timeout: float
    application_name: str
    require_tls: bool
    leave: WriteGuard = ANYHOW

    @property
    def server(self) -> str:
        """`host:port` for messages, or that it is this machine's; never the user or the password."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            parts = conninfo_to_dict(self.url.get_secret_value())
        except psycopg.ProgrammingError:
            return "an unreadable URL"
        host = str(parts.get("host") or "localhost")
        return OWN_SOCKET if host.startswith("/") else f"{host}:{parts.get('port') or 5432}"

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """One connection, closed at the end, for `moment`; psycopg's errors leave as ours."""
        with translated(self.server):
            connection = self.open()
            try:
                yield connection
            finally:
                connection.close()

    def open(self) -> Connection:
        """A connection that the caller closes. Raises psycopg's errors."""
        import psycopg

        silent = (psycopg.errors.ConnectionTimeout,)
        try:
            with borne(self.server, self.connect_timeout, silent) as seconds:
                return self._connected(seconds)
        except TimeoutError as error:
            raise psycopg.errors.ConnectionTimeout(str(error.strerror)) from None

    def _connected(self, seconds: float) -> Connection:
        from psycopg.conninfo import make_conninfo

        tls = {"sslmode": "require"} if self.require_tls else {}
        connection = _LimitedConnection.connect(
            make_conninfo(self.url.get_secret_value(), **tls),
            autocommit=True,
            prepare_threshold=None,
            client_encoding="utf8",
            application_name=self.application_name,
            connect_timeout=max(2, round(seconds)),  # libpq takes whole seconds, two at least
            gssencmode="disable",
            # A network that swallows packets must not hold us for hours.
            keepalives_idle=20,
            keepalives_interval=5,
            keepalives_count=3,
        )
        connection.limit = self.statement_timeout + MARGIN
        return connection

    @contextmanager
    def moment(self, connection: Connection, *, snapshot: str = "") -> Iterator[None]:
        """One transaction that sees one moment and cannot write, whoever wrote its queries; rolled back at the end.

        `snapshot` is the name of the moment that another transaction exported. Raises ProviderError when the
        transaction turns out not to be held to reading.
        """
        import psycopg

        self.begin(connection, snapshot=snapshot)
        try:
            yield
        finally:
            # A connection that broke rolls back by itself, and its own error is the one to raise.
            with suppress(psycopg.OperationalError):
                connection.execute("ROLLBACK")

    def begin(self, connection: Connection, *, snapshot: str = "") -> None:
        """Begin what `moment` ends. Raises psycopg's errors and ProviderError."""
        from psycopg import sql

        shared = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)).as_bytes() if snapshot else b""
        connection.execute(b"; ".join(filter(None, (_BEGIN, shared, self.local_settings(_SETTINGS)))))
        # Once a snapshot is taken, as this query does, the transaction cannot be made to write any more.
        found: dict[str, str] = dict(connection.execute(_HELD, ([*_GUARDS, "transaction_read_only"],)).fetchall())
        if found.get("transaction_read_only") != "on" or any(found.get(name) != self._guard(name) for name in _GUARDS):
            raise unguarded(self.server)

    @contextmanager
    def change(self, connection: Connection) -> Iterator[None]:
        """One transaction that may write, bounded in time: committed at the end, rolled back after an error."""
        import psycopg

        settings = {**_SETTINGS, "default_transaction_read_only": "off"}
        try:
            connection.execute(b"BEGIN READ WRITE; " + self.local_settings(settings))
            yield
            self.leave()
            connection.execute("COMMIT")
        except BaseException:
            # A connection that broke rolls back by itself, and its own error is the one to raise.
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    def local_settings(self, settings: Mapping[str, str]) -> bytes:
        """Statements that make `settings` and the time-outs hold to the end of the transaction."""
        wanted = {**settings, **self._limits()}
        return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in wanted.items()).encode()

    def read(self, work: Callable[[Connection], R]) -> R:
        """Does `work` in a moment of its own; asks again, on a new connection, when the failure may pass.

        Only for reads: `work` may run up to three times.
        """
        return self.retried(lambda: self._once(work))

    def read_each(self, works: Iterable[Callable[[Connection], R]]) -> list[R]:
        """As `read`, several on one connection: what one does to its transaction, the next does not meet."""
        wanted = tuple(works)

        def each() -> list[R]:
            with self.session() as connection:
                return [self._in_moment(connection, work) for work in wanted]

        return self.retried(each)

    def retried(self, attempt: Callable[[], R]) -> R:
        """The one retry loop: up to three attempts, within about two seconds besides their own time."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=1.0),
            reraise=True,
        )
        return retrying(attempt)

    def _once(self, work: Callable[[Connection], R]) -> R:
        with self.session() as connection:
            return self._in_moment(connection, work)

    def _in_moment(self, connection: Connection, work: Callable[[Connection], R]) -> R:
        with self.moment(connection):
            return work(connection)

    def _limits(self) -> dict[str, str]:
        """In milliseconds, as the server tells them."""
        limits = {"statement_timeout": self.statement_timeout, "lock_timeout": self.lock_timeout}
        return {name: str(max(1, round(value * 1000))) for name, value in limits.items()}

    def _guard(self, name: str) -> str:
        return (_SETTINGS | self._limits())[name]


_HELD = "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY (%s)"


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.error_id in PASSING


# Connections on which no single answer is waited for without end: the server's own time-outs end with the server.


V = TypeVar("V")
MARGIN = 15.0
"""Seconds for the way, beyond what the server allows a statement."""


class _LimitedConnection(psycopg.Connection[tuple[Any, ...]]):
    """psycopg's. An answer that takes longer than `limit` seconds closes it: OperationalError, as when it is lost.

    A stream of rows is one answer a piece.
    """

    limit = float("inf")

    @override
    def wait(self, gen: PQGen[V], *args: Any, **more: Any) -> V:
        return super().wait(self._limited(gen), *args, **more)

    def _limited(self, gen: PQGen[V]) -> PQGen[V]:
        begun = time.monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready == READY_NONE and time.monotonic() - begun > self.limit:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server stands still")
                state = gen.send(ready)
        except StopIteration as ended:
            found: V = ended.value
            return found
