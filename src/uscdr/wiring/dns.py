"""The target's zone at its provider, and the name servers that decide."""

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
"""Scenarios that edit the domain; all others do without its key."""


def dns_access(context: RunContext, stack: ExitStack) -> DnsAccess | None:
    """What steps are given; None when the target has no domain. Raises BadInput for a zone without its key."""
    from uscdr.providers.dns.query import parse_server
    from uscdr.providers.dns.verifier import DnsVerifier

    target = context.target.services.dns
    if target is None:
        return None
    servers = [parse_server(text) for text in target.name_servers]
    # named servers are all there is: then nothing is asked of the system's resolvers
    verifier = DnsVerifier(() if servers else None, servers=servers, stop=context.stop.event)
    return DnsAccess(zone=_zone(target, context, stack, verifier), verifier=verifier)


def _zone(target: DnsTarget, context: RunContext, stack: ExitStack, verifier: DnsVerifier) -> Zone:
    key = context.target.dns_key
    only_looks = context.dry_run or context.request.scenario not in EDITING
    if target.adapter == "manual" or (key is None and only_looks):
        from uscdr.providers.dns.manual import ManualZone

        return ManualZone(target.zone, verifier)
    if key is None:
        variable = "USCDR_CLOUDFLARE_TOKEN" if target.adapter == "cloudflare" else "USCDR_DNS_KEY"
        raise BadInput(
            f"uscdr cannot change the zone {target.zone} without its key.",
            next_action=f"Set {variable}, or write adapter: manual in scenarios.yaml.",
        )
    if target.adapter == "cloudflare":
        from uscdr.providers.dns.cloudflare import CloudflareClient, CloudflareZone

        client = CloudflareClient(
            key, base_url=target.api_url, ca_file=context.target.ca_file, read_only=context.dry_run,
            stop=context.stop.event, on_wait=context.waits, leave=context.guard,
        )  # fmt: skip
        return CloudflareZone(target.zone, stack.enter_context(client))
    from uscdr.providers.dns.rfc2136 import Rfc2136Zone

    return Rfc2136Zone(
        target.zone, target.server or "", target.port, key_name=target.key_name or "", key=key,
        algorithm=target.algorithm, read_only=context.dry_run, leave=context.guard,
    )  # fmt: skip
