"""Places that the one contract is held against: a zone, its two servers, and a way to the truth that is not ours."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.update
import name_servers
from pydantic import SecretStr

from uscdr.models.dns import NameServer
from uscdr.providers.dns.query import parse_server
from uscdr.providers.dns.rfc2136 import Rfc2136Zone
from uscdr.providers.dns.verifier import DnsVerifier
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.sandbox.dns import cloudflare
from uscdr.sandbox.dns import server as sandbox_dns
from uscdr.sandbox.web.server import HttpServer

T = TypeVar("T")

OLD, NEW = "old.herokudns.com", "new.herokudns.com"
"""Two targets that the place's servers give addresses for."""


@dataclass(frozen=True)
class Place:
    zone: str
    foreign_zone: str
    key_name: str
    key: str
    algorithm: str
    servers: tuple[NameServer, NameServer]
    hold: Callable[[], AbstractContextManager[None]]
    """The secondary stands still meanwhile."""
    records_url: str = ""
    records_token: str = ""
    """Where the same zone can be edited over HTTP, if it can."""

    def open(self, **changes: Any) -> Rfc2136Zone:
        facts: dict[str, Any] = {
            "port": self.servers[0].port,
            "key_name": self.key_name,
            "key": SecretStr(self.key),
            "algorithm": self.algorithm,
            "read_only": False,
            "timeout": 5.0,
            "patience": RetryingCaller(policy=RetryPolicy(attempts=1)),
        }
        facts |= changes
        return Rfc2136Zone(facts.pop("zone", self.zone), facts.pop("server", "127.0.0.1"), **facts)

    def verifier(self, *others: NameServer, timeout: float = 2.0) -> DnsVerifier:
        return DnsVerifier((), servers=(*self.servers, *others), timeout=timeout)

    def put(self, name: str, *records: str) -> None:
        """Set records (`300 A 192.0.2.1`) without the code under test."""
        keyring = dns.tsigkeyring.from_text({self.key_name: (self.algorithm, self.key)})
        message = dns.update.UpdateMessage(self.zone, keyring=keyring)
        message.delete(f"{name}.")
        for record in records:
            ttl, kind, value = record.split(" ", 2)
            message.add(f"{name}.", int(ttl), kind, value)
        answer = dns.query.tcp(message, "127.0.0.1", port=self.servers[0].port, timeout=5)
        assert answer.rcode() == dns.rcode.NOERROR

    def truth(self, name: str, kind: str, *, secondary: bool = False) -> list[str]:
        """The primary's or secondary's records as `TTL value`, in order."""
        question = dns.message.make_query(f"{name}.", kind, flags=0)
        port = self.servers[int(secondary)].port
        answer = dns.query.tcp(question, "127.0.0.1", port=port, timeout=5)
        wanted = [one for one in answer.answer if one.rdtype == dns.rdatatype.from_text(kind)]
        return sorted(f"{one.ttl} {value.to_text()}" for one in wanted for value in one)

    def serial(self, *, secondary: bool = False) -> str:
        return self.truth(self.zone, "SOA", secondary=secondary)[0].split()[3]

    def caught_up(self) -> None:
        """Wait until the secondary serves the primary's zone: until then it still passes through older states."""
        end = time.monotonic() + 60
        while self.serial(secondary=True) != self.serial():
            assert time.monotonic() < end, "the secondary stands still"
            time.sleep(0.05)


@contextmanager
def debian(place: Path) -> Iterator[Place]:
    with name_servers.running(place) as (servers, secondary):
        yield Place(
            zone=name_servers.ZONE,
            foreign_zone=name_servers.FOREIGN,
            key_name=name_servers.KEY_NAME,
            key=servers.key,
            algorithm=name_servers.ALGORITHM,
            servers=(_at(servers.port), _at(servers.second)),
            hold=lambda: _stopped(secondary),
        )


@contextmanager
def _stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def sandbox() -> Iterator[Place]:
    with _loop() as run, ExitStack() as stack:
        spec = sandbox_dns.DnsSpec(ttl=300, lag=0.5)
        hosting = run(sandbox_dns.start(spec, targets=lambda: (OLD, NEW)))
        stack.callback(lambda: run(hosting.stop()))
        records_api = HttpServer()
        stack.callback(lambda: run(records_api.stop()))
        run(records_api.start(cloudflare.build(hosting)))
        facts = hosting.contract(f"http://127.0.0.1:{records_api.port}", "https://127.0.0.1:1")
        first, second = (parse_server(text) for text in facts["name_servers"])

        async def switch(mode: Any) -> None:
            hosting.copies[0].switch(mode)

        @contextmanager
        def hold() -> Iterator[None]:
            run(switch("stuck"))
            try:
                yield
            finally:
                run(switch("follow"))

        names = ("zone", "foreign_zone", "key_name", "key", "algorithm")
        yield Place(
            **{name: facts[name] for name in names},
            servers=(first, second),
            hold=hold,
            records_url=facts["cloudflare"]["base_url"],
            records_token=facts["cloudflare"]["token"],
        )


@contextmanager
def _loop() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """An event loop on a thread of its own, and a way to run something there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _at(port: int) -> NameServer:
    return NameServer(host="127.0.0.1", address="127.0.0.1", port=port)
