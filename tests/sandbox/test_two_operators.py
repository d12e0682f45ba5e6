"""Two operators with a machine each and one shared store: refused, killed, taken over, stopped and continued."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pexpect
import psycopg
import pytest

import forked
from forked import USCDR
from live_sandbox import until

PATIENT = "Canarina Teammarker"
LEASE = "5s"
LOCKED, DECLINED = 6, 4
"""What is said to whoever has lost a run: while the other one's lease lasts, and after it."""
HOST = os.uname().nodename
RESTORING = '"kind":"step.accepted","step":"restore"'
RECOVER = ("--target", "sandbox", "recover", "db", "--backup", "b001", "--without-safety-capture")
KEPT_OUT = ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_SHARED", "USCDR_SHARED_LEASE", "USCDR_OPERATOR")


@dataclass(frozen=True)
class Machine:
    """One operator's: a home and a state directory of its own. Without `shared` it belongs to no team."""

    home: Path
    user: str
    said: list[str]
    shared: Path | None = None

    @property
    def state(self) -> Path:
        return self.home / "state"

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in KEPT_OUT}
        team = {"USCDR_SHARED": str(self.shared), "USCDR_SHARED_LEASE": LEASE} if self.shared else {}
        own = {"HOME": str(self.home), "USCDR_STATE_DIR": str(self.state), "USCDR_OPERATOR": self.user}
        return {**inherited, **own, **team}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [USCDR, *arguments], env=self.environment(), cwd=self.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ended(self, process: subprocess.Popen[str], code: int | tuple[int, ...]) -> str:
        """What it said on stderr, once it ended as it should."""
        out, err = process.communicate(timeout=240)
        return self._judged(subprocess.CompletedProcess(process.args, process.returncode, out, err), code)

    def _judged(self, done: subprocess.CompletedProcess[str], code: int | tuple[int, ...]) -> str:
        self.said.extend((done.stdout, done.stderr))
        assert done.returncode in (code if isinstance(code, tuple) else (code,)), done.stderr[-3000:]
        assert "Traceback" not in done.stdout + done.stderr
        return done.stderr

    def call(self, *arguments: str, code: int | tuple[int, ...] = 0) -> str:
        return self._judged(forked.call(arguments, env=self.environment(), cwd=self.home), code)

    def answer(self, *arguments: str) -> list[dict[str, Any]]:
        before = len(self.said)
        self.call(*arguments, "--json")
        return [json.loads(line) for line in self.said[before].splitlines()]

    def journal(self, run: str) -> Path:
        return self.state / "runs" / run / "journal.jsonl"

    def listed(self, run: str) -> tuple[str, str]:
        """Whose the run is, and how it stands, as this machine's `runs list` says."""
        (found,) = (one for one in self.answer("runs", "list") if one["run"] == run)
        return found["user"], found["state"]


