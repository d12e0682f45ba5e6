"""This machine: where things live on it, by the environment, and what is its own. No third-party module."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path


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


@dataclass(frozen=True)
class Operator:
    """Who runs this process, where."""

    user: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.user} on {self.host} (process {self.pid})"


def operator(env: Mapping[str, str]) -> Operator:
    """The person at this machine; `$USCDR_OPERATOR` names somebody else than the login."""
    user = env.get("USCDR_OPERATOR") or env.get("USER") or env.get("LOGNAME") or f"uid {os.getuid()}"
    user = user.encode(errors="backslashreplace").decode()  # the environment may hold bytes that are no UTF-8
    return Operator(user=user, host=socket.gethostname(), pid=os.getpid())


def is_gone(pid: int) -> bool:
    """Whether no process of this machine has that id. One that we may not signal is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def boot() -> str:
    """Which start of this machine's kernel this is; empty where that is not told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
