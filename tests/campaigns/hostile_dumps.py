"""Dumps that try to run a command, to read a file or to rise on this machine: none does, whoever proves them."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types

from .bad_dumps import Server, captured
from .bad_dumps_cases import Bad
from .hostile_dumps_cases import Hostile, cases
from .product import PROGRAM, Ended, Product
from .scale import EVERY, drawn
from .stand import Stand
from .tally import Tally, say

_NOBODY = 65534
_CANARY = "hostile-Canario-7c1f"
_ON = ("--target", "sandbox")
_OPENED = 0x20 | 0x1  # IN_OPEN, IN_ACCESS


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Each proven by every command that restores a dump, as root and as an ordinary user, as far as there are both."""
    for one in stand.transfers()[1:]:
        stand.api("DELETE", f"/client/v11/apps/{stand.app}/transfers/{int(one['num'])}")
    first = stand.home / "sandbox" / "backups" / f"{stand.transfers()[0]['uuid']}.dump"
    server = Server.of(stand)
    with ExitStack() as stack:
        trap = stack.enter_context(_trap())
        users = list(_users(stand))
        for user in users:
            if user.number is not None:
                stack.callback(shutil.rmtree, user.product.state.parent, ignore_errors=True)
        stack.enter_context(server.base(first))
        for hostile in drawn(cases(trap.marks, trap.bait), count, seed):
            if not tally.goes_on():
                break
            with captured(stand, Bad(hostile.name)) as transfer:
                file = stand.home / "sandbox" / "backups" / f"{transfer['uuid']}.dump"
                file.write_bytes(
                    hostile.spoilt(server.dump(Bad(hostile.name, hostile.script, options=hostile.options)))
                )
                trap.clear()
                name = f"b{int(transfer['num']):03d}"
                for user in users:
                    wrong = list(_proven(user, trap, hostile, name, whole=count >= EVERY))
                    tally.case(f"{hostile.name} ({user.name})", wrong=wrong)


@dataclass(frozen=True)
class _Trap:
    """A directory that anybody may write into, and a file that everybody may read and nobody has to."""

    marks: Path
    bait: Path
    watch: int

    def clear(self) -> None:
        """What the making of a dump did is not its proof's."""
        for path in self.marks.iterdir():
            path.unlink()
        self._opened()

    def complaints(self, ended: Ended) -> Iterator[str]:
        """What a proof let happen."""
        for path in self.marks.iterdir():
            yield f"it left {path.name}: {path.read_text(errors='replace')[:80]}"
        if self._opened():
            yield "a file of the operator's was opened"
        if _CANARY in ended.text:
            yield "the words of a file were shown"
        self.clear()

    def _opened(self) -> bool:
        try:
            return bool(os.read(self.watch, 1 << 16))
        except BlockingIOError:
            return False


@contextmanager
def _trap() -> Iterator[_Trap]:
    with tempfile.TemporaryDirectory(prefix="hostile-", dir="/tmp") as place:
        marks, bait = Path(place) / "marks", Path(place) / "bait"
        marks.mkdir()
        bait.write_text(_CANARY)
        for path, mode in ((Path(place), 0o755), (marks, 0o777), (bait, 0o644)):
            path.chmod(mode)
        library = ctypes.CDLL(None, use_errno=True)
        watch = library.inotify_init1(os.O_NONBLOCK)
        if watch < 0 or library.inotify_add_watch(watch, os.fsencode(bait), _OPENED) < 0:
            raise RuntimeError("this machine does not tell whether a file is opened")
        trap = _Trap(marks, bait, watch)
        bait.read_text()
        (marks / "self").write_text("as it should")
        if len(list(trap.complaints(Ended(0, _CANARY, "")))) != 3:
            raise RuntimeError("the trap does not see what falls into it")
        try:
            yield trap
        finally:
            os.close(watch)


