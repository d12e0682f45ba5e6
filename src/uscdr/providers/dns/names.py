"""Host names as the models keep them: absolute, lower case, without a final dot."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.name

from uscdr.errors import ConfigError


def normal(name: str) -> str:
    """The form of the models; `ConfigError` for what can be no name."""
    return wire_name(name).to_text(omit_final_dot=True).lower()


def wire_name(name: str) -> dns.name.Name:
    """The name as a message carries it; international letters become their ASCII form."""
    try:
        return dns.name.from_text(name.strip().lower())
    except (dns.exception.DNSException, UnicodeError):
        raise ConfigError(
            f"{name!r} is no host name.", next_action="Correct the name in the target's `dns` part."
        ) from None


def parent(name: str) -> str:
    """The name without its first label; empty for a top-level name."""
    return name.partition(".")[2]


def ancestors(name: str) -> Iterator[str]:
    """`name` and every name above it, nearest first, without the root."""
    while name:
        yield name
        name = parent(name)


def is_within(name: str, zone: str) -> bool:
    """Whether `name` is the zone's apex or lies below it. The root is an empty name."""
    return not zone or name == zone or name.endswith(f".{zone}")
