"""`break app` on the clinic: what users, the log and the releases show, and that a rollback mends it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from live_sandbox import Live, start, stop, until
from typed import typed
from uscdr.errors import BadInput
from uscdr.sandbox.boot.request import UpRequest


@pytest.fixture(scope="module")
def clinic() -> Iterator[Live]:
    live = start(UpRequest(patients=2, plain=True))
    # One process less to start with every release.
    live.send("PATCH", "/apps/usc-pis/formation", {"updates": [{"type": "beat", "quantity": 0}]})
    yield live
    stop(live)


@pytest.fixture
def whole(clinic: Live) -> Iterator[Live]:
    """Rolled back afterwards to what came up, which must work again."""
    good, before = clinic.get("/apps/usc-pis/releases/8"), len(_releases(clinic))
    yield clinic
    if len(_releases(clinic)) > before:
        clinic.send("POST", "/apps/usc-pis/releases", {"release": good["id"]}, status=201)
        assert clinic.release_over()["status"] == "succeeded"
        clinic.settled()
    assert _page(clinic) == 200
    assert _login(clinic) == 200


def _page(live: Live, path: str = "") -> int:
    return httpx.get(live.contract["web_url"] + path).status_code


def _login(live: Live) -> int:
    account = {key: live.contract["check_account"][key] for key in ("email", "password")}
    return httpx.post(live.contract["web_url"] + "api/auth/login/", json=account).status_code


def _break(live: Live, how: str, **more: Any) -> dict[str, Any]:
    return dict(live.control("POST", "break/app", {"how": how, "app": live.app, **more}))


def _releases(live: Live) -> list[dict[str, Any]]:
    return list(live.get("/apps/usc-pis/releases"))


def test_the_origin_holds_what_runs_and_what_ran_before(whole: Live) -> None:
    source = whole.contract["source"]
    command = ["git", "-C", source["git"], "log", "--format=%H", source["ref"]]
    commits = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert (commits[0], len(commits)) == (source["commit"], 2)
    deploys = [one for one in _releases(whole) if one["eligible_for_rollback"]]
    assert [one["description"].split()[0] for one in deploys[:3]] == ["Deploy", "Set", "Deploy"]
    slugs = [whole.get(f"/apps/usc-pis/slugs/{one['slug']['id']}") for one in deploys[:3]]
    assert [one["commit"] for one in slugs] == [commits[1], commits[1], commits[0]]
    assert whole.get("/apps/usc-pis/releases/8")["slug"] == deploys[2]["slug"]
    assert slugs[0]["checksum"] != slugs[2]["checksum"]
    assert _releases(whole)[-1]["eligible_for_rollback"]


def test_a_bad_release_crashes_at_boot(whole: Live) -> None:
    done = _break(whole, "bad-release")
    assert done["seen"] == {"page": "/", "status": 503}
    newest = whole.get("/apps/usc-pis/releases")[-1]
    assert (newest["status"], newest["current"], newest["version"]) == ("succeeded", True, done["releases"][-1])
    until(lambda: whole.states()["web.1"] == "crashed")
    assert whole.states()["worker.1"] == "up"
    text = "\n".join(whole.get_log("web"))
    assert "No module named 'backend.telemetry'" in text
    assert "Process exited with status 3" in text
    assert "to crashed" in text
    routed = [line for line in whole.get_log("router") if "code=H10" in line]
    assert 'at=error code=H10 desc="App crashed"' in routed[-1]
    assert "dyno= connect= service= status=503 bytes=" in routed[-1]
    assert whole.get(f"/apps/usc-pis/slugs/{newest['slug']['id']}")["commit"] != whole.contract["source"]["commit"]


def test_the_same_code_crashes_under_an_unusable_setting(whole: Live) -> None:
    before = whole.get("/apps/usc-pis/releases/8")
    _break(whole, "crashed-web")
    newest = _releases(whole)[-1]
    assert newest["description"] == "Set GUNICORN_CMD_ARGS config vars"
    assert newest["slug"] == before["slug"]
    assert _page(whole) == 503
    assert "gevent" in "\n".join(whole.get_log("web"))


def test_a_fix_whose_release_phase_fails_leaves_the_bad_release_in_service(whole: Live) -> None:
    done = _break(whole, "failing-release-phase")
    bad, fix = _releases(whole)[-2:]
    assert (bad["status"], bad["current"], fix["status"], fix["current"]) == ("succeeded", True, "failed", False)
    assert done["seen"]["status"] == _page(whole) == 500
    assert "KeyError: 'TRACE_SAMPLE_PERCENT'" in "\n".join(whole.get_log("web"))
    output = whole.api.get(fix["output_stream_url"]).text
    assert "Conflicting migrations detected" in output
    assert whole.settled()


def test_a_lost_variable_makes_the_app_refuse_its_own_domain(whole: Live) -> None:
    writes = [one for one in whole.audit() if one["write"]]
    done = _break(whole, "lost-config")
    assert [one for one in whole.audit() if one["write"]] == writes
    assert done["done"] == [f"Remove ALLOWED_HOSTS config vars: v{done['releases'][0]} succeeded"]
    assert done["seen"]["status"] == _page(whole) == 400
    assert "ALLOWED_HOSTS" not in whole.get("/apps/usc-pis/config-vars")
    with pytest.raises(BadInput, match="no config var"):
        _break(whole, "lost-config", variable="ALLOWED_HOSTS")
    with pytest.raises(BadInput, match="Cannot overwrite attachment values DATABASE_URL"):
        _break(whole, "lost-config", variable="DATABASE_URL")


def test_code_ahead_of_its_table_fails_where_the_table_is_read(whole: Live) -> None:
    done = _break(whole, "missing-migration")
    assert done["seen"] == {"page": "/api/auth/login/", "status": 500}
    assert (_page(whole), _login(whole)) == (200, 500)
    newest = _releases(whole)[-1]
    assert (newest["status"], newest["output_stream_url"]) == ("succeeded", None)
    whole.settled()
    output = whole.attached("cd backend && python manage.py showmigrations authentication | grep '\\[ \\]'")
    assert b"_user_preferred_name" in output


def test_collecting_static_files_in_a_one_off_changes_nothing_for_web(whole: Live) -> None:
    page = httpx.get(whole.contract["web_url"]).text
    asset = page.partition('src="/')[2].partition('"')[0]
    assert _page(whole, asset) == 200
    output = whole.attached("cd backend && python manage.py collectstatic --noinput && ls -d staticfiles")
    assert b"staticfiles" in output
    until(lambda: not [one for one in whole.state.slugs.iterdir() if "." in one.name])
    assert not list(whole.state.slugs.glob("*/backend/staticfiles"))


def test_mail_is_counted_by_app(whole: Live) -> None:
    before = whole.control("GET", "mail")["sent"].get("usc-pis", 0)
    send = "import django; django.setup(); from utils import mail; mail.send('a@b.example', 's', 't')"
    command = f'cd backend && DJANGO_SETTINGS_MODULE=backend.settings python -c "{send}"'
    whole.attached(command)
    assert whole.control("GET", "mail")["sent"] == {"usc-pis": before + 1}
    whole.attached("export GMAIL_REFRESH_TOKEN=; " + command)
    assert whole.control("GET", "mail")["sent"] == {"usc-pis": before + 1}


def test_the_command_tells_what_was_done(whole: Live) -> None:
    more = ["--how", "lost-config", "--variable", "SUPPORT_EMAIL", "--state", str(whole.state.root)]
    told = typed("break", "app", *more)
    assert told.code == 0, told.stderr
    first, second, third = told.stdout.splitlines()
    assert (first, third) == ("usc-pis: lost-config", "  / answers 200")
    assert second.startswith("  Remove SUPPORT_EMAIL config vars: v")
    assert typed("break", "weather", *more).code != 0


def test_what_cannot_be_meant_is_refused(whole: Live) -> None:
    with pytest.raises(BadInput, match="how must be one of bad-release"):
        _break(whole, "gently")
    with pytest.raises(BadInput, match="find that app"):
        whole.control("POST", "break/app", {"how": "bad-release", "app": "nobody"})


def test_a_plain_sandbox_has_its_application_alone(clinic: Live) -> None:
    assert [one["name"] for one in clinic.get("/apps")] == ["usc-pis"]
    assert len(clinic.get("/apps/usc-pis/addons")) == 2
    assert clinic.sql("SELECT nspname FROM pg_namespace WHERE nspname IN ('_heroku', 'archive')") == []
    assert clinic.sql("SELECT evtname FROM pg_event_trigger") == []
