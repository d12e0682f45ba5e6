"""Where things live on this machine, from the environment. Import-light: no third-party module."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import MachineError

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


def state_directory(env: Mapping[str, str]) -> Path:
    """`$USCDR_STATE_DIR`, else the platform's state directory for uscdr."""
    given = env.get("USCDR_STATE_DIR")
    if given:
        return Path(given)
    from platformdirs import user_state_path

    return user_state_path("uscdr", appauthor=False)


def config_directory() -> Path:
    """The user's configuration directory for uscdr."""
    from platformdirs import user_config_path

    return user_config_path("uscdr", appauthor=False)


def private_directory(path: Path) -> Path:
    """Create `path` readable by its owner only. Raises MachineError with the operating system's reason."""
    try:
        for above in reversed(path.parents):
            if not above.exists():  # `parents=True` would open those to everybody
                above.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        path.chmod(PRIVATE_DIRECTORY)
    except OSError as error:
        raise MachineError(
            f"The state directory {path} cannot be used.",
            why=error.strerror or type(error).__name__,
            next_action="Free some space or name another place: USCDR_STATE_DIR=/path/with/room uscdr …",
        ) from error
    return path


@dataclass(frozen=True)
class Operator:
    """Who runs this process, where."""

    user: str
    host: str
    pid: int


def operator(env: Mapping[str, str]) -> Operator:
    """The person at this machine; `$USCDR_OPERATOR` names somebody else than the login."""
    user = env.get("USCDR_OPERATOR") or env.get("USER") or env.get("LOGNAME") or f"uid {os.getuid()}"
    user = user.encode(errors="backslashreplace").decode()  # the environment may hold bytes that are no UTF-8
    return Operator(user=user, host=socket.gethostname(), pid=os.getpid())
