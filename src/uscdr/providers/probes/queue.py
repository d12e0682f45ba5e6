"""Adapter of the port `Queue` on Redis. Source: redis.io, commands PING, INFO and LLEN."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from uscdr.errors import BadInput, CredentialsRefused, ProviderError
from uscdr.models.probes import QueueFacts
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.providers.http.outages import time_allowed
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.words import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import SecretStr

PROVIDER = "the message broker"
PORT = 6379
TIMEOUT = 10.0
"""Seconds of silence."""
ONCE_MORE = RetryPolicy(attempts=2, seconds=15.0)
SCHEMES = ("redis", "rediss")


class QueueProbe:
    """Three read-only commands in one exchange. `timeout` in seconds."""

    def __init__(self, *, timeout: float = TIMEOUT, patience: RetryingCaller | None = None) -> None:
        self._timeout = timeout
        self._patience = patience or RetryingCaller(policy=ONCE_MORE)

    def look(self, url: SecretStr, queues: Sequence[str]) -> QueueFacts:
        """`PING`, `INFO server`, and `LLEN` of each queue."""
        options = _options(url, self._timeout)
        return self._patience.call(lambda: self._borne(options, queues), writes=False)

    def _borne(self, options: Mapping[str, Any], queues: Sequence[str]) -> QueueFacts:
        from redis.exceptions import TimeoutError as Silent

        place = f"{options['host']}:{options['port']}"
        with _in_our_words(), time_allowed(place, self._timeout, (Silent, OSError)) as seconds:
            return self._once({**options, "socket_timeout": seconds, "socket_connect_timeout": seconds}, queues)

    def _once(self, options: Mapping[str, Any], queues: Sequence[str]) -> QueueFacts:
        import redis

        with redis.Redis(**options) as client:
            asked = client.pipeline(transaction=False)
            asked.ping()
            asked.info("server")
            for queue in queues:
                asked.llen(queue)
            pong, server, *lengths = asked.execute(raise_on_error=False)
        return _facts(pong, server, dict(zip(queues, lengths, strict=True)))


def _options(url: SecretStr, timeout: float) -> dict[str, Any]:
    """The address to connect to, without the query, which is specific to each client."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        parts = urlsplit(url.get_secret_value())
        port, database = parts.port or PORT, whole(parts.path.strip("/") or "0")
    except ValueError:
        raise _no_address() from None
    if parts.scheme not in SCHEMES or not parts.hostname or database is None:
        raise _no_address()
    return {
        "host": parts.hostname,
        "port": port,
        "db": database,
        "username": unquote(parts.username or "") or None,
        "password": unquote(parts.password or "") or None,
        "ssl": parts.scheme == "rediss",
        # The platform's small plans have self-signed certificates, which the application accepts too.
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "protocol": 2,
        "driver_info": None,  # sets no client name or library in the server's client list
        "retry": Retry(NoBackoff(), 0),
    }


def _facts(pong: object, server: object, lengths: Mapping[str, object]) -> QueueFacts:
    if isinstance(pong, Exception):
        raise _mapped(pong)
    if pong is not True:
        raise _broken("The host that answers is not a Redis server")
    refused = next((name for name, length in lengths.items() if not isinstance(length, int)), None)
    if refused is not None:
        raise _unread(refused)
    version = str(server.get("redis_version", ""))[:20] if isinstance(server, dict) else ""
    return QueueFacts(version=version, waiting={name: int(str(length)) for name, length in lengths.items()})


@contextmanager
def _in_our_words() -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        # `from None`: the cause may quote the password that was sent.
        raise _mapped(error) from None


def _mapped(error: Exception) -> ProviderError:
    import redis.exceptions as told

    refused = (told.AuthenticationError, told.AuthenticationWrongNumberOfArgsError, told.AuthorizationError,
               told.NoPermissionError)  # fmt: skip
    if isinstance(error, refused):
        return CredentialsRefused(
            "The message broker refused the password.",
            provider=PROVIDER,
            next_action="Compare the variable with the add-on's own URL; its credentials may have been rotated.",
        )
    if isinstance(error, told.TimeoutError | TimeoutError):
        return _broken("It did not answer within the time limit", retryable=True)
    if isinstance(error, told.BusyLoadingError):
        return _broken("It is still loading its data", retryable=True)
    if str(error) == "max number of clients reached":
        return _broken("It has no free connection: too many clients", retryable=True)
    if isinstance(error, told.ConnectionError | OSError):
        return _broken(_cause(error), retryable=True)
    return _broken("The host that answers is not a Redis server, or it refuses the command")


def _cause(error: Exception) -> str:
    for cause in NetworkFailure(error).causes():
        if isinstance(cause, OSError) and not isinstance(cause, TimeoutError) and cause.strerror:
            # OpenSSL's own words are meant for its developers.
            words = "the TLS connection failed" if isinstance(cause, ssl.SSLError) else cause.strerror
            return words[:1].upper() + words[1:].lower()
    return "The connection was cut"


def _broken(why: str, *, retryable: bool = False) -> ProviderError:
    return ProviderError(
        "uscdr cannot use the message broker.",
        provider=PROVIDER,
        why=f"{why}.",
        next_action="Check the add-on: heroku redis:info",
        retryable=retryable,
    )


def _unread(queue: str) -> ProviderError:
    return ProviderError(
        f"The message broker did not return the number of messages in {queue}.",
        provider=PROVIDER,
        why="The key is not a list, or the account may not read it.",
        next_action="Check `queues` of the check, and the account's permissions.",
    )


def _no_address() -> BadInput:
    return BadInput(
        "The message broker's address is not a Redis URL.",
        next_action="It must be redis://… or rediss://…, with a host. Compare the variable with the add-on's own URL.",
    )
