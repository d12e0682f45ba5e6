"""Config variables of the new place: all of the old ones, but for the few that must change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.scenarios.model_recovery import Recovery


@dataclass(frozen=True)
class NewConfig:
    """`values` are set in one call before the first deploy; `withheld` after the switch."""

    values: Mapping[str, SecretStr] = field(repr=False)
    withheld: Mapping[str, SecretStr] = field(repr=False)
    changed: tuple[str, ...]
    from_addons: tuple[str, ...]


def new_config(
    old: Mapping[str, SecretStr], recovery: Recovery, *, from_addons: frozenset[str], old_url: str, new_url: str
) -> NewConfig:
    """Which value each variable gets. `old_url` and `new_url` are the applications' own addresses at the platform."""
    values: dict[str, SecretStr] = {}
    withheld: dict[str, SecretStr] = {}
    changed: list[str] = []
    for name, value in sorted(old.items()):
        if name in from_addons:
            continue
        fresh = _adapted(name, value, recovery, old_url, new_url)
        if fresh is not value:
            changed.append(name)
        (withheld if name in recovery.silenced else values)[name] = fresh
    return NewConfig(values, withheld, tuple(changed), tuple(sorted(from_addons & old.keys())))


def _adapted(name: str, value: SecretStr, recovery: Recovery, old_url: str, new_url: str) -> SecretStr:
    """The value in the new place; the very same object when nothing has to change."""
    text = value.get_secret_value()
    if name in recovery.own_address and old_url and _host(text) == _host(old_url):
        return SecretStr(new_url.rstrip("/"))
    bare = _host(new_url).partition(":")[0]  # a list of allowed hosts knows no ports
    if name == recovery.hosts and new_url and not _lists(text, bare):
        return SecretStr(f"{text},{bare}" if text else bare)
    return value


def _host(url: str) -> str:
    split = urlsplit(url if "//" in url else f"//{url}")
    return split.netloc.lower()


def _lists(hosts: str, bare: str) -> bool:
    """Whether a list of allowed hosts has this one, by name or by a leading dot."""
    listed = [entry.strip().lower() for entry in hosts.split(",")]
    return any(entry in ("*", bare) or (entry.startswith(".") and bare.endswith(entry)) for entry in listed)
