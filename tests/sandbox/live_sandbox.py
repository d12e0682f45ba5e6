"""A running sandbox for tests: a tiny app of two tables, or the clinic, and clients for it."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from uscdr.sandbox import client, launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.lifeline import lifeline
from uscdr.sandbox.state import StateDir

ACCEPT = "application/vnd.heroku+json; version=3"
PROCFILE = """\
release: python schema.py
web: python -m http.server --bind 127.0.0.1 $PORT
worker: while true; do echo tick; sleep 0.2; done
"""
SCHEMA = """\
import os
import psycopg

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS clients (id serial PRIMARY KEY, name text)")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS visits (id serial PRIMARY KEY, client_id int REFERENCES clients (id),"
        " note varchar(80))"
    )
    if not connection.execute("SELECT count(*) FROM clients").fetchone()[0]:
        connection.execute("INSERT INTO clients (name) SELECT md5(g::text) FROM generate_series(1, 300) g")
        connection.execute("INSERT INTO visits (client_id, note) SELECT id, name FROM clients")
if "FAIL_RELEASE" in os.environ:
    raise SystemExit("the release phase was told to fail")
print("released")
"""


def tiny_app(directory: Path) -> Path:
    """The source tree of an app with a release phase, a web server and a worker."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Procfile").write_text(PROCFILE)
    (directory / "schema.py").write_text(SCHEMA)
    (directory / "requirements.txt").write_text("psycopg\n")
    (directory / "index.html").write_text("hello from the web dyno")
    return directory


def until(look: Callable[[], Any], *, limit: float = 90.0) -> Any:
    """What `look` gives as soon as it is true."""
    end = time.monotonic() + limit
    while not (seen := look()):
        assert time.monotonic() < end, f"nothing after {limit} s"
        time.sleep(0.03)
    return seen