@dataclass(frozen=True)
class Team:
    """The sandbox, which is nobody's machine; ada, bob, and what they share."""

    site: Machine
    ada: Machine
    bob: Machine

    @property
    def shared(self) -> Path:
        assert self.ada.shared is not None
        return self.ada.shared

    def contract(self) -> dict[str, Any]:
        return dict(json.loads((self.site.state / "sandbox" / "sandbox.json").read_text()))

    def config(self) -> dict[str, str]:
        heroku = self.contract()["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        address = f"{heroku['api_url']}/apps/usc-pis/config-vars"
        return dict(httpx.get(address, headers=headers, trust_env=False, timeout=60).json())

    def damage(self) -> None:
        self.site.call("sandbox", "break", "db", "--how", "delete-rows")

    def phrase(self) -> str:
        """What a dry run of ada's prints; it tells the team nothing."""
        before, stored = len(self.ada.said), sorted(self.shared.rglob("*"))
        self.ada.call(*RECOVER, "--dry-run")
        assert sorted(self.shared.rglob("*")) == stored
        lines = self.ada.said[before].splitlines()
        return next(line.removeprefix("phrase").strip() for line in lines if line.startswith("phrase"))

    def writes(self) -> list[str]:
        lines = self.site.answer("sandbox", "audit")
        return [f"{one['method']} {one['path']}" for one in lines if one["write"]]

    def shared_journal(self, run: str) -> str:
        """As the team has it: the store's pieces in the order of their names."""
        return "".join(piece.read_text() for piece in sorted((self.shared / "runs" / run).iterdir()))

    def restores(self) -> int:
        return sum(1 for one in self.writes() if one.startswith("POST") and one.endswith("/restores"))


def newest(machine: Machine) -> str:
    return max(path.parent.name for path in machine.state.glob("runs/*/journal.jsonl"))


@contextmanager
def at_a_terminal(machine: Machine, *arguments: str) -> Iterator[pexpect.spawn[str]]:
    """The program with somebody who types; killed at the end."""
    environment = {**machine.environment(), "TERM": "dumb", "NO_COLOR": "1"}
    child = pexpect.spawn(
        USCDR, list(arguments), env=environment, cwd=str(machine.home), timeout=90, dimensions=(50, 400),
        encoding="utf-8",
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill(signal.SIGKILL)
        child.expect(pexpect.EOF)
        child.close()


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with tempfile.TemporaryDirectory(prefix="uscdr-team-") as directory:
        place, said = Path(directory), list[str]()
        shared = place / "shared"
        for name in ("site", "ada", "bob", "shared"):
            (place / name).mkdir()
        site = Machine(place / "site", "nobody", said)
        ada, bob = (Machine(place / name, name, said, shared) for name in ("ada", "bob"))
        site.call("sandbox", "up", "--patients", "30", "--assets", "0", "--keep", "60")
        try:
            for machine in (ada, bob):
                (machine.state / "sandbox").mkdir(mode=0o700, parents=True)
                shutil.copy(site.state / "sandbox" / "sandbox.json", machine.state / "sandbox")
            made = Team(site, ada, bob)
            with psycopg.connect(made.config()["DATABASE_URL"], autocommit=True) as connection:
                first, last = PATIENT.split()
                connection.execute("UPDATE patients_patient SET first_name = %s, last_name = %s", (first, last))
            yield made
        finally:
            site.call("sandbox", "down")


def test_the_second_is_refused_and_finishes_what_the_first_left_when_killed(team: Team) -> None:
    team.damage()
    before = team.restores()
    with at_a_terminal(team.ada, *RECOVER) as ada:
        ada.expect("begin / stop> ")
        run = newest(team.ada)
        refused = team.bob.call(*RECOVER, code=LOCKED)
        assert f"ada on {HOST} (process {ada.pid})" in refused
        assert f"uscdr --target sandbox runs resume {run} --take-over" in refused
        assert team.bob.listed(run) == (f"ada on {HOST}", "unfinished")
        assert f"Another machine owns this run. Last operator: ada on {HOST}." in team.bob.call("runs", "show", run)
        ada.sendline("begin")
        ada.expect(r"type exactly[^\n]*\n\s*(?P<phrase>[^\r\n]+)\r\n> ")
        ada.sendline(ada.match["phrase"])
        until(lambda: RESTORING in team.ada.journal(run).read_text(errors="replace"))
    bob = team.bob.start("runs", "resume", run, "--take-over")
    try:
        until(lambda: '"kind":"run.resumed"' in team.shared_journal(run))
    finally:
        bob.kill()
        team.bob.said.extend(bob.communicate())
    assert team.ada.listed(run) == (f"bob on {HOST}", "unfinished")
    declined = team.ada.call("runs", "resume", run, code=(LOCKED, DECLINED))
    assert f"bob on {HOST}" in declined
    assert "--take-over" in declined
    assert "no unfinished run" in team.ada.call("runs", "resume", code=2)
    team.bob.call("runs", "resume", run)
    assert team.restores() == before + 1
    assert team.ada.listed(run) == (f"bob on {HOST}", "done")
    assert "is finished" in team.ada.call("runs", "resume", run, "--take-over", code=2)
    assert team.shared_journal(run) == team.bob.journal(run).read_text()


def test_the_first_writes_no_more_when_it_is_continued_after_the_second_took_over(team: Team) -> None:
    team.damage()
    before, phrase = team.restores(), team.phrase()
    dry = newest(team.ada)
    ada = team.ada.start(*RECOVER, "--confirm", phrase)
    try:
        until(lambda: newest(team.ada) != dry)
        run = newest(team.ada)
        until(lambda: RESTORING in team.ada.journal(run).read_text(errors="replace"))
        ada.send_signal(signal.SIGSTOP)
        team.bob.call("runs", "resume", run, "--take-over")
        writes = team.writes()
        ada.send_signal(signal.SIGCONT)
        lost = team.ada.ended(ada, LOCKED)
    finally:
        ada.kill()
    assert f"Another process took over run {run}: bob on" in lost
    assert team.writes() == writes
    assert team.restores() == before + 1
    kinds = [json.loads(line)["event"]["kind"] for line in team.ada.journal(run).read_text().splitlines()]
    assert "run.finished" not in kinds
    assert team.ada.listed(run) == (f"bob on {HOST}", "done")


def test_the_team_shares_no_secret_and_nothing_of_a_patient(team: Team) -> None:
    """Last: over all that the tests before it shared and said."""
    config, contract = team.config(), team.contract()
    marks = [PATIENT.split()[1], contract["heroku"]["token"], contract["dns"]["key"], config["DATABASE_URL"]]
    marks += [config[name] for name in ("PGP_ENCRYPTION_KEY", "SECRET_KEY") if name in config]
    marks += [one["api_secret"] for one in contract["cloudinary"]["accounts"]]
    files = [path for root in (team.shared, team.ada.state, team.bob.state) for path in root.rglob("*")]
    texts = {str(path): path.read_bytes().decode("latin-1") for path in files if path.is_file()}
    texts = {name: text for name, text in texts.items() if not name.endswith("sandbox/sandbox.json")}
    texts |= {f"output {number}": text for number, text in enumerate(team.ada.said)}
    assert sum(name.startswith(str(team.shared / "runs")) for name in texts) > 10
    assert len(marks) > 6
    assert [where for where, text in texts.items() for mark in marks if mark in text] == []
