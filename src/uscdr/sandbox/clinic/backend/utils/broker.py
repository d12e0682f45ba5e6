"""The message broker between web and worker: a list of the keys of the jobs that wait."""

import functools

from django.conf import settings

QUEUE = "celery"
TIMEOUT = 5


class BrokerUnavailable(ConnectionError):
    """No broker is configured, or it does not answer."""


def ask(command):
    """Run `command` with a client.

    Raises:
        BrokerUnavailable: there is no broker, or it refused.
    """
    if not settings.BROKER_URL:
        raise BrokerUnavailable("Error 111 connecting to localhost:6379. Connection refused.")
    from redis.exceptions import RedisError  # the library is large, and most commands never ask

    try:
        return command(client(settings.BROKER_URL))
    except RedisError as error:
        raise BrokerUnavailable(str(error)) from error


@functools.cache
def client(url):
    """Return this process's client; it connects when it is first used, and does not try twice."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0))


def check():
    """Raise BrokerUnavailable unless the broker answers."""
    ask(lambda broker: broker.ping())


def push(key):
    """Let the worker know of a job."""
    ask(lambda broker: broker.rpush(QUEUE, key))


def take(most):
    """Take the keys of up to `most` jobs off the queue."""
    return ask(lambda broker: broker.lpop(QUEUE, most)) or []
