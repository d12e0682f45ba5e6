"""Commands whose processes are killed (the tool, the guard, the server, all at once): the next one leaves nothing."""

from __future__ import annotations

import importlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice, product
from pathlib import Path

import psycopg

from uscdr.cleanup import workplace
from uscdr.files import DRAFT, DRAFT_SECONDS
from uscdr.pgserver.server import LocalPostgres

from .leftovers_look import Seen, left_in
from .product import Product
from .stand import Stand
from .tally import Tally

VICTIMS = (
    ("tool", "guard", "server"), ("tool", "guard"), ("tool", "server"), ("tool",), ("guard", "server"), ("guard",),
    ("server",),
)  # fmt: skip
_BEGIN_LIMIT = 90.0  # seconds
_SETTLES = 10.0  # seconds a guard may take, where it lives
_LOOK = 0.01
_RECIPIENT = str(importlib.import_module("pyrage").x25519.Identity.generate().to_public())
_TARGET = ("--target", "sandbox")
PROVE = (*_TARGET, "backup", "prove", "b001")
RECOVER = (*_TARGET, "recover", "db", "--backup", "b001", "--dry-run")
PULL = (*_TARGET, "backup", "pull", "--backup", "b001", "--to")
NEXT = (("runs", "resume"), PROVE, (*_TARGET, "backup", "capture"), ("sandbox", "down", "--state"))


@dataclass(frozen=True)
class Scene:
    """What is killed, at what moment: `due` says from outside that it has come."""

    name: str
    command: Callable[[Case], Sequence[str]]
    due: Callable[[Seen], bool]
    own_server: bool = False


@dataclass
class Case:
    """One killing: its own state, temporary directory and store."""

    stand: Stand
    product: Product
    own: LocalPostgres
    seen: Seen

    @property
    def place(self) -> Path:
        """For what the command may make elsewhere."""
        return self.seen.temporary.with_name(f"{self.seen.temporary.name}-store")


def _of(*arguments: str) -> Callable[[Case], Sequence[str]]:
    return lambda case: arguments


SCENES = (
    Scene("prove, as soon as it has a place", _of(*PROVE), lambda seen: bool(seen.places())),
    Scene("prove, server being made", _of(*PROVE), lambda seen: seen.runs("initdb") or bool(seen.homes())),
    Scene("prove, server starting", _of(*PROVE), lambda seen: seen.runs("pg_ctl") or seen.runs("postgres")),
    Scene("prove, restoring", _of(*PROVE), lambda seen: seen.runs("pg_restore")),
    Scene(
        "prove, looking at the rows", _of(*PROVE), lambda seen: seen.ran("pg_restore") and not seen.runs("pg_restore")
    ),
    Scene("dry run, restoring", _of(*RECOVER), lambda seen: seen.runs("pg_restore")),
    Scene("dry run, clone", _of(*RECOVER), lambda seen: any(seen.under("*.part"))),
    Scene("pull, under way", lambda case: (*PULL, str(case.place)), lambda seen: seen.stored(".staging/*")),
    Scene("prove on a server of one's own", _of(*PROVE), lambda seen: seen.databases() > 0, own_server=True),
    Scene(
        "a drill, its sandbox starting",
        lambda case: ("drill", "db", "--patients", "5", "--report", str(case.place)),
        lambda seen: seen.runs("gunicorn") or seen.ran("postgres"),
    ),
    Scene(
        "sandbox up",
        lambda case: ("sandbox", "up", "--patients", "5", "--state", str(case.place)),
        lambda seen: seen.runs("postgres"),
    ),
)


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Every scene with every choice of victims, in an order of the seed's; a neighbour lives through all of it."""
    chance = random.Random(seed)
    cases = [(scene, victims) for victims, scene in product(VICTIMS, SCENES)]
    chance.shuffle(cases)
    cases.sort(key=lambda one: one[0].name.startswith(("a drill", "sandbox")) and count < len(cases))  # they take long
    with ExitStack() as stack:
        own = stack.enter_context(LocalPostgres.start(stand.root / "own-server", tied=True))
        for (scene, victims), after in zip(islice(cases, count), cycle(NEXT), strict=False):
            if not tally.goes_on():
                break
            _one(stand, tally, own, scene, victims, after)


