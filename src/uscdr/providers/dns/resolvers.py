"""Recursive resolvers: for the names of servers and targets, never for the name that is about to change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import dns.exception
import dns.message
import dns.rdatatype
import dns.resolver

from uscdr.errors import ProviderError
from uscdr.models.dns import NameServer
from uscdr.providers.dns.asking import attempt
from uscdr.providers.dns.refusals import PROVIDER


class Resolvers:
    """`servers` in order of preference; None for the system's own, an empty sequence for none at all."""

    def __init__(self, servers: Sequence[NameServer] | None, *, timeout: float) -> None:
        self._given = servers
        self._timeout = timeout

    @cached_property
    def servers(self) -> tuple[NameServer, ...]:
        """Those that are asked; none when the system names none."""
        if self._given is not None:
            return tuple(self._given)
        try:
            system = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return ()
        addresses = (str(address) for address in system.nameservers)
        return tuple(NameServer(host=address, address=address, port=system.port) for address in addresses)

    def ask(self, name: str, record_type: str) -> dns.message.Message:
        """The first usable answer; `ProviderError` (retryable) when no resolver gives one."""
        for server in self.servers:
            _, answer = attempt(server, name, record_type, timeout=self._timeout, recursive=True)
            if answer is not None:
                return answer
        names = ", ".join(server.address for server in self.servers) or "none is configured"
        raise ProviderError(
            f"No resolver told the {record_type} of {name}.",
            provider=PROVIDER,
            why=f"Resolvers: {names}.",
            next_action="Check this machine's network; give `name_servers` in the target's `dns` part to do without.",
            retryable=True,
        )

    def addresses(self, host: str) -> tuple[str, ...]:
        """Every IPv4 and IPv6 address of a host, IPv4 first."""
        found = (address for kind in ("A", "AAAA") for address in addresses_in(self.ask(host, kind)))
        return tuple(dict.fromkeys(found))


def addresses_in(message: dns.message.Message) -> tuple[str, ...]:
    """Every address in the answer section, at whatever end of a chain of aliases."""
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
    return tuple(rdata.to_text() for rrset in message.answer if rrset.rdtype in kinds for rdata in rrset)
