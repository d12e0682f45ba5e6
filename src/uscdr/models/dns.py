"""DNS records and name servers' answers. TTLs are seconds; names are absolute, lower case, without a final dot."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from uscdr.models.base import Fact

RecordType = Literal["A", "AAAA", "ALIAS", "CAA", "CNAME", "HTTPS", "MX", "NS", "SOA", "SRV", "TXT"]


class RecordSet(Fact):
    """All values of one name and type. Values are in presentation form; host names without a final dot."""

    name: str
    type: RecordType
    ttl: int
    values: tuple[str, ...]
    extras: dict[str, str] = Field(default_factory=dict)
    """Provider-specific settings, such as `proxied: true`; part of a rollback, never of a comparison."""

    def same_values(self, other: RecordSet | None) -> bool:
        """Whether both have the same targets, regardless of order, TTL and letter case."""
        if other is None or (self.name, self.type) != (other.name, other.type):
            return False
        return {v.lower().rstrip(".") for v in self.values} == {v.lower().rstrip(".") for v in other.values}


class NameServer(Fact):
    """One address of one authoritative server."""

    host: str
    address: str
    port: int = 53


class ServerAnswer(Fact):
    """One authoritative server's answer to a direct query without recursion."""

    server: NameServer
    state: Literal["answered", "no such record", "lame", "refused", "timeout"]
    records: RecordSet | None = None
    serial: int | None = None
    borrowed: bool = False
    """Whether a wildcard gives the same records to other names: then the name seems to have none of its own."""

    @property
    def own(self) -> RecordSet | None:
        """The name's own records; None when only a wildcard answers."""
        return None if self.borrowed else self.records


class Sighting(Fact):
    """Every authoritative server's current answer."""

    answers: tuple[ServerAnswer, ...]

    def all_say(self, wanted: RecordSet) -> bool:
        """Whether every server answered, authoritatively, with the wanted values. False without any server."""
        return bool(self.answers) and all(
            one.records is not None and one.state == "answered" and wanted.same_values(one.records)
            for one in self.answers
        )

    def none_has(self) -> bool:
        """Whether every server answered that the name has no such own record."""
        states = ("answered", "no such record")
        return bool(self.answers) and all(one.state in states and one.own is None for one in self.answers)


class Caution(Fact):
    """A warning before a change of a name: `what` was found, and its consequence `so`."""

    name: str
    what: str
    so: str
    blocks: bool = False
    no_certificate: bool = False
    """Whether it prevents a certificate for the name."""
