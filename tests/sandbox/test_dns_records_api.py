"""The records API: what a client of Cloudflare's v4 API meets, on the zone that the name servers serve."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dns_place import Place, opened, records_api
from uscdr.sandbox.dns.server import DnsSpec

WWW, PARKED, NEW = "www.usc-pis.example", "parked.herokudns.com", "hidden-moon-77.herokudns.com"


@pytest.fixture
def place() -> Iterator[Place]:
    with opened(DnsSpec(lag=0.0), targets=(NEW,)) as running:
        yield running


class Api:
    """A client of the records API."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self._client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._client.request(method, path, headers=self.headers, **more)

    def ok(self, method: str, path: str, **more: Any) -> Any:
        answer = self.call(method, path, **more)
        assert answer.status_code == 200, answer.text
        assert answer.json()["success"] is True
        return answer.json()["result"]

    def refused(self, method: str, path: str, **more: Any) -> tuple[int, int]:
        answer = self.call(method, path, **more)
        assert answer.json()["success"] is False
        return answer.status_code, int(answer.json()["errors"][0]["code"])

    @property
    def records(self) -> str:
        return f"/zones/{self.ok('GET', '/zones', params={'name': 'usc-pis.example'})[0]['id']}/dns_records"

    def www(self) -> dict[str, Any]:
        (one,) = self.ok("GET", self.records, params={"name": WWW, "type": "CNAME"})
        return dict(one)


@pytest.fixture
def api(place: Place) -> Iterator[Api]:
    # No TLS here: without a context of its own a client is made in no time.
    plain = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with records_api(place) as url, httpx.Client(base_url=url, transport=plain) as client:
        yield Api(client, place.hosting.token)


def test_a_record_is_shown_as_the_provider_shows_it(api: Api) -> None:
    one = api.www()
    assert (one["content"], one["ttl"], one["proxied"]) == (PARKED, 5, False)
    assert one["zone_name"] == "usc-pis.example"
    assert api.ok("GET", f"{api.records}/{one['id']}") == one


def test_records_that_the_provider_keeps_itself_are_not_listed(api: Api) -> None:
    kinds = {(one["name"], one["type"]) for one in api.ok("GET", api.records)}
    assert ("usc-pis.example", "MX") in kinds
    assert not kinds & {("usc-pis.example", "SOA"), ("usc-pis.example", "NS")}


def test_lists_come_in_pages(api: Api) -> None:
    first = api.call("GET", api.records, params={"per_page": 3}).json()
    info = first["result_info"]
    assert (info["count"], info["total_count"], info["total_pages"]) == (3, 9, 3)
    seen = [
        one["id"] for number in (1, 2, 3) for one in api.ok("GET", api.records, params={"per_page": 3, "page": number})
    ]
    assert len(set(seen)) == info["total_count"]
    assert api.refused("GET", api.records, params={"page": "x"}) == (400, 9003)


def test_a_change_is_served_and_keeps_the_id(place: Place, api: Api) -> None:
    before, serial = api.www(), place.serial()
    after = api.ok("PATCH", f"{api.records}/{before['id']}", json={"content": NEW, "ttl": 60})
    assert (after["id"], after["content"], after["ttl"]) == (before["id"], NEW, 60)
    assert place.values(WWW, "CNAME") == [f"{NEW}."]
    assert place.serial() == serial + 1
    api.ok("PUT", f"{api.records}/{before['id']}", json={"type": "CNAME", "name": WWW, "content": PARKED, "ttl": 5})
    assert api.www() == before


def test_a_dynamic_update_is_seen_by_the_api(place: Place, api: Api) -> None:
    message = place.message()
    message.replace(f"{WWW}.", 30, "CNAME", f"{NEW}.")
    assert place.send(message) == "NOERROR"
    assert (api.www()["content"], api.www()["ttl"]) == (NEW, 30)