@dataclass(frozen=True)
class _User:
    """Who proves: the stand's own user, or another one with a copy of what the sandbox tells."""

    name: str
    product: Product
    identity: str
    program: tuple[str, ...] = (PROGRAM,)
    number: int | None = None

    @property
    def recipient(self) -> str:
        """The public half."""
        return str(pyrage.x25519.Identity.from_str(self.identity).to_public())

    def run(self, *arguments: str, limit: float) -> Ended:
        """The program as this user."""
        place = self.product.state
        env = {
            **self.product.env,
            "USCDR_STATE_DIR": str(place),
            "HOSTILE_SECRET": _CANARY,
            "USCDR_AGE_IDENTITY": str(place / "key"),
        }
        try:
            done = subprocess.run(
                [*self.program, *arguments], env=env, cwd=place, capture_output=True, text=True, errors="replace",
                stdin=subprocess.DEVNULL, timeout=limit, check=False, user=self.number, group=self.number,
                extra_groups=None if self.number is None else [], start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Ended(1000, "", "it hung")
        return Ended(done.returncode, done.stdout, done.stderr)


def _users(stand: Stand) -> Iterator[_User]:
    identity, own = str(pyrage.x25519.Identity.generate()), stand.case("hostile")
    _private(own.state / "key", identity)
    yield _User("root" if os.geteuid() == 0 else "an ordinary user", own, identity)
    if os.geteuid() != 0:
        say("    hostile-dumps: not root: the other user is not covered")
        return
    program = _readable_program()
    if not program:
        say("    hostile-dumps: no python that an ordinary user can run: that user is not covered")
        return
    state = Path(tempfile.mkdtemp(prefix="hostile-user-", dir="/tmp"))
    shutil.copytree(
        stand.home / "sandbox", state / "state" / "sandbox", ignore=shutil.ignore_patterns("postgres", "backups", "run")
    )
    for path in (state / "state" / "sandbox").glob("*.json"):
        path.write_text(path.read_text().replace(str(stand.home), str(state / "state")))
    _private(state / "state" / "key", identity)
    for path in (state, *state.rglob("*")):
        os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
    paths = [str(Path(__file__).parents[2] / "src"), *(one for one in sys.path if one.endswith("site-packages"))]
    product = Product(state / "state", {**own.env, "PYTHONPATH": ":".join(paths), "HOME": str(state)})
    yield _User("an ordinary user", product, identity, program, _NOBODY)


def _private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_text(text)


def _readable_program() -> tuple[str, ...]:
    """This version's python of the system, when it finds the product: that of a home directory nobody else can run."""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    program = (python, "-c", "import sys; from uscdr.cli.main import main; sys.argv[0] = 'uscdr'; main()")
    paths = [str(Path(__file__).parents[2] / "src"), *(one for one in sys.path if one.endswith("site-packages"))]
    try:
        done = subprocess.run(
            [*program, "--version"], user=_NOBODY, group=_NOBODY, extra_groups=[], capture_output=True, check=False,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(paths), "HOME": "/tmp"}, cwd="/",
        )  # fmt: skip
    except OSError:
        return ()
    return program if done.returncode == 0 else ()


def _proven(user: _User, trap: _Trap, hostile: Hostile, name: str, *, whole: bool) -> Iterator[str]:
    commands: list[tuple[str, ...]] = [("backup", "prove", name), ("recover", "db", "--backup", name, "--dry-run")]
    if whole:
        kit = str(user.product.state / "kits")
        commands += [
            ("recover", "infra", "--backup", name, "--dry-run"),
            ("kit", "build", "--to", kit, "--recipient", user.recipient, "--backup", name),
            ("kit", "check", "--to", kit, "--restore"),
        ]
    for command in commands:
        ended = user.run(*_ON, *command, limit=240)
        said = " ".join(command[:2])
        yield from (f"{said}: {one}" for one in (*ended.complaints(), *trap.complaints(ended)))
        if ended.code == 1000:
            yield f"{said}: it hung"
        if hostile.restores and command[1] != "infra" and ended.code != 0:
            yield f"{said}: what an ordinary role restores is refused: {ended.last()}"
        flat = " ".join(ended.text.split())
        if hostile.says and command[0] != "recover" and hostile.says not in flat:
            yield f"{said}: nothing is said of the {hostile.says}"
