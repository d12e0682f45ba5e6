"""What the dynamic-update zone and the verifier promise, held against real name servers and the sandbox's."""

import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
from pydantic import SecretStr
from zone_places import NEW, OLD, Place

from uscdr.errors import AnswerLost, BadInput, Conflict, CredentialsRefused, NotFound, ProviderError, WriteRefused
from uscdr.models.dns import NameServer, RecordSet, RecordType, Sighting
from uscdr.providers.dns.verifier import DnsVerifier
from uscdr.threads import run_all

SOON = 60.0


def alias(name: str, target: str, ttl: int = 300) -> RecordSet:
    return RecordSet(name=name, type="CNAME", ttl=ttl, values=(target,))


def until(verifier: DnsVerifier, wanted: RecordSet, *, serials: bool = False) -> tuple[Sighting, list[Sighting]]:
    """The first sighting in which all agree (with `serials`: on these, too), and those before it."""
    seen: list[Sighting] = []
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        sighting = verifier.look(wanted.name, wanted.type)
        if sighting.all_say(wanted) and not (serials and len({answer.serial for answer in sighting.answers}) > 1):
            return sighting, seen
        seen.append(sighting)
        time.sleep(0.05)
    raise AssertionError(f"the servers never agreed: {seen[-1]}")


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes everything and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as stream:
        port = stream.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.bind(("127.0.0.1", port))
            yield port


def test_reads_value_and_ttl(place: Place, name: str) -> None:
    assert place.open().read(name, "CNAME") == alias(name, OLD)
    assert place.open().read(name.upper() + ".", "CNAME") == alias(name, OLD)
    assert place.open().read(name, "TXT") is None
    assert place.open().read(f"nothing.{place.zone}", "CNAME") is None


def test_reads_every_value_of_a_set(place: Place) -> None:
    found = place.open().read(place.zone, "A")
    assert found is not None
    assert found.values == ("192.0.2.10", "192.0.2.11")


def test_a_swap_carries_value_and_ttl_and_touches_nothing_else(place: Place, name: str) -> None:
    beside = [place.truth(place.zone, kind) for kind in ("A", "MX", "TXT", "NS")]
    place.open().swap(name, "CNAME", alias(name, OLD), alias(name, NEW, ttl=60))
    assert place.truth(name, "CNAME") == [f"60 {NEW}."]
    assert beside == [place.truth(place.zone, kind) for kind in ("A", "MX", "TXT", "NS")]


def test_the_verifier_sees_the_secondary_lag_and_then_all_agree(place: Place, name: str) -> None:
    verifier = place.verifier()
    was, wanted = alias(name, OLD), alias(name, NEW, ttl=60)
    until(verifier, was)
    for _ in range(50):
        place.open().swap(name, "CNAME", was, wanted)
        _, before = until(verifier, wanted, serials=True)  # a serial may have been asked before the record was
        if any(_lags(one, was, wanted) for one in before):
            return
        was, wanted = wanted, was  # the secondary was quicker than the look
    raise AssertionError("no look met the secondary behind the primary")


def _lags(seen: Sighting, was: RecordSet, wanted: RecordSet) -> bool:
    first, second = seen.answers
    return (
        first.records is not None
        and second.records is not None
        and (first.records.values, second.records.values) == (wanted.values, was.values)
        and (second.serial or 0) < (first.serial or 0)
    )


def test_a_secondary_that_stands_still_is_no_yes(place: Place, name: str) -> None:
    verifier = place.verifier(timeout=0.3)
    until(verifier, alias(name, OLD))
    with place.hold():
        place.open().swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
        time.sleep(1.5)  # longer than any lag
        assert not verifier.look(name, "CNAME").all_say(alias(name, NEW))
    until(verifier, alias(name, NEW))


def test_rollback_is_the_same_swap_with_arguments_exchanged(place: Place, name: str) -> None:
    zone = place.open()
    old, new = zone.read(name, "CNAME"), alias(name, NEW, ttl=60)
    zone.swap(name, "CNAME", old, new)
    zone.swap(name, "CNAME", new, old)
    assert place.truth(name, "CNAME") == [f"300 {OLD}."]


def test_a_stale_expectation_is_a_conflict_that_shows_both_values(place: Place, name: str) -> None:
    place.put(name, "120 CNAME elsewhere.example.net.")
    before = place.serial()
    with pytest.raises(Conflict) as caught:
        place.open().swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert OLD in caught.value.why
    assert "elsewhere.example.net" in caught.value.why
    assert place.truth(name, "CNAME") == ["120 elsewhere.example.net."]
    assert place.serial() == before


