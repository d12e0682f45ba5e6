"""The kit of a drill: a key pair made for it, and `uscdr kit build` as an operator gives the command."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uscdr.drills.stage import Stage
from uscdr.errors import ExitCode, MachineError, MissingExtra
from uscdr.files import new_file, private_directory
from uscdr.words import duration

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
    card, lacks = made(done)
    for one in lacks:
        stage.output.say(f"Not in the kit, and said so: {one}")
    return Kit(f"{place}:{card}", identity)


def made(done: subprocess.CompletedProcess[str]) -> tuple[str, tuple[str, ...]]:
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
