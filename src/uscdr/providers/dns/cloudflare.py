"""The `Zone` port on Cloudflare's API.

The API has no compare-and-set: the records are read immediately before the write and again after it. A concurrent
change within that moment would be overwritten; every earlier change is a `Conflict`. An ALIAS is stored as a CNAME,
which Cloudflare flattens at the apex.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, Unpack
from urllib.parse import urlencode, urlsplit

import httpx

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.records import HOSTS, normal
from uscdr.providers.dns.swap import RecordSwap, by_hand, conflicting_records, other_zone, same
from uscdr.providers.http.client import BearerClient, ClientOptions, require_private, segment
from uscdr.providers.http.exchange import HttpCall, Pages, Reply
from uscdr.providers.http.json import JsonObject, ShapeError, items
from uscdr.providers.http.refusal import AnswerReading, Provider, Refusal, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import SecretStr

    from uscdr.write_guard import WriteGuard

# Maps Cloudflare's errors to ours, by the first code in `errors`, then by the status.


PROVIDER = "Cloudflare"
CLOUDFLARE = Provider(
    PROVIDER,
    "Check www.cloudflarestatus.com, then run the command again when Cloudflare has recovered.",
    surely=frozenset({403}),
)
"""Cloudflare's edge may refuse a request with a web page instead of the API's envelope."""

HOW_TO_GET_ACCESS = (
    "Create an API token with the permission Zone > DNS > Edit for this zone (My Profile, API Tokens), and use it."
)
_LOOK = "Check the zone's records at Cloudflare, then run the command again."


_RIGHTS = Refusal(CredentialsRefused, "the token is not valid, or lacks permission for this zone", HOW_TO_GET_ACCESS)
_TWIN = Refusal(Conflict, "the record already exists", _LOOK)
_BESIDE = Refusal(Conflict, "a CNAME and other records cannot share a name", _LOOK)
_GONE = Refusal(NotFound, "it has no such zone or record", _LOOK)
_VALUES = Refusal(ProviderError, "it does not accept the values sent", "Check value and TTL in the plan.")
_RATE = Refusal(RateLimited, "the request quota is used up", "Wait five minutes, then run the command again.")

_BY_CODE: Mapping[int, Refusal] = {
    1001: _GONE,
    1004: _VALUES,
    6003: _RIGHTS,
    7000: _GONE,
    7003: _GONE,
    9106: _RIGHTS,
    9109: _RIGHTS,
    9021: Refusal(ProviderError, "it does not accept this TTL", "Set a TTL of 60 s or more in the target or step."),
    10000: _RIGHTS,
    10001: _RIGHTS,
    81044: _GONE,
    81053: _BESIDE,
    81054: _BESIDE,
    81056: _BESIDE,
    81057: _TWIN,
    81058: _TWIN,
    971: _RATE,
}
_BY_STATUS: Mapping[int, Refusal] = {401: _RIGHTS, 403: _RIGHTS, 404: _GONE, 409: _TWIN, 429: _RATE}


def _refusal(reply: Reply, call: HttpCall, body: JsonObject, leave: WriteGuard) -> ProviderError:
    """The error for any unsuccessful answer."""
    code = _first_code(body)
    row = _BY_CODE.get(code) or _BY_STATUS.get(reply.status, _VALUES)
    own = body.get("success") is False
    reading = AnswerReading(row, own, quote=_quote(body, call), error_id=str(code or ""))
    return CLOUDFLARE.refused(reply, call, reading, leave)


def _first_code(body: JsonObject) -> int:
    """The code of the first entry of `errors`; 0 when there is none."""
    code = _first(body).get("code")
    return code if isinstance(code, int) else 0


def _first(body: JsonObject) -> Mapping[str, object]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return errors[0]
    return {}


def _quote(body: JsonObject, call: HttpCall) -> str:
    entry = _first(body)
    text = clean(str(entry.get("message") or ""), call.hide)
    code = f" (code {_first_code(body)})" if _first_code(body) else ""
    return f'{code}: "{text}"' if text else f"{code}."


# Cloudflare's HTTP API: authentication, envelope, pages, one retry loop.


T = TypeVar("T")

BASE_URL = "https://api.cloudflare.com/client/v4"
PAGE = 100
"""Records in a page; the API allows more, but no name has that many."""
MAX_PAGES = 100


@dataclass(frozen=True)
class _CloudflareCall:
    """One call: `what` in words, where below the base URL, and what goes with it."""

    what: str
    method: str
    path: str
    body: object = field(default=None, repr=False)

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


class CloudflareClient(BearerClient):
    """Sends requests.

    Raises `ConfigError` for an address that would send the token unencrypted, and `CredentialsRefused` for a malformed
    token.
    """

    def __init__(self, token: SecretStr, *, base_url: str = BASE_URL, **wiring: Unpack[ClientOptions]) -> None:
        self._url = _with_version(require_private(base_url, "The DNS provider's API"))
        super().__init__(PROVIDER, token, HOW_TO_GET_ACCESS, **wiring)

    def send(self, ask: _CloudflareCall) -> None:
        """A write; only the success of its answer counts, because the zone is read afterwards."""
        self.patience.call(lambda: self._once(ask), writes=ask.writes)

    def pages(self, what: str, path: str, query: Mapping[str, str], decode: Callable[[object], T]) -> tuple[T, ...]:
        """Every item of a list, page after page."""
        return tuple(item for page in self._each_page(what, path, query, decode) for item in page)

    def _each_page(
        self, what: str, path: str, query: Mapping[str, str], decode: Callable[[object], T]
    ) -> Iterator[tuple[T, ...]]:
        page, pages = 1, Pages(MAX_PAGES)
        while True:
            counted = urlencode({**query, "page": page, "per_page": PAGE})
            found, last = self._page(_CloudflareCall(what, "GET", f"{path}?{counted}"), decode)
            yield found
            if page >= last:
                return
            page += 1
            if not pages.go_on(str(page), found):
                raise ProviderError(
                    f"{PROVIDER} returned a list without an end when asked to {what}.",
                    provider=PROVIDER,
                    why="It repeated its pages or returned too many.",
                    next_action="Run the command again later.",
                )

    def _page(self, ask: _CloudflareCall, decode: Callable[[object], T]) -> tuple[tuple[T, ...], int]:
        """The items of one page, and how many pages there are."""
        return self.patience.call(lambda: self._decoded(ask, decode), writes=False)

    def _decoded(self, ask: _CloudflareCall, decode: Callable[[object], T]) -> tuple[tuple[T, ...], int]:
        body, reply, call = self._once(ask)
        try:
            info = body.nested("result_info")
            return items(body.get("result"), decode), info.optional_number("total_pages") or 1
        except ShapeError as problem:
            raise CLOUDFLARE.unreadable(reply, call, str(problem)) from None

    def _once(self, ask: _CloudflareCall) -> tuple[JsonObject, Reply, HttpCall]:
        """Send one request once. Anything without success in its envelope is an error."""
        headers = {"Accept": "application/json"}
        if ask.body is not None:
            headers["Content-Type"] = "application/json"
        call = HttpCall(ask.what, ask.method, ask.path, ask.writes, ask.body, headers, (self.token,))
        reply = self.exchange(self._url, call)
        body = reply.fields()
        if not httpx.codes.is_success(reply.status) or body.get("success") is False:
            raise _refusal(reply, call, body, self.leave)
        if body.get("success") is not True:
            raise CLOUDFLARE.unreadable(reply, call, "the body is not the API's")
        return body, reply, call


def _with_version(url: str) -> str:
    """An address without a path is the host; the API's paths start with its version."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/client/v4"


