"""Running the `git` program: without prompts, hooks or programs of a configuration, with a time limit and a stop.

The user's own configuration stays in force for what reaching a private repository needs: credential helpers,
proxies, certificates.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from uscdr.digits import whole
from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.programs import program
from uscdr.providers.source.complaints import PROVIDER, explain
from uscdr.words import duration

_GLANCE_SECONDS = 0.2
_CHUNK = 256 * 1024
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|XDG_\w+|TMPDIR|DISPLAY|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|GNUPGHOME|GH_\w+|GITHUB_TOKEN"
    r"|SSL_CERT_\w+|https?_proxy|no_proxy|all_proxy"
    r"|GIT_(?:SSL_\w+|SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|EXEC_PATH|CONFIG_\w+|PROXY_\w+)",
    re.IGNORECASE,
)
"""What git and a credential helper need; secrets of other providers stay here."""
_OURS: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "credential.interactive": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "tar.umask": "0002",
}


@dataclass(frozen=True)
class Limit:
    """When to give up: `end` on the monotonic clock, `seconds` as it was set, or when `stop` is set."""

    end: float
    seconds: float
    stop: threading.Event

    @classmethod
    def of(cls, seconds: float, stop: threading.Event) -> Limit:
        """`seconds` from now."""
        return cls(time.monotonic() + seconds, seconds, stop)

    def heed(self) -> None:
        """Raise `Interrupted` or, when the time is up, `ProviderError`."""
        if self.stop.is_set():
            raise Interrupted("Interrupted while reading the source repository; nothing was changed.")
        if time.monotonic() > self.end:
            raise ProviderError(
                f"The source repository was not read within {duration(self.seconds)}.",
                provider=PROVIDER,
                next_action="Check the network, or clone it and give the path of the clone as `app.source.git`.",
                retryable=True,
            )


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of git: what it needs of `env`, and settings that outrank every configuration file."""
    passed = {name: value for name, value in env.items() if _PASSED_ON.fullmatch(name)}
    count = whole(passed.get("GIT_CONFIG_COUNT")) or 0
    for place, (key, value) in enumerate(_OURS.items(), start=count):
        passed |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return {
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        **passed,
        "GIT_CONFIG_COUNT": str(count + len(_OURS)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


@dataclass(frozen=True)
class Git:
    """The `git` program with an environment and a limit. Arguments hold no secret: every process sees them."""

    env: Mapping[str, str]
    limit: Limit

    def run(self, *arguments: str) -> bytes:
        """The whole standard output."""
        return b"".join(self.chunks(*arguments))

    def chunks(self, *arguments: str) -> Iterator[bytes]:
        """Standard output as it comes; a failure of git raises after the last of it."""
        with tempfile.TemporaryFile() as complaints:
            process = self._start(arguments, complaints)
            try:
                yield from self._read(process)
                self._ended(process)
            finally:
                _end(process)
            if process.returncode:
                complaints.seek(0)
                raise explain(complaints.read(_CHUNK).decode("utf-8", "replace"), process.returncode)

    def _start(self, arguments: tuple[str, ...], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        git = program("git", self.env)
        if git is None:
            raise MachineError(
                "The `git` program is not on this machine.",
                why="The source of the application is read with it.",
                next_action="Install git (2.39 or newer), then run the command again.",
            )
        return subprocess.Popen(
            [git, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=dict(self.env),
            # A repository where the command was given would have its own configuration obeyed: other addresses for
            # the one asked, programs that are given the credentials.
            cwd="/",
            start_new_session=True,
        )

    def _read(self, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        if process.stdout is None:
            return
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            while True:
                self.limit.heed()
                if not waiting.select(_GLANCE_SECONDS):
                    continue
                chunk = os.read(process.stdout.fileno(), _CHUNK)
                if not chunk:
                    return
                yield chunk

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of a process that has closed its output."""
        while True:
            self.limit.heed()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GLANCE_SECONDS)
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Git starts processes of its own, which must not outlive it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
