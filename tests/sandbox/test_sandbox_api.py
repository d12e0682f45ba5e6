"""The Platform API: who may come in, how lists are cut, what changes make a release."""

from __future__ import annotations

import httpx
import pytest

from live_sandbox import ACCEPT, Live


def test_without_a_token_nothing_is_said(live: Live) -> None:
    url = live.contract["heroku"]["api_url"]
    answer = httpx.get(f"{url}/apps", headers={"Accept": ACCEPT})
    assert answer.status_code == 401
    assert answer.json()["id"] == "unauthorized"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/vnd.heroku+json; version=2"])
def test_the_api_version_must_be_asked_for(live: Live, accept: str) -> None:
    answer = live.api.get("/apps", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["id"]) == (406, "not_acceptable")


def test_the_sdk_version_is_understood(live: Live) -> None:
    answer = live.api.get("/apps", headers={"Accept": "application/vnd.heroku+json; version=3.sdk"})
    assert answer.status_code == 200


def test_answers_carry_an_id_and_the_rate_limit(live: Live) -> None:
    answer = live.api.get("/account")
    assert len(answer.headers["request-id"]) == 36
    assert int(answer.headers["ratelimit-remaining"]) > 0


def test_an_app_is_found_by_name_and_by_id(live: Live) -> None:
    by_name = live.get(f"/apps/{live.app}")
    assert live.get(f"/apps/{by_name['id']}") == by_name
    assert by_name["stack"]["name"] == by_name["build_stack"]["name"]
    assert {"repo_size", "slug_size", "owner", "region", "git_url"} <= by_name.keys()


def test_what_is_not_there_is_named(live: Live) -> None:
    answer = live.api.get("/apps/nobody")
    assert (answer.status_code, answer.json()["resource"]) == (404, "app")
    answer = live.api.get("/addons/nothing")
    assert (answer.status_code, answer.json()["resource"]) == (404, "add_on")


def test_an_unknown_endpoint_and_a_broken_body_are_json_errors(live: Live) -> None:
    assert live.api.get("/nothing/here").json()["id"] == "not_found"
    answer = live.api.patch(f"/apps/{live.app}", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")


def test_releases_are_paged_by_next_range(live: Live) -> None:
    everything = [one["version"] for one in live.get(f"/apps/{live.app}/releases")]
    seen: list[int] = []
    header: str | None = "version ..; max=1, order=desc"
    while header:
        answer = live.api.get(f"/apps/{live.app}/releases", headers={"Range": header})
        header = answer.headers.get("next-range")
        assert answer.status_code == (206 if header else 200)
        seen += [one["version"] for one in answer.json()]
    assert seen == sorted(everything, reverse=True)


def test_a_range_that_makes_no_sense_is_refused(live: Live) -> None:
    answer = live.api.get("/apps", headers={"Range": "colour ..; max=2"})
    assert (answer.status_code, answer.json()["id"]) == (416, "requested_range_not_satisfiable")


def test_an_attachment_is_resolved_by_either_name(live: Live) -> None:
    found = [
        live.send("POST", "/actions/addon-attachments/resolve", {"app": live.app, "addon_attachment": name})
        for name in ("DATABASE", "DATABASE_URL")
    ]
    assert found[0] == found[1]
    assert "plan" not in found[0][0]["addon"]
    headers = {"Accept-Inclusion": "addon:plan,config_vars"}
    listed = live.get(f"/apps/{live.app}/addon-attachments", headers=headers)
    assert listed[0]["addon"]["plan"]["name"] == "heroku-postgresql:essential-0"
    assert listed[0]["config_vars"] == ["DATABASE_URL"]


def test_ended_plans_are_refused_and_make_nothing(live: Live) -> None:
    before = live.get(f"/apps/{live.app}/addons")
    answer = live.api.post(f"/apps/{live.app}/addons", json={"plan": {"name": "heroku-postgresql:mini"}})
    assert (answer.status_code, answer.json()["id"]) == (422, "addon_error")
    assert "end-of-life" in answer.json()["message"]
    assert live.get(f"/apps/{live.app}/addons") == before


def test_a_new_app_gets_its_own_database(live: Live) -> None:
    made = live.send("POST", "/apps", {"name": "recovery"}, status=201)
    addon = live.order("recovery", "heroku-postgresql:essential-0")
    assert live.sql("SELECT current_user <> 'postgres', usesuper FROM pg_user WHERE usename = current_user", "recovery")
    assert (
        live.get("/apps/recovery/config-vars")["DATABASE_URL"]
        != live.get(f"/apps/{live.app}/config-vars")["DATABASE_URL"]
    )
    assert live.api.post("/apps/recovery/dynos", json={"command": "true"}).status_code == 409
    assert httpx.get(made["web_url"]).status_code == 503
    live.send("DELETE", "/apps/recovery")
    assert live.api.get("/apps/recovery").status_code == 404
    assert live.api.get(f"/addons/{addon['id']}").status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(made["web_url"])


def test_a_taken_name_is_refused(live: Live) -> None:
    assert live.api.post("/apps", json={"name": live.app}).status_code == 422


def test_attached_config_vars_cannot_be_overwritten(live: Live) -> None:
    answer = live.api.patch(f"/apps/{live.app}/config-vars", json={"DATABASE_URL": "postgres://elsewhere"})
    assert answer.status_code == 422


def test_a_granted_token_works_until_it_is_revoked(live: Live) -> None:
    made = live.send("POST", "/oauth/authorizations", {"description": "drill"}, status=201)
    headers = {"Authorization": f"Bearer {made['access_token']['token']}"}
    assert live.api.get("/account", headers=headers).status_code == 200
    live.send("DELETE", f"/oauth/authorizations/{made['id']}")
    assert live.api.get("/account", headers=headers).status_code == 401


def test_a_hostname_belongs_to_one_app(live: Live) -> None:
    live.send("POST", f"/apps/{live.app}/domains", {"hostname": "a.example", "sni_endpoint": None}, status=201)
    live.send("POST", "/apps", {"name": "second"}, status=201)
    answer = live.api.post("/apps/second/domains", json={"hostname": "a.example", "sni_endpoint": None})
    assert answer.status_code == 422
    live.send("DELETE", f"/apps/{live.app}/domains/a.example")
    live.send("POST", "/apps/second/domains", {"hostname": "a.example", "sni_endpoint": None}, status=201)
    live.send("DELETE", "/apps/second")


def test_the_status_page_asks_for_no_token(live: Live) -> None:
    document = httpx.get(live.contract["heroku"]["api_url"] + "/api/v4/current-status").json()
    assert {one["status"] for one in document["status"]} == {"green"}


def test_the_audit_knows_writes_from_reads(live: Live) -> None:
    start = len(live.audit())
    live.get(f"/apps/{live.app}")
    live.database()
    live.send("POST", f"/apps/{live.app}/log-sessions", {"lines": 1}, status=201)
    live.send("PATCH", f"/apps/{live.app}", {"maintenance": True})
    live.control("GET", "status")
    lines = live.audit()[start:]
    assert [(one["method"], one["write"], one["status"]) for one in lines] == [
        ("GET", False, 200),
        ("POST", False, 200),
        ("POST", False, 201),
        ("PATCH", True, 200),
    ]