AUTOMATIC = 1
"""The TTL that means "automatic" in the API."""
AUTOMATIC_SECONDS = 300
"""The automatic TTL's value."""


@dataclass(frozen=True)
class _Stored:
    """One record as the API holds it; `ttl` is in seconds, or AUTOMATIC."""

    id: str
    content: str
    ttl: int
    proxied: bool


@dataclass(frozen=True)
class _Edits:
    """The edits that turn the stored records into the wanted ones, in the API's format."""

    deletes: tuple[dict[str, object], ...] = ()
    patches: tuple[dict[str, object], ...] = ()
    posts: tuple[dict[str, object], ...] = field(default=())

    @property
    def count(self) -> int:
        """The number of changed records."""
        return len(self.deletes) + len(self.patches) + len(self.posts)


class CloudflareZone:
    """`zone` by its name; its id is looked up once."""

    def __init__(self, zone: str, client: CloudflareClient) -> None:
        self.zone = normal(zone)
        self._client = client

    @property
    def writable(self) -> bool:
        """True: uscdr can change this zone."""
        return True

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """`GET /zones/{id}/dns_records?name=&type=`; extras: `proxied`, and `ttl: auto` where the API chooses it."""
        name = normal(name)
        return _set(name, record_type, self._stored(name, record_type))

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        """One PATCH, POST or DELETE of a record; several go in one `POST …/dns_records/batch`, a transaction."""
        swap = RecordSwap.checked(self.zone, name, record_type, expected, wanted)
        stored = self._stored(swap.name, record_type)
        held = _set(swap.name, record_type, stored)
        if self._is_done(swap, held):
            return
        if not same(held, swap.expected):
            raise swap.conflict(held, provider=PROVIDER)
        self._client.send(self._write(swap, _edits(swap, stored)))
        held = self.read(swap.name, record_type)
        if not self._is_done(swap, held):
            raise swap.ignored(held, provider=PROVIDER)

    def obstacle(self, name: str) -> str:
        """Only addresses and a delegation: Cloudflare flattens at the apex, and allows mail and text records beside."""
        name = normal(name)
        return other_zone(self.zone, name) or conflicting_records(name, self.read, ("A", "AAAA", "NS"))

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """Instructions for a manual change, with old and new record lines and TTL."""
        return by_hand(self.zone, expected, wanted)

    def _is_done(self, swap: RecordSwap, held: RecordSet | None) -> bool:
        if held is not None and held.extras.get("proxied") == "true":
            # For a proxied record only Cloudflare chooses the TTL.
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
            f"{PROVIDER} has no zone {self.zone} for this token.",
            provider=PROVIDER,
            next_action=f"Check the zone's name. {HOW_TO_GET_ACCESS}",
        )

    def _stored(self, name: str, record_type: RecordType) -> tuple[_Stored, ...]:
        query = {"name": name, "type": _kind(record_type)}
        return self._client.pages(f"read {name} ({record_type})", self._records, query, _stored)

    def _write(self, swap: RecordSwap, edits: _Edits) -> _CloudflareCall:
        what = f"change {swap.name} ({swap.type})"
        if edits.count > 1:
            parts = {"deletes": edits.deletes, "patches": edits.patches, "posts": edits.posts}
            return _CloudflareCall(
                what, "POST", f"{self._records}/batch", {part: rows for part, rows in parts.items() if rows}
            )
        if edits.posts:
            return _CloudflareCall(what, "POST", self._records, edits.posts[0])
        if edits.patches:
            body = dict(edits.patches[0])
            return _CloudflareCall(what, "PATCH", f"{self._records}/{segment(str(body.pop('id')))}", body)
        return _CloudflareCall(what, "DELETE", f"{self._records}/{segment(str(edits.deletes[0]['id']))}")


