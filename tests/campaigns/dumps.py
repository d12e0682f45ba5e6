"""Damaged dumps, each given to the code of `backup prove`: none earns a proof that it should not."""

from __future__ import annotations

import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from pydantic import SecretStr

from uscdr.backups.proving import Code, EncryptionKey, Questions
from uscdr.models.migrations import CodeMigrations
from uscdr.scenarios import loader

from . import dumps_cases as cases
from . import dumps_layout as layouts
from . import dumps_sources as sources
from .dumps_cases import Case
from .dumps_proof import Outcome, Prover, prover
from .dumps_sources import Source
from .oracle import connection
from .stand import Stand
from .tally import Tally, say

_AT_ONCE = 2
_CONFIG = Path(__file__).parents[2] / "scenarios.yaml"
_OTHER_APPLICATION = b"CREATE TABLE books (id serial PRIMARY KEY, title text);INSERT INTO books (title) VALUES ('x');"
_FULL = 1200


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """From the stand's database: all cases when `count` is as many, else one of each group and a drawn rest."""
    url = connection(stand.database())
    script = sources.plain({name: value for name, value in url.items() if name.startswith("PG")})
    key = stand.config()["PGP_ENCRYPTION_KEY"]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="uscdr-dumps-")))
        source = stack.enter_context(sources.bundled(place / "source", script))
        questions = _questions(source, key)
        everything = list(_all(source, questions, key, stack.enter_context(sources.older(script)), seed))
        provers = [stack.enter_context(prover(place / f"{number}", questions)) for number in range(_AT_ONCE)]
        _prove_all(provers, _drawn(everything, count, seed), tally)


def _questions(source: Source, key: str) -> Questions:
    """What the packaged configuration asks, the application's own key, and its migrations."""
    config = loader.load(_CONFIG).config
    return Questions(
        invariants=config.invariants, expected_tables=config.app.expected_tables, canaries=config.recovery.canaries,
        key=EncryptionKey("PGP_ENCRYPTION_KEY", SecretStr(key)),
        code=Code("main", CodeMigrations(migrations=tuple(sorted(source.migrations())))),
    )  # fmt: skip


def _all(
    source: Source, questions: Questions, key: str, older: tuple[list[Source], list[sources.Programs]], seed: int
) -> Iterator[Case]:
    found = cases.bases(source)
    for name, base in found.items():
        many = name in ("file", "pipe", "file, not compressed", "pipe, not compressed")
        yield cases.undamaged(base)
        yield from cases.cuts(base, 100 if many else 10)
        yield from cases.flips(base, *((14, 45, 60) if many else (2, 5, 30)), seed)
    for name in ("file", "pipe, not compressed"):
        base, loose = found[name], found[name].loose
        for group, damage, number, residue in (
            ("bytes twice", layouts.repeat, 20, loose), ("bytes left out", layouts.leave_out, 25, loose),
            ("bytes overwritten", layouts.overwrite, 25, loose), ("blocks swapped", layouts.swap_blocks, 20, ""),
            ("sectors swapped", layouts.swap_sectors, 20, loose), ("entry's mark", layouts.flip_a_mark, 30, ""),
            ("rows of another table", layouts.swap_contents, 20, ""),
            ("block lost", layouts.lose_block, 20, ""), ("trailing bytes", layouts.trail, 12, ""),
        ):  # fmt: skip
            yield from cases.damages(group, base, damage, number, seed, residue)
    yield from cases.wholes(source, _other_application(source))
    yield from cases.variants(source, frozenset(questions.expected_tables))
    yield from cases.keys(source, key)
    yield from cases.versions(*older)


def _other_application(source: Source) -> bytes:
    with source.changed("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", _OTHER_APPLICATION.decode()) as database:
        return source.dump(database=database)