def test_a_proxied_record_hides_its_target_and_automatic_is_a_ttl(place: Place, api: Api) -> None:
    one = api.ok("PATCH", f"{api.records}/{api.www()['id']}", json={"proxied": True, "ttl": 1})
    assert (one["proxied"], one["ttl"], one["content"]) == (True, 1, PARKED)
    assert place.values(WWW, "CNAME") == []
    assert place.values(WWW, "A") == ["203.0.113.80"]
    one = api.ok("PATCH", f"{api.records}/{one['id']}", json={"content": NEW})
    assert (one["proxied"], one["ttl"]) == (True, 1)
    whole = {"type": "CNAME", "name": WWW, "content": NEW}
    assert api.ok("PUT", f"{api.records}/{one['id']}", json=whole)["proxied"] is False
    assert place.values(WWW, "CNAME") == [f"{NEW}."]


def test_records_are_made_and_removed(place: Place, api: Api) -> None:
    made = api.ok("POST", api.records, json={"type": "A", "name": "new", "content": "192.0.2.5", "ttl": 60})
    assert made["name"] == "new.usc-pis.example"
    assert place.values("new.usc-pis.example", "A") == ["192.0.2.5"]
    assert api.ok("DELETE", f"{api.records}/{made['id']}") == {"id": made["id"]}
    assert place.values("new.usc-pis.example", "A") == []
    assert api.refused("GET", f"{api.records}/{made['id']}") == (404, 81044)


def test_an_alias_at_the_apex_is_flattened(place: Place, api: Api) -> None:
    apex = list(api.ok("GET", api.records, params={"name": "usc-pis.example", "type": "A"}))
    batch = {
        "deletes": [{"id": one["id"]} for one in apex],
        "posts": [{"type": "CNAME", "name": "@", "content": NEW, "ttl": 60}],
    }
    done = api.ok("POST", f"{api.records}/batch", json=batch)
    assert [len(done[part]) for part in ("deletes", "patches", "puts", "posts")] == [2, 0, 0, 1]
    assert place.values("usc-pis.example", "A") == ["127.0.0.1"]
    assert place.values("usc-pis.example", "CNAME") == []
    assert place.values("usc-pis.example", "MX") == ["10 mail.usc-pis.example."]


def test_a_batch_is_done_as_a_whole_or_not(place: Place, api: Api) -> None:
    before, one = place.hosting.zone.current, api.www()
    bad = {"type": "A", "name": WWW, "content": "nonsense", "ttl": 60}
    assert api.refused("POST", f"{api.records}/batch", json={"deletes": [{"id": one["id"]}], "posts": [bad]}) == (
        400,
        9005,
    )
    assert place.hosting.zone.current is before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "CNAME", "name": WWW, "content": PARKED, "ttl": 5}, 81058),
        ({"type": "CNAME", "name": WWW, "content": NEW, "ttl": 5}, 81053),
        ({"type": "CNAME", "name": "mail", "content": NEW, "ttl": 5}, 81053),
        ({"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 5}, 81054),
        ({"type": "A", "name": "new", "content": "no address", "ttl": 5}, 9005),
        ({"type": "A", "name": "new", "content": "192.0.2.1", "ttl": 0}, 9021),
        ({"type": "TXT", "name": "new", "content": '"x"', "proxied": True}, 9004),
        ({"type": "LOC", "name": "new", "content": "x"}, 9207),
    ],
)
def test_what_the_provider_refuses(place: Place, api: Api, body: dict[str, Any], code: int) -> None:
    before = place.hosting.zone.current
    assert api.refused("POST", api.records, json=body) == (400, code)
    assert place.hosting.zone.current is before


def test_a_token_has_its_limits(place: Place, api: Api) -> None:
    (foreign,) = api.ok("GET", "/zones", params={"name": "partner-clinic.example"})
    assert "#dns_records:edit" not in foreign["permissions"]
    assert api.refused("GET", f"/zones/{foreign['id']}/dns_records") == (403, 10000)
    assert api.refused("GET", "/zones/none/dns_records") == (404, 7003)
    assert api.ok("GET", "/zones", params={"name": "example.org"}) == []
    for header, expected in [("Bearer wrong", (403, 9109)), ("Basic x", (400, 6003)), ("", (400, 9106))]:
        api.headers = {"Authorization": header} if header else {}
        assert api.refused("GET", "/zones") == expected


def test_an_unknown_address_and_a_broken_body_have_the_same_shape(api: Api) -> None:
    assert api.refused("GET", "/nothing")[0] == 404
    assert api.refused("POST", api.records, content=b"{")[0] == 400
