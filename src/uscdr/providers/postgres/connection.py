"""How a session with a database is opened: read-only, bounded in time, in one fixed text format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from uscdr.errors import ProviderError
from uscdr.providers.postgres.errors import PASSING, translated

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

R = TypeVar("R")

_ATTEMPTS = 3

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
    """Where a database is and how to talk to it. Time-outs are in seconds; `url` is a secret."""

    url: SecretStr = field(repr=False)
    statement_timeout: float
    lock_timeout: float
    connect_timeout: float
    application_name: str
    require_tls: bool

    @property
    def server(self) -> str:
        """`host:port` for messages; never the user or the password."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            parts = conninfo_to_dict(self.url.get_secret_value())
        except psycopg.ProgrammingError:
            return "an unreadable URL"
        return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """One connection in autocommit, closed at the end; psycopg's errors leave as ours."""
        with translated(self.server):
            connection = self.open()
            try:
                yield connection
            finally:
                connection.close()

    def open(self) -> Connection:
        """A connection that the caller closes. Raises psycopg's errors."""
        import psycopg
        from psycopg.conninfo import make_conninfo

        tls = {"sslmode": "require"} if self.require_tls else {}
        return psycopg.connect(
            make_conninfo(self.url.get_secret_value(), **tls),
            autocommit=True,
            prepare_threshold=None,
            options=" ".join(f"-c {name}={value}" for name, value in self._settings().items()),
            client_encoding="utf8",
            application_name=self.application_name,
            connect_timeout=max(2, round(self.connect_timeout)),  # libpq takes whole seconds, two at least
            gssencmode="disable",
            # A network that swallows packets must not hold us for hours.
            keepalives_idle=20,
            keepalives_interval=5,
            keepalives_count=3,
        )

    def read(self, work: Callable[[Connection], R]) -> R:
        """Does `work` on a connection of its own; asks again, on a new one, when the failure may pass.

        Only for reads: `work` may run up to three times.
        """
        return self.retried(lambda: self._once(work))

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
            return work(connection)

    def _settings(self) -> dict[str, str]:
        limits = {"statement_timeout": self.statement_timeout, "lock_timeout": self.lock_timeout}
        return _SETTINGS | {name: f"{max(1, round(value * 1000))}ms" for name, value in limits.items()}


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.error_id in PASSING
