"""Transaction signatures, RFC 8945: reading a signed message, and the answers to a bad signature."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from io import BytesIO

import dns.exception
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig
from dns.message import Message
from dns.name import Name
from dns.rcode import Rcode

Keyring = Mapping[Name, dns.tsig.Key]
_FUDGE = 300  # seconds
_ID, _COUNTS, _ADDITIONAL = slice(0, 2), 4, slice(10, 12)


class Unverified(Exception):
    """A message that cannot be believed. `answer` is what the sender is told."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("the signature of a message does not hold")
        self.answer = answer


def read(wire: bytes, keys: Keyring) -> Message:
    """Parse a message and check its signature if it has one. Raises Unverified."""
    try:
        return dns.message.from_wire(wire, keyring=dict(keys))
    except dns.message.UnknownTSIGKey as error:
        raise Unverified(_unsigned(wire, Rcode.BADKEY)) from error
    except (dns.tsig.BadKey, dns.tsig.BadAlgorithm) as error:
        raise Unverified(_unsigned(wire, Rcode.BADKEY)) from error
    except dns.tsig.BadTime as error:
        raise Unverified(_late(wire, keys)) from error
    except dns.tsig.BadSignature as error:
        raise Unverified(_unsigned(wire, Rcode.BADSIG)) from error
    except dns.exception.DNSException as error:
        raise Unverified(_malformed(wire)) from error


def _unsigned(wire: bytes, problem: Rcode) -> bytes:
    """NOTAUTH with the problem in a TSIG record that has no MAC (5.2.1, 5.2.2)."""
    query, owner, signed = _parts(wire)
    response = dns.message.make_response(query)
    response.set_rcode(Rcode.NOTAUTH)
    told = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]  # the library has no types here
        dns.rdataclass.ANY, dns.rdatatype.TSIG,
        signed.algorithm, signed.time_signed, signed.fudge, b"", query.id, problem, b"",
    )  # fmt: skip
    record = dns.rrset.from_rdata(owner, 0, told)
    body = response.to_wire()
    count = struct.unpack("!H", body[_ADDITIONAL])[0] + 1
    return body[:10] + struct.pack("!H", count) + body[12:] + _bytes_of(record)


def _bytes_of(record: dns.rrset.RRset) -> bytes:
    target = BytesIO()
    record.to_wire(target, None)
    return target.getvalue()


def _late(wire: bytes, keys: Keyring) -> bytes:
    """NOTAUTH, signed, with this server's time (5.2.3)."""
    query, owner, signed = _parts(wire)
    response = dns.message.make_response(query)
    response.set_rcode(Rcode.NOTAUTH)
    clock = struct.pack("!Q", int(time.time()))[2:]
    response.use_tsig(keys[owner], fudge=_FUDGE, tsig_error=int(Rcode.BADTIME), other_data=clock)
    response.request_mac = signed.mac
    return response.to_wire()


def _parts(wire: bytes) -> tuple[Message, Name, dns.rdtypes.ANY.TSIG.TSIG]:
    query = dns.message.from_wire(wire, keyring=False)
    if query.tsig is None:
        raise TypeError("a message without a signature has none that fails")
    signed = query.tsig[0]
    if not isinstance(signed, dns.rdtypes.ANY.TSIG.TSIG):
        raise TypeError("a TSIG set that holds something else")
    return query, query.tsig.name, signed


def _malformed(wire: bytes) -> bytes:
    """FORMERR to a message of which no more than the header can be read."""
    flags = 0x8000 | (struct.unpack("!H", wire[2:4])[0] & 0x7900) | Rcode.FORMERR
    return wire[_ID] + struct.pack("!H", flags) + bytes(2 * _COUNTS)
