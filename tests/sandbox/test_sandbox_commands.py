"""`uscdr sandbox …` as a person types it."""

from __future__ import annotations

import json
import shlex
import subprocess

import httpx
import pytest

from live_sandbox import ACCEPT, Live
from typed import Typed, typed
from uscdr.errors import ExitCode


def _run(live: Live, *arguments: str) -> Typed:
    return typed(*arguments, "--state", str(live.state.root))


def test_status_for_people_and_for_programs(live: Live) -> None:
    live.settled()
    text = _run(live, "status").stdout
    assert "web.1: up" in text
    document = json.loads(_run(live, "status", "--json").stdout)
    assert document["running"] is True
    assert document["apps"][0]["addons"][0]["plan"] == "heroku-postgresql:essential-0"


def test_env_can_be_evaluated_by_a_shell(live: Live) -> None:
    document = json.loads(_run(live, "env", "--json").stdout)["variables"]
    script = _run(live, "env").stdout + 'printf %s "$HEROKU_API_KEY $HEROKU_HOST"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.split() == [document["HEROKU_API_KEY"], document["HEROKU_HOST"]]
    assert ":" not in document["HEROKU_DATA_HOST"]
    headers = {"Authorization": f"Bearer {document['HEROKU_API_KEY']}", "Accept": ACCEPT}
    assert httpx.get(document["HEROKU_HOST"] + "/account", headers=headers).status_code == 200


def test_git_writes_to_its_own_global_file(live: Live) -> None:
    document = json.loads(_run(live, "env", "--json").stdout)["variables"]
    command = shlex.split("git config --global credential.helper none")
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", **document}, check=True)
    assert (live.state.home / "gitconfig").read_text()


def test_faults_are_added_listed_and_cleared(live: Live) -> None:
    assert _run(live, "fault", "list").stdout == "no faults\n"
    _run(live, "fault", "add", "503-html", "--method", "get", "--path", "/apps/*", "--call", "2", "--count", "0")
    listed = _run(live, "fault", "list").stdout
    assert "503-html  heroku GET /apps/*  call 2, count for ever, applied 0 of 0 seen" in listed
    assert live.api.get(f"/apps/{live.app}").status_code == 200
    assert live.api.get(f"/apps/{live.app}").status_code == 503
    assert _run(live, "fault", "clear").stdout == "1 fault removed\n"
    assert live.api.get(f"/apps/{live.app}").status_code == 200
    assert "slow:SECONDS" in typed("fault", "kinds").stdout


def test_break_tells_what_it_did(live: Live) -> None:
    backup = live.capture()
    document = json.loads(_run(live, "break", "db", "--how", "truncate", "--json").stdout)
    assert {one["table"] for one in document["damage"]} == {"clients", "visits"}
    assert live.restore(backup["to_url"])["succeeded"] is True
    assert "rows 300 -> 200" in _run(live, "break", "db", "--how", "delete-rows").stdout
    live.restore(backup["to_url"])
    assert _run(live, "break", "media", "--how", "truncate").code == ExitCode.BAD_INPUT


def test_audit_shows_writes_unless_asked_for_all(live: Live) -> None:
    live.send("PATCH", f"/apps/{live.app}", {"maintenance": False})
    assert all(f" {word} " not in _run(live, "audit").stdout for word in ("GET", "HEAD"))
    everything = [json.loads(line) for line in _run(live, "audit", "--all", "--json").stdout.splitlines()]
    writes = [json.loads(line) for line in _run(live, "audit", "--json").stdout.splitlines()]
    assert writes == [one for one in everything if one["write"]]
    assert len(everything) > len(writes) > 0
    keys = {"schema", "time", "method", "path", "status", "write", "request_id", "fault", "provider"}
    assert set(writes[0]) == keys


def test_without_a_sandbox_commands_say_so(live: Live, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = str(tmp_path_factory.mktemp("none") / "sandbox")
    assert typed("status", "--state", elsewhere).stdout == "No sandbox is running. To start one: uscdr sandbox up\n"
    assert typed("audit", "--state", elsewhere).stdout == "no write\n"
    assert typed("down", "--state", elsewhere).stdout == "There is no sandbox.\n"
    assert json.loads(typed("down", "--json", "--state", elsewhere).stdout)["removed"] is False
    assert typed("env", "--state", elsewhere).code == ExitCode.BAD_INPUT
