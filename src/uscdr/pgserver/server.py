"""A private, local PostgreSQL server: started on a free loopback port or only a socket, found again, removed.

Its directory holds `server.json` (0600), which says where the server's files are, its port and its password. For an
ordinary user the files are in the directory itself. For root they are in a directory of the unprivileged user under
`$USCDR_SERVER_FILES` (/var/tmp), because that user may not have access to the directory.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import quote

from uscdr.errors import MachineError
from uscdr.files import NotAFile, whole
from uscdr.pgserver import cluster as clusters
from uscdr.pgserver.cluster import Cluster, TlsFiles, find_server
from uscdr.pgserver.process import GUARD, birth, end_users_of
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping


_TIMEOUT = 30.0

# $1 is the data directory; the rest is what to remove. The process id may have been reused: the server's command line
# must name its data directory.
_SCRIPT = """
trap '' HUP INT TERM
data=$1; shift
while read -r _; do :; done
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
line() {
  if [ -e /proc/self/cmdline ]; then tr '\\0' ' ' <"/proc/$pid/cmdline"; else ps -o args= -p "$pid"; fi
}
ours() { [ -n "$pid" ] && line 2>/dev/null | grep -qF -e "$data"; }
if ours; then
  kill -QUIT "$pid"
  n=0
  while ours && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
  if ours; then kill -KILL "$pid"; fi
fi
# A program still starting in the directory may write while we remove: look again.
n=0
for path in "$@"; do
  rm -rf "$path" 2>/dev/null
  while [ -e "$path" ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); rm -rf "$path" 2>/dev/null; done
done
"""


@dataclass(frozen=True)
class Guard:
    """A process that ends a tied server and removes its files when the process that started the server dies.

    It holds the reading end of a pipe whose writing end (`lifeline`) only our process has. When our process closes it
    or ends in any way, including kill -9, the kernel closes the pipe, and the guard acts.
    """

    process: subprocess.Popen[bytes]
    lifeline: IO[bytes]

    def release(self) -> None:
        """Make the guard end the server and remove its files, and wait for it.

        Raises:
            MachineError: it did not finish within half a minute.
        """
        self.lifeline.close()
        try:
            self.process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise MachineError(
                "A private PostgreSQL server has not shut down.",
                why=f"Its guard, process {self.process.pid}, has not finished after {duration(_TIMEOUT)}.",
                next_action="Check whether the process waits for the disk, then remove its directory.",
            ) from error

    @classmethod
    def start(cls, data: Path, removed: list[Path]) -> Guard:
        """Start a guard for the server whose data directory is `data`; it will remove `removed` with it.

        A child made by a bare `os.fork` shares the lifeline and so delays the guard until it ends too.
        """
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, GUARD, str(data), *map(str, removed)],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
                start_new_session=True,
            )
        finally:
            os.close(reading)
        return Guard(process, os.fdopen(writing, "wb"))


_RECORD = "server.json"
_LARGEST_RECORD = 1 << 16
_LOOPBACK = "127.0.0.1"
_OURS = "uscdr-postgres-"
_NAME = re.compile(rf"{_OURS}[0-9a-f]{{16}}")
PLACE = "USCDR_SERVER_FILES"
"""Of the environment: where the files of root's servers lie. Any user must be able to enter it."""
_USUAL_PLACE = Path("/var/tmp")  # noqa: S108 - sticky and world-traversable; the name is random and created exclusively
_LONGEST_SOCKET = 90
"""Most bytes of a socket's directory: systems allow 103 to 107 for the whole path."""


