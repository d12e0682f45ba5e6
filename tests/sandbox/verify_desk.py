"""A clinic to verify: one command a call, its verdicts, and damage that can be mended again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

import forked
from live_sandbox import Live, until

FOREIGN = ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_SANDBOX_DNS", "USCDR_CHECK_TOKEN", "USCDR_TARGET")
ANSWERED = ("--answer", "menus-by-eye=yes", "--answer", "monitor-by-eye=yes")


@dataclass
class Seen:
    """What one verification said."""

    code: int
    verdicts: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    @property
    def failing(self) -> dict[str, str]:
        return {name: self.evidence[name] for name, verdict in self.verdicts.items() if verdict == "fail"}

    @property
    def amiss(self) -> dict[str, str]:
        """Whatever is no pass, with its evidence; but for what the application would have locked people out for."""
        amiss = {n: f"{v}: {self.evidence[n]}" for n, v in self.verdicts.items() if v != "pass"}
        return {n: words for n, words in amiss.items() if n not in self.over_the_limit}

    @property
    def over_the_limit(self) -> dict[str, str]:
        """What was not sent, as the application takes only so many refused forms in a while."""
        unsent = {
            n: words
            for n, words in self.evidence.items()
            if "are reserved for users" in words or "this run sent one" in words
        }
        return {n: words for n, words in unsent.items() if self.verdicts[n] == "not checked"}


@dataclass
class VerifyDesk:
    """A running sandbox and the command line on it."""

    live: Live
    healthy: str = ""
    """Where the backup of the healthy state is."""
    kept: dict[str, str] = field(default_factory=dict)
    """What damage took away, until it is mended."""

    def backup(self) -> str:
        return str(self.live.capture()["to_url"])

    @property
    def home(self) -> Path:
        return self.live.state.root.parent

    def call(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        environment = {**inherited, "USCDR_STATE_DIR": str(self.home), **env}
        return forked.call(("--target", "sandbox", *arguments), env=environment, cwd=self.home)

    def verify(self, *arguments: str, which: str = "all", **env: str) -> Seen:
        done = self.call("verify", which, *arguments, "--json", **env)
        assert "Traceback" not in done.stderr + done.stdout
        seen = Seen(done.returncode, text=done.stdout + done.stderr)
        for event in (json.loads(line)["event"] for line in done.stdout.splitlines() if '"uscdr.event.v1"' in line):
            if event["kind"] == "check.finished":
                seen.verdicts[event["check"]] = event["verdict"]
                seen.evidence[event["check"]] = event["evidence"]
            elif event["kind"] == "checks.finished":
                seen.items = event["items"]
        return seen

    def config(self, values: Mapping[str, str | None]) -> None:
        """Set or remove variables, and wait until the dynos run with them."""
        before = self.live.release_over()["version"]
        self.live.send("PATCH", f"/apps/{self.live.app}/config-vars", dict(values))
        release = until(lambda: (one := self.live.release_over())["version"] > before and one)
        if release["status"] == "succeeded":
            self.live.settled()

    def value(self, name: str) -> str:
        return str(self.live.get(f"/apps/{self.live.app}/config-vars")[name])

    def sql(self, *queries: str, params: tuple[Any, ...] = ()) -> None:
        url = self.live.get(f"/apps/{self.live.app}/config-vars")["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            for query in queries:
                connection.execute(query, params or None)

    def scale(self, process: str, quantity: int) -> None:
        body = {"updates": [{"type": process, "quantity": quantity}]}
        self.live.send("PATCH", f"/apps/{self.live.app}/formation", body)
        self.live.settled()
