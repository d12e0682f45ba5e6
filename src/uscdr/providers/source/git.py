"""Runs the `git` program: without prompts, hooks or configured programs, with a time limit and a stop token.

The user's own configuration still applies to access: credential helpers, proxies, certificates.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.errors import ConfigError, CredentialsRefused, Interrupted, MachineError, NotFound, ProviderError, UscdrError
from uscdr.providers.http.outages import Outages, time_allowed
from uscdr.providers.http.transport import is_loopback, proxy_for
from uscdr.settings import program, user_path
from uscdr.words import duration, whole

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Maps git's errors to ours. Its text is not shown: it may contain addresses with credentials.


PROVIDER = "Git"

_MISSING_OBJECT = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|remote ref .* not found|not a valid object name"
    r"|unknown revision|Needed a single revision|missing necessary objects|expected a complete|bad revision",
    re.IGNORECASE,
)
_AUTH = re.compile(
    r"could not read (?:Username|Password)|Authentication failed|terminal prompts disabled|Permission denied \("
    r"|Host key verification failed|returned error: 40[13]|Invalid username or (?:password|token)",
    re.IGNORECASE,
)
_OWNER = re.compile(r"dubious ownership", re.IGNORECASE)
_SPACE = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_MISSING = re.compile(
    r"does not appear to be a git repository|Repository .*not found|repository '.*' not found|not a git repository"
    r"|returned error: 404",
    re.IGNORECASE,
)
_TRUST = re.compile(r"certificate|CAfile|self.signed", re.IGNORECASE)
_NETWORK = re.compile(
    r"Could not resolve|Couldn't connect|Failed to connect|Connection (?:refused|reset|timed out|closed)|timed out"
    r"|unable to access|early EOF|hung up unexpectedly|RPC failed|returned error: 5\d\d|No route to host|Empty reply",
    re.IGNORECASE,
)


class ObjectMissing(NotFound):
    """The repository answered, but does not have the commit."""


def _explain(complaint: str, status: int) -> UscdrError:
    """The error for a failed git command, by its standard error."""
    if _MISSING_OBJECT.search(complaint):
        return _provider(ObjectMissing, "The source repository has no such commit.", "Check the commit id.")
    if _AUTH.search(complaint):
        return _provider(
            CredentialsRefused,
            "The source repository refused the credentials, or requires some.",
            "Check the address. For a private repository, log in once with `git ls-remote` so that the "
            "credential helper stores it.",
        )
    if _OWNER.search(complaint):
        return MachineError(
            "Git refused the source repository: it belongs to another user of this machine.",
            next_action="Allow it with `git config --global --add safe.directory PATH`, or clone it.",
        )
    if _SPACE.search(complaint):
        return MachineError(
            "The disk has no space left for the source.", next_action="Free disk space, then run the command again."
        )
    if _MISSING.search(complaint):
        return _provider(NotFound, "No source repository exists at that address.", "Correct `app.source.git`.")
    return _unreachable(complaint, status)


def _unreachable(complaint: str, status: int) -> ProviderError:
    if _TRUST.search(complaint):
        action = "Check this machine's clock. If the network inspects TLS, set git's `http.sslCAInfo`."
        return _provider(ProviderError, "The source repository's certificate is not trusted.", action)
    passing = _NETWORK.search(complaint) is not None
    why = "The network or the server failed." if passing else f"Git exited with status {status}."
    return ProviderError(
        "Git could not read the source repository.",
        provider=PROVIDER,
        why=why,
        next_action="Test the address with `git ls-remote`, or set `app.source.git` to a clone on this machine.",
        retryable=passing,
    )


def _provider(kind: type[ProviderError], message: str, next_action: str) -> ProviderError:
    return kind(message, provider=PROVIDER, next_action=next_action)


_GLANCE_SECONDS = 0.2
_CHUNK = 256 * 1024
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|XDG_\w+|TMPDIR|DISPLAY|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|GNUPGHOME|GH_\w+|GITHUB_TOKEN"
    r"|SSL_CERT_\w+|https?_proxy|no_proxy|all_proxy"
    r"|GIT_(?:SSL_\w+|SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|EXEC_PATH|CONFIG_\w+|PROXY_\w+)",
    re.IGNORECASE,
)
"""The variables that git and a credential helper need, without other providers' secrets."""
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
class GitLimit:
    """The time limit: `end` on the monotonic clock, `seconds` as configured; also ends when `stop` is set."""

    end: float
    seconds: float
    stop: threading.Event

    @classmethod
    def of(cls, seconds: float, stop: threading.Event) -> GitLimit:
        """`seconds` from now."""
        return cls(time.monotonic() + seconds, seconds, stop)

    def heed(self) -> None:
        """Raise `Interrupted` or, when the time is up, `ProviderError`."""
        if self.stop.is_set():
            raise Interrupted("Interrupted while reading the source repository; nothing was changed.")
        if time.monotonic() > self.end:
            raise ProviderError(
                f"Git did not finish reading the source repository within {duration(self.seconds)}.",
                provider=PROVIDER,
                next_action="Check this machine's network, or set `app.source.git` to a clone on this machine.",
                retryable=True,
            )


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of git: the needed variables of `env`, and settings that override every configuration file."""
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
    limit: GitLimit

    def run(self, *arguments: str) -> bytes:
        """The whole standard output."""
        return b"".join(self.chunks(*arguments))

    def chunks(self, *arguments: str) -> Iterator[bytes]:
        """Standard output as it arrives; a failure of git raises after the last chunk."""
        with tempfile.TemporaryFile() as complaints:
            process = self._start(arguments, complaints)
            try:
                yield from self._read(process)
                self._ended(process)
            finally:
                _end(process)
            if process.returncode:
                complaints.seek(0)
                raise _explain(complaints.read(_CHUNK).decode("utf-8", "replace"), process.returncode)

    def _start(self, arguments: tuple[str, ...], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        git = program("git", self.env)
        if git is None:
            raise MachineError(
                "The `git` program is not installed on this machine.",
                why="uscdr needs it to read the application's source.",
                next_action="Install git (2.39 or newer), then run the command again.",
            )
        return subprocess.Popen(
            [git, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**self.env, **_low_speed()},
            # Not in the current directory: git would obey the configuration of a repository there, which can redirect
            # addresses and run programs with the credentials.
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
        """Wait for a process that has closed its output."""
        while True:
            self.limit.heed()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GLANCE_SECONDS)
                return


def _low_speed() -> Mapping[str, str]:
    """Makes git drop a server that sends nothing for that many seconds."""
    return {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60" if Outages.known() is None else "8"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Git starts child processes, which must not outlive it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


# The repository's address: a path on this machine, or an https, ssh or file URL without a secret.


_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:(?!//)\S+")
_ALLOWED = ("https", "ssh", "file")
_TOKEN_LIKE = re.compile(r"gh[a-z]_|github_pat_|glpat-|x-access-token|.{33,}", re.IGNORECASE)


def checked(git: str) -> str:
    """The address as git takes it; a path is made absolute.

    `ConfigError` for a password or token in it (git shows addresses to every process of this machine), for
    clear-text http to another machine, and for any other scheme.
    """
    if "://" not in git:
        return git if _SCP_LIKE.fullmatch(git) else str(user_path(git).resolve())
    try:
        parts = urlsplit(git)
        user, password = parts.username or "", parts.password
    except ValueError:
        raise _wrong("The source address is malformed.", "Correct `app.source.git`.") from None
    if password is not None or (parts.scheme != "ssh" and _TOKEN_LIKE.match(user)):
        message = "The source address contains a password or token."
        raise _wrong(
            message, "Remove it from the address, and store it in a credential helper with `git credential approve`."
        )
    if parts.scheme in _ALLOWED or (parts.scheme == "http" and is_loopback(git)):
        return git
    raise _wrong("The source address must be a path, or begin with https:// or ssh://.", "Correct `app.source.git`.")


def _wrong(message: str, next_action: str) -> ConfigError:
    return ConfigError(message, next_action=next_action)


# Whether a repository's host accepts connections: git itself waits minutes for one that does not.


CONNECT_SECONDS = 10.0
PORTS = {"https": 443, "http": 80}


def require_host(address: str) -> None:
    """For a read-only command and an address without a proxy. Raises ProviderError."""
    parts = urlsplit(address) if "://" in address else None
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        return
    if Outages.known() is None or proxy_for(address):
        return
    where = (parts.hostname, parts.port or PORTS[parts.scheme])
    try:
        with time_allowed(f"{where[0]}:{where[1]}", CONNECT_SECONDS) as seconds:
            socket.create_connection(where, seconds).close()
    except OSError as error:
        raise ProviderError(
            "uscdr could not reach the source repository.",
            provider=PROVIDER,
            why=f"{where[0]}: {(error.strerror or 'no connection within the time limit').lower()}.",
            next_action="Check this machine's network, or set `app.source.git` to a clone on this machine.",
            sent=False,
        ) from None


# Whether a file could be published with the Git checkout that contains it.


SECONDS = 5.0


def published(path: Path, env: Mapping[str, str]) -> str:
    """Why a secret in this file could be published, and the fix; empty when it is in no checkout or is ignored.

    If git cannot read the checkout, nothing counts as ignored.
    """
    try:
        file = path.resolve(strict=True)
        root = next((above for above in file.parents if (above / ".git").exists()), None)
    except OSError:
        return ""
    if root is None or _ignored(root, file, env):
        return ""
    return (
        f"{path} is in the Git checkout {root}, which does not ignore it: `git add` would publish it. "
        f"Move it: `mkdir -p -m 700 ~/.config/uscdr && mv {path} ~/.config/uscdr/`."
    )


def _ignored(root: Path, file: Path, env: Mapping[str, str]) -> bool:
    """A tracked file is not ignored, even if a pattern matches."""
    command = ("git", "-C", str(root), "check-ignore", "--quiet", "--", str(file))
    given = {name: value for name, value in environment(env).items() if name != "GIT_LITERAL_PATHSPECS"}  # refused here
    try:
        ended = subprocess.run(
            command, env=given, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