@dataclass(frozen=True)
class LocalPostgres:
    """A running server. As a context manager it is destroyed at the end.

    `directory` is the server's alone. `host` is an address, or the directory of the only socket. `password` is that
    of the superuser `postgres`.
    """

    directory: Path
    home: Path
    binaries: Path
    host: str
    port: int
    pid: int
    password: str = field(repr=False)
    guard: Guard | None = field(default=None, repr=False, compare=False)

    def dsn(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """A connection URL. It holds the password: never in argv or a log."""
        secret = quote(self.password if password is None else password, safe="")
        name, path = quote(user, safe=""), quote(database, safe="")
        if self.host.startswith("/"):
            return f"postgres://{name}:{secret}@/{path}?host={quote(self.host, safe='')}&port={self.port}"
        return f"postgres://{name}:{secret}@{self.host}:{self.port}/{path}"

    def environment(
        self, database: str = "postgres", user: str = "postgres", password: str | None = None
    ) -> dict[str, str]:
        """The variables of libpq for a child such as pg_dump, so that nothing secret is in its argv."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": user,
            "PGPASSWORD": self.password if password is None else password,
            "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": "10",
        }

    @property
    def runs(self) -> bool:
        """Whether its process still runs."""
        return birth(self.pid) is not None

    def stop(self) -> None:
        """Stop the server (open sessions end) and keep its files. Does nothing when it is down.

        Raises:
            MachineError: it did not stop.
        """
        cluster = Cluster(self.home, self.binaries)
        if not cluster.halt(mode="fast") and not cluster.halt(mode="immediate"):
            raise MachineError(
                f"The private PostgreSQL server, process {self.pid}, did not stop.",
                why=cluster.log_tail(),
                next_action=f"Run: kill -QUIT {self.pid}",
            )

    def destroy(self) -> None:
        """Stop the server and remove its directory. Does nothing when it is gone already."""
        if self.guard is not None:
            self.guard.release()
        reap(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        tls: TlsFiles | None = None,
        parameters: Mapping[str, str] = MappingProxyType({}),
        tied: bool = False,
        by_socket: bool = False,
    ) -> LocalPostgres:
        """Create a cluster in `directory` (absent or empty) and start it; takes about half a second.

        `parameters` are settings of postgresql.conf over those of `cluster.DEFAULTS`, which favour speed
        over crash safety. One that is reached `by_socket` listens on nothing but a socket, in a directory that its
        user and we alone may enter. A `tied` server ends, and its directory goes, when this process dies in any way
        or drops the result; any other outlives it until `destroy` or `reap`.

        Raises:
            MachineError: no server programs, the directory is in use, or the server did not come up
                (carries the last lines of its log). Nothing is left behind then.
        """
        directory = directory.resolve()
        binaries = find_server()
        _claim(directory)
        home = directory / "postgres"
        if clusters.unprivileged() is not None:
            home = _foreign_home()
        sockets = _place_of_socket(home) if by_socket else None
        # The record is written before the files exist, so that `reap` finds them after a kill at any time.
        _write_record(directory, {"home": str(home), "sockets": str(sockets or "")})
        made = [home, *filter(None, [sockets]), directory]
        guard = Guard.start(home / "data", made) if tied else None
        try:
            return _bring_up(directory, Cluster(home, binaries, sockets), tls=tls, parameters=parameters, guard=guard)
        except BaseException:
            if guard is not None:
                guard.release()
            reap(directory)
            raise


def _bring_up(
    directory: Path, wanted: Cluster, *, tls: TlsFiles | None, parameters: Mapping[str, str], guard: Guard | None
) -> LocalPostgres:
    cluster = clusters.Cluster.prepare(wanted.home, wanted.binaries, wanted.sockets)
    password = secrets.token_urlsafe(24)
    cluster.initialise(password, tls=tls, parameters=parameters)
    port = cluster.launch()
    pid = _postmaster(cluster.home)
    if pid is None:
        raise MachineError("A private PostgreSQL server ended right after its start.", why=cluster.log_tail())
    record = {
        "home": str(cluster.home),
        "sockets": str(cluster.sockets or ""),
        "binaries": str(cluster.binaries),
        "port": str(port),
        "pid": str(pid),
    }
    _write_record(directory, record | {"born": birth(pid) or "", "password": password})
    host = str(cluster.sockets or _LOOPBACK)
    return LocalPostgres(directory, cluster.home, cluster.binaries, host, port, pid, password, guard=guard)


def _place_of_socket(home: Path) -> Path:
    """A directory with a path short enough for a socket: that of the files, or a separate one."""
    if len(os.fsencode(home)) <= _LONGEST_SOCKET:
        return home
    return _foreign_home()


def _foreign_home() -> Path:
    """The name of a new directory for the files of one of root's servers."""
    return _place() / f"{_OURS}{secrets.token_hex(8)}"


def _place() -> Path:
    return Path(os.environ.get(PLACE) or _USUAL_PLACE).resolve()


def files_under(directory: Path) -> Path:
    """The directory for the files of a server of `directory`: an existing one, or the given one."""
    return directory if clusters.unprivileged() is None else _place()


def reap(directory: Path) -> None:
    """End and remove what a killed process left of the server of `directory`. Does nothing if nothing is left.

    Also ends programs that were starting it, and its guard. The record is removed last, so that a kill meanwhile leaves
    it for the next call. A directory without a server's record is left unchanged. Raises MachineError.
    """
    record = _read_record(directory)
    if record is None:
        return
    home = Path(record["home"])
    pid = _postmaster(home)
    if pid is not None:
        _end(pid)
    end_users_of(home)
    _remove(home)
    if sockets := record.get("sockets"):
        _remove(Path(sockets))
    with suppress(FileNotFoundError):  # another process may be removing it
        for path in directory.iterdir():
            if path.name != _RECORD:
                _remove(path)
    _remove(directory)


def _postmaster(home: Path) -> int | None:
    """The process id of the running server whose files are in `home`; None if there is none."""
    try:
        lines = (home / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    pid = int(lines[0]) if lines else 0
    # The file may be a dead server's, whose process id was reused.
    return pid if pid and str(home / "data") in _command_line(pid) else None


def _command_line(pid: int) -> str:
    """The command line of process `pid`, arguments joined by blanks; empty when it is gone."""
    import psutil  # 0.1 s: imported only by commands that check processes

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except (psutil.Error, ValueError):  # a single-user server writes its id with a minus sign
        return ""


def _end(pid: int) -> None:
    """Kill the server, whose data is temporary, and wait until it has ended."""
    born = birth(pid)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + 10
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        while birth(pid) == born:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)  # an interval between two polls
        else:
            return
    raise MachineError(f"The private PostgreSQL server, process {pid}, did not end.")


def _remove(path: Path) -> None:
    """Remove a tree or a file; an orphan may still write to it for a moment. Raises MachineError."""
    deadline = time.monotonic() + 5
    while path.is_symlink() or path.exists():
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"uscdr cannot remove {path}, which a private PostgreSQL server left.",
                    why=error.strerror or type(error).__name__,
                    next_action=f"Run: rm -rf {path}",
                ) from error
            time.sleep(0.02)  # an interval between two polls


