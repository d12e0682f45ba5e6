"""Proving a dump: decoded, restored on this machine, asked what must hold, the application's key tried on it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from uscdr import __version__
from uscdr.errors import CheckFailed
from uscdr.models.postgres import CanaryColumn, CanaryResult, Invariant
from uscdr.providers.ports.database import Database, Scratch
from uscdr.providers.ports.progress import Progress
from uscdr.vault.backups.grade import Grade
from uscdr.vault.backups.proofs import (
    FORMAT,
    CanaryVerdict,
    MigrationsVerdict,
    ProofDocument,
    ProvenInvariant,
    demands_digest,
)

NUMBERED = re.compile(r"[^.]+\.\d{4}_\w+")
"""Migrations that can be told from the code's file names."""
TABLES_THERE = "expected tables are there"


@dataclass(frozen=True)
class Decoded:
    """What a dump says of itself: the server it was made on, and the extensions it makes."""

    pg_restore: str
    dumped_from: str
    extensions: tuple[str, ...]


Decode = Callable[[Path], Decoded]
"""Reads a dump's table of contents. Raises CheckFailed when it does not decode."""


@dataclass(frozen=True)
class Subject:
    """The dump under proof: its bytes, and where they come from. Sizes are bytes."""

    sha256: str
    size: int
    app: str
    backup: str
    transfer_id: str
    taken_at: datetime
    source: Literal["vault", "platform"]
    addon_id: str = ""
    """Whose database it is of; empty when that is not known."""
    copy_id: str = ""
    copy_opened: bool = False


@dataclass(frozen=True)
class Key:
    """The application's key: the value, or why there is none."""

    name: str
    value: SecretStr | None = field(default=None, repr=False)
    why: str = ""


@dataclass(frozen=True)
class Code:
    """The migrations of the code at `ref`, or why they are not to be had."""

    ref: str = ""
    migrations: frozenset[str] = frozenset()
    why: str = ""


@dataclass(frozen=True)
class Questions:
    """What is asked of the dump."""

    invariants: Sequence[Invariant]
    expected_tables: Sequence[str]
    canaries: Sequence[CanaryColumn]
    key: Key
    code: Code


def prove(
    subject: Subject, dump: Path, questions: Questions, decode: Decode, scratch: Scratch, progress: Progress
) -> ProofDocument:  # fmt: skip
    """Look at everything, as far as the dump allows; what it fails at is in the document, not an exception.

    Raises MachineError, ProviderError, Interrupted: then nothing is known.
    """
    begun = time.monotonic()
    scratch.prepare()  # its server starts while the dump is read
    found: dict[str, Any] = {"demands": demands_digest(questions.invariants)}
    try:
        decoded = decode(dump)
    except CheckFailed as error:
        return _document(subject, begun, {**found, "grade": Grade.EXISTS, "why": _in_words(error)})
    found |= {"pg_restore": decoded.pg_restore, "dumped_from": decoded.dumped_from}
    try:
        with scratch.restore(dump, progress) as database:
            found |= _asked(database, questions, decoded)
    except CheckFailed as error:
        found |= {"grade": Grade.DECODES, "why": _in_words(error)}
    return _document(subject, begun, found)


def _document(subject: Subject, begun: float, found: dict[str, Any]) -> ProofDocument:
    return ProofDocument(
        format=FORMAT, sha256=subject.sha256, bytes=subject.size, app=subject.app, addon_id=subject.addon_id,
        backup=subject.backup, transfer_id=subject.transfer_id, taken_at=subject.taken_at, source=subject.source,
        copy_id=subject.copy_id, copy_opened=subject.copy_opened, proven_at=datetime.now(UTC),
        seconds=round(time.monotonic() - begun, 3), uscdr=__version__, **found,
    )  # fmt: skip


def _in_words(error: CheckFailed) -> str:
    return f"{error.message} {error.why}".strip()


