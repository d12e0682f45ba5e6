"""Hostnames that cannot have a CNAME: what a person does about them, and whether that was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import MachineError, ProviderError
from uscdr.providers.ports.dns import Pointing

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.infra.old import OldApplication
    from uscdr.scenarios.results.infra import NameLeft

NO_DNS = "scenarios.yaml names no zone for this target (dns:)"


def left_for(deps: Adapters, hostname: str) -> str:
    """Why a person must create its record; empty when it can have a CNAME. Errors as `Zone.read`."""
    return NO_DNS if deps.dns is None else deps.dns.zone.obstacle(hostname)


def is_led(deps: Adapters, left: NameLeft) -> bool | None:
    """Whether every name server leads it there, by comparing addresses; None when that is unknown."""
    if deps.dns is None:
        return None
    try:
        return Pointing.seen(deps.dns.verifier, left.hostname, left.target).at_target
    except (ProviderError, MachineError):
        return None


def led_nowhere(deps: Adapters, old: OldApplication, hostname: str) -> bool:
    """Whether the hostname is known not to have led to the old place, so that nobody used it.

    While the old place lives, the name servers decide; when it is gone, the kit does, for its target has no address.
    """
    target = next((one.cname for one in old.facts.domains if one.hostname == hostname), None) if old.facts else None
    if old.answers and deps.dns is not None:
        try:
            seen = Pointing.seen(deps.dns.verifier, hostname, target) if target else None
            return seen is not None and seen.at_target_or_unknown(deps.dns.verifier) is False
        except (ProviderError, MachineError):
            return False
    kept = deps.kit.dns() if deps.kit is not None else None
    return any(host.hostname == hostname and host.led is False for host in (kept.hosts if kept else ()))
