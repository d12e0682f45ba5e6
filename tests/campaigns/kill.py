"""Recoveries that are cut off at any moment, and resumed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .product import PROGRAM, Ended, Product, Running, journal_lines
from .stand import Stand
from .tally import Tally

RECOVER = ("--target", "sandbox", "recover", "db", "--backup", "b001")
NOTHING_TO_RESUME = 2
INTERRUPTED = 130
UNKNOWN, SEND_AGAIN = 5, "--send-again"
LOCKED = 6
_BEGIN_LIMIT = 60.0  # seconds
_RECORDS = 60
_DAMAGE = "drop-table"


@dataclass(frozen=True)
class Cut:
    """When and how one process is stopped: after `seconds`, or when the journal has `records`."""

    number: int
    seconds: float | None = None
    records: int | None = None

    @property
    def name(self) -> str:
        """For a person."""
        when = f"{self.seconds:.2f}s" if self.seconds is not None else f"record{self.records}"
        return f"{signal.Signals(self.number).name}@{when}"


def cuts(count: int, duration: float, chance: random.Random, *, records: int = _RECORDS) -> list[tuple[Cut, ...]]:
    """`count` cases: moments and record boundaries, single and double, and the milder signals."""
    cases: list[tuple[Cut, ...]] = []
    for index in range(count):
        moment = Cut(signal.SIGKILL, seconds=chance.uniform(0.0, duration))
        boundary = Cut(signal.SIGKILL, records=1 + (index * records // max(1, count) + chance.randrange(4)) % records)
        mild = Cut((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[index % 3], records=3 + chance.randrange(records - 6))
        twice = (Cut(signal.SIGKILL, seconds=chance.uniform(1.0, duration)), moment)
        cases.append(((moment,), (boundary,), (boundary,), (mild,), twice)[index % 5])
    return cases


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Measure an uninterrupted run, then cut `count` others."""
    chance = random.Random(seed)
    duration = _uninterrupted(stand, tally)
    for cut in cuts(count, duration, chance):
        if not tally.goes_on():
            break
        one_case(stand, tally, cut)
    two_operators(stand, tally)


def _uninterrupted(stand: Stand, tally: Tally) -> float:
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("whole")
    begun = time.monotonic()
    ended = product.run(*RECOVER, "--confirm", phrase)
    duration = time.monotonic() - begun
    finish(stand, tally, product, mark, "uninterrupted", [*wrong, *ended.complaints(0)])
    return duration


def one_case(stand: Stand, tally: Tally, plan: tuple[Cut, ...]) -> None:
    """Break, recover, cut off (once or twice), resume, and compare with the truth."""
    name = "+".join(cut.name for cut in plan)
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("kill")
    command = [*RECOVER, "--confirm", phrase]
    for cut in plan:
        running = product.start(*command)
        wrong += cut_off(product, running, cut)
        command = ["runs", "resume"]
    wrong += resume(product, phrase)
    finish(stand, tally, product, mark, name, wrong)


def cut_off(product: Product, running: Running, cut: Cut) -> list[str]:
    """Stop one process at its moment; complaints about how it ended."""
    begun = time.monotonic()
    before = journal_lines(product.state)

    def due() -> bool:
        if cut.seconds is not None:
            return time.monotonic() - begun >= cut.seconds
        return journal_lines(product.state) - before >= (cut.records or 0)

    if running.wait_for(due, _BEGIN_LIMIT):
        running.send(cut.number)
    ended = running.wait()
    if cut.number == signal.SIGKILL:
        return ended.complaints(-signal.SIGKILL, 0, NOTHING_TO_RESUME)
    return ended.complaints(INTERRUPTED, 0)


def resume(product: Product, phrase: str, command: Sequence[str] = RECOVER) -> list[str]:
    """Resume; with nothing to resume the run ended before its journal or after its end."""
    ended = gone_on(product)
    if ended.code != NOTHING_TO_RESUME:
        return ended.complaints(0)
    if _done(product):
        return []
    return product.run(*command, "--confirm", phrase).complaints(0)


def gone_on(product: Product, *words: str) -> Ended:
    """Resume; what was sent and is not to be seen, the operator looks for twice before it is sent again."""
    ended = product.run("runs", "resume", *words)
    for more in ((), (SEND_AGAIN,)):
        if ended.code != UNKNOWN or SEND_AGAIN not in ended.err:
            break
        ended = product.run("runs", "resume", *words, *more)
    return ended


def _done(product: Product) -> bool:
    listed = product.run("--json", "runs", "list")
    return '"state": "done"' in listed.out or '"state":"done"' in listed.out


def restores(writes: list[dict[str, object]]) -> int:
    """How many restores took effect."""
    return sum(str(one["path"]).endswith("/restores") and one["status"] == 201 for one in writes)


def captures(writes: list[dict[str, object]]) -> int:
    """How many captures took effect."""
    return sum(str(one["path"]).endswith("/backups") and one["status"] == 201 for one in writes)


def finish(stand: Stand, tally: Tally, product: Product, mark: int, name: str, wrong: list[str]) -> None:
    """Compare the end with the truth, count effects, look for leaks, and heal if anything is amiss."""
    writes = stand.writes(mark)
    wrong = [*wrong, *stand.complaints()]
    doubles: list[str] = []
    if restores(writes) != 1:
        (doubles if restores(writes) > 1 else wrong).append(f"{restores(writes)} restores")
    if captures(writes) > 2:
        doubles.append(f"{captures(writes)} captures")
    tally.case(name, wrong=wrong, doubles=doubles)
    tally.leak(name, stand.done_with(product))
    if wrong:
        stand.heal()


def two_operators(stand: Stand, tally: Tally) -> None:
    """The holder is stopped by SIGSTOP: a second person is refused, and the holder goes on afterwards."""
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("two")
    running = product.start(*RECOVER, "--confirm", phrase, env={"USCDR_OPERATOR": "first-person"})
    if not running.wait_for(lambda: journal_lines(product.state) >= 8, _BEGIN_LIMIT):
        wrong.append("the first operator's run did not begin")
    running.send(signal.SIGSTOP)
    writes_before = len(stand.writes(mark))
    wrong += _refused(stand, product, phrase)
    if len(stand.writes(mark)) != writes_before:
        wrong.append("somebody wrote while the holder was stopped")
    running.send(signal.SIGCONT)
    wrong += running.wait().complaints(0)
    finish(stand, tally, product, mark, "SIGSTOP and a second operator", wrong)


def _refused(stand: Stand, first: Product, phrase: str) -> list[str]:
    second = Product(first.state, {**first.env, "USCDR_OPERATOR": "second-person"})
    wrong: list[str] = []
    for command in ([*RECOVER, "--confirm", phrase], ["runs", "resume"]):
        ended = _beside(second, command)
        wrong += ended.complaints(LOCKED)
        if "first-person" not in ended.err:
            wrong.append("the refusal does not say who holds the lock")
    return wrong


def _beside(product: Product, command: list[str]) -> Ended:
    """Run with streams of its own: the first operator's files are in use."""
    done = subprocess.run(
        [PROGRAM, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
        env={**product.env, "USCDR_STATE_DIR": str(product.state)}, cwd=product.state.parent,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)
