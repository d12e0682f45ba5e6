"""The Cloudflare zone against the sandbox's records API; the truth is asked of its name servers."""

from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from pydantic import SecretStr
from zone_places import NEW, OLD, Place

from uscdr.errors import Conflict, CredentialsRefused, ProviderError, WriteRefused
from uscdr.models.dns import RecordSet
from uscdr.providers.dns.cloudflare import CloudflareClient, CloudflareZone
from uscdr.providers.dns.survey import _proxied
from uscdr.providers.ports.dns import Pointing

_numbers = count(1)


def opened(place: Place, *, read_only: bool = False, token: str = "", zone: str = "") -> Iterator[CloudflareZone]:
    secret = SecretStr(token or place.records_token)
    client = CloudflareClient(secret, base_url=place.records_url, read_only=read_only, sleep=lambda _: None)
    with closing(client):
        yield CloudflareZone(zone or place.zone, client)


@pytest.fixture(scope="session")
def zone(emulated: Place) -> Iterator[CloudflareZone]:
    yield from opened(emulated)


@pytest.fixture
def name(emulated: Place) -> Iterator[str]:
    name = f"c{next(_numbers)}.{emulated.zone}"
    emulated.put(name, f"300 CNAME {OLD}.")
    yield name
    emulated.put(name)


def alias(name: str, target: str, ttl: int = 300, **extras: str) -> RecordSet:
    return RecordSet(name=name, type="CNAME", ttl=ttl, values=(target,), extras=extras)


def test_swap_there_and_back(emulated: Place, zone: CloudflareZone, name: str) -> None:
    old = zone.read(name, "CNAME")
    assert old == alias(name, OLD, proxied="false")
    new = alias(name, NEW, ttl=60)
    zone.swap(name, "CNAME", old, new)
    assert emulated.truth(name, "CNAME") == [f"60 {NEW}."]
    zone.swap(name, "CNAME", new, old)
    assert emulated.truth(name, "CNAME") == [f"300 {OLD}."]


def test_nothing_is_written_twice(emulated: Place, zone: CloudflareZone, name: str) -> None:
    zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    before = emulated.serial()
    zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert emulated.serial() == before


def test_a_stale_expectation_leaves_the_zone_alone(emulated: Place, zone: CloudflareZone, name: str) -> None:
    with pytest.raises(Conflict) as caught:
        zone.swap(name, "CNAME", alias(name, "third.herokudns.com"), alias(name, NEW))
    assert OLD in caught.value.why
    assert "third" in caught.value.why
    assert emulated.truth(name, "CNAME") == [f"300 {OLD}."]


def test_created_and_removed(emulated: Place, zone: CloudflareZone, name: str) -> None:
    fresh = f"fresh.{name}"
    zone.swap(fresh, "CNAME", None, alias(fresh, NEW, ttl=120))
    assert emulated.truth(fresh, "CNAME") == [f"120 {NEW}."]
    zone.swap(fresh, "CNAME", alias(fresh, NEW), None)
    assert emulated.truth(fresh, "CNAME") == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.3")),
        (("192.0.2.1", "192.0.2.2"), ("192.0.2.3",)),
        (("192.0.2.1",), ("192.0.2.2", "192.0.2.3", "192.0.2.4")),
    ],
)
def test_sets_of_several_values_change_at_once(
    emulated: Place, zone: CloudflareZone, name: str, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    emulated.put(name, *(f"300 A {value}" for value in before))
    serial = int(emulated.serial())
    old, new = (RecordSet(name=name, type="A", ttl=300, values=values) for values in (before, after))
    zone.swap(name, "A", old, new)
    assert emulated.truth(name, "A") == [f"300 {value}" for value in after]
    assert int(emulated.serial()) == serial + 1


def test_the_proxy_stays_as_it_is_unless_named(emulated: Place, zone: CloudflareZone, name: str) -> None:
    zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW, proxied="true"))
    held = zone.read(name, "CNAME")
    assert held is not None
    assert _proxied(held) is not None
    assert emulated.truth(name, "CNAME") == []
    zone.swap(name, "CNAME", alias(name, NEW), alias(name, OLD))
    again = zone.read(name, "CNAME")
    assert again is not None
    assert (again.values, again.extras["proxied"]) == ((OLD,), "true")


