"""A sandbox for a measurement, and the official clients pointed at it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.programs import CLIENTS, USCDR, Done, as_installed, timed


@dataclass(frozen=True)
class Bench:
    """A running sandbox: its directory, the environment of `uscdr`, and the sandbox's contract."""

    root: Path
    env: Mapping[str, str]
    contract: Mapping[str, Any]

    def uscdr(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Done:
        """One command of ours on this sandbox."""
        return timed((USCDR, *arguments), self.env, cwd=self.root, codes=codes)

    def slow(self, seconds: float) -> None:
        """Let every answer of every provider wait; 0 takes the wait away."""
        self.uscdr("sandbox", "fault", "clear")
        if seconds:
            wait = ("--provider", "all", "--method", "*", "--path", "*", "--count", "0")
            self.uscdr("sandbox", "fault", "add", f"slow:{seconds}", *wait)

    def of_clients(self) -> dict[str, str]:
        """The environment that points the official clients at this sandbox."""
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        said = json.loads(self.uscdr("sandbox", "env", "--json").out)["variables"]
        path = f"{CLIENTS / 'node_modules' / '.bin'}:{os.environ['PATH']}"
        still = ("DISABLE_TELEMETRY", "HEROKU_SKIP_NEW_VERSION_CHECK", "HEROKU_DISABLE_AUTOUPDATE")
        quiet = dict.fromkeys(still, "true")
        return {"PATH": path, "HOME": str(home), **quiet, **{name: str(value) for name, value in said.items()}}


@contextmanager
def sandbox(*options: str, patients: int = 200) -> Iterator[Bench]:
    """A sandbox of its own, taken down at the end."""
    with tempfile.TemporaryDirectory(prefix="uscdr-bench-") as place:
        root = Path(place)
        env = as_installed(root) | {"USCDR_TARGET": "sandbox"}
        timed((USCDR, "sandbox", "up", "--patients", str(patients), *options), env, cwd=root)
        try:
            yield Bench(root, env, json.loads((root / "sandbox" / "sandbox.json").read_text()))
        finally:
            timed((USCDR, "sandbox", "down"), env, cwd=root)
