"""A zone that its server signs: only BIND does that here."""

from dataclasses import replace

import name_servers
from zone_places import NEW, OLD, Place

from uscdr.models.dns import RecordSet
from uscdr.providers.dns.verifier import DnsVerifier

WWW = f"www.{name_servers.SIGNED}"


def test_a_signed_zone_is_changed_and_told(bind: Place) -> None:
    signed = replace(bind, zone=name_servers.SIGNED)
    old, new = (RecordSet(name=WWW, type="CNAME", ttl=300, values=(target,)) for target in (OLD, NEW))
    signed.open().swap(WWW, "CNAME", old, new)
    assert signed.truth(WWW, "CNAME") == [f"300 {NEW}."]
    verifier = DnsVerifier((), servers=signed.servers[:1])
    assert any("DNSSEC" in caution.what for caution in verifier.cautions(WWW, NEW))
    signed.open().swap(WWW, "CNAME", new, old)