def test_an_automatic_ttl_survives_a_round(zone: CloudflareZone, name: str) -> None:
    automatic = alias(name, NEW).model_copy(update={"extras": {"ttl": "auto"}})
    zone.swap(name, "CNAME", alias(name, OLD), automatic)
    held = zone.read(name, "CNAME")
    assert held is not None
    assert held.extras["ttl"] == "auto"
    assert held.ttl == 300


def test_an_alias_at_the_apex_is_a_flattened_one(emulated: Place, zone: CloudflareZone) -> None:
    old = zone.read(emulated.zone, "A")
    assert old is not None
    wanted = RecordSet(name=emulated.zone, type="ALIAS", ttl=300, values=(OLD,))
    with pytest.raises(Conflict):
        zone.swap(emulated.zone, "ALIAS", None, wanted)
    zone.swap(emulated.zone, "A", old, None)
    try:
        zone.swap(emulated.zone, "ALIAS", None, wanted)
        assert emulated.truth(emulated.zone, "CNAME") == []
        assert emulated.verifier().look(emulated.zone, "ALIAS", target=OLD).answers[0].records is not None
        zone.swap(emulated.zone, "ALIAS", wanted, None)
    finally:
        zone.swap(emulated.zone, "A", None, old)


def test_only_addresses_stand_in_the_way_of_an_alias(emulated: Place, zone: CloudflareZone, name: str) -> None:
    assert zone.obstacle(name) == ""
    assert "A" in zone.obstacle(emulated.zone)
    old = zone.read(emulated.zone, "A")
    zone.swap(emulated.zone, "A", old, None)
    try:
        assert zone.obstacle(emulated.zone) == ""  # mail and text stand at the apex, and the provider flattens there
        zone.swap(emulated.zone, "CNAME", None, alias(emulated.zone, OLD))
        emulated.caught_up()
        assert Pointing.seen(emulated.verifier(), emulated.zone, OLD).at_target
        verifier = emulated.verifier()
        gone = Pointing.seen(verifier, emulated.zone, "gone.herokudns.com")
        assert gone.at_target_or_unknown(verifier) is None
    finally:
        zone.swap(emulated.zone, "CNAME", alias(emulated.zone, OLD), None)
        zone.swap(emulated.zone, "A", None, old)
    emulated.put(f"*.{name}", f"300 CNAME {OLD}.")
    assert zone.read(f"any.{name}", "CNAME") is None
    emulated.put(f"*.{name}")


def test_a_wrong_token(emulated: Place) -> None:
    for refused in opened(emulated, token="not-the-token"):
        with pytest.raises(CredentialsRefused) as caught:
            refused.read(emulated.zone, "A")
        assert "not-the-token" not in repr(caught.value.__dict__)


def test_a_zone_without_rights(emulated: Place) -> None:
    for foreign in opened(emulated, zone=emulated.foreign_zone):
        with pytest.raises(CredentialsRefused, match="lacks permission"):
            foreign.read(f"www.{emulated.foreign_zone}", "CNAME")


def test_a_zone_that_the_token_does_not_see(emulated: Place) -> None:
    for nowhere in opened(emulated, zone="example.org"):
        with pytest.raises(ProviderError, match="for this token"):
            nowhere.read("www.example.org", "CNAME")


def test_a_read_only_wiring_sends_no_change(emulated: Place, name: str) -> None:
    for frozen in opened(emulated, read_only=True):
        with pytest.raises(WriteRefused):
            frozen.swap(name, "CNAME", alias(name, OLD), alias(name, NEW))
    assert emulated.truth(name, "CNAME") == [f"300 {OLD}."]


def test_a_value_that_the_provider_does_not_take(zone: CloudflareZone, name: str) -> None:
    with pytest.raises(ProviderError, match="TTL"):
        zone.swap(name, "CNAME", alias(name, OLD), alias(name, NEW, ttl=10**6))
