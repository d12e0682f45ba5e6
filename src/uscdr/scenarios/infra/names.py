"""Hostnames that no CNAME can be written for: what a person does about them, and whether that was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import MachineError, ProviderError
from uscdr.providers.ports.dns import Pointing

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.infra.old import OldPlace
    from uscdr.scenarios.results.infra import NameLeft

NO_DNS = "scenarios.yaml names no zone for this target (dns:)"
BY_HAND = "ALIAS, ANAME or a flattened CNAME, as the provider has it; no A record, the platform's addresses change"


def left_for(deps: Adapters, hostname: str) -> str:
    """Why a person has to make its record; empty when a CNAME can stand there. Errors as `Zone.read`."""
    return NO_DNS if deps.dns is None else deps.dns.zone.obstacle(hostname)


def as_task(left: NameLeft) -> str:
    """What a person does, in one line."""
    return f"point {left.hostname} at {left.target} ({BY_HAND}): {left.why}"


def is_led(deps: Adapters, left: NameLeft) -> bool | None:
    """Whether every name server leads it there, by comparing addresses; None when nobody can tell."""
    if deps.dns is None:
        return None
    try:
        return Pointing.seen(deps.dns.verifier, left.hostname, left.target).at_target
    except (ProviderError, MachineError):
        return None


def led_nowhere(deps: Adapters, old: OldPlace, hostname: str) -> bool:
    """Whether it is known that it did not lead to the old place: nobody reached it by that name.

    Of a place that lives the name servers tell, of one that is gone the kit: its target has no address any more.
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
