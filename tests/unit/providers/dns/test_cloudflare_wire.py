"""What goes over the wire to Cloudflare, and what its answers are taken for. Shapes as its API v4 documents them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from uscdr.errors import (
    AnswerLost,
    BadInput,
    ConfigError,
    Conflict,
    CredentialsRefused,
    NotFound,
    ProviderError,
    RateLimited,
    WriteRefused,
)
from uscdr.models.dns import RecordSet
from uscdr.providers.dns.cloudflare import BASE_URL, CloudflareClient, CloudflareZone
from uscdr.providers.http import client as api_client
from uscdr.providers.http.client import trust
from uscdr.providers.http.retry import RetryPolicy

APEX, WWW = "clinic.example", "www.clinic.example"
ZONES, RECORDS = f"{BASE_URL}/zones", f"{BASE_URL}/zones/z1/dns_records"
CANARY = "cf-canary-token-91"
ROOTS = trust()


def envelope(result: object, **info: int) -> dict[str, Any]:
    body = {"success": True, "errors": [], "messages": [], "result": result}
    return body | ({"result_info": info} if info else {})


def no(code: int, message: str = "Refused.") -> dict[str, Any]:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


def stored(
    content: str, *, rid: str = "r1", ttl: int = 300, proxied: bool = False, kind: str = "CNAME"
) -> dict[str, Any]:
    return {"id": rid, "name": WWW, "type": kind, "content": content, "ttl": ttl, "proxied": proxied, "tags": []}


def alias(target: str, ttl: int = 300, **extras: str) -> RecordSet:
    return RecordSet(name=WWW, type="CNAME", ttl=ttl, values=(target,), extras=extras)


def addresses(*values: str) -> RecordSet:
    return RecordSet(name=WWW, type="A", ttl=300, values=values)


OLD, NEW = alias("old.herokudns.com"), alias("new.herokudns.com", ttl=60)


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.get(ZONES).respond(json=envelope([{"id": "z1", "name": APEX}], page=1, total_pages=1))
        yield router


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> Iterator[CloudflareZone]:
    monkeypatch.setattr(api_client, "trust", lambda _: ROOTS)
    policy = RetryPolicy(attempts=3)
    with CloudflareClient(SecretStr(CANARY), read_only=False, sleep=waits.append, policy=policy) as client:
        yield CloudflareZone(APEX, client)


def holds(api: respx.MockRouter, *looks: list[dict[str, Any]]) -> respx.Route:
    """What each look at the records shows, the last one for ever."""
    remaining = list(looks)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=envelope(remaining.pop(0) if len(remaining) > 1 else remaining[0]))

    return api.get(RECORDS).mock(side_effect=answer)


def body_of(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


def test_a_read_asks_for_one_name_and_type(api: respx.MockRouter, zone: CloudflareZone) -> None:
    route = holds(api, [stored("Old.HerokuDNS.com", proxied=True, ttl=1)])
    found = zone.read("WWW.clinic.example.", "CNAME")
    assert found == alias("old.herokudns.com", proxied="true", ttl=300).model_copy(
        update={"extras": {"proxied": "true", "ttl": "auto"}}
    )
    request = route.calls.last.request
    assert dict(request.url.params) == {"name": WWW, "type": "CNAME", "page": "1", "per_page": "100"}
    assert request.headers["Authorization"] == f"Bearer {CANARY}"


def test_the_zone_is_looked_up_once(api: respx.MockRouter, zone: CloudflareZone) -> None:
    holds(api, [])
    assert zone.read(WWW, "CNAME") is None
    zone.read(WWW, "A")
    assert api.get(ZONES).call_count == 1


def test_one_record_is_patched_and_keeps_what_nobody_named(api: respx.MockRouter, zone: CloudflareZone) -> None:
    holds(api, [stored("old.herokudns.com", proxied=True)], [stored("new.herokudns.com", ttl=1, proxied=True)])
    route = api.patch(f"{RECORDS}/r1").respond(json=envelope({}))
    zone.swap(WWW, "CNAME", OLD, NEW)
    assert body_of(route) == {"content": "new.herokudns.com", "ttl": 60}


def test_a_rollback_carries_the_extras(api: respx.MockRouter, zone: CloudflareZone) -> None:
    holds(api, [stored("new.herokudns.com", ttl=60)], [stored("old.herokudns.com", ttl=1, proxied=True)])
    route = api.patch(f"{RECORDS}/r1").respond(json=envelope({}))
    before = alias("old.herokudns.com").model_copy(update={"extras": {"proxied": "true", "ttl": "auto"}})
    zone.swap(WWW, "CNAME", NEW, before)
    assert body_of(route) == {"content": "old.herokudns.com", "ttl": 1, "proxied": True}


def test_several_values_change_in_one_transaction(api: respx.MockRouter, zone: CloudflareZone) -> None:
    one, two, three = (stored(f"192.0.2.{n}", rid=f"r{n}", kind="A") for n in (1, 2, 3))
    holds(api, [one, two], [two, three, stored("192.0.2.4", rid="r4", kind="A")])
    route = api.post(f"{RECORDS}/batch").respond(json=envelope({}))
    zone.swap(WWW, "A", addresses("192.0.2.1", "192.0.2.2"), addresses("192.0.2.2", "192.0.2.3", "192.0.2.4"))
    assert body_of(route) == {
        "patches": [{"id": "r1", "content": "192.0.2.3", "ttl": 300}],
        "posts": [{"type": "A", "name": WWW, "content": "192.0.2.4", "ttl": 300}],
    }


def test_created_and_deleted(api: respx.MockRouter, zone: CloudflareZone) -> None:
    holds(api, [], [stored("new.herokudns.com")], [stored("new.herokudns.com")], [])
    made = api.post(RECORDS).respond(json=envelope({}))
    gone = api.delete(f"{RECORDS}/r1").respond(json=envelope({"id": "r1"}))
    zone.swap(WWW, "CNAME", None, NEW)
    zone.swap(WWW, "CNAME", NEW, None)
    assert body_of(made) == {"type": "CNAME", "name": WWW, "content": "new.herokudns.com", "ttl": 60}
    assert gone.call_count == 1


def test_a_change_that_does_not_show_is_no_success(api: respx.MockRouter, zone: CloudflareZone) -> None:
    holds(api, [stored("old.herokudns.com")])
    api.patch(f"{RECORDS}/r1").respond(json=envelope({}))
    with pytest.raises(ProviderError, match="the provider accepted the change, but the zone does not show it"):
        zone.swap(WWW, "CNAME", OLD, NEW)


def test_every_page_is_read(api: respx.MockRouter, zone: CloudflareZone) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        content = stored(f"192.0.2.{number}", rid=f"r{number}", kind="A")
        return httpx.Response(200, json=envelope([content], page=number, per_page=1, total_pages=3))

    api.get(RECORDS).mock(side_effect=page)
    found = zone.read(WWW, "A")
    assert found is not None
    assert found.values == ("192.0.2.1", "192.0.2.2", "192.0.2.3")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, no(9109, "Invalid access token"), CredentialsRefused),
        (403, no(10000, "Authentication error"), CredentialsRefused),
        (400, no(6003, "Invalid request headers"), CredentialsRefused),
        (401, "<html>", CredentialsRefused),
        (404, no(7003), NotFound),
        (429, no(971), RateLimited),
        (503, "<html>", ProviderError),
        (200, "<html>", ProviderError),
        (200, no(1234), ProviderError),
        (200, {"success": True, "result": [{"id": 7}]}, ProviderError),
        (302, "", ProviderError),
    ],
)
def test_a_read_that_fails(
    status: int, body: Any, kind: type[ProviderError], api: respx.MockRouter, zone: CloudflareZone
) -> None:
    shown = {"json": body} if isinstance(body, dict) else {"html": body}
    api.get(RECORDS).mock(side_effect=lambda _: httpx.Response(status, **shown))
    with pytest.raises(kind) as caught:
        zone.read(WWW, "CNAME")
    assert not isinstance(caught.value, AnswerLost)
    assert CANARY not in repr(caught.value.__dict__)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, no(81053, "An A, AAAA, or CNAME record with that host already exists."), Conflict),
        (400, no(81058), Conflict),
        (404, no(81044), NotFound),
        (400, no(9021), ProviderError),
        (403, "<html>", CredentialsRefused),
        (500, no(1000), AnswerLost),
        (502, "<html>", AnswerLost),
        (200, "<html>", AnswerLost),
        (400, "<html>", AnswerLost),
        (302, "", AnswerLost),
    ],
)
def test_a_write_that_fails_is_sent_once(
    status: int, body: Any, kind: type[ProviderError], api: respx.MockRouter, zone: CloudflareZone
) -> None:
    holds(api, [stored("old.herokudns.com")])
    shown = {"json": body} if isinstance(body, dict) else {"html": body}
    route = api.patch(f"{RECORDS}/r1").mock(side_effect=lambda _: httpx.Response(status, **shown))
    with pytest.raises(kind) as caught:
        zone.swap(WWW, "CNAME", OLD, NEW)
    assert isinstance(caught.value, AnswerLost) is (kind is AnswerLost)
    assert route.call_count == 1


def test_a_refused_rate_waits_as_asked_and_goes_on(
    api: respx.MockRouter, zone: CloudflareZone, waits: list[float]
) -> None:
    turns = iter([httpx.Response(429, json=no(971), headers={"Retry-After": "9"})])
    done = httpx.Response(200, json=envelope([stored("old.herokudns.com")]))
    api.get(RECORDS).mock(side_effect=lambda _: next(turns, done))
    assert zone.read(WWW, "CNAME") is not None
    assert waits
    assert waits[0] >= 9


def test_a_cut_connection_leaves_a_write_in_doubt(api: respx.MockRouter, zone: CloudflareZone) -> None:
    holds(api, [stored("old.herokudns.com")])
    route = api.patch(f"{RECORDS}/r1").mock(side_effect=httpx.ReadError)
    with pytest.raises(AnswerLost):
        zone.swap(WWW, "CNAME", OLD, NEW)
    assert route.call_count == 1


def test_a_list_without_end_is_given_up(api: respx.MockRouter, zone: CloudflareZone) -> None:
    api.get(RECORDS).respond(json=envelope([], page=1, total_pages=10**9))
    with pytest.raises(ProviderError, match="returned a list without an end when asked to"):
        zone.read(WWW, "CNAME")


def test_what_the_zone_could_not_hold_is_not_sent(api: respx.MockRouter, zone: CloudflareZone) -> None:
    with pytest.raises(BadInput):
        zone.swap("www.elsewhere.test", "CNAME", None, NEW)
    assert api.calls.call_count == 0


def test_a_read_only_client_sends_no_write(api: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "trust", lambda _: ROOTS)
    client = CloudflareClient(SecretStr(CANARY), read_only=True)
    holds(api, [stored("old.herokudns.com")])
    with pytest.raises(WriteRefused), client:
        CloudflareZone(APEX, client).swap(WWW, "CNAME", OLD, NEW)
    assert {call.request.method for call in api.calls} == {"GET"}


def test_a_token_goes_over_no_open_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError):
        CloudflareClient(SecretStr(CANARY), base_url="http://api.example.org", read_only=True)
    with pytest.raises(CredentialsRefused):
        CloudflareClient(SecretStr("two words"), read_only=True)
