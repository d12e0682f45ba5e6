"""Which writes a plan announced, and which it did not."""

from __future__ import annotations

from typing import Any

import pytest

from uscdr.drills.disasters import beyond, of, planned_calls
from uscdr.models.base import Call


def write(method: str, path: str, provider: str = "heroku", status: int = 201) -> dict[str, object]:
    return {"provider": provider, "method": method, "path": path, "status": status, "write": True}


def call(request: str, provider: str = "heroku", *, writes: bool = True) -> Call:
    return Call(provider=provider, request=request, writes=writes)


@pytest.mark.parametrize(
    ("request_", "method", "path", "provider"),
    [
        ('PATCH /apps/a {"maintenance": true}', "PATCH", "/apps/a", "heroku"),
        ('POST /apps/a/releases {"release": …}', "POST", "/apps/a/releases", "heroku"),
        ("POST /apps/a/dynos (showmigrations --plan; migrate if pending)", "POST", "/apps/a/dynos", "heroku"),
        ("POST /client/v11/databases/…/backups", "POST", "/client/v11/databases/12-34/backups", "heroku"),
        ("POST /apps/a/dynos/run.*/actions/stop", "POST", "/apps/a/dynos/run.7/actions/stop", "heroku"),
        ("POST /sources", "PUT", "/source-blobs/12-34", "heroku"),
        ("POST /resources/{type}/upload/restore", "POST", "/v1_1/c/resources/raw/upload/restore", "cloudinary"),
        ("POST /{type}/upload (public_id)", "POST", "/v1_1/c/image/upload", "cloudinary"),
        ("swap of each CNAME", "UPDATE", "www.example/CNAME", "dns"),
    ],
)
def test_an_announced_write_is_not_beyond_the_plan(request_: str, method: str, path: str, provider: str) -> None:
    assert beyond([write(method, path, provider)], [call(request_, provider)]) == ()


@pytest.mark.parametrize(
    ("request_", "method", "path"),
    [
        ("PATCH /apps/a", "PATCH", "/apps/a/config-vars"),
        ("PATCH /apps/a", "DELETE", "/apps/a"),
        ("PATCH /apps/a", "PATCH", "/apps/b"),
        ("POST /apps/a/releases", "POST", "/apps/a/builds"),
        ("POST /apps/a/builds", "PUT", "/source-blobs/12"),
        ("POST /client/v11/databases/…/backups", "POST", "/client/v11/databases/1/restores"),
    ],
)
def test_any_other_write_is_named(request_: str, method: str, path: str) -> None:
    assert beyond([write(method, path)], [call(request_)]) == (f"heroku {method} {path}",)


def test_a_planned_read_announces_no_write_and_another_provider_is_another_plan() -> None:
    assert beyond([write("POST", "/apps")], [call("POST /apps", writes=False)]) == ("heroku POST /apps",)
    assert beyond([write("UPDATE", "x/A", "dns")], [call("UPDATE x/A")]) == ("dns UPDATE x/A",)
    assert beyond([write("POST", "/apps"), write("POST", "/apps")], []) == ("heroku POST /apps",)


def test_calls_come_from_every_plan_of_a_journal() -> None:
    step = {"calls": [{"provider": "heroku", "request": "POST /apps", "writes": True}]}
    plan = {"kind": "plan.ready", "steps": [step]}
    events: list[dict[str, Any]] = [{"kind": "run.started"}, plan, plan]
    assert len(planned_calls(events)) == 2


def test_refused_writes_had_no_effect_and_are_not_counted() -> None:
    writes = [write("POST", "/apps/a/builds"), write("POST", "/apps/a/builds", status=503), write("POST", "/apps")]
    assert len(of(writes, "POST", "/apps/*/builds")) == 1