def test_a_record_where_none_was_expected_is_a_conflict(place: Place, name: str) -> None:
    with pytest.raises(Conflict, match="somebody else"):
        place.open().swap(name, "CNAME", None, alias(name, NEW))
    assert place.truth(name, "CNAME") == [f"300 {OLD}."]


def test_what_is_there_already_is_not_written_again(place: Place, name: str) -> None:
    sent: list[tuple[str, str, bool]] = []
    zone = place.open(record=lambda *told: sent.append(told))
    for _ in range(2):
        zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert [path for _, path, writes in sent if writes] == [f"{name}/CNAME"]


def test_a_record_is_created_and_removed(place: Place, name: str) -> None:
    zone, fresh = place.open(), f"fresh.{name}"
    zone.swap(fresh, "CNAME", None, alias(fresh, NEW))
    assert place.truth(fresh, "CNAME") == [f"300 {NEW}."]
    zone.swap(fresh, "CNAME", alias(fresh, NEW), None)
    assert place.truth(fresh, "CNAME") == []


def test_a_ttl_alone_can_be_lowered(place: Place, name: str) -> None:
    place.open().swap(name, "CNAME", alias(name, OLD), alias(name, OLD, ttl=60))
    assert place.truth(name, "CNAME") == [f"60 {OLD}."]


def test_apex_addresses_and_the_alias_beside_them(place: Place, name: str) -> None:
    zone = place.open()
    old = zone.read(place.zone, "A")
    assert old is not None
    new = old.model_copy(update={"values": ("198.51.100.7",), "ttl": 60})
    zone.swap(place.zone, "A", old, new)
    zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert place.truth(place.zone, "A") == ["60 198.51.100.7"]
    zone.swap(place.zone, "A", new, old)
    assert place.truth(place.zone, "A") == ["300 192.0.2.10", "300 192.0.2.11"]
    assert place.truth(name, "CNAME") == [f"300 {NEW}."]


def test_a_txt_record_keeps_its_spelling(place: Place, name: str) -> None:
    zone, owner = place.open(), f"txt.{name}"
    wanted = RecordSet(name=owner, type="TXT", ttl=300, values=('"Two Words"',))
    zone.swap(owner, "TXT", None, wanted)
    assert zone.read(owner, "TXT") == wanted
    zone.swap(owner, "TXT", wanted, None)


@pytest.mark.parametrize(("apex", "hint"), [(True, "apex"), (False, "coexist")])
def test_an_ignored_alias_is_not_taken_for_success(place: Place, name: str, apex: bool, hint: str) -> None:
    owner = place.zone if apex else name
    if not apex:
        place.put(name, "300 A 192.0.2.1")
    with pytest.raises(
        ProviderError, match="the provider accepted the change, but the zone does not show it"
    ) as caught:
        place.open().swap(owner, "CNAME", None, alias(owner, NEW))
    assert hint in caught.value.why
    assert place.truth(owner, "CNAME") == []


@pytest.mark.parametrize("star", ["300 CNAME old.herokudns.com.", "300 A 192.0.2.7"])
def test_what_only_a_wildcard_answers_is_no_record_and_the_new_one_is_added_beside_it(
    place: Place, name: str, star: str
) -> None:
    label = name.partition(".")[0]
    place.put(f"*.{label}.{place.zone}", star)
    borrower, zone, verifier = f"www.{label}.{place.zone}", place.open(), place.verifier()
    kind: RecordType = "CNAME" if "CNAME" in star else "A"
    assert zone.read(borrower, kind) is None
    assert place.open(read_only=True).read(borrower, kind) is None
    assert zone.obstacle(borrower) == ""
    new = alias(borrower, OLD)
    zone.swap(borrower, "CNAME", None, new)
    assert zone.read(borrower, "CNAME") == new  # the very same as the wildcard's, and its own
    assert place.truth(f"*.{label}.{place.zone}", kind) != []
    zone.swap(borrower, "CNAME", new, None)
    until_(verifier, borrower, kind)
    assert place.truth(borrower, kind) != []  # the wildcard answers again
    place.put(f"*.{label}.{place.zone}")


def until_(verifier: DnsVerifier, name: str, kind: RecordType) -> None:
    """Every server answers, and by the wildcard only."""
    end = time.monotonic() + SOON
    while not (seen := verifier.look(name, kind)).none_has() or not all(one.borrowed for one in seen.answers):
        assert time.monotonic() < end, seen
        time.sleep(0.05)


