"""One name server: reads a message, meets a fault if one is due, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
from dns.message import Message
from dns.rcode import Rcode
from dns.update import UpdateMessage

from uscdr.sandbox.dns import signature, update
from uscdr.sandbox.dns.lookup import respond
from uscdr.sandbox.dns.signature import Keyring
from uscdr.sandbox.dns.sockets import Dropped
from uscdr.sandbox.dns.zone import Served, Zone
from uscdr.sandbox.faults.rules import CONNECTION_KINDS, DNS, DNS_KINDS, STATUS_KINDS, FaultRules

LONGEST_HANG = 600.0  # seconds
_SHORTEST, _PLAIN_UDP, _LARGEST_UDP = 12, 512, 1232
_REFUSALS = ("refuse", "401", "403", "403-two-factor")
_STATUS = {Rcode.NOERROR: 200, Rcode.FORMERR: 400, Rcode.SERVFAIL: 500}
_STATUS |= dict.fromkeys((Rcode.NXDOMAIN, Rcode.NXRRSET, Rcode.YXDOMAIN, Rcode.YXRRSET), 409)
_STATUS |= dict.fromkeys((Rcode.REFUSED, Rcode.NOTAUTH, Rcode.NOTZONE), 403)
Note = Callable[[str, str, int, str], None]
"""Takes method, path, HTTP-like status and fault of an update for the audit."""


class NameServer:
    """Answers queries from `serves`, and updates of the zones in `edits` (none on a secondary)."""

    def __init__(
        self, serves: Sequence[Served], edits: Sequence[Zone], *, keys: Keyring, faults: FaultRules, note: Note
    ) -> None:
        self._serves, self._edits = serves, edits
        self._keys, self._faults, self._note = keys, faults, note

    async def handle(self, wire: bytes, *, tcp: bool) -> bytes:
        """Answer one message. Raises Dropped when there will be no answer."""
        if len(wire) < _SHORTEST or wire[2] & 0x80:
            raise Dropped(reset=False)
        try:
            message = signature.read(wire, self._keys)
        except signature.Unverified as problem:
            if dns.opcode.from_flags(int.from_bytes(wire[2:4], "big")) == dns.opcode.UPDATE:
                self._note("UPDATE", "unverified", _STATUS[Rcode.NOTAUTH], "")
            return problem.answer
        kind = self._faults.due(*_called(message), provider=DNS)
        if kind.startswith("slow:"):
            await asyncio.sleep(float(kind.partition(":")[2]))
        await self._before(message, kind)
        if _answers_itself(kind):
            return self._failure(message, kind).to_wire()
        answer = self._answer(message, kind)
        await _after(kind)
        return _limited(message, answer, tcp=tcp)

    async def _before(self, message: Message, kind: str) -> None:
        """Faults by which the message never arrives."""
        if kind in ("timeout-before", "reset-before"):
            self._noted(message, 0, kind)
        if kind == "timeout-before":
            await asyncio.sleep(LONGEST_HANG)
        if kind == "reset-before":
            raise Dropped(reset=True)

    def _failure(self, message: Message, kind: str) -> Message:
        response = dns.message.make_response(message)
        response.set_rcode(Rcode.REFUSED if kind in _REFUSALS else Rcode.SERVFAIL)
        self._noted(message, _STATUS[response.rcode()], kind)
        return response

    def _answer(self, message: Message, kind: str) -> Message:
        if isinstance(message, UpdateMessage):
            response = dns.message.make_response(message)
            response.set_rcode(self._update(message))
            self._noted(message, 0 if kind in CONNECTION_KINDS else _STATUS[response.rcode()], kind)
            return response
        if message.opcode() != dns.opcode.QUERY:
            response = dns.message.make_response(message)
            response.set_rcode(Rcode.NOTIMP)
            return response
        return respond(message, [one.current for one in self._serves if one.current is not None])

    def _update(self, message: UpdateMessage) -> Rcode:
        """Do an update; what became of it."""
        try:
            name = update.zone_name(message)
            known = [one.current.origin for one in self._serves if one.current is not None]
            zone = next((one for one in self._edits if one.current.origin == name), None)
            if zone is None:
                return Rcode.REFUSED if name in known else Rcode.NOTAUTH
            if not message.had_tsig or message.keyname != zone.key_name:
                return Rcode.REFUSED
            zone.commit(update.applied(message, zone.current))
        except update.UpdateRefused as refusal:
            return refusal.rcode
        return Rcode.NOERROR

    def _noted(self, message: Message, status: int, kind: str) -> None:
        if isinstance(message, UpdateMessage):
            self._note("UPDATE", update.described(message), status, kind)


def _called(message: Message) -> tuple[str, str]:
    """Method and path by which fault rules know a message."""
    if isinstance(message, UpdateMessage):
        return "UPDATE", update.described(message)
    asked = [
        f"{q.name.to_text(omit_final_dot=True).lower()}/{dns.rdatatype.to_text(q.rdtype)}" for q in message.question
    ]
    return "QUERY", ",".join(asked)


def _answers_itself(kind: str) -> bool:
    return kind in (*STATUS_KINDS, *DNS_KINDS, "refuse")


async def _after(kind: str) -> None:
    """Faults by which the answer never arrives."""
    if kind == "timeout-after":
        await asyncio.sleep(LONGEST_HANG)
    if kind == "reset-after":
        raise Dropped(reset=True)


def _limited(query: Message, answer: Message, *, tcp: bool) -> bytes:
    """The wire form; over UDP no longer than the asker takes, marked truncated if cut (RFC 2181, 9)."""
    if tcp:
        return answer.to_wire(max_size=65535)
    largest = min(query.payload, _LARGEST_UDP) if query.edns >= 0 else _PLAIN_UDP
    return answer.to_wire(max_size=max(largest, _PLAIN_UDP), prefer_truncation=True)
