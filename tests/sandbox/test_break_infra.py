"""`break infra`: apps, databases, backups and accounts that are gone, and what can be made anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from live_sandbox import ACCEPT, Live, until
from uscdr.errors import BadInput

POSTGRES = "heroku-postgresql:essential-0"


def _break(live: Live, how: str, app: str = "victim", **more: Any) -> dict[str, Any]:
    return dict(live.control("POST", "break/infra", {"how": how, "app": app, **more}))


def _take(live: Live, app: str, hostname: str) -> httpx.Response:
    return live.api.post(f"/apps/{app}/domains", json={"hostname": hostname, "sni_endpoint": None})


def _spare(live: Live) -> httpx.Client:
    headers = {"Authorization": f"Bearer {live.contract['heroku']['spare_token']}", "Accept": ACCEPT}
    return httpx.Client(base_url=live.contract["heroku"]["api_url"], headers=headers, trust_env=False)


@pytest.fixture
def victim(live: Live) -> Iterator[Live]:
    """An app with a database, data and a backup."""
    slug = next(one for one in live.get(f"/apps/{live.app}/releases") if one["current"])["slug"]["id"]
    live.send("POST", "/apps", {"name": "victim"}, status=201)
    live.order("victim", POSTGRES)
    live.send("POST", "/apps/victim/releases", {"slug": slug}, status=201)
    assert live.release_over("victim")["status"] == "succeeded"
    live.settled("victim")
    live.capture("victim")
    yield live
    for one in live.get("/apps"):
        if one["name"] != live.app:
            live.send("DELETE", f"/apps/{one['name']}")


def test_a_lost_app_takes_everything_with_it(victim: Live) -> None:
    url = victim.get("/apps/victim")["web_url"]
    database = victim.get("/apps/victim/config-vars")["DATABASE_URL"]
    link = victim.send("POST", "/client/v11/apps/victim/transfers/1/actions/public-url")["url"]
    addon = victim.database("victim")
    files = set(victim.state.backups.iterdir())
    assert _take(victim, "victim", "www.first.example").status_code == 201
    done = _break(victim, "app-gone")
    assert "1 backup" in done["done"][0]
    for path in ("/apps/victim", "/client/v11/apps/victim/transfers", f"/client/v11/databases/{addon}"):
        assert victim.api.get(path).status_code == 404
    assert [one["name"] for one in victim.get("/apps")] == [victim.app]
    assert len(files - set(victim.state.backups.iterdir())) == 1
    assert httpx.get(link, verify=False).status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database)
    victim.send("POST", "/apps", {"name": "heir"}, status=201)
    assert _take(victim, "heir", "www.first.example").status_code == 201


def test_a_hostname_that_a_stranger_holds_cannot_be_had(victim: Live) -> None:
    assert _take(victim, "victim", "www.second.example").status_code == 201
    done = _break(victim, "app-gone", domain_held=True)
    assert "www.second.example" in done["done"][1]
    victim.send("POST", "/apps", {"name": "heir"}, status=201)
    answer = _take(victim, "heir", "www.second.example")
    assert (answer.status_code, answer.json()["id"]) == (422, "invalid_params")
    shown = victim.control("GET", "status")["apps"]
    stranger = next(one for one in shown if one["owner"] != "oncall@usc-pis.example")
    assert victim.api.get(f"/apps/{stranger['name']}").status_code == 404
    assert stranger["name"] not in [one["name"] for one in victim.get("/apps")]
    taken = victim.api.post("/apps", json={"name": stranger["name"]})
    assert taken.json() == {"id": "invalid_params", "message": f"Name {stranger['name']} is already taken"}


def test_a_lost_add_on_takes_its_backups_and_leaves_the_app(victim: Live) -> None:
    addon = victim.database("victim")
    done = _break(victim, "addon-gone")
    assert "1 backup" in done["done"][0]
    assert victim.get("/apps/victim/addons") == []
    assert victim.get("/client/v11/apps/victim/transfers") == []
    assert victim.api.get(f"/client/v11/databases/{addon}").status_code == 404
    assert "DATABASE_URL" not in victim.get("/apps/victim/config-vars")
    assert victim.get("/apps/victim/releases")[-1]["description"].startswith("Detach DATABASE")
    victim.order("victim", POSTGRES)
    assert victim.release_over("victim")["status"] == "succeeded"
    assert victim.sql("SELECT count(*) FROM clients", "victim") == [(300,)]


def test_a_locked_account_is_refused_everywhere_and_its_app_runs_on(victim: Live) -> None:
    database = victim.database("victim")
    _break(victim, "account-locked")
    paths = ("/account", "/apps", "/apps/victim", f"/client/v11/databases/{database}", "/apps/victim/config-vars")
    answers = [victim.api.get(path) for path in paths]
    with _spare(victim) as spare:
        assert spare.get("/apps").json() == []
        assert spare.get("/apps/victim").status_code == 404
        assert spare.get(f"/client/v11/databases/{database}").status_code == 404
        assert spare.post("/apps", json={"name": "refuge"}).status_code == 201
        assert [one["name"] for one in spare.get("/apps").json()] == ["refuge"]
        assert spare.get("/apps/refuge").json()["owner"]["email"] == "spare@usc-pis.example"
        url = next(one for one in victim.control("GET", "status")["apps"] if one["name"] == "victim")["web_url"]
        assert httpx.get(url).status_code == 200
        _break(victim, "account-locked", undo=True)
        assert victim.api.get("/apps/refuge").status_code == 404
        assert spare.delete("/apps/refuge").status_code == 200
    assert [(one.status_code, one.json()["id"]) for one in answers] == [(403, "suspended")] * len(paths)
    assert victim.get("/account")["email"] == "oncall@usc-pis.example"


def test_options_that_do_not_belong_together_are_refused(live: Live) -> None:
    with pytest.raises(BadInput, match="how must be one of app-gone"):
        _break(live, "flood", live.app)
    with pytest.raises(BadInput, match="can be undone"):
        _break(live, "app-gone", live.app, undo=True)
    with pytest.raises(BadInput, match="Only app-gone"):
        _break(live, "addon-gone", live.app, domain_held=True)
    assert live.get(f"/apps/{live.app}")["name"] == live.app


def test_a_new_place_is_made_step_by_step(victim: Live) -> None:
    """Plans, app, database restored from another app's backup by URL, schedule: the path of a recovery."""
    plans = {one["name"]: one for one in victim.get("/addon-services/heroku-postgresql/plans")}
    assert (plans[POSTGRES]["state"], plans[POSTGRES]["default"]) == ("public", True)
    assert plans["heroku-postgresql:mini"]["visible"] is False
    assert victim.api.get("/addon-services/mysql/plans").status_code == 404
    assert victim.api.post("/apps", json={"name": "heir", "region": "mars"}).status_code == 422
    made = victim.send("POST", "/apps", {"name": "heir", "region": "eu", "stack": "heroku-22"}, status=201)
    assert (made["region"]["name"], made["stack"]["name"]) == ("eu", "heroku-22")
    ordered = victim.send("POST", "/apps/heir/addons", {"plan": POSTGRES}, status=201)
    assert (ordered["state"], ordered["config_vars"]) == ("provisioning", ["DATABASE_URL"])
    assert victim.get("/apps/heir/config-vars") == {}
    until(lambda: victim.get(f"/apps/heir/addons/{ordered['name']}")["state"] == "provisioned")
    assert victim.release_over("heir")["description"].startswith("Attach DATABASE")
    assert victim.order("heir", "heroku-redis:mini")["config_vars"] == ["REDIS_URL"]
    assert victim.get("/apps/heir/config-vars")["REDIS_URL"].startswith("redis://")
    link = victim.send("POST", "/client/v11/apps/victim/transfers/1/actions/public-url")["url"]
    assert victim.restore(link, "heir")["succeeded"] is True
    assert victim.sql("SELECT count(*) FROM visits", "heir") == [(300,)]
    body = {"hour": "02", "timezone": "Asia/Manila", "schedule_name": "DATABASE_URL"}
    path = f"/client/v11/databases/{ordered['id']}/transfer-schedules"
    assert victim.send("POST", path, body, status=201)["hour"] == 2
    assert [one["timezone"] for one in victim.get(path)] == ["Asia/Manila"]


def test_providers_may_fail_at_each_step(victim: Live, tiny_source: Any) -> None:
    victim.send("POST", "/apps", {"name": "heir"}, status=201)
    victim.fault("addon-fails", method="POST", path="*/addons")
    ordered = victim.send("POST", "/apps/heir/addons", {"plan": POSTGRES}, status=201)
    until(lambda: victim.get(f"/apps/heir/addons/{ordered['name']}")["state"] == "deprovisioned")
    assert victim.get("/apps/heir/config-vars") == {}
    assert victim.get("/apps/heir/addon-attachments") == []
    victim.order("heir", POSTGRES)
    victim.fault("build-fails", method="POST", path="*/builds")
    assert victim.deploy(tiny_source, "heir")["status"] == "failed"
    victim.fault("release-fails", method="POST", path="*/builds")
    assert victim.deploy(tiny_source, "heir")["status"] == "succeeded"
    assert victim.release_over("heir")["status"] == "failed"
    assert victim.states("heir") == {}
    assert victim.deploy(tiny_source, "heir")["status"] == "succeeded"
    assert victim.release_over("heir")["status"] == "succeeded"
    assert victim.settled("heir") == {"web.1": "up"}
