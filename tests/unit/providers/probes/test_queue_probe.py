"""The queue's probe against a broker that speaks Redis's protocol on a real socket."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import trustme
from pydantic import SecretStr

from uscdr.errors import BadInput, CredentialsRefused, ProviderError
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.probes.queue import QueueProbe

PASSWORD = "p%2Fw-planted"
DECODED = "p/w-planted"
INFO = "# Server\r\nredis_version:7.4.1\r\nredis_mode:standalone\r\n"


@dataclass
class Broker:
    """Queues, and how it misbehaves: `says` answers for a command, whatever is asked."""

    queues: dict[str, int] = field(default_factory=lambda: {"celery": 3})
    password: str = ""
    says: dict[str, bytes | None] = field(default_factory=dict)
    heard: list[list[str]] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def answer(self, words: list[str], *, signed_in: bool) -> bytes | None:
        command = words[0].upper()
        if command in self.says:
            return self.says[command]
        if command == "AUTH":
            return b"+OK\r\n" if words[-1] == self.password else b"-WRONGPASS invalid username-password pair\r\n"
        if self.password and not signed_in:
            return b"-NOAUTH Authentication required.\r\n"
        if command == "INFO":
            return f"${len(INFO)}\r\n{INFO}\r\n".encode()
        if command == "LLEN":
            return f":{self.queues.get(words[1], 0)}\r\n".encode()
        return {"PING": b"+PONG\r\n", "SELECT": b"+OK\r\n"}.get(command, b"-ERR unknown command\r\n")


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        broker: Broker = self.server.broker  # type: ignore[attr-defined]
        signed_in = False
        while line := self.rfile.readline():
            if not line.startswith(b"*"):
                return
            words = [self._word() for _ in range(int(line[1:]))]
            broker.heard.append(words)
            said = broker.answer(words, signed_in=signed_in)
            if said is None:
                return  # cut off
            signed_in |= words[0] == "AUTH" and said == b"+OK\r\n"
            self.wfile.write(said)

    def _word(self) -> str:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2].decode()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        super().__init__(("127.0.0.1", 0), Handler)

    def finish_request(self, request: object, client_address: object) -> None:
        if self.broker.tls is None:
            super().finish_request(request, client_address)  # type: ignore[arg-type]
            return
        with self.broker.tls.wrap_socket(request, server_side=True) as tls:  # type: ignore[arg-type]
            super().finish_request(tls, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are no news."""


@contextmanager
def running(broker: Broker) -> Iterator[str]:
    with Server(broker) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def probe(*, timeout: float = 5.0, waits: list[float] | None = None) -> QueueProbe:
    note = (waits if waits is not None else []).append
    return QueueProbe(timeout=timeout, patience=RetryingCaller(policy=RetryPolicy(attempts=2), sleep=note))


def look(broker: Broker, url: str = "redis://{}", queues: Sequence[str] = ("celery",)) -> dict[str, object]:
    with running(broker) as address:
        seen = probe().look(SecretStr(url.format(address)), queues)
    return {"version": seen.version, **seen.waiting}


def test_a_broker_that_answers() -> None:
    broker = Broker(queues={"celery": 3, "mails": 12})
    assert look(broker, queues=("celery", "mails", "none")) == {
        "version": "7.4.1", "celery": 3, "mails": 12, "none": 0,
    }  # fmt: skip
    assert {words[0] for words in broker.heard} == {"PING", "INFO", "LLEN"}


def test_the_password_and_the_database_of_the_address() -> None:
    broker = Broker(password=DECODED)
    assert look(broker, f"redis://:{PASSWORD}@{{}}/2?ssl_cert_reqs=CERT_NONE")["celery"] == 3
    assert broker.heard[:2] == [["AUTH", DECODED], ["SELECT", "2"]]


def test_tls_with_a_certificate_of_its_own_making() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("another.example").configure_cert(context)
    assert look(Broker(tls=context), "rediss://{}?ssl_cert_reqs=none")["celery"] == 3


@pytest.mark.parametrize("url", ["redis://:wrong-planted@{}", "redis://{}", "redis://h:wrong-planted@{}"])
def test_a_password_that_is_not_accepted(url: str) -> None:
    with pytest.raises(CredentialsRefused) as raised:
        look(Broker(password=DECODED), url)
    assert "planted" not in words_of(raised.value)


def test_an_account_that_may_count_but_not_ask_for_more() -> None:
    broker = Broker(says={"INFO": b"-NOPERM this user has no permissions\r\n"})
    assert look(broker) == {"version": "", "celery": 3}


def test_a_queue_that_is_none() -> None:
    broker = Broker(says={"LLEN": b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"})
    with pytest.raises(ProviderError, match="the number of messages in celery"):
        look(broker)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "It is still loading its data."),
        (b"-ERR max number of clients reached\r\n", "It has no free connection: too many clients."),
        (b"-MISCONF planted\r\n", "The host that answers is not a Redis server, or it refuses the command."),
        (b"HTTP/1.1 400 planted\r\n", "The host that answers is not a Redis server, or it refuses the command."),
        (b"+planted\r\n", "The host that answers is not a Redis server."),
        (None, "The connection was cut."),
    ],
)
def test_what_does_not_answer_a_ping(said: bytes | None, why: str) -> None:
    with pytest.raises(ProviderError) as raised:
        look(Broker(says={"PING": said}))
    assert raised.value.why == why


def test_once_more_for_what_may_pass() -> None:
    waits: list[float] = []
    with running(Broker()) as address:
        pass
    with pytest.raises(ProviderError) as raised:
        probe(waits=waits).look(SecretStr(f"redis://:{PASSWORD}@{address}"), ())
    assert (raised.value.why, len(waits)) == ("Connection refused.", 1)
    assert "planted" not in words_of(raised.value)


def test_silence_ends() -> None:
    with running(Broker(says={"PING": b""})) as address, pytest.raises(ProviderError) as raised:
        probe(timeout=0.2).look(SecretStr(f"redis://{address}"), ())
    assert raised.value.why == "It did not answer within the time limit."


def test_plain_where_tls_is_wanted() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with pytest.raises(ProviderError, match="uscdr cannot use the message broker"):
        look(Broker(tls=context), "redis://{}")


@pytest.mark.parametrize(
    "url",
    ["", "planted", "amqp://u:planted@h", "redis://", "redis://h:70000", "redis://h/planted", "redis://:pl[anted@h]/0"],
)
def test_what_is_no_address_of_redis(url: str) -> None:
    with pytest.raises(BadInput) as raised:
        probe().look(SecretStr(url), ())
    assert "planted" not in words_of(raised.value)


def words_of(error: ProviderError | BadInput) -> str:
    return f"{error} {error.why} {error.next_action} {error.__cause__!r}"
