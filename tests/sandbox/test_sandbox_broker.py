"""The broker as the official client library sees it, in both versions of the protocol."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clinic_broker import Place, broker


@pytest.fixture
def place() -> Iterator[Place]:
    with broker() as one:
        yield one


def client(url: str, **options: Any) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=30, retry=Retry(NoBackoff(), 0), **options)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_queue_is_filled_measured_and_emptied(place: Place, protocol: int) -> None:
    with client(place.url, protocol=protocol) as one:
        assert one.ping() is True
        assert one.llen("celery") == 0
        assert one.lpop("celery") is None
        assert one.lpop("celery", 5) is None
        assert one.rpush("celery", "a", "b", "c") == 3
        assert one.lrange("celery", 0, -1) == [b"a", b"b", b"c"]
        assert one.lpop("celery") == b"a"
        assert one.lpop("celery", 5) == [b"b", b"c"]
        assert one.exists("celery") == 0
        one.rpush("celery", "d")
        assert list(one.blpop(["other", "celery"], timeout=1)) == [b"celery", b"d"]
        assert one.blpop(["celery"], timeout=0.05) is None
        one.rpush("celery", "e")
        assert (one.type("celery"), one.dbsize(), one.delete("celery"), one.dbsize()) == (b"list", 1, 1, 0)
        info: Any = one.info()
        assert info["redis_version"].startswith("7.")


def test_databases_are_apart(place: Place) -> None:
    with client(place.url) as first, client(place.url.removesuffix("/0") + "/3") as other:
        first.rpush("celery", "1")
        assert (first.llen("celery"), other.llen("celery")) == (1, 0)
        with client(place.url.removesuffix("/0") + "/16") as beyond, pytest.raises(redis.ResponseError):
            beyond.ping()


@pytest.mark.parametrize("protocol", [2, 3])
def test_only_its_own_password_opens_it(place: Place, protocol: int) -> None:
    wrong = place.url.replace(place.broker.password, "wrong")
    for url in (wrong, wrong.replace(":wrong@", "")):
        with client(url, protocol=protocol) as one, pytest.raises(redis.AuthenticationError):
            one.llen("celery")


def test_a_waiting_pop_gets_what_is_pushed_later(place: Place) -> None:
    got: list[Any] = []
    with client(place.url) as one, client(place.url) as other:
        thread = threading.Thread(target=lambda: got.append(one.blpop(["celery"], timeout=30)))
        thread.start()
        other.rpush("celery", "late")
        thread.join()
        assert list(got[0]) == [b"celery", b"late"]


def test_stopped_it_refuses_and_its_port_is_nobody_elses(place: Place) -> None:
    with client(place.url) as one:
        one.rpush("celery", "lost")
        place.stop()
        with pytest.raises(redis.ConnectionError):
            one.ping()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", place.broker.port), timeout=30)
        place.stop()
        place.start()
        assert (one.ping(), one.llen("celery")) == (True, 0)


def test_faults_hit_the_commands_they_name(place: Place) -> None:
    with client(place.url) as one:
        place.fault("slow:0.2", method="LLEN", path="/celery")
        began = time.monotonic()
        assert one.llen("celery") == 0
        assert time.monotonic() - began > 0.2
        place.fault("500", method="PING")
        with pytest.raises(redis.ResponseError):
            one.ping()
        place.fault("reset-after", method="RPUSH", path="/celery")
        with pytest.raises(redis.ConnectionError):
            one.rpush("celery", "1")
        assert one.llen("celery") == 1
    with redis.Redis.from_url(place.url, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)) as hasty:
        place.fault("timeout-before", method="LLEN", count=0)
        with pytest.raises(redis.TimeoutError):
            hasty.llen("celery")


def test_nonsense_ends_the_connection_and_nothing_else(place: Place) -> None:
    for sent in (b"*1\r\n:4\r\n", b"*99999999\r\n", b"GET / HTTP/1.1\r\n", b"*1\r\n$5\r\nHELLO\r\n"):
        with socket.create_connection(("127.0.0.1", place.broker.port), timeout=30) as plain:
            plain.sendall(sent)
            assert plain.recv(200).startswith(b"-")
    with client(place.url) as one:
        assert one.ping() is True
        with pytest.raises(redis.ResponseError, match="unknown command"):
            one.execute_command("FLY")
        with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
            one.execute_command("LLEN")


def test_commands_that_arrive_together_wait_together(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait moves the clock of the broker's loop on, and takes no time."""
    waited, real = list[float](), place.loop.time

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(place.loop, "time", lambda: real() + sum(waited))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    place.fault("slow:60", method="PING", count=0)
    with socket.create_connection(("127.0.0.1", place.broker.port), timeout=30) as line:
        line.sendall(f"AUTH {place.broker.password}\r\n".encode() + b"PING\r\n" * 5)
        answers = line.makefile("rb")
        assert [answers.readline() for _ in range(6)] == [b"+OK\r\n", *[b"+PONG\r\n"] * 5]
        assert waited[0] > 0
        assert max(waited[1:]) <= 0
        line.sendall(b"PING\r\n")
        assert answers.readline() == b"+PONG\r\n"
    assert waited[5] > 0
