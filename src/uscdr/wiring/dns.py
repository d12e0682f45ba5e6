"""Opens the target's DNS zone at its provider, and its authoritative name servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import BadInput
from uscdr.scenarios.adapters import DnsAccess

if TYPE_CHECKING:
    from contextlib import ExitStack

    from uscdr.providers.dns.verifier import DnsVerifier
    from uscdr.providers.ports.dns import Zone
    from uscdr.scenarios.config_targets import DnsTarget
    from uscdr.wiring.context import RunContext

EDITING = frozenset({"infra", "dns"})
"""Scenarios that edit the DNS zone; the others do not need its key."""


def dns_access(context: RunContext, stack: ExitStack) -> DnsAccess | None:
    """The DNS access of the steps; None when the target has no domain. Raises BadInput for a zone without its key."""
    from uscdr.providers.dns.query import parse_server
    from uscdr.providers.dns.verifier import DnsVerifier

    service = context.target.services.dns
    if service is None:
        return None
    servers = [parse_server(text) for text in service.name_servers]
    # if scenarios.yaml names servers, ask only those, not the system's resolvers
    verifier = DnsVerifier(() if servers else None, servers=servers, stop=context.stop.event)
    return DnsAccess(zone=_zone(service, context, stack, verifier), verifier=verifier)


def _zone(service: DnsTarget, context: RunContext, stack: ExitStack, verifier: DnsVerifier) -> Zone:
    key = context.target.dns_key
    read_only = context.dry_run or context.request.scenario not in EDITING
    if service.adapter == "manual" or (key is None and read_only):
        from uscdr.providers.dns.manual import ManualZone

        return ManualZone(service.zone, verifier)
    if key is None:
        variable = "USCDR_CLOUDFLARE_TOKEN" if service.adapter == "cloudflare" else "USCDR_DNS_KEY"
        raise BadInput(
            f"uscdr cannot change the zone {service.zone} without its key.",
            next_action=f"Set {variable}, or write adapter: manual in scenarios.yaml.",
        )
    if service.adapter == "cloudflare":
        from uscdr.providers.dns.cloudflare import CloudflareClient, CloudflareZone

        client = CloudflareClient(
            key, base_url=service.api_url, ca_file=context.target.ca_file, read_only=context.dry_run,
            stop=context.stop.event, on_wait=context.waits, leave=context.guard,
        )  # fmt: skip
        return CloudflareZone(service.zone, stack.enter_context(client))
    from uscdr.providers.dns.rfc2136 import Rfc2136Zone

    return Rfc2136Zone(
        service.zone, service.server or "", service.port, key_name=service.key_name or "", key=key,
        algorithm=service.algorithm, read_only=context.dry_run, leave=context.guard,
    )  # fmt: skip
