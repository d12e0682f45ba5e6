"""This machine's directories, operator and programs, by the environment. No third-party module."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCRATCH = "USCDR_SCRATCH"
"""The variable that names a PostgreSQL server of the operator's own, for proofs."""
SHARED_STATE = "USCDR_SHARED"
"""The variable that names the store which the machines of a team share."""
PING = "USCDR_PING"
"""The variable with the address that a monitoring service gave for a command; it works like a password."""


@dataclass(frozen=True)
class Directories:
    """This user's directories, by the environment; absolute. Each raises MachineError without a home directory."""

    env: Mapping[str, str]

    @property
    def state(self) -> Path:
        """`$USCDR_STATE_DIR`, else the platform's state directory for uscdr."""
        given = self.env.get("USCDR_STATE_DIR")
        if given:
            return user_path(given).absolute()
        from platformdirs import user_state_path

        return _of_user(lambda: user_state_path("uscdr", appauthor=False))

    @property
    def config(self) -> Path:
        """The platform's configuration directory for uscdr, by this process's own environment."""
        from platformdirs import user_config_path

        return _of_user(lambda: user_config_path("uscdr", appauthor=False))

    @property
    def home(self) -> Path:
        """`$HOME`, else the machine's entry for the user."""
        return Path(self.env["HOME"]) if self.env.get("HOME") else user_path("~")


def user_path(text: str | Path) -> Path:
    """A path from the operator: `~` is the home directory. Raises MachineError when that is unknown."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise _homeless() from None


def _of_user(find: Callable[[], Path]) -> Path:
    """Never relative to the current directory: the next command would not find the state or its locks."""
    try:
        path = find()
    except RuntimeError:
        raise _homeless() from None
    if not path.is_absolute():
        raise _homeless()
    return path


def _homeless() -> MachineError:
    return MachineError(
        "uscdr cannot find this user's home directory.",
        why="HOME is not set, and the machine has no entry for this user.",
        next_action="Set HOME, or set USCDR_STATE_DIR to your own directory.",
    )


@dataclass(frozen=True)
class Operator:
    """Who runs this process, where."""

    user: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.user} on {self.host} (process {self.pid})"

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Operator:
        """The operator at this machine; `$USCDR_OPERATOR` overrides the login name."""
        import socket  # few commands ask who runs them

        user = env.get("USCDR_OPERATOR") or env.get("USER") or env.get("LOGNAME") or f"uid {os.getuid()}"
        user = user.encode(errors="backslashreplace").decode()  # the environment may contain bytes that are not UTF-8
        return Operator(user=user, host=socket.gethostname(), pid=os.getpid())


def is_gone(pid: int) -> bool:
    """Whether no process of this machine has that id. One that we may not signal exists; a thread does not count."""
    import psutil  # 0.1 s, and called only when another operator's lock is found

    try:
        return not psutil.pid_exists(pid)
    except OverflowError:
        return False


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# Finds programs on the PATH, only in absolute directories. No third-party module.


def program(name: str, env: Mapping[str, str] | None = None) -> Path | None:
    """The program of that name by the PATH of `env`, of this process without one; None when there is none.

    An empty or relative entry of the PATH depends on the current directory, where anybody may have put a program: it is
    ignored. An empty PATH, as from some schedulers, means the system's default.
    """
    path = (os.environ if env is None else env).get("PATH") or os.defpath
    whole = [entry for entry in path.split(os.pathsep) if Path(entry).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(whole)) if whole else None
    return Path(found) if found else None
