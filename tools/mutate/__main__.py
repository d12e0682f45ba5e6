"""`make mutants`: whether the tests find the faults of a fixed list.

The test that found a fault last time is asked first (`tools/mutants-killed.json`), then the tests that the fault names.
The table is printed at the end; exit code 1 when a fault is not found that was to be, or could not be put in.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tools.mutate.lists import MUTANTS
from tools.mutate.mutant import Mutant, NotApplicable, Place, chosen, place, sources
from tools.mutate.records import KILLED, Killers, Record, Result, Results
from tools.mutate.stand import Stand, stand

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "build" / "mutants.jsonl"
LIMIT = 600.0
"""Seconds for one call of pytest: who stands still for so long is found, too."""


def judged(one: Mutant, there: Stand, texts: dict[Path, str], killers: Killers) -> Record:
    """What becomes of one fault."""
    try:
        at = place(one, texts)
        with there.with_fault(one, at):
            return _hunted(one, at, there, killers)
    except NotApplicable as error:
        return Record(one.id, Result.NOT_APPLICABLE, 0.0, str(error))


def _hunted(one: Mutant, at: Place, there: Stand, killers: Killers) -> Record:
    seconds, recorded, ran = 0.0, killers.of(one), False
    for tests in ((recorded,) if recorded else (), *_stages(one.tests, there.tree)):
        if not tests:
            continue
        outcome = there.run(tests, LIMIT)
        seconds, ran = seconds + outcome.seconds, ran or outcome.green
        if outcome.caught:
            return Record(one.id, Result.KILLED, seconds, outcome.caught, str(at.path))
        if tests[0] != recorded and not outcome.green:
            return Record(one.id, Result.NOT_APPLICABLE, seconds, "its tests cannot be run", str(at.path))
    if not ran:
        return Record(one.id, Result.NOT_APPLICABLE, seconds, "none of its tests is there", str(at.path))
    return Record(one.id, Result.SURVIVED, seconds, "", str(at.path))


def _stages(tests: Sequence[str], tree: Path) -> Iterator[tuple[str, ...]]:
    """The modules first, since they were named as the likeliest, then whole rooms; what is not there is left out."""
    for kind in (Path.is_file, Path.is_dir):
        yield tuple(one for one in dict.fromkeys(tests) if kind(tree / one.partition("::")[0]))


def red(tests: Iterable[str], there: Stand) -> frozenset[str]:
    """Those of the tests that fail without any fault; those that are not there are left out."""
    asked = sorted({one for one in tests if "::" in one and (there.tree / one.partition("::")[0]).exists()})
    outcome = there.run(asked, LIMIT * 4, to_the_end=True) if asked else None
    if outcome is None or outcome.green:
        return frozenset()
    return frozenset(outcome.failed or {*asked} - {*outcome.lacking})


def _changed_since(reference: str, mutants: Sequence[Mutant], texts: dict[Path, str], killers: Killers) -> list[Mutant]:
    """Those whose module or whose test is another since a commit."""
    asked = ["git", "diff", "--name-only", reference]
    told = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [one for one in mutants if {*_where(one, texts), killers.of(one).partition("::")[0]} & set(told)]


def _where(one: Mutant, texts: dict[Path, str]) -> tuple[str, ...]:
    try:
        return (str(place(one, texts).path),)
    except NotApplicable:
        return ()


def run(mutants: Sequence[Mutant], killers: Killers, results: Results, jobs: int) -> None:
    """All of them, several at a time; each result is kept as soon as it is there."""
    texts = sources(ROOT)
    with ExitStack() as stack:
        stands = [stack.enter_context(stand(ROOT)) for _ in range(jobs)]
        before = red((killers.of(one) for one in mutants), stands[0])
        if before:
            raise SystemExit("These tests fail without any fault: " + ", ".join(sorted(before)))
        free: SimpleQueue[Stand] = SimpleQueue()
        for one in stands:
            free.put(one)

        def work(one: Mutant) -> None:
            there = free.get()
            try:
                record = judged(one, there, texts, killers)
            finally:
                free.put(there)
            results.add(record)
            print(f"{record.result.value:14} {record.seconds:6.1f} s  {one.id:32} {record.by}", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(work, mutants))
        new = {one.by for one in results.of(mutants) if one.by not in map(killers.of, mutants)}
        results.withdraw(red(new, stands[0]))


def table(mutants: Sequence[Mutant], results: Results) -> tuple[str, bool]:
    """What became of them, and whether that is as it must be."""
    found = {one.id: one for one in results.of(mutants)}
    lines, whole = [], True
    for room in dict.fromkeys(one.id.partition(".")[0] for one in mutants):
        own = [found[one.id] for one in mutants if one.id.partition(".")[0] == room and one.id in found]
        counted = Counter(one.result.value for one in own)
        lines.append(f"{room:12}" + "".join(f"{counted[kind.value]:5} {kind.value}" for kind in Result))
    for one in mutants:
        record = found.get(one.id)
        if record is not None and record.result is not Result.KILLED:
            known = record.result is Result.SURVIVED and one.survives
            whole = whole and bool(known)
            lines.append(f"{record.result.value}: {one.id}: {one.means} ({one.survives or record.by})")
    return "\n".join(lines), whole


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("--only", nargs="*", default=(), metavar="ID", help="faults whose names begin so")
    parser.add_argument("--changed-since", metavar="COMMIT", help="where module or test is another since then")
    parser.add_argument("--unknown", action="store_true", help="of which no test is known that finds them")
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree that are worked on at a time")
    parser.add_argument("--resume", action="store_true", help="go on with what the last call left")
    parser.add_argument("--find", action="store_true", help="only look whether each can be put in")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON lines")
    given = parser.parse_args()
    killers = Killers(ROOT / KILLED)
    mutants: Sequence[Mutant] = chosen(MUTANTS, given.only)
    if given.changed_since:
        mutants = _changed_since(given.changed_since, mutants, sources(ROOT), killers)
    if given.unknown:
        mutants = [one for one in mutants if not killers.of(one)]
    if given.find:
        return _find(mutants)
    results = Results(given.results, anew=not given.resume)
    done = {one.id for one in results.of(mutants)}
    run([one for one in mutants if one.id not in done], killers, results, given.jobs)
    killers.learn(results.of(mutants))
    text, whole = table(mutants, results)
    print(text)
    return 0 if whole else 1


def _find(mutants: Sequence[Mutant]) -> int:
    texts, lost = sources(ROOT), 0
    for one in mutants:
        try:
            place(one, texts)
        except NotApplicable as error:
            lost += 1
            print(f"{one.id}: {error}")
    print(f"{len(mutants) - lost} of {len(mutants)} faults can be put in")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
