"""The real program on the sandbox: a lock file that goes away, a laptop that sleeps, two machines and one bucket."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .kill import RECOVER, finish, resume
from .locks_s3 import BUCKET, Bucket, front
from .product import Ended, Product, Running, journal_lines
from .scale import drawn
from .stand import Stand
from .tally import Tally

LOCKED, UNFIT = 6, 2
_LEASE = "5s"
_LIMIT = 60.0  # seconds
_DAMAGE = "drop-table"
_RESTORING = b'"kind":"step.accepted","step":"restore"'
_HOUR = 3600.0
_CUTS = ("reset-before", "reset-after")

Case = Callable[[Stand, Tally], None]


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """`count` of the cases; all when there are no more."""
    for case in drawn(cases(random.Random(seed)), count, seed):
        if not tally.goes_on():
            return
        case(stand, tally)


def cases(chance: random.Random) -> list[Case]:
    """Every one."""
    found: list[Case] = [partial(_lock_file, way=way) for way in (_deleted, _directory_deleted, _moved, _replaced)]
    naps = [(after + chance.randrange(4), "") for after in range(4, 44, 4)]
    naps += [(8 + chance.randrange(20), cut) for cut in _CUTS]
    found += [partial(_laptop, records=records, seconds=chance.uniform(1.0, 4.0), cut=cut) for records, cut in naps]
    found += [partial(_two_machines, skew=skew) for skew in (-_HOUR, 0.0, _HOUR)]
    found += [partial(_unfit, conditions=conditions) for conditions in ("ignored", "refused")]
    return found


def _deleted(path: Path) -> None:
    path.unlink()


def _directory_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def _moved(path: Path) -> None:
    path.rename(path.with_suffix(".bak"))


def _replaced(path: Path) -> None:
    path.unlink()
    path.touch()


def _lock_file(stand: Stand, tally: Tally, *, way: Callable[[Path], None]) -> None:
    """The holder's lock file goes away; whoever comes then is kept out, and the holder ends well."""
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("lock")
    first = product.start(*RECOVER, "--confirm", phrase)
    if not first.wait_for(lambda: _restoring(product), _LIMIT):
        wrong.append("the first run did not begin its restore")
    first.send(signal.SIGSTOP)
    for path in list((product.state / "locks").glob("*.lock")):
        way(path)
    sent = len(stand.writes(mark))
    second = Product(product.state, product.env)
    for command in ([*RECOVER, "--confirm", phrase], ["runs", "resume"]):
        wrong += second.run(*command).complaints(LOCKED)
    if len(stand.writes(mark)) != sent:
        wrong.append("somebody wrote beside the holder")
    first.send(signal.SIGCONT)
    ended = first.wait()
    wrong += ended.complaints(0)
    if not any(b"was deleted or replaced" in path.read_bytes() for path in product.journals()):
        wrong.append("the holder does not say that its lock file was gone")
    finish(stand, tally, product, mark, f"lock file {way.__name__.strip('_')}", wrong)


def _laptop(stand: Stand, tally: Tally, *, records: int, seconds: float, cut: str) -> None:
    """The whole group sleeps in the middle; its connections may be gone when it wakes up."""
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("laptop")
    running = product.start(*RECOVER, "--confirm", phrase)
    running.wait_for(lambda: journal_lines(product.state) >= records, _LIMIT)
    _group(running, signal.SIGSTOP)
    if cut:
        stand.errand("sandbox", "fault", "add", cut, "--method", "*", "--path", "*", "--count", "3")
    time.sleep(seconds)
    _group(running, signal.SIGCONT)
    ended = running.wait()
    stand.errand("sandbox", "fault", "clear")
    wrong += ended.complaints(0, 3, 5)
    if ended.code:
        wrong += resume(product, phrase)
    words = f", its connections {cut}" if cut else ""
    finish(stand, tally, product, mark, f"asleep for {seconds:.1f} s at record {records}{words}", wrong)


def _two_machines(stand: Stand, tally: Tally, *, skew: float) -> None:
    """One stops at its restore, the other finishes; the first goes on and does nothing more."""
    wrong = stand.damage(_DAMAGE)
    phrase, mark = stand.phrase(_DAMAGE), stand.mark()
    with _team(stand, Bucket(skew=skew)) as (ada, bob):
        first = ada.start(*RECOVER, "--confirm", phrase)
        if not first.wait_for(lambda: _restoring(ada), _LIMIT):
            wrong.append("the first run did not begin its restore")
        _group(first, signal.SIGSTOP)
        wrong += bob.run("runs", "resume", _run_of(ada), "--take-over").complaints(0)
        writes = len(stand.writes(mark))
        _group(first, signal.SIGCONT)
        ended = first.wait()
        wrong += _lost(ended)
        if len(stand.writes(mark)) != writes:
            wrong.append("the first wrote after the second had taken over")
        tally.leak("a machine of a team", stand.done_with(ada))
        finish(stand, tally, bob, mark, f"two machines, a bucket whose clock is {skew:+.0f} s off", wrong)


def _unfit(stand: Stand, tally: Tally, *, conditions: str) -> None:
    """A bucket without conditional writes."""
    mark = stand.mark()
    with _team(stand, Bucket(conditions)) as (ada, bob):  # type: ignore[arg-type]
        wrong = []
        for machine in (ada, bob):
            ended = machine.run("--target", "sandbox", "backup", "capture")
            wrong += ended.complaints(UNFIT)
            if "A team cannot use" not in ended.err:
                wrong.append(f"it does not say why: {ended.last()}")
            tally.leak("an unfit bucket", stand.done_with(machine))
    if stand.writes(mark):
        wrong.append("something was changed")
    tally.case(f"a bucket whose conditions are {conditions}", wrong=wrong)


@contextmanager
def _team(stand: Stand, bucket: Bucket) -> Iterator[tuple[Product, Product]]:
    """Two machines with a front each."""
    with front(bucket) as for_ada, front(bucket) as for_bob:
        machines = []
        for user, way in (("ada", for_ada), ("bob", for_bob)):
            plain = stand.case(user)
            shared = {"USCDR_SHARED": f"s3://{BUCKET}/state", "USCDR_SHARED_LEASE": _LEASE, "USCDR_OPERATOR": user}
            machines.append(Product(plain.state, {**plain.env, **way.environment, **shared}))
        yield machines[0], machines[1]


def _lost(ended: Ended) -> Sequence[str]:
    wrong = ended.complaints(LOCKED)
    return wrong if "Another process took over run" in ended.err else [*wrong, f"not said: {ended.last()}"]


def _restoring(product: Product) -> bool:
    return any(_RESTORING in path.read_bytes() for path in product.journals())


def _run_of(product: Product) -> str:
    return max(path.parent.name for path in product.journals())


def _group(running: Running, number: int) -> None:
    os.killpg(running.process.pid, number)