def test_a_name_of_its_own_is_not_taken_for_the_wildcards(place: Place, name: str) -> None:
    place.put(f"*.{place.zone}", "60 CNAME elsewhere.example.net.")
    until(place.verifier(), alias(name, OLD))
    assert place.open().read(name, "CNAME") == alias(name, OLD)
    assert not place.verifier().look(name, "CNAME").none_has()
    star = f"*.{place.zone}"
    assert place.open().read(star, "CNAME") == alias(star, "elsewhere.example.net", ttl=60)
    place.put(star)


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (("300 CNAME old.herokudns.com.",), ""),
        ((), ""),
        (("300 MX 10 mail.example.net.", '300 TXT "v=spf1"'), "cannot coexist with a CNAME: MX, TXT"),
        (("300 A 192.0.2.7", "300 AAAA 2001:db8::7"), "cannot coexist with a CNAME: A, AAAA"),
    ],
)
def test_why_a_name_can_have_no_alias(place: Place, name: str, records: tuple[str, ...], why: str) -> None:
    place.put(name, *records)
    found = place.open().obstacle(name)
    assert why in found
    assert bool(found) is bool(why)


def test_why_the_apex_and_a_foreign_name_can_have_none(place: Place) -> None:
    assert "apex" in place.open().obstacle(place.zone)
    assert "is not in the zone" in place.open().obstacle("www.elsewhere.example.net")


def test_a_wrong_secret_is_found_while_reading(place: Place, name: str) -> None:
    zone = place.open(key=SecretStr("A" * 43 + "="))
    with pytest.raises(CredentialsRefused, match="secret of the key is wrong") as caught:
        zone.read(name, "CNAME")
    assert "A" * 20 not in repr(caught.value.__dict__)
    with pytest.raises(CredentialsRefused):
        zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))


def test_an_unknown_key_is_refused(place: Place, name: str) -> None:
    with pytest.raises(CredentialsRefused, match="no key of that name"):
        place.open(key_name="nobody").read(name, "CNAME")


def test_an_unsigned_change_is_refused(place: Place, name: str) -> None:
    zone = place.open(key_name="", key=None)
    assert zone.read(name, "CNAME") == alias(name, OLD)
    with pytest.raises(CredentialsRefused):
        zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert place.truth(name, "CNAME") == [f"300 {OLD}."]


def test_a_zone_that_the_key_has_no_right_to(place: Place) -> None:
    owner = f"new.{place.foreign_zone}"
    with pytest.raises(CredentialsRefused):
        place.open(zone=place.foreign_zone).swap(owner, "CNAME", None, alias(owner, NEW))


def test_a_zone_that_is_not_hosted(place: Place) -> None:
    with pytest.raises(NotFound):
        place.open(zone="example.org").read("www.example.org", "CNAME")


def test_a_secondary_takes_no_changes(place: Place, name: str) -> None:
    until(place.verifier(), alias(name, OLD))
    secondary = place.open(port=place.servers[1].port, key_name="", key=None)
    with pytest.raises(ProviderError) as caught:
        secondary.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert not isinstance(caught.value, AnswerLost)
    assert place.truth(name, "CNAME") == [f"300 {OLD}."]


def test_a_dead_server_was_surely_not_reached(place: Place, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProviderError, match="uscdr could not reach the DNS server to") as caught:
        place.open(port=port).read(name, "CNAME")
    assert (caught.value.sent, caught.value.retryable) == (False, True)


def test_a_read_only_wiring_sends_no_change(place: Place, name: str) -> None:
    sent: list[tuple[str, str, bool]] = []
    zone = place.open(read_only=True, record=lambda *told: sent.append(told))
    with pytest.raises(WriteRefused):
        zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert place.truth(name, "CNAME") == [f"300 {OLD}."]
    assert {kind for kind, _, _ in sent} == {"QUERY"}


@pytest.mark.parametrize(
    ("owner", "kind", "values"),
    [
        ("www.elsewhere.test", "CNAME", (NEW,)),
        ("{zone}", "NS", (NEW,)),
        ("x.{zone}", "A", ("300.1.1.1",)),
        ("x.{zone}", "CNAME", (NEW, OLD)),
        ("x.{zone}", "CNAME", ()),
        ("{zone}", "ALIAS", (NEW,)),
    ],
)
def test_what_no_zone_could_hold_is_not_sent(
    place: Place, owner: str, kind: RecordType, values: tuple[str, ...]
) -> None:
    name = owner.format(zone=place.zone)
    with pytest.raises(BadInput):
        place.open().swap(name, kind, None, RecordSet(name=name, type=kind, ttl=60, values=values))


