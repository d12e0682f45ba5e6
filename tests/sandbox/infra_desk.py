"""A desk for `recover infra`: the command line, a running sandbox, a key and kits; looked at with code of its own."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

import forked
from uscdr.pgserver.cluster import Tool
from uscdr.sandbox import client
from uscdr.sandbox.state import StateDir

HOST = "www.usc-pis.example"
OLD, NEW = "usc-pis", "usc-pis-recovery"
ACCEPT = "application/vnd.heroku+json; version=3"
FOREIGN = ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_AGE_IDENTITY", "USCDR_DNS_KEY", "USCDR_SANDBOX_DNS")


@dataclass
class Desk:
    """One state directory with a sandbox in it."""

    state: Path

    def call(self, *arguments: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """One command; without a terminal."""
        done = forked.call(arguments, env=self.environment(env), cwd=self.state)
        assert code is None or done.returncode == code, (
            f"{done.returncode}: {done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        identity = str(self.state / "identity.txt")
        return {**inherited, "USCDR_STATE_DIR": str(self.state), "USCDR_AGE_IDENTITY": identity, **extra}

    def recover(self, *options: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """`recover infra`, confirmed with the phrase of a dry run."""
        phrase = self.phrase(*options, **env)
        return self.call("--target", "sandbox", "recover", "infra", *options, "--confirm", phrase, code=code, **env)

    def plan(self, *options: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        return self.call("--target", "sandbox", "recover", "infra", *options, "--dry-run", code=code, **env)

    def phrase(self, *options: str, **env: str) -> str:
        lines = self.plan(*options, "--json", code=0, **env).stdout.splitlines()
        plans = [json.loads(line) for line in lines if '"uscdr.plan.v1"' in line]
        return str(plans[-1]["phrase"])

    def resume(self, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        return self.call("runs", "resume", code=code, **env)

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Of the newest run."""
        journal = max((self.state / "runs").glob("*/journal.jsonl"), key=lambda path: path.parent.name)
        events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
        return [event for event in events if event["kind"].startswith(kind)]

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return client.ask(StateDir(self.state / "sandbox"), method, path, body)

    @cached_property
    def contract(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "sandbox" / "sandbox.json").read_text()))

    @property
    def spare(self) -> str:
        return str(self.contract["heroku"]["spare_token"])

    def api(self, path: str, method: str = "GET", body: Any = None, *, token: str = "") -> Any:
        heroku = self.contract["heroku"]
        headers = {"Authorization": f"Bearer {token or heroku['token']}", "Accept": ACCEPT}
        answer = httpx.request(
            method, heroku["api_url"] + path, headers=headers, json=body, trust_env=False, timeout=60
        )
        return answer.json()

    def config(self, app: str) -> dict[str, str]:
        return dict(self.api(f"/apps/{app}/config-vars"))

    def writes(self) -> list[str]:
        lines = self.call("sandbox", "audit", "--json").stdout.splitlines()
        return [f"{one['method']} {one['path']}" for one in map(json.loads, lines) if one["write"]]

    def formation(self, app: str) -> dict[str, int]:
        return {one["type"]: one["quantity"] for one in self.api(f"/apps/{app}/formation")}

    def running(self, app: str) -> list[str]:
        return sorted(one["type"] for one in self.api(f"/apps/{app}/dynos") if one["state"] == "up")

    def settled(self, app: str) -> bool:
        """Whether the newest release has succeeded and every dyno is of it: none will be started anew."""
        newest = max(self.api(f"/apps/{app}/releases"), key=lambda one: one["version"])
        dynos = self.api(f"/apps/{app}/dynos")
        return newest["status"] == "succeeded" and {one["release"]["version"] for one in dynos} == {newest["version"]}

    def mails(self, app: str) -> int:
        return int(self.control("GET", "mail")["sent"].get(app, 0))

    def records(self, server: str) -> list[str]:
        """What a name server holds for the hostname."""
        return [line for line in self.control("GET", "dns")[server] if line.startswith(f"{HOST} ")]

    def through_the_edge(self, path: str) -> httpx.Response:
        """As a browser that was led there by the domain's name."""
        url = self.contract["edge_url"]
        trust = ssl.create_default_context(cafile=self.contract["ca_file"])
        trust.check_hostname = False
        return httpx.get(url + path, headers={"Host": HOST}, verify=trust, trust_env=False, timeout=30)

    def rows(self, app: str) -> dict[str, str]:
        """Table -> its rows, in an order of their own."""
        done = subprocess.run(
            [_tool("pg_dump"), "--data-only", "--no-owner", self.config(app)["DATABASE_URL"]],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        return tables(done.stdout)

    def backup(self) -> dict[str, str]:
        """The same of b001 of the old application."""
        link = self.api(f"/client/v11/apps/{OLD}/transfers/1/actions/public-url", "POST")["url"]
        dump = self.state / "b001.dump"
        trust = ssl.create_default_context(cafile=self.contract["ca_file"])
        dump.write_bytes(httpx.get(link, verify=trust, trust_env=False).content)
        done = subprocess.run(
            [_tool("pg_restore"), "--data-only", "--no-owner", "-f", "-", str(dump)],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        dump.unlink()
        return tables(done.stdout)

    def kit(self, place: str = "", *options: str, code: int = 0) -> str:
        """A new kit; its id."""
        to = ["--to", place] if place else []
        done = self.call(
            "--target", "sandbox", "kit", "build", "--recipient", self.public, *to, "--json", *options, code=code
        )
        return str(json.loads(done.stdout)["kit"])

    @property
    def public(self) -> str:
        return (self.state / "public.txt").read_text()


def _tool(name: str) -> str:
    return str(Tool.find(name, minimum_major=17).path)


def tables(script: str) -> dict[str, str]:
    """A data script as sorted rows by table."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in script.splitlines():
        if line.startswith("COPY "):
            name = line.split()[1].removeprefix("public.")
            found[name] = []
        elif line == "\\.":
            name = ""
        elif name:
            found[name].append(line)
    return {table: "\n".join(sorted(rows)) for table, rows in found.items()}


@contextmanager
def opened(prefix: str) -> Iterator[Desk]:
    """A desk with a running sandbox and a key."""
    state = Path(tempfile.mkdtemp(prefix=prefix))
    secret = importlib.import_module("pyrage").x25519.Identity.generate()
    (state / "identity.txt").write_text(f"{secret}\n")
    (state / "identity.txt").chmod(0o600)
    (state / "public.txt").write_text(str(secret.to_public()))
    desk = Desk(state)
    desk.call("sandbox", "up", "--patients", "60", "--keep", "60", "--plain")
    try:
        yield desk
    finally:
        desk.call("sandbox", "down")
        shutil.rmtree(state, ignore_errors=True)
