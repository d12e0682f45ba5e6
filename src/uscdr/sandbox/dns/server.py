"""The DNS of a sandbox: a primary that takes updates, a secondary that follows it, and their zones."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import dns.name
import dns.rdatatype
import dns.tsig

from uscdr.sandbox.dns.nameserver import NameServer, Note
from uscdr.sandbox.dns.records import Snapshot, rdata
from uscdr.sandbox.dns.sockets import DnsPort
from uscdr.sandbox.dns.zone import Copy, Served, Targets, Zone, new_zone
from uscdr.sandbox.faults.rules import FaultRules

ZONE = "usc-pis.example"
HOSTNAME = f"www.{ZONE}"
FOREIGN_ZONE = "partner-clinic.example"
"""A zone of somebody else: neither the key nor the token may change it."""
PLATFORM_ZONE = "herokudns.com"
KEY_NAME, ALGORITHM = "uscdr-sandbox", "hmac-sha256"
_KEY_BYTES = 32
_OTHER_TTL = 3600


@dataclass(frozen=True)
class DnsSpec:
    """TTL of what the application's zone points to it with, and the secondary's delay; both in seconds."""

    ttl: int = 5
    lag: float = 0.3
    caa: tuple[str, ...] = ()
    """Issuers allowed at the apex; none named: no CAA record."""


def clinic_zone(spec: DnsSpec) -> Snapshot:
    """The application's zone; `www` points nowhere real until an app is there."""
    records = {
        ("@", "A"): (spec.ttl, ("192.0.2.10", "192.0.2.11")),
        ("@", "MX"): (_OTHER_TTL, ("10 mail",)),
        ("@", "TXT"): (_OTHER_TTL, ('"v=spf1 mx -all"', '"clinic-verification=4f1d"')),
        ("mail", "A"): (_OTHER_TTL, ("192.0.2.25",)),
        ("www", "CNAME"): (spec.ttl, (f"parked.{PLATFORM_ZONE}.",)),
    }
    if spec.caa:
        records[("@", "CAA")] = (_OTHER_TTL, tuple(f'0 issue "{issuer}"' for issuer in spec.caa))
    return new_zone(ZONE, records)


def _foreign_zone() -> Snapshot:
    return new_zone(FOREIGN_ZONE, {("www", "CNAME"): (_OTHER_TTL, (f"elsewhere.{PLATFORM_ZONE}.",))})


@dataclass
class Hosting:
    """The zones and their servers."""

    zone: Zone
    foreign: Zone
    platform: Served
    copies: tuple[Copy, ...]
    primary: DnsPort
    secondary: DnsPort
    key: str = field(repr=False)
    token: str = field(repr=False)

    def contract(self, records_url: str, secure_records_url: str) -> dict[str, Any]:
        """What a client needs to know; the URLs are those of the records API, plain and over TLS."""
        return {
            "zone": ZONE,
            "hostname": HOSTNAME,
            "foreign_zone": FOREIGN_ZONE,
            "server": "127.0.0.1",
            "port": self.primary.port,
            "key_name": KEY_NAME,
            "key": self.key,
            "algorithm": ALGORITHM,
            "name_servers": [f"127.0.0.1:{one.port}" for one in (self.primary, self.secondary)],
            "cloudflare": {
                "base_url": f"{records_url}/client/v4",
                "secure_base_url": f"{secure_records_url}/client/v4",
                "token": self.token,
            },
        }

    def point(self, hostname: str, target: str) -> None:
        """Let a hostname of the application's zone be an alias of a DNS target."""
        name, draft = dns.name.from_text(hostname), self.zone.edit()
        former = self.zone.current.get(name, dns.rdatatype.CNAME)
        draft.delete_name(name)
        draft.add(name, former.ttl if former else _OTHER_TTL, rdata("CNAME", f"{target}."))
        self.zone.commit(draft.finish())

    def zones(self) -> list[Snapshot]:
        """Every zone as it is at the primary."""
        return [one.current for one in (self.zone, self.foreign, self.platform) if one.current is not None]

    async def stop(self) -> None:
        """Close both servers."""
        for copy in self.copies:
            copy.close()
        await self.primary.stop()
        await self.secondary.stop()


def _unnoted(_method: str, _path: str, _status: int, _fault: str) -> None:
    return None


def _no_targets() -> Iterable[str]:
    return ()


async def start(
    spec: DnsSpec,
    *,
    faults: FaultRules | None = None,
    note: Note = _unnoted,
    targets: Callable[[], Iterable[str]] = _no_targets,
) -> Hosting:
    """Start both servers on free loopback ports; `targets` gives the platform's DNS targets of the moment."""
    key_name = dns.name.from_text(KEY_NAME)
    secret = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    zone, foreign = Zone(clinic_zone(spec), key_name=key_name), Zone(_foreign_zone(), key_name=None)
    copies = (Copy(zone, spec.lag), Copy(foreign, spec.lag))
    keys = {key_name: dns.tsig.Key(key_name, secret, algorithm=dns.tsig.HMAC_SHA256)}
    platform = Targets(PLATFORM_ZONE, targets)
    token = secrets.token_urlsafe(30)
    hosting = Hosting(zone, foreign, platform, copies, DnsPort(), DnsPort(), secret, token)
    rules = faults or FaultRules()
    first = NameServer((zone, foreign, platform), (zone, foreign), keys=keys, faults=rules, note=note)
    second = NameServer((*copies, platform), (), keys=keys, faults=rules, note=note)
    await hosting.primary.start(first.handle)
    await hosting.secondary.start(second.handle)
    return hosting
