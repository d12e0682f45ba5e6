"""The `Zone` port on Cloudflare's API.

The API has no compare-and-set: the records are read immediately before the write and again after it. A change by
somebody else within that moment would be overwritten unseen; everything earlier is a `Conflict`.
An ALIAS is kept as a CNAME, which Cloudflare flattens at the apex.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from uscdr.errors import NotFound
from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.cloudflare_client import Ask, CloudflareClient
from uscdr.providers.dns.cloudflare_errors import HOW_TO_GET_ACCESS, PROVIDER
from uscdr.providers.dns.instructions import by_hand
from uscdr.providers.dns.names import normal
from uscdr.providers.dns.obstacles import beside, outside
from uscdr.providers.dns.records import HOSTS
from uscdr.providers.dns.swapping import Swap, checked, conflict, ignored, same
from uscdr.providers.http import segment
from uscdr.providers.json_fields import flag, number, record, text

AUTOMATIC = 1
"""The TTL by which the API says that it chooses one itself."""
AUTOMATIC_SECONDS = 300
"""What it then chooses."""


@dataclass(frozen=True)
class Stored:
    """One record as the API holds it; `ttl` is in seconds, or AUTOMATIC."""

    id: str
    content: str
    ttl: int
    proxied: bool


@dataclass(frozen=True)
class Edits:
    """What turns the stored records into the wanted ones, each in the API's form."""

    deletes: tuple[dict[str, object], ...] = ()
    patches: tuple[dict[str, object], ...] = ()
    posts: tuple[dict[str, object], ...] = field(default=())

    @property
    def count(self) -> int:
        """How many records are touched."""
        return len(self.deletes) + len(self.patches) + len(self.posts)


class CloudflareZone:
    """`zone` by its name; its id is looked up once."""

    def __init__(self, zone: str, client: CloudflareClient) -> None:
        self.zone = normal(zone)
        self._client = client

    @property
    def writable(self) -> bool:
        """True: this zone can be changed by a program."""
        return True

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """`GET /zones/{id}/dns_records?name=&type=`; extras: `proxied`, and `ttl: auto` where the API chooses it."""
        name = normal(name)
        return _set(name, record_type, self._stored(name, record_type))

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        """One PATCH, POST or DELETE of a record; several go in one `POST …/dns_records/batch`, a transaction."""
        swap = checked(self.zone, name, record_type, expected, wanted)
        stored = self._stored(swap.name, record_type)
        held = _set(swap.name, record_type, stored)
        if self._is_done(swap, held):
            return
        if not same(held, swap.expected):
            raise conflict(swap, held, provider=PROVIDER)
        self._client.send(self._write(swap, edits(swap, stored)))
        held = self.read(swap.name, record_type)
        if not self._is_done(swap, held):
            raise ignored(swap, held, provider=PROVIDER)

    def obstacle(self, name: str) -> str:
        """Only addresses and a delegation: the provider flattens at the apex, and keeps mail and text beside."""
        name = normal(name)
        return outside(self.zone, name) or beside(name, self.read, ("A", "AAAA", "NS"))

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """What to type or click, with old and new line and TTL."""
        return by_hand(self.zone, expected, wanted)

    def _is_done(self, swap: Swap, held: RecordSet | None) -> bool:
        if held is not None and held.extras.get("proxied") == "true":
            # Behind the proxy the provider alone chooses the TTL.
            return same(held, swap.wanted)
        return swap.is_done(held)

    @cached_property
    def _records(self) -> str:
        """`GET /zones?name=`: the path of the zone's records."""
        found = self._client.pages(f"find the zone {self.zone}", "/zones", {"name": self.zone}, _named_zone)
        for name, zone_id in found:
            if name == self.zone:
                return f"/zones/{segment(zone_id)}/dns_records"
        raise NotFound(
            f"{PROVIDER} shows no zone {self.zone} to this token.",
            provider=PROVIDER,
            next_action=f"Check the zone's name. {HOW_TO_GET_ACCESS}",
        )

    def _stored(self, name: str, record_type: RecordType) -> tuple[Stored, ...]:
        query = {"name": name, "type": _kind(record_type)}
        return self._client.pages(f"read {name} ({record_type})", self._records, query, _stored)

    def _write(self, swap: Swap, edits: Edits) -> Ask:
        what = f"change {swap.name} ({swap.type})"
        if edits.count > 1:
            parts = {"deletes": edits.deletes, "patches": edits.patches, "posts": edits.posts}
            return Ask(what, "POST", f"{self._records}/batch", {part: rows for part, rows in parts.items() if rows})
        if edits.posts:
            return Ask(what, "POST", self._records, edits.posts[0])
        if edits.patches:
            body = dict(edits.patches[0])
            return Ask(what, "PATCH", f"{self._records}/{segment(str(body.pop('id')))}", body)
        return Ask(what, "DELETE", f"{self._records}/{segment(str(edits.deletes[0]['id']))}")


