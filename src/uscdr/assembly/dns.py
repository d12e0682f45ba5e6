"""The zone of a place at its provider, and the name servers that decide."""

from __future__ import annotations

from uscdr.assembly.job import Job, Surroundings
from uscdr.assembly.ports import Ports
from uscdr.errors import BadInput
from uscdr.providers.dns.asking import parse_server
from uscdr.providers.dns.cloudflare import CloudflareZone
from uscdr.providers.dns.cloudflare_client import CloudflareClient
from uscdr.providers.dns.manual import ManualZone
from uscdr.providers.dns.rfc2136 import Rfc2136Zone
from uscdr.providers.dns.verifier import DnsVerifier
from uscdr.providers.ports.dns import Zone
from uscdr.scenarios.deps import DnsPlace
from uscdr.scenarios.model_targets import DnsTarget

EDITING = frozenset({"infra", "dns"})
"""Scenarios that edit the domain; all others do without its key."""


def dns_place(job: Job, ports: Ports, around: Surroundings) -> DnsPlace | None:
    """What steps are given; None when the target has no domain."""
    target = job.place.target.dns
    if target is None:
        return None
    servers = [parse_server(text) for text in target.name_servers]
    # named servers are all there is: then nothing is asked of the system's resolvers
    verifier = DnsVerifier(() if servers else None, servers=servers, stop=around.stop.event)
    return DnsPlace(zone=_zone(target, job, ports, around, verifier), verifier=verifier)


def _zone(target: DnsTarget, job: Job, ports: Ports, around: Surroundings, verifier: DnsVerifier) -> Zone:
    key = job.place.dns_key
    only_looks = job.dry_run or job.request.scenario not in EDITING
    if target.adapter == "manual" or (key is None and only_looks):
        return ManualZone(target.zone, verifier)
    if key is None:
        variable = "USCDR_CLOUDFLARE_TOKEN" if target.adapter == "cloudflare" else "USCDR_DNS_KEY"
        raise BadInput(
            f"The zone {target.zone} cannot be changed without its key.",
            next_action=f"Set {variable}, or write adapter: manual in scenarios.yaml.",
        )
    if target.adapter == "cloudflare":
        client = CloudflareClient(
            key, base_url=target.api_url, ca_file=job.place.ca_file, read_only=job.dry_run,
            stop=around.stop.event, on_wait=ports.waits, leave=around.leave,
        )  # fmt: skip
        return CloudflareZone(target.zone, ports.stack.enter_context(client))
    return Rfc2136Zone(
        target.zone, target.server or "", target.port, key_name=target.key_name or "", key=key,
        algorithm=target.algorithm, read_only=job.dry_run, leave=around.leave,
    )  # fmt: skip