def _asked(database: Database, questions: Questions, decoded: Decoded) -> dict[str, Any]:
    rows = dict(database.counts([table.name for table in database.tables()]))
    asked = database.invariants(questions.invariants)
    invariants = [ProvenInvariant(name=one.name, holds=one.holds) for one in asked]
    absent = sorted(set(questions.expected_tables) - rows.keys())
    if questions.expected_tables:
        invariants.append(ProvenInvariant(name=TABLES_THERE, holds=not absent))
    installed = tuple(one.name for one in database.extensions())
    canary = try_key(database, questions)
    grade, why = _grade(invariants, bool(asked), absent, canary)
    lacking = sorted(set(decoded.extensions) - set(installed))
    if lacking:
        grade, why = Grade.DECODES, f"the restored database lacks the extension {', '.join(lacking)}"
    facts = database.facts()
    return {
        "grade": grade,
        "why": why,
        "server": ".".join(map(str, facts.version)),
        "tables": len(rows),
        "rows": sum(rows.values()),
        "invariants": tuple(invariants),
        "canary": canary,
        "extensions": installed,
        "migrations": compare({f"{one.app}.{one.name}" for one in database.migrations()}, questions.code),
    }


def _grade(
    invariants: Sequence[ProvenInvariant], asked: bool, absent: Sequence[str], canary: CanaryVerdict  # noqa: FBT001
) -> tuple[Grade, str]:  # fmt: skip
    """The grade, and why it is no better."""
    if not asked:
        return Grade.RESTORES, "scenarios.yaml names no invariant that could be asked"
    broken = [one.name for one in invariants if one.holds is not True and one.name != TABLES_THERE]
    words = [f"it breaks: {'; '.join(broken)}"] if broken else []
    words += [f"tables are missing: {', '.join(absent)}"] if absent else []
    if words:
        return Grade.RESTORES, "; ".join(words)
    if canary.verdict != "pass":
        return Grade.INVARIANTS, canary.why
    return Grade.DECRYPTS, ""


def try_key(database: Database, questions: Questions) -> CanaryVerdict:
    """Whether the application's key opens what is encrypted; every column that is named must be there."""
    key = questions.key
    if not questions.canaries:
        return CanaryVerdict(verdict="not checked", why="scenarios.yaml names no encrypted column")
    if key.value is None or not key.value.get_secret_value():
        return CanaryVerdict(verdict="not checked", why=key.why or f"{key.name} is not set")
    return _judged(database.canary(questions.canaries, key.value), key.name)


def _judged(results: Sequence[CanaryResult], name: str) -> CanaryVerdict:
    wrong = sum(one.unreadable + one.differing for one in results)
    sampled, matching = sum(one.sampled for one in results), sum(one.matching for one in results)
    missing = [one.missing for one in results if one.missing]
    verdict: Literal["pass", "fail", "not checked"] = "pass"
    why = ""
    if wrong:
        verdict, why = "fail", f"{name} does not open {wrong} of {sampled} sampled values"
    elif missing:
        verdict, why = "fail", f"there is no {', '.join(missing)}"
    elif not matching:
        verdict, why = "not checked", f"no encrypted value was found on which {name} could be tried"
    return CanaryVerdict(
        verdict=verdict, why=why, columns=len(results) - len(missing), sampled=sampled, matching=matching, wrong=wrong,
        unencrypted=sum(one.unencrypted for one in results),
    )  # fmt: skip


def compare(applied: Iterable[str], code: Code) -> MigrationsVerdict:
    """The dump's migrations against the code's, of the code's own applications: others come with libraries."""
    there = frozenset(applied)
    if not code.migrations:
        return MigrationsVerdict(verdict="not checked", why=code.why, applied=len(there))
    own = {one.partition(".")[0] for one in code.migrations}
    ahead = {one for one in there - code.migrations if one.partition(".")[0] in own and NUMBERED.fullmatch(one)}
    pending = code.migrations - there
    verdict: Literal["same", "pending", "ahead"] = "ahead" if ahead else "pending" if pending else "same"
    return MigrationsVerdict(
        verdict=verdict,
        against=code.ref,
        applied=len(there),
        pending=tuple(sorted(pending)),
        ahead=tuple(sorted(ahead)),
    )