def edits(swap: Swap, stored: tuple[Stored, ...]) -> Edits:
    """The fewest edits. A record that stays keeps its id; one that is replaced keeps what nobody asked to change."""
    if swap.wanted is None:
        return Edits(deletes=tuple({"id": one.id} for one in stored))
    values = {_plain(value): value for value in swap.wanted.values}
    keep = [one for one in stored if _plain(one.content) in values]
    spare = [one for one in stored if one not in keep]
    new = [value for plain, value in values.items() if plain not in {_plain(one.content) for one in keep}]
    facts = _facts(swap.wanted)
    fresh = {"type": _kind(swap.type), "name": swap.name}
    replaced = zip(spare, new, strict=False)
    return Edits(
        deletes=tuple({"id": one.id} for one in spare[len(new) :]),
        patches=(
            *({"id": one.id, **facts} for one in keep if _differs(one, facts)),
            *({"id": one.id, "content": value, **facts} for one, value in replaced),
        ),
        posts=tuple({**fresh, "content": value, **facts} for value in new[len(spare) :]),
    )


def _facts(wanted: RecordSet) -> dict[str, object]:
    """TTL and proxy as wanted; a set that does not mention the proxy leaves it as it is."""
    ttl = AUTOMATIC if wanted.extras.get("ttl") == "auto" else wanted.ttl
    if "proxied" not in wanted.extras:
        return {"ttl": ttl}
    return {"ttl": ttl, "proxied": wanted.extras["proxied"] == "true"}


def _differs(one: Stored, facts: dict[str, object]) -> bool:
    return one.ttl != facts["ttl"] or one.proxied != facts.get("proxied", one.proxied)


def _set(name: str, record_type: RecordType, stored: tuple[Stored, ...]) -> RecordSet | None:
    if not stored:
        return None
    ttl = min(one.ttl for one in stored)
    extras = {"proxied": "true" if any(one.proxied for one in stored) else "false"}
    if ttl == AUTOMATIC:
        extras["ttl"] = "auto"
    values = sorted(one.content.rstrip(".").lower() if record_type in HOSTS else one.content for one in stored)
    seconds = AUTOMATIC_SECONDS if ttl == AUTOMATIC else ttl
    return RecordSet(name=name, type=record_type, ttl=seconds, values=tuple(values), extras=extras)


def _stored(body: object) -> Stored:
    source = record(body)
    proxied = flag(source, "proxied") if source.get("proxied") is not None else False
    return Stored(text(source, "id"), text(source, "content"), number(source, "ttl"), proxied)


def _named_zone(body: object) -> tuple[str, str]:
    source = record(body)
    return text(source, "name").lower(), text(source, "id")


def _kind(record_type: RecordType) -> str:
    return "CNAME" if record_type == "ALIAS" else record_type


def _plain(value: str) -> str:
    return value.lower().rstrip(".")
