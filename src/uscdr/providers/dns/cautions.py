"""What follows from what is around a name. Pure: facts in, cautions out.

Source: RFC 1034 (aliases), RFC 4592 (wildcards), RFC 8659 (CAA); Heroku Dev Center, "Custom Domain Names" and
"Automated Certificate Management".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from uscdr.models.dns import Caution, RecordSet
from uscdr.providers.dns.surroundings import Surroundings

ISSUER = "letsencrypt.org"
"""Who issues the platform's automatic certificates."""
LONG_TTL = 300
"""Seconds; beyond it the old answer outlives the patience of those who wait."""
_ISSUE = re.compile(r'\d+ (?P<tag>issue|issuewild) "(?P<value>[^"]*)"', re.IGNORECASE)


def judge(around: Surroundings) -> tuple[Caution, ...]:
    """Every caution, the blocking ones first."""
    found = [caution for rule in _RULES for caution in rule(around)]
    return tuple(sorted(found, key=lambda caution: not caution.blocks))


def proxied(records: RecordSet) -> Caution | None:
    """What the provider's own word on a record adds: a proxy in front hides the target."""
    if records.extras.get("proxied") != "true":
        return None
    return Caution(
        name=records.name,
        what="The provider's proxy stands in front of this record.",
        so="Public answers never show the target, and automatic certificates fail behind it: "
        "verify by the provider's API and by the site itself, or turn the proxy off first.",
    )


def allows_issuer(records: RecordSet, *, wildcard: bool) -> bool:
    """Whether a CAA set lets the platform's issuer issue for the name."""
    found = [match for value in records.values if (match := _ISSUE.fullmatch(value))]
    tags = {match["tag"].lower() for match in found}
    tag = "issuewild" if wildcard and "issuewild" in tags else "issue"
    issuers = [match["value"].partition(";")[0].strip().lower() for match in found if match["tag"].lower() == tag]
    return not issuers or ISSUER in issuers


def _target(around: Surroundings) -> Iterator[Caution]:
    if not around.target:
        return  # the platform names it when the new application has the hostname
    if around.target_addresses == ():
        yield Caution(
            name=around.name,
            what=f"The target {around.target} has no address.",
            so="Pointing there would take the name off the net.",
            blocks=True,
        )
    elif around.target_addresses is None:
        yield Caution(
            name=around.name,
            what=f"Nobody could tell the addresses of the target {around.target}.",
            so="Look that it exists before pointing there.",
        )
    if around.target.endswith(".herokuapp.com"):
        yield Caution(
            name=around.name,
            what=f"The target {around.target} is the app's own name, not the domain's DNS target.",
            so="Automatic certificates will not be issued: use the target that the platform gives for this domain.",
        )


def _apex(around: Surroundings) -> Iterator[Caution]:
    if around.name == around.zone:
        yield Caution(
            name=around.name,
            what="This is the apex of its zone.",
            so="A CNAME cannot stand here: use an ALIAS or the provider's flattening; "
            "it is verified by comparing addresses.",
        )


def _caa(around: Surroundings) -> Iterator[Caution]:
    if around.caa is not None and not allows_issuer(around.caa, wildcard=around.name.startswith("*.")):
        yield Caution(
            name=around.name,
            what=f"CAA at {around.caa.name} does not allow {ISSUER}: {', '.join(around.caa.values)}.",
            so="Automatic certificates will not be issued; upload one, or add that issuer before the switch.",
            no_certificate=True,
        )


def _beside(around: Surroundings) -> Iterator[Caution]:
    if not around.kinds or around.name == around.zone:
        return
    kinds = ", ".join(around.kinds)
    yield Caution(
        name=around.name,
        what=f"Other records stand at this name: {kinds}.",
        so="A CNAME cannot stand beside them: a server may say yes and ignore it. Remove them in the same change.",
    )


def _leftover(around: Surroundings) -> Iterator[Caution]:
    if "AAAA" in around.kinds:
        yield Caution(
            name=around.name,
            what="An AAAA record stands at this name.",
            so="If it stays, clients with IPv6 go on to the old place.",
        )


def _ttl(around: Surroundings) -> Iterator[Caution]:
    longest = max((records.ttl for records in around.pointing), default=0)
    if longest > LONG_TTL:
        yield Caution(
            name=around.name,
            what=f"The present record has a TTL of {longest} s.",
            so=f"Resolvers may keep the old answer for up to {longest} s after the switch; lower it beforehand.",
        )


def _signed(around: Surroundings) -> Iterator[Caution]:
    if around.signed:
        yield Caution(
            name=around.name,
            what=f"The zone {around.zone} is signed (DNSSEC).",
            so="Its own servers sign a change by themselves; moving the zone elsewhere would break it.",
        )


def _wildcard(around: Surroundings) -> Iterator[Caution]:
    if around.name.startswith("*."):
        yield Caution(
            name=around.name,
            what="This name is a wildcard.",
            so="Automatic certificates do not cover wildcards: upload one.",
        )
    star = around.wildcard
    if star is None:
        return
    borrowed = any(records.type == star.type and records.values == star.values for records in around.pointing)
    yield Caution(
        name=around.name,
        what=f"The wildcard {star.name} ({star.type}) covers this name"
        + (" and may be what answers for it." if borrowed else "."),
        so="Without a record of its own the name is not unknown but points where the wildcard points.",
    )


def _hidden(around: Surroundings) -> Iterator[Caution]:
    behind = bool(around.hosts) and all(host.endswith(".ns.cloudflare.com") for host in around.hosts)
    aliased = any(records.type == "CNAME" for records in around.pointing)
    if behind and around.pointing and not aliased and around.name != around.zone:
        yield Caution(
            name=around.name,
            what="The name answers with addresses only, from servers of a proxying provider.",
            so="A proxy may stand in front of it: public answers would never show the target.",
        )


_RULES: tuple[Callable[[Surroundings], Iterator[Caution]], ...] = (
    _target,
    _apex,
    _caa,
    _beside,
    _leftover,
    _ttl,
    _signed,
    _wildcard,
    _hidden,
)
