"""What follows from facts, without a server."""

from dataclasses import replace

import pytest

from uscdr.errors import ProviderError, WriteRefused
from uscdr.models.dns import Caution, NameServer, RecordSet, RecordType, ServerAnswer, Sighting
from uscdr.providers.dns.manual import ManualZone
from uscdr.providers.dns.survey import NameFacts, _allows_issuer, _proxied

WWW = "www.clinic.example"
OLD = RecordSet(name=WWW, type="CNAME", ttl=300, values=("old.herokudns.com",))
NEW = RecordSet(name=WWW, type="CNAME", ttl=60, values=("new.herokudns.com",))
SOUND = NameFacts(
    name=WWW,
    target="new.herokudns.com",
    zone="clinic.example",
    pointing=(OLD,),
    kinds=(),
    wildcard=None,
    signed=False,
    caa=None,
    target_addresses=("192.0.2.1",),
    hosts=("ns1.host.test",),
)


def words(around: NameFacts) -> list[str]:
    return [caution.what for caution in around.cautions()]


def test_nothing_wrong_is_no_caution() -> None:
    assert SOUND.cautions() == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "clinic.example"}, "apex"),
        ({"kinds": ("MX", "TXT")}, "MX, TXT"),
        ({"kinds": ("AAAA",)}, "An AAAA record exists at this name"),
        ({"pointing": (OLD.model_copy(update={"ttl": 301}),)}, "301 s"),
        ({"signed": True}, "DNSSEC"),
        ({"wildcard": OLD.model_copy(update={"name": "*.clinic.example"})}, "may be what answers"),
        ({"wildcard": NEW.model_copy(update={"name": "*.clinic.example"})}, "covers this name."),
        ({"name": "*.clinic.example"}, "is a wildcard"),
        ({"target": "clinic.herokuapp.com"}, "is the app's own host name, not the domain's DNS target"),
        ({"target_addresses": ()}, "no address"),
        ({"target_addresses": None}, "No server answered for the addresses of the target"),
        ({"pointing": (RecordSet(name=WWW, type="A", ttl=300, values=("192.0.2.1",)),),
          "hosts": ("ada.ns.cloudflare.com", "bob.ns.cloudflare.com")}, "with a proxy"),
        ({"caa": RecordSet(name="clinic.example", type="CAA", ttl=1, values=('0 issue "ca.test"',))}, "CAA at"),
    ],
)  # fmt: skip
def test_each_caution(change: dict[str, object], word: str) -> None:
    assert any(word in what for what in words(replace(SOUND, **change)))  # type: ignore[arg-type]  # a test's own mapping


def test_a_target_that_is_not_named_yet_is_no_caution() -> None:
    assert replace(SOUND, target="", target_addresses=None).cautions() == ()


def test_what_blocks_comes_first() -> None:
    found = replace(SOUND, target_addresses=(), signed=True, kinds=("A",)).cautions()
    assert [caution.blocks for caution in found] == [True, False, False]


@pytest.mark.parametrize(
    ("values", "wildcard", "allowed"),
    [
        (('0 issue "letsencrypt.org"',), False, True),
        (('0 issue "letsencrypt.org; validationmethods=http-01"',), False, True),
        (('0 issue "LetsEncrypt.org"', '0 issue "ca.test"'), False, True),
        (('0 issue "ca.test"',), False, False),
        (('0 issue ";"',), False, False),
        (('0 iodef "mailto:security@clinic.example"',), False, True),
        (('0 issuewild "ca.test"',), False, True),
        (('0 issue "letsencrypt.org"', '0 issuewild "ca.test"'), True, False),
        (('0 issue "letsencrypt.org"',), True, True),
        (('128 issue "letsencrypt.org.evil.test"',), False, False),
    ],
)
def test_caa(values: tuple[str, ...], wildcard: bool, allowed: bool) -> None:
    records = RecordSet(name="clinic.example", type="CAA", ttl=300, values=values)
    assert _allows_issuer(records, wildcard=wildcard) is allowed


def test_the_providers_word_on_a_proxy() -> None:
    assert _proxied(OLD) is None
    found = _proxied(OLD.model_copy(update={"extras": {"proxied": "true"}}))
    assert isinstance(found, Caution)


class Watched:
    """A verifier whose servers say what the test wants."""

    def __init__(self, *answers: ServerAnswer) -> None:
        self.answers = answers

    def look(self, name: str, record_type: RecordType, *, target: str = "") -> Sighting:
        return Sighting(answers=self.answers)

    def addresses(self, name: str) -> tuple[str, ...] | None:
        raise AssertionError(name)

    def cautions(self, name: str, target: str) -> tuple[Caution, ...]:
        return ()


def says(records: RecordSet | None, serial: int | None) -> ServerAnswer:
    server = NameServer(host="ns", address="192.0.2.53")
    return ServerAnswer(
        server=server, state="answered" if records else "no such record", records=records, serial=serial
    )


def silent() -> ServerAnswer:
    return ServerAnswer(server=NameServer(host="ns2", address="192.0.2.54"), state="timeout")


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ((says(OLD, 7), says(NEW, 8)), NEW),
        ((says(NEW, 8), says(OLD, 7)), NEW),
        ((says(NEW, 3), says(OLD, 2**32 - 3)), NEW),  # serials go round
        ((silent(), says(OLD, None)), OLD),
        ((says(OLD, 7), says(None, 8)), None),
    ],
)
def test_a_manual_zone_reads_the_newest_copy(answers: tuple[ServerAnswer, ...], found: RecordSet | None) -> None:
    assert ManualZone("clinic.example", Watched(*answers)).read(WWW, "CNAME") == found


def test_what_only_a_wildcard_answers_is_no_record_of_a_manual_zone() -> None:
    star = says(OLD, 7).model_copy(update={"borrowed": True})
    assert ManualZone("clinic.example", Watched(star)).read(WWW, "CNAME") is None
    assert Sighting(answers=(star, star)).none_has()
    assert not Sighting(answers=(star, says(OLD, 7))).none_has()
    assert not Sighting(answers=()).none_has()
    assert Sighting(answers=(star,)).all_say(OLD)  # users are led there all the same


def test_why_a_manual_zone_can_hold_no_alias() -> None:
    zone = ManualZone("clinic.example", Watched(says(None, 1)))
    assert zone.obstacle(WWW) == ""
    assert "apex" in zone.obstacle("Clinic.example.")
    assert "is not in the zone" in zone.obstacle("www.other.example")


def test_a_manual_zone_that_nobody_tells_of_is_an_error() -> None:
    with pytest.raises(ProviderError, match="No authoritative server") as caught:
        ManualZone("clinic.example", Watched(silent())).read(WWW, "CNAME")
    assert "timeout" in caught.value.why


def test_a_manual_zone_is_never_written() -> None:
    zone = ManualZone("clinic.example", Watched())
    assert not zone.writable
    with pytest.raises(WriteRefused):
        zone.swap(WWW, "CNAME", OLD, NEW)


def test_instructions_carry_both_lines_and_ttls() -> None:
    told = ManualZone("clinic.example", Watched()).instructions(OLD, NEW)
    assert told[1:4] == (
        "  replace: www.clinic.example. 300 IN CNAME old.herokudns.com.",
        "  with: www.clinic.example. 60 IN CNAME new.herokudns.com.",
        "  TTL: 60 seconds (was 300)",
    )
    assert ManualZone("clinic.example", Watched()).instructions(None, NEW)[1].startswith("  add: www")
    assert ManualZone("clinic.example", Watched()).instructions(OLD, None)[1].startswith("  delete: www")