def _edits(swap: RecordSwap, stored: tuple[_Stored, ...]) -> _Edits:
    """The fewest edits. An unchanged record keeps its id; a replaced one keeps its other settings."""
    if swap.wanted is None:
        return _Edits(deletes=tuple({"id": one.id} for one in stored))
    values = {_plain(value): value for value in swap.wanted.values}
    keep = [one for one in stored if _plain(one.content) in values]
    spare = [one for one in stored if one not in keep]
    new = [value for plain, value in values.items() if plain not in {_plain(one.content) for one in keep}]
    facts = _facts(swap.wanted)
    fresh = {"type": _kind(swap.type), "name": swap.name}
    replaced = zip(spare, new, strict=False)
    return _Edits(
        deletes=tuple({"id": one.id} for one in spare[len(new) :]),
        patches=(
            *({"id": one.id, **facts} for one in keep if _differs(one, facts)),
            *({"id": one.id, "content": value, **facts} for one, value in replaced),
        ),
        posts=tuple({**fresh, "content": value, **facts} for value in new[len(spare) :]),
    )


def _facts(wanted: RecordSet) -> dict[str, object]:
    """TTL and proxy as wanted; a set without a proxy setting leaves it unchanged."""
    ttl = AUTOMATIC if wanted.extras.get("ttl") == "auto" else wanted.ttl
    if "proxied" not in wanted.extras:
        return {"ttl": ttl}
    return {"ttl": ttl, "proxied": wanted.extras["proxied"] == "true"}


def _differs(one: _Stored, facts: dict[str, object]) -> bool:
    return one.ttl != facts["ttl"] or one.proxied != facts.get("proxied", one.proxied)


def _set(name: str, record_type: RecordType, stored: tuple[_Stored, ...]) -> RecordSet | None:
    if not stored:
        return None
    ttl = min(one.ttl for one in stored)
    extras = {"proxied": "true" if any(one.proxied for one in stored) else "false"}
    if ttl == AUTOMATIC:
        extras["ttl"] = "auto"
    values = sorted(one.content.rstrip(".").lower() if record_type in HOSTS else one.content for one in stored)
    seconds = AUTOMATIC_SECONDS if ttl == AUTOMATIC else ttl
    return RecordSet(name=name, type=record_type, ttl=seconds, values=tuple(values), extras=extras)


def _stored(body: object) -> _Stored:
    source = JsonObject.of(body)
    proxied = source.flag("proxied") if source.get("proxied") is not None else False
    return _Stored(source.text("id"), source.text("content"), source.number("ttl"), proxied)


def _named_zone(body: object) -> tuple[str, str]:
    source = JsonObject.of(body)
    return source.text("name").lower(), source.text("id")


def _kind(record_type: RecordType) -> str:
    return "CNAME" if record_type == "ALIAS" else record_type


def _plain(value: str) -> str:
    return value.lower().rstrip(".")
