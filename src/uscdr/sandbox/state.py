"""Where a sandbox keeps its files. Everything is under one directory, readable by its owner only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from uscdr import files
from uscdr.errors import BadInput, MachineError
from uscdr.settings import Directories

CONTRACT_VERSION = 1
LARGEST = 1 << 24
"""Bytes of a document."""
CONTRACT: Mapping[str, type] = {
    "pid": int, "pid_started": str, "identity": str, "heroku": dict, "dns": dict, "cloudinary": dict, "source": dict,
    "ca_file": str, "web_url": str, "manage": str,
}  # fmt: skip
DAEMON: Mapping[str, type] = {"pid": int, "started": str}
CONTROL: Mapping[str, type] = {"url": str, "secret": str}
"""What is in each document at least."""


def default_root() -> Path:
    """The sandbox directory when none is named: `$USCDR_STATE_DIR/sandbox`, else the user's state directory."""
    return Directories(os.environ).state / "sandbox"


@dataclass(frozen=True)
class StateDir:
    """Names of the files below `root`."""

    root: Path

    @property
    def contract(self) -> Path:
        """What clients need to reach the sandbox (0600, holds the token)."""
        return self.root / "sandbox.json"

    @property
    def request(self) -> Path:
        """What `up` asked for, read by the daemon and by a second `up`."""
        return self.root / "request.json"

    @property
    def daemon(self) -> Path:
        """Process id and start mark of the daemon, written before anything else is started."""
        return self.root / "daemon.json"

    @property
    def control(self) -> Path:
        """URL and secret of the internal control endpoint (0600)."""
        return self.root / "control.json"

    @property
    def audit(self) -> Path:
        """One JSON object a line for every request received."""
        return self.root / "audit.jsonl"

    @property
    def processes(self) -> Path:
        """One JSON object a line for every process group the daemon started."""
        return self.root / "processes.jsonl"

    @property
    def log(self) -> Path:
        """The daemon's own output."""
        return self.root / "daemon.log"

    @property
    def postgres(self) -> Path:
        """Directory of the PostgreSQL server."""
        return self.root / "postgres"

    @property
    def pki(self) -> Path:
        """Directory of the private certificate authority."""
        return self.root / "pki"

    @property
    def slugs(self) -> Path:
        """Unpacked builds, one directory each."""
        return self.root / "slugs"

    @property
    def sources(self) -> Path:
        """Uploaded source archives."""
        return self.root / "sources"

    @property
    def backups(self) -> Path:
        """Stored dumps."""
        return self.root / "backups"

    @property
    def repositories(self) -> Path:
        """Bare git repositories, one an app."""
        return self.root / "repositories"

    @property
    def origin(self) -> Path:
        """Bare git repository that the app's code comes from."""
        return self.root / "origin.git"

    @property
    def media(self) -> Path:
        """The media service's books and files."""
        return self.root / "media"

    @property
    def web_space(self) -> Path:
        """What the operator's public web space serves."""
        return self.root / "web-space"

    @property
    def lock(self) -> Path:
        """Locked while a sandbox runs or is being started."""
        return self.root / "lock"

    @property
    def home(self) -> Path:
        """Where official clients keep what they write."""
        return self.root / "home"

    def is_foreign(self) -> bool:
        """Whether the directory holds something, and it is not a sandbox."""
        return self.root.exists() and any(self.root.iterdir()) and not self.lock.exists()

    def prepare(self) -> None:
        """Create the directories, private to the owner.

        Raises BadInput for a directory that holds something else, MachineError if it cannot be made.
        """
        if self.is_foreign():
            raise BadInput(
                f"{self.root} is not empty and not a sandbox's directory.",
                next_action="Name another directory with --state.",
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.root.chmod(0o700)
            for directory in (self.pki, self.slugs, self.sources, self.backups, self.repositories, self.home):
                directory.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise MachineError(
                f"The sandbox directory {self.root} cannot be created.",
                why=error.strerror or type(error).__name__,
                next_action="Name a directory you may write to with --state.",
            ) from error


def write_private(path: Path, document: dict[str, Any]) -> None:
    """Write JSON that only the owner can read; the file appears whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
    temporary.replace(path)


def read_json(path: Path, shape: Mapping[str, type] = MappingProxyType({})) -> dict[str, Any] | None:
    """The JSON object in `path`, or None when there is no readable one with these entries."""
    try:
        document = json.loads(files.whole(path, LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(document, dict) and all(isinstance(document.get(name), kind) for name, kind in shape.items())
    return document if whole else None


def read_contract(root: Path) -> dict[str, Any] | None:
    """What a sandbox in this directory says of itself, running or dead; None when there is none. Raises BadInput."""
    state = StateDir(root)
    found = read_json(state.contract, CONTRACT)
    if found is None and os.path.lexists(state.contract):
        raise BadInput(
            f"{state.contract} is not what a sandbox writes there: how it is reached is not known.",
            next_action="End it, and start it anew: uscdr sandbox down, uscdr sandbox up",
        )
    return found
