"""The name servers as a client meets them: answers, updates, signatures, the second server's delay, faults."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator

import dns.exception
import dns.flags
import dns.query
import dns.resolver
import dns.tsig
import dns.update
import pytest

from dns_place import LIMIT, Place, opened
from live_sandbox import until
from uscdr.sandbox.dns.server import DnsSpec

WWW, TARGET = "www.usc-pis.example.", "serene-river-1a2b3c.herokudns.com"
PARKED = "parked.herokudns.com."


@pytest.fixture
def place() -> Iterator[Place]:
    with opened(DnsSpec(lag=0.05, caa=("letsencrypt.org",)), targets=(TARGET,)) as running:
        yield running


def switched(place: Place, old: str, new: str, ttl: int = 60) -> dns.update.UpdateMessage:
    message = place.message()
    message.present(WWW, "CNAME", old)
    message.replace(WWW, ttl, "CNAME", new)
    return message


@pytest.mark.parametrize("tcp", [False, True])
def test_an_answer_is_authoritative(place: Place, tcp: bool) -> None:
    answer = place.ask(WWW, "CNAME", tcp=tcp)
    assert answer.flags & dns.flags.AA
    assert not answer.flags & dns.flags.RA
    assert [one.to_text() for one in answer.answer] == [f"{WWW} 5 IN CNAME {PARKED}"]


def test_the_zone_has_what_must_never_be_touched(place: Place) -> None:
    zone = "usc-pis.example"
    assert place.values(zone, "NS") == ["ns1.usc-pis.example.", "ns2.usc-pis.example."]
    assert place.values(zone, "A") == ["192.0.2.10", "192.0.2.11"]
    assert place.values(zone, "CAA") == ['0 issue "letsencrypt.org"']
    assert place.values(zone, "MX") == ["10 mail.usc-pis.example."]
    assert len(place.values(zone, "TXT")) == 2
    assert place.values("ns2.usc-pis.example", "A") == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [("nobody.usc-pis.example", "A", "NXDOMAIN"), ("mail.usc-pis.example", "AAAA", "NOERROR")],
)
def test_what_is_not_there_is_denied_with_the_soa(place: Place, name: str, kind: str, rcode: str) -> None:
    answer = place.ask(name, kind)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert (answer.answer, answer.authority[0].rdtype) == ([], dns.rdatatype.SOA)
    assert answer.authority[0].ttl == 5


def test_other_zones_and_transfers_are_refused(place: Place) -> None:
    assert place.ask("example.org", "A").rcode() == dns.rcode.REFUSED
    assert place.ask("usc-pis.example", "AXFR", tcp=True).rcode() == dns.rcode.REFUSED


def test_an_alias_is_followed_for_a_resolver_where_its_target_is_served(place: Place) -> None:
    assert place.send(switched(place, PARKED, f"{TARGET}.")) == "NOERROR"
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], place.hosting.primary.port, LIMIT
    found = resolver.resolve(WWW, "A")
    assert (found.canonical_name.to_text(), found[0].to_text()) == (f"{TARGET}.", "127.0.0.1")


def test_an_alias_out_of_the_zone_is_not_followed_without_being_asked(place: Place) -> None:
    place.send(switched(place, PARKED, f"{TARGET}."))
    assert [one.rdtype for one in place.ask(WWW, "A").answer] == [dns.rdatatype.CNAME]


def test_an_answer_too_long_for_udp_is_truncated(place: Place) -> None:
    message = place.message()
    for number in range(12):
        message.add("many.usc-pis.example.", 60, "TXT", f'"{number:0100}"')
    assert place.send(message) == "NOERROR"
    assert place.ask("many.usc-pis.example", "TXT").flags & dns.flags.TC
    whole = place.ask("many.usc-pis.example", "TXT", tcp=True)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 12


def test_a_wildcard_answers_for_names_that_are_not_there(place: Place) -> None:
    message = place.message()
    message.add("*.usc-pis.example.", 60, "A", "192.0.2.99")
    place.send(message)
    assert place.values("a.b.usc-pis.example", "A") == ["192.0.2.99"]
    assert place.values("mail.usc-pis.example", "A") == ["192.0.2.25"]
    assert place.values("mail.usc-pis.example", "AAAA") == []


def test_a_switch_is_one_transaction_with_a_new_serial(place: Place) -> None:
    before = place.serial()
    assert place.send(switched(place, PARKED, f"{TARGET}.")) == "NOERROR"
    assert [one.to_text() for one in place.ask(WWW, "CNAME").answer] == [f"{WWW} 60 IN CNAME {TARGET}."]
    assert place.serial() == before + 1
    assert place.notes == [("UPDATE", "www.usc-pis.example/CNAME", 200, "")]


def test_a_stale_prerequisite_changes_nothing(place: Place) -> None:
    before = place.serial()
    message = switched(place, "other.herokudns.com.", f"{TARGET}.")
    message.replace("usc-pis.example.", 60, "A", "192.0.2.77")
    assert place.send(message) == "NXRRSET"
    assert (place.values(WWW, "CNAME"), place.serial()) == ([PARKED], before)
    assert place.notes == [("UPDATE", "www.usc-pis.example/CNAME,usc-pis.example/A", 409, "")]


def test_apex_and_www_change_together(place: Place) -> None:
    message = switched(place, PARKED, f"{TARGET}.")
    message.present("usc-pis.example.", "A", "192.0.2.11")
    message.present("usc-pis.example.", "A", "192.0.2.10")
    message.replace("usc-pis.example.", 60, "A", "192.0.2.77")
    assert place.send(message) == "NOERROR"
    assert (place.values("usc-pis.example", "A"), place.values(WWW, "CNAME")) == (["192.0.2.77"], [f"{TARGET}."])


Fill = Callable[[dns.update.UpdateMessage], None]


@pytest.mark.parametrize(
    ("fill", "rcode"),
    [
        (lambda m: m.present("nobody.usc-pis.example."), "NXDOMAIN"),
        (lambda m: m.present("mail.usc-pis.example."), "NOERROR"),
        (lambda m: m.present("mail.usc-pis.example.", "AAAA"), "NXRRSET"),
        (lambda m: m.present("mail.usc-pis.example.", "A"), "NOERROR"),
        (lambda m: m.present("usc-pis.example.", "A", "192.0.2.10"), "NXRRSET"),
        (lambda m: m.absent("mail.usc-pis.example."), "YXDOMAIN"),
        (lambda m: m.absent("nobody.usc-pis.example."), "NOERROR"),
        (lambda m: m.absent("mail.usc-pis.example.", "A"), "YXRRSET"),
        (lambda m: m.absent("mail.usc-pis.example.", "AAAA"), "NOERROR"),
        (lambda m: m.present("example.org."), "NOTZONE"),
        (lambda m: m.add("example.org.", 60, "A", "192.0.2.1"), "NOTZONE"),
    ],
)
def test_each_prerequisite_has_its_own_answer(place: Place, fill: Fill, rcode: str) -> None:
    message = place.message()
    fill(message)
    message.add("new.usc-pis.example.", 60, "A", "192.0.2.1")
    assert place.send(message) == rcode
    assert place.values("new.usc-pis.example", "A") == (["192.0.2.1"] if rcode == "NOERROR" else [])


@pytest.mark.parametrize(
    "fill",
    [
        lambda m: m.replace("usc-pis.example.", 60, "CNAME", PARKED),
        lambda m: m.add(WWW, 60, "A", "192.0.2.1"),
        lambda m: m.add("mail.usc-pis.example.", 60, "CNAME", PARKED),
        lambda m: m.delete("usc-pis.example.", "NS"),
        lambda m: m.delete("usc-pis.example.", "SOA"),
        lambda m: m.delete("nobody.usc-pis.example."),
        lambda m: m.add(WWW, 5, "CNAME", PARKED),
    ],
)
def test_what_cannot_be_is_ignored_without_a_word(place: Place, fill: Fill) -> None:
    before, message = place.hosting.zone.current, place.message()
    fill(message)
    assert place.send(message) == "NOERROR"
    assert place.hosting.zone.current is before


def test_everything_at_the_apex_but_soa_and_ns_can_be_deleted(place: Place) -> None:
    message = place.message()
    message.delete("usc-pis.example.")
    assert place.send(message) == "NOERROR"
    assert len(place.values("usc-pis.example", "NS")) == 2
    assert place.values("usc-pis.example", "MX") == []


def test_deleting_one_of_several_values_leaves_the_others(place: Place) -> None:
    message = place.message()
    message.delete("usc-pis.example.", "A", "192.0.2.10")
    message.delete("usc-pis.example.", "A", "192.0.2.99")
    assert place.send(message) == "NOERROR"
    assert place.values("usc-pis.example", "A") == ["192.0.2.11"]


def test_unsigned_and_foreign_updates_are_refused(place: Place) -> None:
    before = place.hosting.zone.current
    for zone, signed, rcode in [
        ("usc-pis.example", False, "REFUSED"),
        ("partner-clinic.example", True, "REFUSED"),
        ("herokudns.com", True, "REFUSED"),
        ("example.org", True, "NOTAUTH"),
    ]:
        message = place.message(zone, signed=signed)
        message.add(f"new.{zone}.", 60, "A", "192.0.2.1")
        assert place.send(message) == rcode
    assert place.send(switched(place, PARKED, f"{TARGET}."), secondary=True) == "REFUSED"
    assert place.hosting.zone.current is before


def test_a_bad_signature_is_told_as_such(place: Place) -> None:
    wrong = place.key(secret="d3Jvbmcgc2VjcmV0IG9mIHRoZSByaWdodCBzaXplISE=")
    with pytest.raises(dns.tsig.PeerBadSignature):
        place.send(dns.update.UpdateMessage("usc-pis.example", keyring=wrong))
    with pytest.raises(dns.tsig.PeerBadKey):
        place.send(dns.update.UpdateMessage("usc-pis.example", keyring=place.key(name="nobody")))
    assert [one[:3] for one in place.notes] == [("UPDATE", "unverified", 403)] * 2


def test_a_clock_that_is_wrong_is_told_as_such(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    message = switched(place, PARKED, f"{TARGET}.")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 1_600_000_000.0)
        wire = message.to_wire()
    parsed = dns.message.from_wire(_exchanged(place, wire), keyring=False)
    assert (parsed.rcode(), parsed.tsig_error) == (dns.rcode.NOTAUTH, dns.rcode.BADTIME)


def _exchanged(place: Place, wire: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", place.hosting.primary.port), timeout=LIMIT) as connection:
        connection.sendall(struct.pack("!H", len(wire)) + wire)
        connection.settimeout(LIMIT)
        size = struct.unpack("!H", connection.recv(2))[0]
        return connection.recv(size)


def test_rubbish_gets_an_error_and_harms_nothing(place: Place) -> None:
    reply = _exchanged(place, b"\x12\x34\x28\x00\x00\x09" + bytes(20))
    assert (reply[:2], reply[3] & 15) == (b"\x12\x34", dns.rcode.FORMERR)
    assert place.values(WWW, "CNAME") == [PARKED]


def test_the_second_server_follows_after_its_lag(place: Place) -> None:
    place.call(lambda: setattr(place.hosting.copies[0], "lag", 1.0))
    began = time.monotonic()
    place.send(switched(place, PARKED, f"{TARGET}."))
    assert place.values(WWW, "CNAME", secondary=True) == [PARKED]
    until(lambda: place.values(WWW, "CNAME", secondary=True) == [f"{TARGET}."], limit=LIMIT)
    assert time.monotonic() - began >= 0.99
    assert place.serial() == place.serial(secondary=True)


def test_the_second_server_can_be_stuck_or_lame(place: Place) -> None:
    copy = place.hosting.copies[0]
    place.call(lambda: copy.switch("stuck"))
    place.send(switched(place, PARKED, f"{TARGET}."))
    place.call(lambda: copy.switch("lame"))
    assert place.ask(WWW, "CNAME", secondary=True).rcode() == dns.rcode.REFUSED
    place.call(lambda: copy.switch("follow"))
    until(lambda: place.values(WWW, "CNAME", secondary=True) == [f"{TARGET}."], limit=LIMIT)


@pytest.mark.parametrize(("kind", "rcode"), [("refuse", "REFUSED"), ("servfail", "SERVFAIL")])
def test_an_update_can_be_made_to_fail(place: Place, kind: str, rcode: str) -> None:
    place.fault(kind, method="UPDATE", path="www.*")
    assert place.send(switched(place, PARKED, f"{TARGET}.")) == rcode
    assert place.values(WWW, "CNAME") == [PARKED]
    assert place.send(switched(place, PARKED, f"{TARGET}.")) == "NOERROR"
    assert [one[2:] for one in place.notes] == [(403 if kind == "refuse" else 500, kind), (200, "")]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timeout-before", PARKED),
        ("timeout-after", f"{TARGET}."),
        ("reset-before", PARKED),
        ("reset-after", f"{TARGET}."),
    ],
)
def test_an_answer_can_be_lost_before_or_after_the_effect(place: Place, kind: str, value: str) -> None:
    place.fault(kind, method="UPDATE")
    with pytest.raises((dns.exception.Timeout, OSError, EOFError)):
        place.send(switched(place, PARKED, f"{TARGET}."), timeout=0.2)
    assert place.values(WWW, "CNAME") == [value]
    assert [one[2:] for one in place.notes] == [(0, kind)]


def test_a_query_can_be_made_to_fail(place: Place) -> None:
    place.fault("servfail", method="QUERY", path=f"{WWW.rstrip('.')}/CNAME")
    assert place.values("mail.usc-pis.example", "A") == ["192.0.2.25"]
    assert place.ask(WWW, "CNAME").rcode() == dns.rcode.SERVFAIL
    assert place.values(WWW, "CNAME") == [PARKED]
