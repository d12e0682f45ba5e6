"""The sandbox as a whole: up, up again, killed, down, and the clinic in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from live_sandbox import Live, start, stop, tiny_app, until
from uscdr.errors import BadInput, MachineError
from uscdr.sandbox import launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.processes import Ledger, group_members, start_mark
from uscdr.sandbox.state import StateDir


def _quiet(_text: str) -> None:
    return None


def _arguments(pid: int) -> bytes:
    """Nothing of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _processes_below(state: StateDir) -> list[int]:
    """Live processes that were started from, or run in, the sandbox's directory."""
    found = []
    for pid in psutil.pids():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            place = str(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            continue
        inside = place.startswith(str(state.root)) or str(state.root).encode() in command
        if inside and start_mark(pid) and pid != os.getpid():
            found.append(pid)
    return found


def test_up_twice_is_one_sandbox_and_other_parameters_are_refused(sandboxed: Live, tiny_source: Path) -> None:
    told: list[str] = []
    same = UpRequest(app_source=str(tiny_source), url_lifetime=2.0)
    assert launch.up(sandboxed.state, same, told.append) == sandboxed.contract
    assert told == ["The sandbox runs already."]
    with pytest.raises(BadInput, match="other parameters"):
        launch.up(sandboxed.state, replace(same, keep=9), _quiet)


def test_files_are_for_the_owner_only(sandboxed: Live) -> None:
    assert sandboxed.state.root.stat().st_mode & 0o777 == 0o700
    files = [path for path in sandboxed.state.root.iterdir() if path.is_file() and path.name != "lock"]
    assert {path.name for path in files if path.stat().st_mode & 0o077} == set()


def test_no_dyno_sees_the_daemons_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_OPERATOR", "canary-5119")
    live = start(UpRequest(app_source=str(tiny_app(tmp_path / "app"))))
    try:
        assert b"canary" not in live.attached("env")
        pids = [pid for pid, _ in Ledger(live.state.processes).entries() if Path(f"/proc/{pid}").exists()]
        assert pids
        assert not [pid for pid in pids if b"canary" in Path(f"/proc/{pid}/environ").read_bytes()]
        arguments = b"".join(_arguments(pid) for pid in psutil.pids())
        assert live.contract["heroku"]["token"].encode() not in arguments
    finally:
        stop(live)


def test_after_kill_9_down_leaves_nothing(tmp_path: Path) -> None:
    live = start(UpRequest(app_source=str(tiny_app(tmp_path / "app"))))
    live.settled()
    home = Path(json.loads((live.state.postgres / "server.json").read_text())["home"])
    groups = [pid for pid, _ in Ledger(live.state.processes).entries() if group_members(pid)]
    os.kill(live.contract["pid"], signal.SIGKILL)
    until(lambda: launch.contract(live.state) is None)
    assert groups
    assert any(group_members(group) for group in groups)
    stop(live)
    assert not live.state.root.exists()
    assert not home.exists()
    assert not [group for group in groups if group_members(group)]
    assert _processes_below(live.state) == []


def test_after_kill_9_up_starts_afresh(tmp_path: Path) -> None:
    request = UpRequest(app_source=str(tiny_app(tmp_path / "app")))
    live = start(request)
    os.kill(live.contract["pid"], signal.SIGKILL)
    until(lambda: launch.contract(live.state) is None)
    fresh = launch.up(live.state, request, _quiet)
    assert fresh["pid"] != live.contract["pid"]
    stop(live)
    assert _processes_below(live.state) == []


def test_down_stops_one_that_is_still_starting(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    (tmp_path / "app").mkdir()
    source = tiny_app(tmp_path / "app")
    (source / "Procfile").write_text("release: sleep 60\nweb: sleep 60\n")
    code = (
        "import sys; from pathlib import Path; from uscdr.sandbox import launch;"
        "from uscdr.sandbox.boot.request import UpRequest; from uscdr.sandbox.state import StateDir;"
        "launch.up(StateDir(Path(sys.argv[1])), UpRequest(app_source=sys.argv[2]), print)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(state.root), str(source)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as starting:
        until(lambda: list(Ledger(state.processes).entries()))
        with pytest.raises(MachineError, match="Another command"):
            launch.up(state, UpRequest(app_source=str(source)), _quiet)
        assert launch.down(state, _quiet) is True
        assert starting.wait(20) != 0
    assert _processes_below(state) == []


TIED = """
import sys
from pathlib import Path
from uscdr.sandbox import launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.lifeline import lifeline
from uscdr.sandbox.state import StateDir
with lifeline() as line:
    tie = line if sys.argv[3] == "tied" else None
    launch.up(StateDir(Path(sys.argv[1])), UpRequest(app_source=sys.argv[2]), lambda _: None, tie)
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("when", ["starting", "tied", "released"])
def test_a_sandbox_ends_when_its_starter_is_killed_unless_it_was_released(tmp_path: Path, when: str) -> None:
    """A killed test or drill leaves no sandbox, no server and no file; `sandbox up` leaves what it was to leave."""
    state, source = StateDir(tmp_path / "state"), tiny_app(tmp_path / "app")
    if when == "starting":
        (source / "Procfile").write_text("release: sleep 60\nweb: sleep 60\n")
    with subprocess.Popen(
        [sys.executable, "-c", TIED, str(state.root), str(source), when], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        if when == "starting":
            until(lambda: list(Ledger(state.processes).entries()))
        else:
            assert starter.stdout is not None
            assert starter.stdout.readline() == b"ready\n"
        home = Path(json.loads((state.postgres / "server.json").read_text())["home"])
        starter.kill()
    if when == "released":
        assert launch.contract(state) is not None
        assert launch.down(state, _quiet) is True
    until(lambda: not state.root.exists() and not _processes_below(state))
    assert not home.exists()


def test_an_app_that_cannot_be_released_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    source = tiny_app(tmp_path / "app")
    (source / "Procfile").write_text("release: echo no such table; exit 1\nweb: sleep 60\n")
    state = StateDir(tmp_path / "state")
    with pytest.raises(MachineError, match="could not be deployed") as caught:
        launch.up(state, UpRequest(app_source=str(source)), _quiet)
    assert "no such table" in caught.value.why
    assert {path.name for path in state.root.iterdir()} <= {"lock", "daemon.log"}
    assert launch.down(state, _quiet) is True
    assert not state.root.exists()


def test_down_without_a_sandbox_and_in_a_foreign_directory(tmp_path: Path) -> None:
    assert launch.down(StateDir(tmp_path / "nothing"), _quiet) is False
    (tmp_path / "precious").write_text("x")
    mode = tmp_path.stat().st_mode
    with pytest.raises(BadInput, match="not a sandbox's directory"):
        launch.up(StateDir(tmp_path), UpRequest(), _quiet)
    assert tmp_path.stat().st_mode == mode
    with pytest.raises(BadInput, match="not a sandbox directory"):
        launch.down(StateDir(tmp_path), _quiet)
    assert (tmp_path / "precious").exists()


def test_another_apps_procfile_and_variables_are_taken(tmp_path: Path) -> None:
    source = tiny_app(tmp_path / "app")
    (source / "Procfile").unlink()
    (tmp_path / "Elsewhere").write_text("web: python -m http.server --bind 127.0.0.1 $PORT\n")
    (tmp_path / "env").write_text("# settings\nexport COLOUR='green'\nDEPTH=3\n")
    with pytest.raises(BadInput, match="has no Procfile"):
        launch.checked(UpRequest(app_source=str(source)))
    request = UpRequest(
        app_source=str(source),
        procfile=str(tmp_path / "Elsewhere"),
        env_file=str(tmp_path / "env"),
        python=sys.executable,
        backup_age=3 * 3600,
    )
    live = start(request)
    try:
        assert live.attached("echo $COLOUR $DEPTH; command -v python").split() == [
            b"green",
            b"3",
            str(Path(sys.executable).parent / "python").encode(),
        ]
        first = live.get(f"/client/v11/apps/{live.app}/transfers/1")
        assert (first["from_type"], first["succeeded"]) == ("pg_dump", True)
        schedules = live.get(f"/client/v11/databases/{live.database()}/transfer-schedules")
        assert [one["name"] for one in schedules] == ["DATABASE_URL"]
        made = time.mktime(time.strptime(first["finished_at"][:19], "%Y-%m-%d %H:%M:%S")) - time.timezone
        assert 3 * 3600 - 60 < time.time() - made < 3 * 3600 + 60
    finally:
        stop(live)


def test_the_clinic_is_up_with_data_and_writes_since_its_backup() -> None:
    live = start(UpRequest(patients=60))
    try:
        assert live.settled() == {"web.1": "up", "worker.1": "up", "beat.1": "up"}
        account = live.contract["check_account"]
        url = live.contract["web_url"]
        login = httpx.post(f"{url}api/auth/login/", json=account)
        assert (login.status_code, "token" in login.json()) == (200, True)
        patients = "SELECT count(*) FROM patients_patient"
        now = live.sql(patients)[0][0]
        eligible = [one for one in live.get(f"/apps/{live.app}/releases") if one["eligible_for_rollback"]]
        assert len(eligible) >= 2
        first = live.get(f"/client/v11/apps/{live.app}/transfers/1")
        live.send("PATCH", f"/apps/{live.app}/formation", {"updates": [{"type": "worker", "quantity": 0}]})
        assert live.restore(first["to_url"])["succeeded"] is True
        assert 60 <= live.sql(patients)[0][0] < now
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            live.sql("SELECT pg_read_file('/etc/passwd')")
        output = live.attached(f"{live.contract['manage']} check").decode()
        assert "no issues" in output
        assert "manage.py" in live.attached("python manage.py check").decode()
    finally:
        stop(live)
    assert not live.state.root.exists()
