"""How a database is read: in read-only transactions with time limits, in one fixed text format.

A connection pooler may ignore start-up options, and may give the next transaction another session. So every transaction
sets everything itself, and is checked before anything is read.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.waiting import READY_NONE
from typing_extensions import override

from uscdr.errors import ProviderError
from uscdr.providers.http.outages import time_allowed
from uscdr.providers.postgres.errors import PASSING, translated, unguarded
from uscdr.spent import WATCH
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from psycopg.abc import PQGen
    from pydantic import SecretStr

    Connection = psycopg.Connection[tuple[Any, ...]]

R = TypeVar("R")

OWN_SOCKET = "this machine's socket"
_ATTEMPTS = 3
_BEGIN = b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_GUARDS = ("statement_timeout", "lock_timeout", "row_security")
"""Settings that are required before a read, beside `transaction_read_only`."""

# Text must not depend on the settings of server or role, or digests could not be compared. row_security=off turns
# silently hidden rows into an error.
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
    """A database's address and the connection's limits. Time-outs are in seconds; `url` is a secret.

    `leave` is asked right before a commit.
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
        """`host:port` for messages, or this machine's socket; never the user or the password."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            parts = conninfo_to_dict(self.url.get_secret_value())
        except psycopg.ProgrammingError:
            return "a malformed URL"
        host = str(parts.get("host") or "localhost")
        return OWN_SOCKET if host.startswith("/") else f"{host}:{parts.get('port') or 5432}"

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """One connection for `moment`, closed at the end; raises psycopg's errors as ours."""
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
            with time_allowed(self.server, self.connect_timeout, silent) as seconds, self._asked():
                return self._connected(seconds)
        except TimeoutError as error:
            raise psycopg.errors.ConnectionTimeout(str(error.strerror)) from None

    def _asked(self) -> AbstractContextManager[None]:
        """Inside, the server is waited for. A server of this machine is no provider."""
        return nullcontext() if self.server == OWN_SOCKET else WATCH.provider()

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
            # A network that drops packets must not block us for hours.
            keepalives_idle=20,
            keepalives_interval=5,
            keepalives_count=3,
        )
        connection.limit = self.statement_timeout + MARGIN
        connection.asked = self._asked
        return connection

    @contextmanager
    def moment(self, connection: Connection, *, snapshot: str = "") -> Iterator[None]:
        """One read-only transaction with one snapshot, for any query; rolled back at the end.

        `snapshot` is the name of a snapshot that another transaction exported. Raises ProviderError when the
        transaction is not read-only after all.
        """
        import psycopg

        self.begin(connection, snapshot=snapshot)
        try:
            yield
        finally:
            # A broken connection rolls back by itself; raise its own error.
            with suppress(psycopg.OperationalError):
                connection.execute("ROLLBACK")

    def begin(self, connection: Connection, *, snapshot: str = "") -> None:
        """Begin the transaction that `moment` ends. Raises psycopg's errors and ProviderError."""
        from psycopg import sql

        shared = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)).as_bytes() if snapshot else b""
        connection.execute(b"; ".join(filter(None, (_BEGIN, shared, self.local_settings(_SETTINGS)))))
        # This query takes the snapshot; after that the transaction can no longer be switched to writing.
        found: dict[str, str] = dict(connection.execute(_HELD, ([*_GUARDS, "transaction_read_only"],)).fetchall())
        if found.get("transaction_read_only") != "on" or any(found.get(name) != self._guard(name) for name in _GUARDS):
            raise unguarded(self.server)

    @contextmanager
    def change(self, connection: Connection) -> Iterator[None]:
        """One writing transaction with time limits: committed at the end, rolled back after an error."""
        import psycopg

        settings = {**_SETTINGS, "default_transaction_read_only": "off"}
        try:
            connection.execute(b"BEGIN READ WRITE; " + self.local_settings(settings))
            yield
            self.leave()
            connection.execute("COMMIT")
        except BaseException:
            # A broken connection rolls back by itself; raise its own error.
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    def local_settings(self, settings: Mapping[str, str]) -> bytes:
        """Statements that set `settings` and the time-outs until the end of the transaction."""
        wanted = {**settings, **self._limits()}
        return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in wanted.items()).encode()

    def read(self, work: Callable[[Connection], R]) -> R:
        """Does `work` in a snapshot of its own; retries on a new connection after a temporary failure.

        Only for reads: `work` may run up to three times.
        """
        return self.retried(lambda: self._once(work))

    def read_each(self, works: Iterable[Callable[[Connection], R]]) -> list[R]:
        """As `read`, for several on one connection: each has its own transaction."""
        wanted = tuple(works)

        def each() -> list[R]:
            with self.session() as connection:
                return [self._in_moment(connection, work) for work in wanted]

        return self.retried(each)

    def retried(self, attempt: Callable[[], R]) -> R:
        """The retry loop: up to three attempts, with about two seconds of waiting in all."""
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
        """In milliseconds, as the server reports them."""
        limits = {"statement_timeout": self.statement_timeout, "lock_timeout": self.lock_timeout}
        return {name: str(max(1, round(value * 1000))) for name, value in limits.items()}

    def _guard(self, name: str) -> str:
        return (_SETTINGS | self._limits())[name]


_HELD = "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY (%s)"


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.error_id in PASSING


# Connections with a client-side limit for each answer: the server's time-outs do not work when the server hangs.


V = TypeVar("V")
MARGIN = 15.0
"""Seconds for the network, beyond the server's statement time-out."""


class _LimitedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A psycopg connection that closes when an answer takes longer than `limit` seconds.

    Raises OperationalError, as for a lost connection. In a stream of rows each piece is one answer.
    """

    limit = float("inf")
    asked: Callable[[], AbstractContextManager[None]] = staticmethod(nullcontext)
    """Encloses each wait for the server."""

    @override
    def wait(self, gen: PQGen[V], *args: Any, **more: Any) -> V:
        with self.asked():
            return super().wait(self._limited(gen), *args, **more)

    def _limited(self, gen: PQGen[V]) -> PQGen[V]:
        begun = time.monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready == READY_NONE and time.monotonic() - begun > self.limit:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer")
                state = gen.send(ready)
        except StopIteration as ended:
            found: V = ended.value
            return found