def _claim(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise MachineError(
            f"{directory} is not empty: a private PostgreSQL server needs its own directory.",
            next_action="Choose another directory, or remove the files of an earlier server there.",
        )


def _write_record(directory: Path, record: Mapping[str, str]) -> None:
    """Written durably: it must exist after a power loss too."""
    path = directory / _RECORD
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _read_record(directory: Path) -> dict[str, str] | None:
    """None when there is none, or it names a directory that is not ours: the file may be damaged, or another's."""
    try:
        record = json.loads(whole(directory / _RECORD, _LARGEST_RECORD))
    except (FileNotFoundError, NotADirectoryError, NotAFile, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        return None
    places = [record.get("home", ""), *filter(None, [record.get("sockets")])]
    return record if all(_is_ours(Path(place), directory) for place in places) else None


def _is_ours(place: Path, directory: Path) -> bool:
    """Whether a server of `directory` may have its files there."""
    own = {directory / "postgres", directory.resolve() / "postgres"}
    return place in own or (_NAME.fullmatch(place.name) is not None and _is_foreign_home(place))


def _is_foreign_home(place: Path) -> bool:
    """Whether root's servers have their files there, or had, when the environment named another place."""
    if place.parent in (_place(), _USUAL_PLACE, _USUAL_PLACE.resolve()):
        return True
    user = clusters.unprivileged()
    try:
        return user is not None and place.is_absolute() and place.lstat().st_uid == user.pw_uid
    except (FileNotFoundError, NotADirectoryError):
        return True  # nothing is there to be removed
