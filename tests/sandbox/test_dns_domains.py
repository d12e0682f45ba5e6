"""Hostnames, certificates, the front door, and who may do what: through the platform's API."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import httpx
import pytest
import trustme

from live_sandbox import Live, until

WWW = "www.usc-pis.example"


@pytest.fixture
def zone(live: Live) -> Iterator[Live]:
    """The shared sandbox, its hostname where it was, without other apps."""
    yield live
    live.control("POST", "acm", {"refuse": False, "issue": 0.5, "failing": 10, "failed": 3600})
    live.control("POST", "dns", {"caa": [], "secondary": "follow", "lag": 0.3})
    for one in live.get("/apps"):
        if one["name"] != live.app:
            live.send("DELETE", f"/apps/{one['name']}")
    if WWW not in [one["hostname"] for one in live.get(f"/apps/{live.app}/domains")]:
        add(live, live.app, WWW)
    point(live, WWW, domain(live, live.app, WWW)["cname"])


def add(live: Live, app: str, hostname: str) -> Any:
    return live.send("POST", f"/apps/{app}/domains", {"hostname": hostname, "sni_endpoint": None}, status=201)


def domain(live: Live, app: str, hostname: str) -> dict[str, Any]:
    """The domain once it has its target."""
    return dict(until(lambda: (one := live.get(f"/apps/{app}/domains/{hostname}"))["cname"] and one, limit=10))


def certified(live: Live, app: str, status: str, hostname: str = WWW) -> dict[str, Any]:
    path = f"/apps/{app}/domains/{hostname}"
    return dict(until(lambda: (one := live.get(path))["acm_status"] == status and one, limit=10))


def exchange(live: Live, message: dns.message.Message, server: int = 0) -> dns.message.Message:
    port = int(live.contract["dns"]["name_servers"][server].rpartition(":")[2])
    return dns.query.tcp(message, "127.0.0.1", port=port, timeout=5)


def alias(live: Live, server: int = 0) -> list[str]:
    answer = exchange(live, dns.message.make_query(WWW, "CNAME"), server).answer
    return [one.to_text(omit_final_dot=True).split()[0].rstrip(".") for one in answer[0]] if answer else []


def point(live: Live, hostname: str, target: str) -> str:
    names = live.contract["dns"]
    key = dns.tsig.Key(dns.name.from_text(names["key_name"]), names["key"], dns.name.from_text(names["algorithm"]))
    message = dns.update.UpdateMessage(names["zone"], keyring=key)
    message.replace(f"{hostname}.", 5, "CNAME", f"{target}.")
    return dns.rcode.to_text(exchange(live, message).rcode())


def test_the_app_has_its_hostname_from_the_beginning(zone: Live) -> None:
    one = zone.get(f"/apps/{zone.app}/domains/{WWW}")
    assert (one["kind"], one["status"], one["acm_status"]) == ("custom", "succeeded", "cert issued")
    assert one["cname"].endswith(".herokudns.com")
    assert alias(zone) == [one["cname"]]
    assert zone.get(f"/apps/{zone.app}")["acm"] is True


def test_the_contract_says_how_to_reach_everything(zone: Live) -> None:
    names = zone.contract["dns"]
    assert (names["zone"], names["hostname"], names["server"]) == ("usc-pis.example", WWW, "127.0.0.1")
    assert names["name_servers"][0] == f"127.0.0.1:{names['port']}"
    assert len(set(names["name_servers"])) == 2
    headers = {"Authorization": f"Bearer {names['cloudflare']['token']}"}
    trust = ssl.create_default_context(cafile=zone.contract["ca_file"])
    for url in (names["cloudflare"]["base_url"], names["cloudflare"]["secure_base_url"]):
        answer = httpx.get(f"{url}/zones", headers=headers, verify=trust, trust_env=False).json()
        assert [one["name"] for one in answer["result"]] == ["usc-pis.example", "partner-clinic.example"]


def test_a_hostname_gets_a_new_target_with_every_add(zone: Live) -> None:
    added = add(zone, zone.app, "api.usc-pis.example")
    assert (added["cname"], added["status"]) == (None, "pending")
    first = domain(zone, zone.app, "api.usc-pis.example")
    assert first["status"] == "succeeded"
    zone.send("DELETE", f"/apps/{zone.app}/domains/api.usc-pis.example")
    add(zone, zone.app, "api.usc-pis.example")
    assert domain(zone, zone.app, "api.usc-pis.example")["cname"] != first["cname"]
    zone.send("DELETE", f"/apps/{zone.app}/domains/api.usc-pis.example")


@pytest.mark.parametrize(
    ("app", "body", "message"),
    [
        ("usc-pis", {"hostname": WWW, "sni_endpoint": None}, "Domain already added to this app."),
        ("second", {"hostname": WWW, "sni_endpoint": None}, f"{WWW} is currently in use by another app."),
        ("second", {"hostname": "x.example"}, "Missing required field: sni_endpoint"),
        ("second", {"hostname": "not a name", "sni_endpoint": None}, "not a name is not a valid hostname."),
    ],
)
def test_hostnames_that_are_refused(zone: Live, app: str, body: dict[str, Any], message: str) -> None:
    zone.api.post("/apps", json={"name": "second"})
    answer = zone.api.post(f"/apps/{app}/domains", json=body)
    assert (answer.status_code, answer.json()["id"], answer.json()["message"]) == (422, "invalid_params", message)


def test_a_hostname_moves_to_another_app(zone: Live) -> None:
    """Free it, take it, point to it, get a certificate; the front door shows who answers meanwhile."""
    old = alias(zone)
    door = httpx.Client(base_url=zone.contract["edge_url"], headers={"Host": WWW}, trust_env=False)
    assert door.get("/index.html").text == "hello from the web dyno"
    zone.send("POST", "/apps", {"name": "second"}, status=201)
    zone.send("DELETE", f"/apps/{zone.app}/domains/{WWW}")
    answer = door.get("/")
    assert (answer.status_code, "No such app" in answer.text) == (404, True)
    add(zone, "second", WWW)
    zone.send("POST", "/apps/second/acm", {}, status=201)
    target = domain(zone, "second", WWW)["cname"]
    assert door.get("/").status_code == 503
    assert certified(zone, "second", "pending")["acm_status_reason"] == f"Domain's DNS target doesn't match {target}"
    assert point(zone, WWW, target) == "NOERROR"
    assert certified(zone, "second", "cert issued")["sni_endpoint"]["name"].startswith("tyrannosaurus-")
    (endpoint,) = zone.get("/apps/second/sni-endpoints")
    assert endpoint["ssl_cert"]["cert_domains"] == [WWW]
    assert endpoint["ssl_cert"]["acm"] is True
    until(lambda: alias(zone, server=1) == [target], limit=5)
    assert old != [target]
    resolved = exchange(zone, dns.message.make_query(WWW, "A")).answer[-1]
    assert resolved[0].to_text() == "127.0.0.1"
    assert exchange(zone, dns.message.make_query(old[0], "A")).rcode() == dns.rcode.NXDOMAIN


def test_hosts_nobody_has_reach_no_app(zone: Live) -> None:
    for host in ("nobody.example", "127.0.0.1", ""):
        assert httpx.get(zone.contract["edge_url"], headers={"Host": host}, trust_env=False).status_code == 404
    own = next(one for one in zone.get(f"/apps/{zone.app}/domains") if one["kind"] == "heroku")
    headers = {"Host": f"{own['hostname'].upper()}:80"}
    assert httpx.get(zone.contract["edge_url"], headers=headers, trust_env=False).status_code == 200


def again(live: Live) -> None:
    live.send("DELETE", f"/apps/{live.app}/acm")
    live.send("POST", f"/apps/{live.app}/acm", {}, status=201)


def test_a_caa_record_without_the_issuer_keeps_a_certificate_away(zone: Live) -> None:
    zone.control("POST", "dns", {"caa": ["other-authority.example"]})
    again(zone)
    assert "CAA" in certified(zone, zone.app, "failing")["acm_status_reason"]
    zone.control("POST", "dns", {"caa": ["other-authority.example", "letsencrypt.org"]})
    assert certified(zone, zone.app, "cert issued")["acm_status_reason"] is None


def test_a_wrong_target_fails_in_the_end_and_can_be_tried_again(zone: Live) -> None:
    target = alias(zone)[0]
    zone.control("POST", "acm", {"failing": 0.1, "failed": 0.4})
    point(zone, WWW, "elsewhere.herokudns.com")
    again(zone)
    certified(zone, zone.app, "failing")
    certified(zone, zone.app, "failed")
    point(zone, WWW, target)
    assert zone.get(f"/apps/{zone.app}/domains/{WWW}")["acm_status"] == "failed"
    zone.send("PATCH", f"/apps/{zone.app}/acm", {"acm_refresh": True})
    certified(zone, zone.app, "cert issued")


def test_certificates_can_be_made_to_fail(zone: Live) -> None:
    zone.control("POST", "acm", {"refuse": True})
    again(zone)
    certified(zone, zone.app, "failed")
    zone.control("POST", "acm", {"refuse": False})
    zone.send("PATCH", f"/apps/{zone.app}/acm", {"acm_refresh": True})
    certified(zone, zone.app, "cert issued")


def test_an_own_certificate_is_uploaded_and_chosen(zone: Live) -> None:
    zone.send("POST", "/apps", {"name": "second"}, status=201)
    leaf = trustme.CA().issue_cert(WWW)
    chain = "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)
    body = {"certificate_chain": chain, "private_key": leaf.private_key_pem.bytes().decode()}
    made = zone.send("POST", "/apps/second/sni-endpoints", body, status=201)
    assert made["ssl_cert"]["cert_domains"] == [WWW]
    assert "PRIVATE" not in str(made)
    added = zone.send(
        "POST", "/apps/second/domains", {"hostname": "x.example", "sni_endpoint": made["name"]}, status=201
    )
    assert added["sni_endpoint"] == {"id": made["id"], "name": made["name"]}
    changed = zone.send("PATCH", "/apps/second/domains/x.example", {"sni_endpoint": None})
    assert changed["sni_endpoint"] is None
    other = trustme.CA().issue_cert(WWW).private_key_pem.bytes().decode()
    for wrong in ({**body, "private_key": other}, {**body, "certificate_chain": "x"}, {}):
        assert zone.api.post("/apps/second/sni-endpoints", json=wrong).status_code == 422
    zone.send("DELETE", f"/apps/second/sni-endpoints/{made['name']}")
    assert zone.get("/apps/second/sni-endpoints") == []


def test_updates_and_writes_are_audited_and_queries_are_not(zone: Live) -> None:
    before = len(zone.audit())
    alias(zone)
    assert zone.audit()[before:] == []
    point(zone, WWW, alias(zone)[0])
    (line,) = zone.audit()[before:]
    found = tuple(line[key] for key in ("method", "path", "status", "write", "provider"))
    assert found == ("UPDATE", f"{WWW}/CNAME", 200, True, "dns")


def test_faults_reach_name_servers_and_the_records_api(zone: Live) -> None:
    zone.fault("servfail", provider="dns", method="UPDATE", path=f"{WWW}/*")
    assert point(zone, WWW, "elsewhere.herokudns.com") == "SERVFAIL"
    names = zone.contract["dns"]["cloudflare"]
    headers = {"Authorization": f"Bearer {names['token']}"}
    zone.fault("403", provider="dns", path="/client/v4/zones")
    answer = httpx.get(f"{names['base_url']}/zones", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 9109)
    assert zone.audit()[-1]["fault"] == "403"
    assert zone.api.get("/apps").status_code == 200


def test_the_control_shows_both_servers(zone: Live) -> None:
    zone.control("POST", "dns", {"secondary": "stuck"})
    old = alias(zone)[0]
    point(zone, WWW, "elsewhere.herokudns.com")
    seen = zone.control("GET", "dns")
    assert f"{WWW} 5 CNAME elsewhere.herokudns.com." in seen["primary"]
    assert f"{WWW} 5 CNAME {old}." in seen["secondary"]


def test_collaborators_and_drains(zone: Live) -> None:
    path = f"/apps/{zone.app}"
    made = zone.send("POST", f"{path}/collaborators", {"user": "it@usc-pis.example", "silent": True}, status=201)
    assert zone.api.post(f"{path}/collaborators", json={"user": "it@usc-pis.example"}).status_code == 422
    assert [one["role"] for one in zone.get(f"{path}/collaborators")] == ["owner", "collaborator"]
    zone.send("DELETE", f"{path}/collaborators/{made['user']['email']}")
    url = "https://drain:secret@logs.example/in"
    drain = zone.send("POST", f"{path}/log-drains", {"url": url}, status=201)
    assert zone.api.post(f"{path}/log-drains", json={"url": url}).status_code == 422
    assert zone.api.post(f"{path}/log-drains", json={"url": "nonsense"}).status_code == 422
    assert [one["url"] for one in zone.get(f"{path}/log-drains")] == [url]
    zone.send("DELETE", f"{path}/log-drains/{drain['id']}")
    assert zone.get(f"{path}/log-drains") == []
