"""A name server in a thread whose every answer, or lack of one, the test chooses; UDP and TCP on one port."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Answer = Callable[[dns.message.Message, str], dns.message.Message | bytes | None]
"""Given a query and `udp` or `tcp`: a message, raw bytes, or None for silence (a cut connection on TCP)."""


@dataclass
class Responder:
    answer: Answer
    address: str = "127.0.0.1"
    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Transport, name and type of every message, in order."""

    def __post_init__(self) -> None:
        self._stream = socket.create_server((self.address, self.port))
        self.port = self._stream.getsockname()[1]
        self._datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagram.bind((self.address, self.port))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._udp, self._tcp)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()
        with contextlib.suppress(OSError):
            self._datagram.shutdown(socket.SHUT_RDWR)
        self._datagram.close()
        for thread in self._threads:
            thread.join(5)

    def _udp(self) -> None:
        while True:
            try:
                wire, peer = self._datagram.recvfrom(65535)
            except OSError:
                return
            if not wire:
                return
            reply = self._reply(wire, "udp")
            if reply is not None:
                with contextlib.suppress(OSError):  # closed while a question was under way
                    self._datagram.sendto(reply, peer)

    def _tcp(self) -> None:
        while True:
            try:
                connection, _ = self._stream.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, struct.error):
                connection.settimeout(5)
                (length,) = struct.unpack("!H", connection.recv(2))
                reply = self._reply(connection.recv(length, socket.MSG_WAITALL), "tcp")
                if reply is not None:
                    connection.sendall(struct.pack("!H", len(reply)) + reply)

    def _reply(self, wire: bytes, transport: str) -> bytes | None:
        # The signature is left aside: what is tested here is the asker.
        query = dns.message.from_wire(wire, continue_on_error=True, keyring=lambda *_: None)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((transport, name, dns.rdatatype.to_text(question.rdtype)))
        reply = self.answer(query, transport)
        return reply.to_wire() if isinstance(reply, dns.message.Message) else reply


@dataclass(frozen=True)
class Table:
    """Answers from `records` (`name type` to values), refers to `delegated` zones, denies with the SOA of `zone`."""

    zone: str
    records: Mapping[str, tuple[str, ...]]
    delegated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    authoritative: bool = True
    ttl: int = 300

    def __call__(self, query: dns.message.Message, transport: str) -> dns.message.Message:
        reply = dns.message.make_response(query)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        for child, hosts in self.delegated.items():
            if name == child or name.endswith(f".{child}"):
                reply.authority.append(_rrset(child, self.ttl, "NS", hosts))
                return reply
        if self.authoritative:
            reply.flags |= dns.flags.AA
        kind = dns.rdatatype.to_text(question.rdtype)
        values = self.records.get(f"{name} {kind}")
        alias = self.records.get(f"{name} CNAME")
        if values is not None:
            reply.answer.append(_rrset(name, self.ttl, kind, values))
        elif alias is not None:
            reply.answer.append(_rrset(name, self.ttl, "CNAME", alias))
        else:
            zone = max((z for z in self.zone.split() if name == z or name.endswith(f".{z}")), key=len, default=".")
            where = reply.answer if (kind, name) == ("SOA", zone) else reply.authority
            where.append(_rrset(zone, self.ttl, "SOA", ("ns. host. 7 60 60 60 60",)))
        return reply


def _rrset(name: str, ttl: int, kind: str, values: tuple[str, ...]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(dns.name.from_text(name), ttl, "IN", kind, list(values))


def code(rcode: dns.rcode.Rcode, *, authoritative: bool = True) -> Answer:
    def answer(query: dns.message.Message, transport: str) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.set_rcode(rcode)
        if authoritative:
            reply.flags |= dns.flags.AA
        return reply

    return answer


@contextlib.contextmanager
def several(port: int, answers: Mapping[str, Answer]) -> Iterator[Mapping[str, Responder]]:
    """One responder an address, all on the same port."""
    with contextlib.ExitStack() as stack:
        found = {}
        for address, answer in answers.items():
            found[address] = Responder(answer, address, port)
            stack.callback(found[address].close)
        yield found
