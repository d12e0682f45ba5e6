"""The sandbox of a drill, and the adapters with which the drill reads it and recovers it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from uscdr.cleanup import SANDBOX, sweep, workplace
from uscdr.commands import run as wiring
from uscdr.commands.housekeeping import warn_exposed
from uscdr.drills.own_data import prepare
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import ExitCode, MachineError
from uscdr.files import private_directory
from uscdr.journal.reader import NAME
from uscdr.sandbox import audit, client, launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.lifeline import lifeline
from uscdr.sandbox.state import StateDir
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config_file import load_config
from uscdr.settings import PING
from uscdr.store.encryption import Identity
from uscdr.ui.stages import stages
from uscdr.wiring import adapters
from uscdr.wiring.session import process
from uscdr.wiring.targets import find_target
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.drills.own_data import DrillData, OwnRequest, OwnStage
    from uscdr.engine.run import Outcome
    from uscdr.models.transfers import Transfer
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.loader import LoadedConfig
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

TOKENS = ("HEROKU_API_KEY", "USCDR_CLOUDFLARE_TOKEN", "USCDR_DNS_KEY")
"""Environment variables for real providers; a drill does not pass them on."""
ACCOUNT = ("USCDR_CHECK_TOKEN", "USCDR_CHECK_EMAIL", "USCDR_CHECK_PASSWORD")
"""Those of the real check account, which a drill with the operator's own code does not use."""


@dataclass(frozen=True)
class DrillRequest:
    """What to rehearse: the damage and the number of patients; the directories of the report and the state.

    `own`: with a copy of the operator's database and the operator's code, in place of the clinic.
    """

    how: str
    patients: int
    report: Path
    state: Path
    config: Path | None
    surprise: int | None = None
    """The seed by which the sandbox misbehaves during the recovery; None for a sandbox that works."""
    own: OwnRequest | None = None

    @property
    def loaded(self) -> LoadedConfig:
        """The configuration of the drill; for the operator's own application it counts in full. Raises ConfigError."""
        found = load_config(self.config, os.environ)
        return replace(found, own=True) if self.own else found


class Unattended:
    """Confirms everything in a drill, which can destroy only its own sandbox."""

    interactive = True
    manner = "the drill"

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Always true; the journal has the facts."""
        del facts, phrase
        return True

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        """Choose `begin` if it is offered, else the last option; so a write of unknown outcome ends the drill."""
        del question
        return "begin" if "begin" in options else options[-1]


@dataclass(frozen=True)
class Stage:
    """A running sandbox in `home`, and the output of this process. `data`: the masked copy that it holds."""

    home: Path
    request: DrillRequest
    env: Mapping[str, str]
    output: Output
    data: DrillData | None = None

    @property
    def directory(self) -> StateDir:
        """The sandbox's state directory."""
        return StateDir(self.home / SANDBOX)

    @property
    def target(self) -> Target:
        """The sandbox as a target."""
        return find_target(self.request.loaded, "sandbox", self.env)

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Call the sandbox's controls, which no provider has; the audit log does not show the call."""
        return client.ask(self.directory, method, path, dict(body) if body else None)

    @contextmanager
    def look(self, request: Request, identity: Path | None = None) -> Iterator[Adapters]:
        """Read-only adapters of the application of `request`."""
        with self.open(request, "baseline", dry_run=True, identity=identity) as deps:
            yield deps

    @contextmanager
    def open(self, request: Request, run: str, *, dry_run: bool, identity: Path | None = None) -> Iterator[Adapters]:
        """Adapters of the application of `request`."""
        with process(self.output, self.request.state, os.environ, asker=Unattended()) as this:
            context = this.on(self.target, request, run, dry_run=dry_run, identity=identity)
            with adapters.opened(context) as deps:
                yield deps

    def recover(self, request: Request, run: str, identity: Path | None) -> Outcome:
        """Run the recovery without asking a person."""
        with process(self.output, self.request.state, os.environ, asker=Unattended()) as this:
            return wiring.begin(this.on(self.target, request, run, dry_run=False, identity=identity))

    def resume(self, request: Request, run: str, identity: Path | None) -> Outcome:
        """Resume the recovery where its journal ends, without asking a person."""
        with process(self.output, self.request.state, os.environ, asker=Unattended()) as this:
            context = this.on(self.target, request, run, dry_run=False, identity=identity)
            return wiring.resume(context, self.request.state / "runs" / run / NAME)

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """The writes that the providers received after the first `since` requests."""
        return [one for one in self.requests(since) if one["write"]]

    def requests(self, since: int) -> list[dict[str, Any]]:
        """What the providers received after the first `since` requests."""
        return list(audit.read(self.directory.audit))[since:]

    def mark(self) -> int:
        """The number of requests that the providers have received."""
        return len(list(audit.read(self.directory.audit)))