def _one(
    stand: Stand, tally: Tally, own: LocalPostgres, scene: Scene, victims: Sequence[str], after: Sequence[str]
) -> None:
    made = stand.case("left")
    temporary = stand.root / f"{made.state.name}-tmp"
    temporary.mkdir()
    env = {**made.env, "TMPDIR": str(temporary), "USCDR_KIT_RECIPIENTS": _RECIPIENT}
    if scene.own_server:
        env["USCDR_SCRATCH"] = own.dsn()
    case = Case(stand, replace(made, env=env), own, Seen(made.state, temporary, lambda: _databases(own)))
    with _neighbour(made.state) as neighbour:
        wrong = _killed(case, scene, victims)
        if "tool" in victims:
            _a_minute_passes(case)
        wrong += _next(case, after, scene)
        until = time.monotonic() + _SETTLES
        while (left := [*case.seen.left(), *left_in(case.place)]) and time.monotonic() < until:
            if "tool" not in victims or "guard" not in victims:
                time.sleep(_LOOK)
                continue
            break
        wrong += left + neighbour()
    tally.case(f"{scene.name}: {'+'.join(victims)}; then {' '.join(after[-2:])}", wrong=wrong)
    if not wrong:
        shutil.rmtree(temporary)
        shutil.rmtree(case.place, ignore_errors=True)
        tally.leak(scene.name, stand.done_with(made))


def _killed(case: Case, scene: Scene, victims: Sequence[str]) -> list[str]:
    running = case.product.start(*scene.command(case))
    if not running.wait_for(lambda: case.seen.look() and scene.due(case.seen), _BEGIN_LIMIT):
        ended = running.wait()
        return [] if ended.code == 0 else [f"the moment never came: {ended.last()}"]
    running.send(signal.SIGSTOP)
    case.seen.look()
    for pid in case.seen.victims(victims):
        _kill(pid)
    if "tool" in victims:
        running.send(signal.SIGKILL)
        running.wait()
        return []
    running.send(signal.SIGCONT)
    return running.wait().complaints()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _a_minute_passes(case: Case) -> None:
    """For a directory that a process was about to name when it was killed: others leave it alone for a minute."""
    for above in (case.place / ".staging", case.product.state / "scratch"):
        for draft in above.glob(f"{DRAFT}*"):
            past = time.time() - DRAFT_SECONDS - 1
            os.utime(draft, (past, past))


def _next(case: Case, after: Sequence[str], scene: Scene) -> list[str]:
    """The next command that may write. A sandbox is taken down by name, as nothing else may touch it."""
    if scene.name == "sandbox up":
        after = ("sandbox", "down", "--state", str(case.place))
    elif after[-1] == "--state":
        after = (*after, str(case.place.with_name(case.place.name + "-none")))
    return case.product.run(*after).complaints()


def _databases(own: LocalPostgres) -> int:
    with psycopg.connect(own.dsn()) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'uscdr%')"
            " + (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'uscdr%')"
        ).fetchone()
    return int(found[0]) if found else 0


@contextmanager
def _neighbour(state: Path) -> Iterator[Callable[[], list[str]]]:
    """A living process's place and server in the same state directory; complaints when either was touched."""
    with (
        workplace(state, "neighbour") as place,
        LocalPostgres.start(place / "scratch-1", tied=True, by_socket=True) as server,
    ):
        kept = place / "dump"
        kept.write_text("of a living process")

        def touched() -> list[str]:
            whole = server.runs and kept.exists() and server.home.exists() and (place / "scratch-1").exists()
            return [] if whole else ["a living neighbour's things were touched"]

        yield touched
