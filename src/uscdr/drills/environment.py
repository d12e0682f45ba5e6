"""Where a drill takes place: a sandbox of its own, asked by wiring that cannot write."""

from __future__ import annotations

import importlib
import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.cleanup import SANDBOX, sweep, workplace
from uscdr.commands import run as wiring
from uscdr.errors import ExitCode, MachineError, MissingExtra
from uscdr.files import new_file, private_directory
from uscdr.sandbox import audit, client, launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.lifeline import lifeline
from uscdr.sandbox.state import StateDir
from uscdr.scenarios.config_file import load_config
from uscdr.wiring import adapters
from uscdr.wiring.session import process
from uscdr.wiring.targets import find_target
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.engine.run import Outcome
    from uscdr.scenarios.adapters import Adapters, Request
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

TOKENS = ("HEROKU_API_KEY", "USCDR_CLOUDFLARE_TOKEN", "USCDR_DNS_KEY")
"""Of the environment: what is meant for real providers stays out of a drill."""


@dataclass(frozen=True)
class DrillRequest:
    """What to rehearse: the damage, the number of patients; where the report and the journal go."""

    how: str
    patients: int
    report: Path
    state: Path
    config: Path | None


class Unattended:
    """Confirms in a drill: what is destroyed is a sandbox made for it."""

    interactive = True
    manner = "the drill"

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Always: the facts are in the journal."""
        del facts, phrase
        return True

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        """Begin; a lost write that cannot be found ends the drill."""
        del question
        return "begin" if "begin" in options else options[-1]


@dataclass(frozen=True)
class Stage:
    """A running sandbox in `home`, and this process's words about it."""

    home: Path
    request: DrillRequest
    env: Mapping[str, str]
    output: Output

    @property
    def directory(self) -> StateDir:
        """The sandbox's own directory."""
        return StateDir(self.home / SANDBOX)

    @property
    def target(self) -> Target:
        """The sandbox as a target."""
        return find_target(load_config(self.request.config, os.environ), "sandbox", self.env)

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """A call to the sandbox's own controls, which no provider has and no audit shows."""
        return client.ask(self.directory, method, path, dict(body) if body else None)

    @contextmanager
    def look(self, request: Request, identity: Path | None = None) -> Iterator[Adapters]:
        """The ports of the application that `request` is about, read-only by construction."""
        with self.open(request, "baseline", dry_run=True, identity=identity) as deps:
            yield deps

    @contextmanager
    def open(self, request: Request, run: str, *, dry_run: bool, identity: Path | None = None) -> Iterator[Adapters]:
        """The adapters of the application that `request` is about."""
        with process(self.output, self.request.state, os.environ, asker=Unattended()) as this:
            context = this.on(self.target, request, run, dry_run=dry_run, identity=identity)
            with adapters.opened(context) as deps:
                yield deps

    def recover(self, request: Request, run: str, identity: Path | None) -> Outcome:
        """Carry the scenario out, confirmed by nobody."""
        with process(self.output, self.request.state, os.environ, asker=Unattended()) as this:
            return wiring.begin(this.on(self.target, request, run, dry_run=False, identity=identity))

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """What the providers received that changes something, after the first `since` requests."""
        return [one for one in list(audit.read(self.directory.audit))[since:] if one["write"]]

    def mark(self) -> int:
        """How many requests the providers received so far."""
        return len(list(audit.read(self.directory.audit)))


@contextmanager
def stage(request: DrillRequest, output: Output) -> Iterator[Stage]:
    """A sandbox that is gone at the end whatever happens, with all that was kept beside it."""
    for words in sweep(request.state):
        output.warn(words)
    with workplace(request.state, f"drill-{secrets.token_hex(4)}") as home, _sandbox(home, request, output) as made:
        yield made


@contextmanager
def _sandbox(home: Path, request: DrillRequest, output: Output) -> Iterator[Stage]:
    env = {name: value for name, value in os.environ.items() if name not in TOKENS}
    made = Stage(home, request, {**env, "USCDR_STATE_DIR": str(home)}, output)
    with lifeline() as line:
        try:
            launch.up(made.directory, UpRequest(patients=request.patients), output.say, line)
            yield made
        finally:
            launch.down(made.directory, output.say)


# The kit of a drill: a key pair made for it, and `uscdr kit build` as an operator gives the command.


LIMIT = 1800.0
"""Seconds that a kit of a drill may take."""


@dataclass(frozen=True)
class Kit:
    """A finished kit: its name for `--kit`, and the file with the key that opens it."""

    name: str
    identity: Path


def build(stage: Stage) -> Kit:
    """Build one of the data as they are, in the stage's own directory. Raises MachineError when that fails."""
    stage.output.say("Building an escape kit of the healthy state")
    place = private_directory(stage.home / "kits")
    public, identity = key_pair(stage.home / "identity.txt")
    done = _give(stage, ("kit", "build", "--capture", "--to", str(place), "--json"), {"USCDR_KIT_RECIPIENTS": public})
    card, lacks = _made(done)
    for one in lacks:
        stage.output.say(f"Not in the kit, and said so: {one}")
    return Kit(f"{place}:{card}", identity)


def _made(done: subprocess.CompletedProcess[str]) -> tuple[str, tuple[str, ...]]:
    """The id of the kit that `kit build --json` made, and what it says that the kit does not cover.

    A kit that names what it does not cover, as a second database, is what an operator has; the comparison after the
    recovery shows whether anything is lost that nobody named. Raises MachineError when there is no kit, or a whole part
    of it is missing.
    """
    document = _document(done.stdout) if done.returncode in (ExitCode.DONE, ExitCode.CHECK_FAILED) else {}
    missing = [part["name"] for part in document.get("parts", []) if part["state"] == "missing"]
    gaps = tuple(f"{gap['what']}: {gap['why']}" for part in document.get("parts", []) for gap in part["gaps"])
    if missing or not document:
        lines = done.stderr.splitlines()
        said = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "")
        raise MachineError(
            f"The drill's kit could not be built (exit code {done.returncode}).",
            why="; ".join(gaps) if missing else said,
            next_action="Try it on a sandbox: uscdr sandbox up; uscdr --target sandbox kit build",
        )
    return document["kit"], gaps


def _document(text: str) -> dict[str, Any]:
    """The last line, which tells of the kit; empty when nothing does."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found if "kit" in found else {}


def _give(stage: Stage, command: Sequence[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command to the sandbox, with nobody at its standard input."""
    config = ("--config", str(stage.request.config)) if stage.request.config else ()
    words = [sys.executable, "-P", "-m", "uscdr", *config, "--target", "sandbox", *command]
    try:
        return subprocess.run(
            words, env={**stage.env, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=LIMIT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MachineError(f"The drill's kit was not finished after {duration(LIMIT)}.") from error


def key_pair(path: Path) -> tuple[str, Path]:
    """The public half, and a 0600 file with the private one. Raises MachineError without the extra `vault`."""
    try:
        pair = importlib.import_module("pyrage").x25519.Identity.generate()
    except ImportError as error:
        raise MissingExtra("Kits and copies need the extra “vault”.", extra="vault", module="pyrage") from error
    with new_file(path) as file:
        file.write(f"{pair}\n".encode())
    return str(pair.to_public()), path
