"""The zones in service: the one that is edited, its copy on a second server, and the platform's own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import dns.name
import dns.rdataset
from dns.name import Name
from dns.rdata import Rdata

from uscdr.sandbox.dns.records import Draft, Snapshot, rdata

_PARAMETERS = "3600 600 86400 5"  # refresh, retry, expire, negative TTL, in seconds
_NAME_TTL = 300
Mode = Literal["follow", "stuck", "lame"]


class Served(Protocol):
    """Something with a current version to answer from."""

    @property
    def current(self) -> Snapshot | None:
        """The version served now; None for a server that does not know the zone."""
        ...


@dataclass(slots=True)
class Mark:
    """What the provider keeps of a record beside the record."""

    id: str = field(default_factory=lambda: secrets.token_hex(16))
    automatic: bool = False
    comment: str | None = None


class Zone:
    """A zone that is edited. `key_name` is the only key that may; None: nobody may."""

    def __init__(self, snapshot: Snapshot, *, key_name: Name | None) -> None:
        self.current = snapshot
        self.id = secrets.token_hex(16)
        self.key_name = key_name
        self.marks: dict[tuple[Name, Rdata], Mark] = {}
        self._followers: list[Callable[[Snapshot], None]] = []

    @property
    def name(self) -> str:
        """Without a final dot."""
        return self.current.origin.to_text(omit_final_dot=True)

    def follow(self, follower: Callable[[Snapshot], None]) -> None:
        """Tell `follower` of every later version."""
        self._followers.append(follower)

    def edit(self) -> Draft:
        """A draft of the next version."""
        return Draft(self.current)

    def commit(self, snapshot: Snapshot) -> None:
        """Serve another version; the one that is served already is no news."""
        if snapshot is self.current:
            return
        self.current = snapshot
        for tell in self._followers:
            tell(snapshot)

    def mark(self, name: Name, data: Rdata) -> Mark:
        """The record's mark; a record that came some other way gets its own now."""
        return self.marks.setdefault((name, data), Mark())


class Copy:
    """What a secondary serves: every version, some seconds late."""

    def __init__(self, zone: Zone, lag: float) -> None:
        self._zone = zone
        self._held: Snapshot = zone.current
        self._pending: list[asyncio.TimerHandle] = []
        self.lag = lag
        self.mode: Mode = "follow"
        zone.follow(self._heard)

    @property
    def current(self) -> Snapshot | None:
        """The version that has arrived; a lame server has none."""
        return None if self.mode == "lame" else self._held

    def _heard(self, snapshot: Snapshot) -> None:
        if self.mode == "follow":
            loop = asyncio.get_running_loop()
            self._pending = [one for one in self._pending if one.when() > loop.time()]
            self._pending.append(loop.call_later(self.lag, self._take, snapshot))

    def _take(self, snapshot: Snapshot) -> None:
        self._held = snapshot

    def switch(self, mode: Mode) -> None:
        """Follow, keep the version of now for ever, or know nothing of the zone."""
        self.mode = mode
        if mode == "follow":
            self._heard(self._zone.current)
        else:
            self.close()

    def close(self) -> None:
        """Drop what has not arrived yet."""
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()


class Targets:
    """The platform's zone: one address for every DNS target that exists at the moment."""

    def __init__(self, origin: str, hosts: Callable[[], Iterable[str]]) -> None:
        self._base = new_zone(origin, {})
        self._hosts = hosts

    @property
    def current(self) -> Snapshot | None:
        """Made afresh from the targets of now."""
        sets = dict(self._base.sets)
        for host in self._hosts():
            address = rdata("A", "127.0.0.1")
            sets[(dns.name.from_text(host), address.rdtype)] = dns.rdataset.from_rdata(_NAME_TTL, address)
        return Snapshot(self._base.origin, sets)


def new_zone(origin: str, records: Mapping[tuple[str, str], tuple[int, tuple[str, ...]]]) -> Snapshot:
    """A zone with SOA and two name servers, `ns1` and `ns2`, both on loopback.

    `records` maps a relative name (`@` for the apex) and a type to a TTL in seconds and values.
    """
    apex = dns.name.from_text(origin)
    base = {
        ("@", "SOA"): (_NAME_TTL, (f"ns1 hostmaster 2026010101 {_PARAMETERS}",)),
        ("@", "NS"): (_NAME_TTL, ("ns1", "ns2")),
        ("ns1", "A"): (_NAME_TTL, ("127.0.0.1",)),
        ("ns2", "A"): (_NAME_TTL, ("127.0.0.1",)),
    }
    sets = {}
    for (name, kind), (ttl, values) in {**base, **records}.items():
        data = [rdata(kind, value, apex) for value in values]
        sets[(dns.name.from_text(name, apex), data[0].rdtype)] = dns.rdataset.from_rdata_list(ttl, data)
    return Snapshot(apex, sets)
