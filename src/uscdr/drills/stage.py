"""Where a drill takes place: a sandbox of its own, asked by wiring that cannot write."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uscdr import wiring
from uscdr.assembly.job import Job
from uscdr.engine.conduct import Ending
from uscdr.leftovers import SANDBOX, sweep, workplace
from uscdr.place import Place
from uscdr.sandbox import audit, client, launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.lifeline import lifeline
from uscdr.sandbox.state import StateDir
from uscdr.scenarios.deps import Deps, Request
from uscdr.session import surroundings
from uscdr.targets import find_place, load_config
from uscdr.ui.console import Output

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
    def place(self) -> Place:
        """The sandbox as a target."""
        return find_place(load_config(self.request.config, os.environ), "sandbox", self.env)

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """A call to the sandbox's own controls, which no provider has and no audit shows."""
        return client.ask(self.directory, method, path, dict(body) if body else None)

    @contextmanager
    def look(self, request: Request, identity: Path | None = None) -> Iterator[Deps]:
        """The ports of the application that `request` is about, read-only by construction."""
        job = Job(self.place, request, "baseline", None, dry_run=True, identity=identity)
        with (
            surroundings(self.output, self.request.state, os.environ, asker=Unattended()) as around,
            wiring.opened(job, around) as (deps, _),
        ):
            yield deps

    def recover(self, request: Request, run: str, identity: Path | None) -> Ending:
        """Carry the scenario out, confirmed by nobody."""
        job = Job(self.place, request, run, None, dry_run=False, identity=identity)
        with surroundings(self.output, self.request.state, os.environ, asker=Unattended()) as around:
            return wiring.begin(job, around)

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