def _drawn(everything: Sequence[Case], count: int, seed: int) -> list[Case]:
    """In an order that begins with one of each group; at least those."""
    if count >= _FULL:
        return list(everything)
    chance = random.Random(seed)
    mixed = chance.sample(everything, len(everything))
    first = {(case.group, case.fit): case for case in reversed(mixed)}
    rest = [case for case in mixed if first[(case.group, case.fit)] is not case]
    return [*first.values(), *rest][:count]


@dataclass
class _Findings:
    """Counts by group and what became of it; losses that earned a proof, by their known kind."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    residues: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _prove_all(provers: Sequence[Prover], drawn: Sequence[Case], tally: Tally) -> None:
    waiting: SimpleQueue[Case] = SimpleQueue()
    for case in drawn:
        waiting.put(case)
    findings, broken = _Findings(), list[BaseException]()
    threads = [
        threading.Thread(target=_work, args=(one, waiting, tally, findings, broken), daemon=True) for one in provers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    _report(findings)


def _work(
    by: Prover, waiting: SimpleQueue[Case], tally: Tally, findings: _Findings, broken: list[BaseException]
) -> None:
    while tally.goes_on() and not broken:
        try:
            case = waiting.get_nowait()
        except Empty:
            return
        try:
            _one(by, case, tally, findings)
        except BaseException as error:
            broken.append(error)
            raise


def _one(by: Prover, case: Case, tally: Tally, findings: _Findings) -> None:
    made = case.make()
    outcome = by.prove(made.data, case.key)
    same, wrong = _same(made, outcome), list[str]()
    end = _end(outcome, same)
    if outcome.earned:
        wrong += _undeserved(case, made, outcome)
    elif case.fit:
        wrong.append(f"it is sound and earned no proof: {_why(outcome)}")
    residue = _residue(case, made, outcome) if outcome.earned and not same else ""
    with findings.lock:
        findings.ends[(case.group, end)] += 1
        if residue:
            findings.residues[(case.group, residue)] += 1
        tally.case(f"{case.group}: {case.name}", wrong=wrong)


def _same(made: cases.Made, outcome: Outcome) -> bool:
    return made.truth is not None and outcome.held is not None and not made.truth.differences(outcome.held)


def _residue(case: Case, made: cases.Made, outcome: Outcome) -> str:
    """Why it is known to slip through, and the kinds of what was lost."""
    lost = made.truth.differences(outcome.held) if made.truth and outcome.held else []
    return f"{case.residue}: {', '.join(sorted({one.split()[0] for one in lost}))}" if case.residue else ""


def _end(outcome: Outcome, same: bool) -> str:
    if outcome.error is not None:
        return f"no verdict ({type(outcome.error).__name__})"
    if outcome.earned:
        return "proven, nothing lost" if same else "proven, and something is lost"
    return "refused, nothing lost" if same else "refused"


def _undeserved(case: Case, made: cases.Made, outcome: Outcome) -> list[str]:
    """Why this proof should not have been earned."""
    assert outcome.proof is not None
    assert outcome.held is not None
    if case.fit is False:
        return ["it earned a proof"]
    if case.judge and (complaint := case.judge(outcome.proof)):
        return [complaint]
    lost = made.truth.differences(outcome.held) if made.truth else ["everything"]
    if lost and not case.residue:
        return [f"it earned a proof, and these differ: {', '.join(lost[:4])}"]
    return []


def _why(outcome: Outcome) -> str:
    return (
        f"{outcome.error}" if outcome.error else f"{outcome.proof.grade}: {outcome.proof.why}" if outcome.proof else ""
    )


def _report(findings: _Findings) -> None:
    for (group, end), number in sorted(findings.ends.items()):
        say(f"    dumps: {group}: {end}: {number}")
    for (group, residue), number in sorted(findings.residues.items()):
        say(f"    dumps: residue: {group}, {residue}: {number}")
    known = sources.others()
    say(f"    dumps: PostgreSQL beside {sources.NEWEST}: {sorted({one.major for one in known}) or 'none, not covered'}")
