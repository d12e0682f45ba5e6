"""In drills and on a sandbox nobody outside of this machine is told anything."""

from __future__ import annotations

from uscdr.errors import WriteRefused
from uscdr.settings import is_loopback_host


def require_loopback(host: str, *, provider: str) -> None:
    """Raise `WriteRefused` unless `host` is a literal loopback address or `localhost`: no name is looked up."""
    if not is_loopback_host(host):
        raise WriteRefused(
            f"uscdr does not send notices by {provider} in a drill: its host is not this machine.", provider=provider
        )