def test_one_silent_server_among_them_is_no_yes(place: Place, name: str, black_hole: int) -> None:
    until(place.verifier(), alias(name, OLD))
    silent = NameServer(host="ns3", address="127.0.0.1", port=black_hole)
    sighting = place.verifier(silent, timeout=0.2).look(name, "CNAME")
    assert [answer.state for answer in sighting.answers] == ["answered", "answered", "timeout"]
    assert not sighting.all_say(alias(name, OLD))


def test_no_record_and_no_such_zone_are_told_apart(place: Place, name: str) -> None:
    sighting = place.verifier().look(f"nothing.{name}", "CNAME")
    assert {answer.state for answer in sighting.answers} == {"no such record"}
    assert place.verifier().zone(f"a.b.{name}") == place.zone
    with pytest.raises(ProviderError, match="None of the given name servers"):
        place.verifier().look("www.example.org", "CNAME")


def test_an_alias_is_seen_by_shared_addresses(place: Place, name: str) -> None:
    place.put(name, "300 A 127.0.0.1", "300 A 192.0.2.77")
    verifier = place.verifier()
    until(verifier, RecordSet(name=name, type="A", ttl=300, values=("127.0.0.1", "192.0.2.77")))
    wanted = RecordSet(name=name, type="ALIAS", ttl=300, values=(NEW,))
    assert verifier.look(name, "ALIAS", target=NEW).all_say(wanted)
    place.put(name, "300 A 192.0.2.77")
    until(verifier, RecordSet(name=name, type="A", ttl=300, values=("192.0.2.77",)))
    assert not verifier.look(name, "ALIAS", target=NEW).all_say(wanted)


def cautions(place: Place, name: str, target: str = NEW) -> str:
    return "\n".join(f"{one.blocks} {one.what} {one.so}" for one in place.verifier().cautions(name, target))


def test_a_sound_name_gives_no_caution(place: Place, name: str) -> None:
    assert cautions(place, name) == ""


def test_the_apex_is_told(place: Place) -> None:
    assert "apex" in cautions(place, place.zone)


@pytest.mark.parametrize("above", [False, True])
def test_caa_that_forbids_the_issuer(place: Place, name: str, above: bool) -> None:
    owner = name if not above else f"below.{name}"
    place.put(name, '300 CAA 0 issue "pki.goog"')
    assert "does not allow letsencrypt.org" in cautions(place, owner)
    place.put(name, '300 CAA 0 issue "pki.goog"', '300 CAA 0 issue "letsencrypt.org"')
    assert "letsencrypt" not in cautions(place, owner)


def test_records_beside_and_an_aaaa_left_over(place: Place, name: str) -> None:
    place.put(name, "300 A 192.0.2.1", "300 AAAA 2001:db8::1")
    told = cautions(place, name)
    assert "A, AAAA" in told
    assert "If it stays, IPv6 clients keep using the old address" in told


def test_a_long_ttl_is_told_in_seconds(place: Place, name: str) -> None:
    place.put(name, "86400 CNAME old.herokudns.com.")
    assert "86400 s" in cautions(place, name)


def test_a_wildcard_beside_is_told(place: Place, name: str) -> None:
    place.put(f"*.{name}", "300 A 192.0.2.1")
    assert f"*.{name}" in cautions(place, f"some.{name}")
    place.put(f"*.{name}")


def test_a_target_without_address_blocks(place: Place, name: str) -> None:
    assert cautions(place, name, "gone.herokudns.com").startswith("True The target gone.herokudns.com has no address")


def test_a_target_that_nobody_can_tell_of_does_not_block(place: Place, name: str) -> None:
    assert cautions(place, name, "app.example.net").startswith(
        "False No server answered for the addresses of the target"
    )


def test_of_two_swaps_at_once_one_wins_and_the_other_is_told(place: Place, name: str) -> None:
    targets = [f"t{number}.herokudns.com" for number in range(8)]

    def swap(target: str) -> str:
        try:
            place.open().swap(name, "CNAME", alias(name, OLD), alias(name, target))
        except Conflict:
            return "conflict"
        return target

    results = run_all([partial(swap, target) for target in targets], workers=8)
    won = [result for result in results if result != "conflict"]
    assert len(won) == 1
    assert place.truth(name, "CNAME") == [f"300 {won[0]}."]
