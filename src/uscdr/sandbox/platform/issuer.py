"""Automated certificates: whether a hostname may have one is looked up in the zone, and takes time."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import dns.name
import dns.rdtypes.ANY.CAA
from dns.name import Name
from dns.rdatatype import CAA, CNAME

from uscdr.sandbox.dns.lookup import target_of, zone_of
from uscdr.sandbox.pki import Authority, Pair
from uscdr.sandbox.world.entities import Domain, SniEndpoint, new_id, now

if TYPE_CHECKING:
    from uscdr.sandbox.dns.records import Snapshot
    from uscdr.sandbox.world.apps import App

ISSUER = "letsencrypt.org"


@dataclass(frozen=True)
class Pace:
    """Seconds from verified to issued, and from the beginning to `failing` and `failed`."""

    issue: float = 0.5
    failing: float = 10.0
    failed: float = 3600.0


@dataclass(frozen=True)
class _Problem:
    reason: str
    at_once: bool = False


EXPIRED, WRONG_NAME, UNTRUSTED = "expired", "wrong-name", "untrusted"
GOOD = "good"
CERTIFICATES = (GOOD, EXPIRED, WRONG_NAME, UNTRUSTED)
"""What a hostname may be served with."""
_ENDED = timedelta(days=2)
_OTHER_NAME = "www.elsewhere.example"


class Issuer:
    """Certificates of all apps, signed by the sandbox's authority. `refusing` makes every validation fail for good."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.pace = Pace()
        self.refusing = False

    def advance(self, app: App, zones: Sequence[Snapshot], clock: float) -> None:
        """Bring the certificates of an app to what they are at `clock`, monotonic seconds."""
        for one in app.domains if app.acm else ():
            if one.kind == "custom" and one.acm_status not in ("cert issued", "failed"):
                self._step(app, one, zones, clock)

    def _step(self, app: App, one: Domain, zones: Sequence[Snapshot], clock: float) -> None:
        problem = problem_of(one, zones)
        if self.refusing:
            _set(one, "failed", "The certificate authority refused to validate this domain.")
        elif problem is not None:
            one.verified_at = None
            _set(one, self._delayed(problem, clock - one.acm_since), problem.reason)
        elif one.verified_at is None:
            one.verified_at = clock
            _set(one, "verified", None)
        elif clock - one.verified_at >= self.pace.issue:
            self.issue(app, one)

    def _delayed(self, problem: _Problem, waited: float) -> str:
        if waited >= self.pace.failed:
            return "failed"
        return "failing" if problem.at_once or waited >= self.pace.failing else "pending"

    def issue(self, app: App, one: Domain) -> None:
        """A certificate for a hostname, served from now on unless another one was chosen for it."""
        pair = self._authority.issue(one.hostname)
        made = SniEndpoint(f"tyrannosaurus-{secrets.randbelow(90000) + 10000}", pair.chain, pair.key, automated=True)
        app.certificates.append(made)
        one.sni_endpoint = one.sni_endpoint or made.id
        _set(one, "cert issued", None)

    def platform(self, hostname: str) -> Pair:
        """The platform's own certificate, of no app."""
        return self._authority.issue(hostname)

    def replace(self, endpoint: SniEndpoint, hostname: str, certificate: str) -> None:
        """Serve a hostname with another certificate, one of CERTIFICATES."""
        pair = self._made(hostname, certificate)
        endpoint.chain, endpoint.key, endpoint.certificate_id = pair.chain, pair.key, new_id()

    def _made(self, hostname: str, certificate: str) -> Pair:
        if certificate == UNTRUSTED:
            return Authority().issue(hostname)
        if certificate == WRONG_NAME:
            return self._authority.issue(_OTHER_NAME)
        return self._authority.issue(hostname, ended=_ENDED if certificate == EXPIRED else None)


def _set(one: Domain, status: str, reason: str | None) -> None:
    if (one.acm_status, one.acm_reason) != (status, reason):
        one.acm_status, one.acm_reason, one.updated_at = status, reason, now()


def problem_of(one: Domain, zones: Sequence[Snapshot]) -> _Problem | None:
    """What keeps a hostname from being validated."""
    name = dns.name.from_text(one.hostname)
    zone = zone_of(name, zones)
    alias = zone.get(name, CNAME) if zone and (name, CNAME) not in zone.proxied else None
    wanted = dns.name.from_text(one.cname) if one.cname else None
    if alias is None or wanted is None or target_of(alias) != wanted:
        return _Problem(f"Domain's DNS target doesn't match {one.cname or 'yet'}")
    if zone is not None and not caa_allows(zone, name):
        return _Problem(f"CAA record doesn't allow {ISSUER} to issue for this domain", at_once=True)
    return None


def caa_allows(zone: Snapshot, name: Name) -> bool:
    """Whether the nearest CAA set at or above a name lets the issuer issue (RFC 8659, 3)."""
    while zone.holds(name):
        found = zone.get(name, CAA)
        if found is not None:
            issuers = [one for one in found if isinstance(one, dns.rdtypes.ANY.CAA.CAA) and one.tag.lower() == b"issue"]
            named = [one.value.split(b";")[0].strip().lower() for one in issuers]
            return not issuers or ISSUER.encode() in named
        name = name.parent()
    return True
