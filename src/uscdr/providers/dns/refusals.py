"""A DNS server's refusals as our errors: the table, by response code. Source: RFC 2136 section 3, RFC 8945."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dns.exception
import dns.rcode
import dns.tsig

from uscdr.errors import AnswerLost, CredentialsRefused, NotFound, ProviderError
from uscdr.providers.exchange import LOOK_FIRST
from uscdr.providers.refusal import Refusal

PROVIDER = "DNS server"

_KEY = "Check the name, secret and algorithm of the TSIG key, and that the server lets it change this zone."
_REACH = "Check the network and that the server runs, then run the command again."
_TARGET = "Check `server` and `zone` in the target's `dns` part."


@dataclass(frozen=True)
class Asked:
    """What a message is for, in words; `server` is where it goes."""

    what: str
    server: str
    writes: bool


_WRITING: Mapping[dns.rcode.Rcode, Refusal] = {
    dns.rcode.REFUSED: Refusal(CredentialsRefused, "it does not let this key change that", _KEY),
    dns.rcode.NOTAUTH: Refusal(NotFound, "it does not host this zone, or not for changes", _TARGET),
    dns.rcode.NOTZONE: Refusal(ProviderError, "the name does not lie in the zone", _TARGET),
    dns.rcode.NOTIMP: Refusal(ProviderError, "it takes no changes; it may be a secondary", _TARGET),
    dns.rcode.FORMERR: Refusal(ProviderError, "it did not understand the message", _TARGET),
}
_READING: Mapping[dns.rcode.Rcode, Refusal] = {
    dns.rcode.REFUSED: Refusal(NotFound, "it does not host that name, or not for this machine", _TARGET),
    dns.rcode.NOTAUTH: Refusal(CredentialsRefused, "it does not accept the TSIG key", _KEY),
    dns.rcode.FORMERR: Refusal(ProviderError, "it did not understand the message", _TARGET),
    dns.rcode.NOTIMP: Refusal(ProviderError, "it does not answer such questions", _TARGET),
}


def refused(asked: Asked, code: dns.rcode.Rcode) -> ProviderError:
    """The error for any response code but success. A write answered by an unlisted one is in doubt."""
    row = (_WRITING if asked.writes else _READING).get(code)
    name = dns.rcode.to_text(code)
    if row is not None:
        return row.kind(
            f"The DNS server refused to {asked.what}: {row.says}.",
            provider=PROVIDER,
            why=f"{asked.server} answered {name}.",
            next_action=row.next_action,
            error_id=name,
        )
    if asked.writes:
        return _lost(asked, f"answered {name}")
    return _failed(asked, f"answered {name}")


def not_accepted(asked: Asked, error: dns.tsig.PeerError) -> CredentialsRefused:
    """The server looked at our signature and turned it down: nothing was done."""
    clock = isinstance(error, dns.tsig.PeerBadTime)
    words = {
        dns.tsig.PeerBadKey: "it knows no key of that name",
        dns.tsig.PeerBadSignature: "the secret of the key is wrong",
        dns.tsig.PeerBadTime: "the clocks differ by more than five minutes",
    }
    return CredentialsRefused(
        f"The DNS server refused to {asked.what}: {words.get(type(error), 'it does not accept the signature')}.",
        provider=PROVIDER,
        why=f"{asked.server} answered NOTAUTH to the TSIG signature.",
        next_action="Set this machine's clock, then run the command again." if clock else _KEY,
        error_id=type(error).__name__,
    )


def never_arrived(asked: Asked, error: OSError) -> ProviderError:
    """No connection, so nothing was sent."""
    return ProviderError(
        f"The DNS server could not be reached to {asked.what}.",
        provider=PROVIDER,
        why=f"{asked.server}: {_network(error)}.",
        next_action=_REACH,
        retryable=True,
        sent=False,
    )


def broken(asked: Asked, error: Exception) -> ProviderError:
    """The message went out; what came back is nothing, or cannot be trusted."""
    if isinstance(error, dns.exception.Timeout):
        nature = "did not answer within the time limit"
    elif isinstance(error, (OSError, EOFError)):
        nature = "cut the connection"
    else:
        # The library's words can quote the peer's bytes; the kind says enough.
        nature = f"answered something that cannot be verified ({type(error).__name__})"
    return _lost(asked, nature) if asked.writes else _failed(asked, nature)


def _lost(asked: Asked, nature: str) -> AnswerLost:
    return AnswerLost(
        f"The DNS server was asked to {asked.what}; whether it did is not known.",
        provider=PROVIDER,
        why=f"{asked.server} {nature}.",
        next_action=LOOK_FIRST,
    )


def _failed(asked: Asked, nature: str) -> ProviderError:
    return ProviderError(
        f"The DNS server gave no usable answer when asked to {asked.what}.",
        provider=PROVIDER,
        why=f"{asked.server} {nature}.",
        next_action=_REACH,
        retryable=True,
    )


def _network(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no connection within the time limit"
    return error.strerror.lower() if error.strerror else "no connection"
