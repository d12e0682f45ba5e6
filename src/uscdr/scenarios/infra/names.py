"""Hostnames that no CNAME can be written for: what a person does about them, and whether that was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import MachineError, ProviderError
from uscdr.providers.ports.dns import leads

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.infra import NameLeft

NO_DNS = "scenarios.yaml names no zone for this target (dns:)"


def left_for(deps: Adapters, hostname: str) -> str:
    """Why a person has to make its record; empty when a CNAME can stand there. Errors as `Zone.read`."""
    return NO_DNS if deps.dns is None else deps.dns.zone.obstacle(hostname)


def is_led(deps: Adapters, left: NameLeft) -> bool | None:
    """Whether every name server leads it there, by comparing addresses; None when nobody can tell."""
    if deps.dns is None:
        return None
    try:
        return leads(deps.dns.verifier, left.hostname, left.target)
    except (ProviderError, MachineError):
        return None