@dataclass
class Live:
    """A running sandbox, its contract and a client of its API."""

    state: StateDir
    contract: dict[str, Any]
    api: httpx.Client = field(repr=False)
    tie: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def app(self) -> str:
        return str(self.contract["heroku"]["app"])

    def get(self, path: str, **more: Any) -> Any:
        answer = self.api.get(path, **more)
        assert answer.is_success, answer.text
        return answer.json()

    def send(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        answer = self.api.request(method, path, json=body)
        assert answer.status_code == status if status else answer.is_success, answer.text
        return answer.json()

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return client.ask(self.state, method, path, body)

    def fault(self, kind: str, **rule: Any) -> None:
        self.control("POST", "faults", {"kind": kind, **rule})

    def sql(self, query: str, app: str = "") -> list[tuple[Any, ...]]:
        config = self.get(f"/apps/{app or self.app}/config-vars")
        with psycopg.connect(config["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def order(self, app: str, plan: str) -> dict[str, Any]:
        """An add-on that was ordered and came."""
        made = self.send("POST", f"/apps/{app}/addons", {"plan": plan}, status=201)
        assert made["state"] == "provisioning"
        path = f"/apps/{app}/addons/{made['name']}"
        return dict(until(lambda: (one := self.get(path))["state"] == "provisioned" and one))

    def database(self, app: str = "") -> str:
        body = {"app": app or self.app, "addon_attachment": "DATABASE_URL"}
        return str(self.send("POST", "/actions/addon-attachments/resolve", body)[0]["addon"]["id"])

    def transfer(self, uuid: str, app: str = "") -> dict[str, Any]:
        path = f"/client/v11/apps/{app or self.app}/transfers/{uuid}?verbose=true"
        return dict(until(lambda: (one := self.get(path))["finished_at"] and one))

    def capture(self, app: str = "") -> dict[str, Any]:
        database = self.database(app)
        uuid = self.send("POST", f"/client/v11/databases/{database}/backups", status=201)["uuid"]
        return self.transfer(uuid, app)

    def restore(self, url: str, app: str = "") -> dict[str, Any]:
        path = f"/client/v11/databases/{self.database(app)}/restores"
        return self.transfer(self.send("POST", path, {"backup_url": url}, status=201)["uuid"], app)

    def states(self, app: str = "") -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.get(f"/apps/{app or self.app}/dynos")}

    def settled(self, app: str = "") -> dict[str, str]:
        """The states of the dynos once they match the formation and are up."""

        def look() -> dict[str, str] | None:
            formation = self.get(f"/apps/{app or self.app}/formation")
            states = {name: state for name, state in self.states(app).items() if not name.startswith("run.")}
            there = len(states) == sum(one["quantity"] for one in formation)
            return {**states, "": ""} if there and set(states.values()) <= {"up"} else None

        found: dict[str, str] = until(look)
        del found[""]
        return found

    def get_log(self, dyno: str, app: str = "") -> list[str]:
        body = {"lines": 1000, "tail": False, "dyno": dyno}
        url = self.send("POST", f"/apps/{app or self.app}/log-sessions", body, status=201)["logplex_url"]
        lines = httpx.get(url).text.splitlines()
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    def release_over(self, app: str = "") -> dict[str, Any]:
        """The newest release once it is not pending."""
        path, order = f"/apps/{app or self.app}/releases", {"Range": "version ..; max=1, order=desc"}
        return dict(until(lambda: (one := self.get(path, headers=order)[0])["status"] != "pending" and one))

    def audit(self) -> list[dict[str, Any]]:
        lines = self.state.audit.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def deploy(self, source: Path, app: str = "", *, buildpacks: Any = None, **blob_fields: Any) -> dict[str, Any]:
        """Upload a tree and build it; the build when it is over."""
        archive = shutil.make_archive(str(source.with_suffix(".packed")), "gztar", source)
        blob = self.send("POST", "/sources", status=201)["source_blob"]
        trust = ssl.create_default_context(cafile=self.contract["ca_file"])
        answer = httpx.put(blob["put_url"], content=Path(archive).read_bytes(), verify=trust)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = {"source_blob": {"url": blob["get_url"], "version": "abcdef0123", **blob_fields}}
        if buildpacks:
            body["buildpacks"] = buildpacks
        build = self.send("POST", f"/apps/{app or self.app}/builds", body, status=201)
        path = f"/apps/{app or self.app}/builds/{build['id']}"
        return dict(until(lambda: (one := self.get(path))["status"] != "pending" and one))

    def attached(self, command: str, *, stdin: bytes = b"", app: str = "", **body: Any) -> bytes:
        """Run an attached one-off through a raw TLS client; everything after the banner."""
        wanted = {"attach": True, "command": command, **body}
        url = httpx.URL(self.send("POST", f"/apps/{app or self.app}/dynos", wanted, status=201)["attach_url"])
        trust = ssl.create_default_context(cafile=self.contract["ca_file"])
        output = b""
        with (
            socket.create_connection((url.host, url.port or 0), timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname=url.host) as secure,
        ):
            secure.sendall(url.path.removeprefix("/").encode() + b"\r\n")
            assert secure.recv(4096) == b"rendezvous\r\n"
            secure.sendall(stdin)
            while chunk := secure.recv(65536):
                output += chunk
        return output


def start(request: UpRequest) -> Live:
    """Bring a sandbox up in a directory of its own; it ends with this process, however that ends."""
    state = StateDir(Path(tempfile.mkdtemp(prefix="uscdr-sandbox-test-")) / "sandbox")
    tie = ExitStack()
    contract = launch.up(state, request, lambda _text: None, tie.enter_context(lifeline()))
    headers = {"Authorization": f"Bearer {contract['heroku']['token']}", "Accept": ACCEPT}
    api = httpx.Client(base_url=contract["heroku"]["api_url"], headers=headers, timeout=30, trust_env=False)
    return Live(state, contract, api, tie)


def stop(live: Live) -> None:
    """Take it down; nothing is left."""
    live.api.close()
    launch.down(live.state, lambda _text: None)
    live.tie.close()
    shutil.rmtree(live.state.root.parent, ignore_errors=True)
