"""The sandbox's name servers alone, in a thread of the test process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
from dns.message import Message

from uscdr.sandbox.dns import server
from uscdr.sandbox.dns.cloudflare import build
from uscdr.sandbox.faults.rules import FaultRules, Rule
from uscdr.sandbox.web.server import HttpServer

LIMIT = 60.0
T = TypeVar("T")


@dataclass
class Place:
    """Running name servers. `notes` is what the audit would hold."""

    hosting: server.Hosting
    faults: FaultRules
    loop: asyncio.AbstractEventLoop
    notes: list[tuple[str, str, int, str]] = field(default_factory=list)

    def call(self, work: Callable[[], T]) -> T:
        """Do something where the servers run."""
        done: Future[T] = Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(work()))
        return done.result(LIMIT)

    def fault(self, kind: str, **rule: Any) -> None:
        self.faults.rules.append(Rule(kind, provider="dns", **rule))

    def ask(self, name: str, kind: str, *, secondary: bool = False, tcp: bool = False, **more: Any) -> Message:
        query = dns.message.make_query(name, kind, flags=0, **more)
        port = (self.hosting.secondary if secondary else self.hosting.primary).port
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, "127.0.0.1", port=port, timeout=LIMIT)

    def values(self, name: str, kind: str, *, secondary: bool = False) -> list[str]:
        answer = self.ask(name, kind, secondary=secondary).answer
        return sorted(one.to_text() for one in answer[0]) if answer else []

    def serial(self, *, secondary: bool = False) -> int:
        return int(self.values(server.ZONE, "SOA", secondary=secondary)[0].split()[2])

    def key(self, *, name: str = server.KEY_NAME, secret: str = "") -> dns.tsig.Key:
        return dns.tsig.Key(dns.name.from_text(name), secret or self.hosting.key, dns.tsig.HMAC_SHA256)

    def message(self, zone: str = server.ZONE, *, signed: bool = True) -> dns.update.UpdateMessage:
        return dns.update.UpdateMessage(zone, keyring=self.key() if signed else None)

    def send(self, message: Message, *, secondary: bool = False, timeout: float = LIMIT) -> str:
        """The rcode."""
        port = (self.hosting.secondary if secondary else self.hosting.primary).port
        return dns.rcode.to_text(dns.query.tcp(message, "127.0.0.1", port=port, timeout=timeout).rcode())


@contextmanager
def opened(spec: server.DnsSpec, targets: tuple[str, ...] = ()) -> Iterator[Place]:
    """Name servers that end with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), loop).result(LIMIT)

    faults, notes = FaultRules(), list[tuple[str, str, int, str]]()
    starting = server.start(spec, faults=faults, note=lambda *one: notes.append(one), targets=lambda: targets)
    place = Place(run(starting), faults, loop, notes)
    try:
        yield place
    finally:
        run(place.hosting.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT)
        loop.close()


@contextmanager
def records_api(place: Place) -> Iterator[str]:
    """The records API of these servers, by its URL."""
    server = HttpServer()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, place.loop).result(LIMIT)

    run(server.start(build(place.hosting)))
    try:
        yield f"http://127.0.0.1:{server.port}/client/v4"
    finally:
        run(server.stop())