@contextmanager
def stage(request: DrillRequest, output: Output) -> Iterator[Stage]:
    """A sandbox that is always removed at the end, with all files of the drill."""
    for words in sweep(request.state):
        output.warn(words)
    with workplace(request.state, f"drill-{secrets.token_hex(4)}") as home, _sandbox(home, request, output) as made:
        yield made


@contextmanager
def _sandbox(home: Path, request: DrillRequest, output: Output) -> Iterator[Stage]:
    own = None
    if request.own:
        warn_exposed(output, request.own.identity, request.own.passphrase_file)
        own = prepare(home, request.state, request.own, request.loaded.config, output.say)
    env = {name: value for name, value in os.environ.items() if name not in (*TOKENS, PING, *(ACCOUNT if own else ()))}
    env |= {"USCDR_CHECK_EMAIL": own.login, "USCDR_CHECK_PASSWORD": own.password} if own and own.login else {}
    made = Stage(home, request, {**env, "USCDR_STATE_DIR": str(home)}, output, own.data if own else None)
    with lifeline() as line:
        try:
            with stages(output) as tell:
                launch.up(made.directory, _wanted(request, own), tell, line)
            yield made
        finally:
            launch.down(made.directory, output.say)


LONGEST_CAPTURE = 300.0
"""Seconds within which a backup of the sandbox must end."""


def capture(stage: Stage, run: str) -> Transfer:
    """Take a backup of the sandbox's database, and wait until it has ended, well or not."""
    with stage.open(Request("backups"), run, dry_run=False) as deps:
        attachment = deps.attachment()
        begun = deps.backups.capture(attachment.addon_id)
        patience = WaitLimit(f"the backup {begun.name}", LONGEST_CAPTURE, "uscdr sandbox status")
        return until(
            lambda: deps.backups.transfer(attachment.owner_app_name, begun.id), lambda one: one.ended, patience,
            deps.stop,
        )  # fmt: skip


def _wanted(request: DrillRequest, own: OwnStage | None) -> UpRequest:
    if own is None:
        return UpRequest(patients=request.patients)
    return UpRequest(
        app_source=str(own.code.tree), python=str(own.code.python), env_file=str(own.env_file), dump=str(own.dump),
        broker=own.broker,
    )  # fmt: skip


# Builds the kit of a drill: a new key pair, and the command `uscdr kit build` that an operator would use.


LIMIT = 1800.0
"""Seconds that the build of a drill's kit may take."""


@dataclass(frozen=True)
class Kit:
    """A finished kit: its reference for `--kit`, and its identity file."""

    name: str
    identity: Path


def build(stage: Stage) -> Kit:
    """Build a kit of the current data in the drill's directory. Raises MachineError when the build fails."""
    stage.output.say("Building an escape kit of the healthy state")
    store = private_directory(stage.home / "kits")
    identity = stage.home / "identity.txt"
    public = Identity.create(identity).text
    done = _give(stage, ("kit", "build", "--capture", "--to", str(store), "--json"), {"USCDR_KIT_RECIPIENTS": public})
    card, lacks = _made(done)
    for one in lacks:
        stage.output.say(f"The kit does not contain: {one}")
    return Kit(f"{store}:{card}", identity)


def _made(done: subprocess.CompletedProcess[str]) -> tuple[str, tuple[str, ...]]:
    """The id of the kit that `kit build --json` made, and the gaps that the kit lists.

    Listed gaps, such as a second database, do not end the drill: the comparison after the recovery shows any other
    loss. Raises MachineError when there is no kit, or when a whole part of it is missing.
    """
    document = _document(done.stdout) if done.returncode in (ExitCode.DONE, ExitCode.CHECK_FAILED) else {}
    missing = [part["name"] for part in document.get("parts", []) if part["state"] == "missing"]
    gaps = tuple(f"{gap['what']}: {gap['why']}" for part in document.get("parts", []) for gap in part["gaps"])
    if missing or not document:
        lines = done.stderr.splitlines()
        said = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "")
        raise MachineError(
            f"The drill could not build its kit (exit code {done.returncode}).",
            why="; ".join(gaps) if missing else said,
            next_action="Build a kit in a sandbox: uscdr sandbox up && uscdr --target sandbox kit build",
        )
    return document["kit"], gaps


def _document(text: str) -> dict[str, Any]:
    """The last JSON line if it describes a kit, otherwise empty."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found if "kit" in found else {}


def _give(stage: Stage, command: Sequence[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a uscdr command on the sandbox, with an empty standard input."""
    config = ("--config", str(stage.request.config)) if stage.request.config else ()
    words = [sys.executable, "-P", "-m", "uscdr", *config, "--target", "sandbox", *command]
    try:
        return subprocess.run(
            words, env={**stage.env, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=LIMIT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MachineError(
            f"The build of the drill's kit did not finish within {duration(LIMIT)}.",
            next_action="Run the drill again with fewer patients: --patients 50",
        ) from error
