"""Finding the servers of a name from outside, without asking a resolver for the name itself."""

import dns.rcode
import pytest
from responder import Responder, Table, code, several

from uscdr.errors import ConfigError, ProviderError
from uscdr.models.dns import NameServer, RecordSet
from uscdr.providers.dns.query import parse_server
from uscdr.providers.dns.verifier import DnsVerifier

ABOVE, FIRST, SECOND = "127.0.0.2", "127.0.0.3", "127.0.0.4"
WWW, APEX = "www.clinic.example", "clinic.example"
RESOLVED = {
    "example NS": ("ns.registry.test.",),
    "ns.registry.test A": (ABOVE,),
    # The child's own word names one server only; the delegation names two.
    "clinic.example NS": ("a.host.test.",),
    "a.host.test A": (FIRST,),
    "b.host.test A": (SECOND,),
}
RESOLVER = Table("example clinic.example test", RESOLVED, authoritative=False)
REGISTRY = Table("example", {}, delegated={APEX: ("a.host.test.", "b.host.test.")})
ZONE = Table(APEX, {f"{WWW} CNAME": ("app.herokudns.com.",), f"{APEX} A": ("192.0.2.1",)})
WANTED = RecordSet(name=WWW, type="CNAME", ttl=300, values=("app.herokudns.com",))


def free() -> int:
    spare = Responder(RESOLVER)
    spare.close()
    return spare.port


def verifier(resolver: Responder, port: int) -> DnsVerifier:
    return DnsVerifier([NameServer(host="r", address="127.0.0.1", port=resolver.port)], port=port, timeout=0.5)


def test_servers_are_those_the_parent_names_and_the_resolver_never_hears_the_name() -> None:
    port = free()
    with several(port, {ABOVE: REGISTRY, FIRST: ZONE, SECOND: ZONE, "127.0.0.1": RESOLVER}) as running:
        resolver = running["127.0.0.1"]
        looking = verifier(resolver, port)
        sighting = looking.look(WWW, "CNAME")
        assert [one.server.address for one in sighting.answers] == [FIRST, SECOND]
        assert sighting.all_say(WANTED)
        assert {one.serial for one in sighting.answers} == {7}
        assert looking.zone(WWW) == APEX
        assert WWW not in {name for _, name, _ in resolver.asked}


def test_an_apex_is_found_without_asking_the_resolver_for_it() -> None:
    port = free()
    with several(port, {ABOVE: REGISTRY, FIRST: ZONE, SECOND: ZONE, "127.0.0.1": RESOLVER}) as running:
        looking = verifier(running["127.0.0.1"], port)
        assert looking.zone(APEX) == APEX
        assert [one.address for one in looking.authoritative_servers(APEX)] == [FIRST, SECOND]
        assert APEX not in {name for _, name, _ in running["127.0.0.1"].asked}


def test_without_the_parent_the_resolver_tells_the_servers() -> None:
    port = free()
    with several(port, {FIRST: ZONE, SECOND: ZONE, "127.0.0.1": RESOLVER}) as running:
        found = verifier(running["127.0.0.1"], port).authoritative_servers(WWW)
        assert [one.address for one in found] == [FIRST]


def test_a_found_set_of_servers_is_asked_again_without_a_search() -> None:
    port = free()
    with several(port, {ABOVE: REGISTRY, FIRST: ZONE, SECOND: ZONE, "127.0.0.1": RESOLVER}) as running:
        looking = verifier(running["127.0.0.1"], port)
        looking.look(WWW, "CNAME")
        before = len(running["127.0.0.1"].asked)
        looking.look(WWW, "CNAME")
        assert len(running["127.0.0.1"].asked) == before


def test_an_address_without_a_route_is_left_out_where_its_host_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uscdr.providers.dns.survey.has_route", lambda server: ":" not in server.address)
    table = Table(RESOLVER.zone, {**RESOLVED, "a.host.test AAAA": ("2001:db8::3",)}, authoritative=False)
    port = free()
    with several(port, {ABOVE: REGISTRY, FIRST: ZONE, SECOND: ZONE, "127.0.0.1": table}) as running:
        found = verifier(running["127.0.0.1"], port).authoritative_servers(WWW)
    assert [one.address for one in found] == [FIRST, SECOND]


def test_a_resolver_that_fails_is_passed_over_and_none_left_is_an_error() -> None:
    bad = Responder(code(dns.rcode.SERVFAIL))
    try:
        looking = DnsVerifier([NameServer(host="r", address="127.0.0.1", port=bad.port)], timeout=0.5)
        with pytest.raises(ProviderError, match="No resolver answered for") as caught:
            looking.look(WWW, "CNAME")
        assert caught.value.retryable
    finally:
        bad.close()
    with pytest.raises(ProviderError, match="No resolver answered for"):
        DnsVerifier(()).look(WWW, "CNAME")


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [("192.0.2.1", "192.0.2.1", 53), ("192.0.2.1:5353", "192.0.2.1", 5353), ("[2001:db8::1]:54", "2001:db8::1", 54)],
)
def test_servers_in_a_configuration(text: str, address: str, port: int) -> None:
    assert parse_server(text) == NameServer(host=address, address=address, port=port)


def test_an_ipv6_address_needs_no_brackets_without_a_port() -> None:
    assert parse_server("2001:db8::1").address == "2001:db8::1"


@pytest.mark.parametrize(
    "text", ["192.0.2.1:0", "192.0.2.1:65536", "ns1.example.org", "192.0.2.1:port", "", "[2001:db8::1"]
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_server(text)
