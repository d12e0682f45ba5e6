"""Prove a dump: decode it, restore it on this machine, check the invariants, try the application's key.

The same proof serves a recovery's backup, a copy and a kit's dump.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from uscdr import __version__
from uscdr.backups.manifest import FORMAT
from uscdr.backups.proofs import Grade, ProofDocument, ProvenInvariant, demands_digest
from uscdr.errors import CheckFailed
from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
from uscdr.models.postgres import CanaryVerdict, TriedColumn
from uscdr.providers.ports.progress import Progress
from uscdr.words import plural

if TYPE_CHECKING:
    from pydantic import SecretStr

    from uscdr.models.data_settings import CanaryColumn, Invariant
    from uscdr.models.postgres import CanaryResult, Extension, InvariantResult, LeftOut, Migration, TableDigest
    from uscdr.providers.ports.database import Copy, Database, Scratch

TABLES_THERE = "expected tables are there"


@dataclass(frozen=True)
class Decoded:
    """The dump's own metadata: its server version and the extensions it creates."""

    pg_restore: str
    dumped_from: str
    extensions: tuple[str, ...]


Decode = Callable[[Path], Decoded]
"""Reads a dump's table of contents. Raises CheckFailed if it does not decode."""
Report = Callable[[str], Progress]
"""Creates a progress callback for the named work."""


@dataclass(frozen=True)
class ProofSubject:
    """The dump to prove: its bytes and their origin. Sizes are bytes."""

    sha256: str
    size: int
    app: str
    backup: str
    transfer_id: str
    taken_at: datetime
    source: Literal["vault", "platform", "kit"]
    addon_id: str = ""
    """The database add-on's id; empty if unknown."""
    copy_id: str = ""
    copy_opened: bool = False
    identity: str | None = None
    """The identity of the sandbox whose backup it is; empty at the platform; None if unknown."""

    def prove(
        self, dump: Path, questions: Questions, decode: Decode, scratch: Scratch, progress: Progress
    ) -> ProofDocument:  # fmt: skip
        """The proof document. Raises as `Questions.examined`."""
        with questions.examined(dump, decode, scratch, lambda _: progress) as (shown, _):
            return shown.document(self, questions)


@dataclass(frozen=True)
class EncryptionKey:
    """The application's key: the value, or why there is none."""

    name: str
    value: SecretStr | None = field(default=None, repr=False)
    why: str = ""
    fingerprint: str = ""

    def tried(self, database: Database, canaries: Sequence[CanaryColumn]) -> CanaryVerdict:
        """Whether it decrypts the encrypted columns; every configured column must exist."""
        if not canaries:
            return CanaryVerdict(verdict="not checked", why="scenarios.yaml names no encrypted column")
        if self.value is None or not self.value.get_secret_value():
            return CanaryVerdict(verdict="not checked", why=self.why or f"{self.name} is not set")
        return _judged(database.canary(canaries, self.value), self)


@dataclass(frozen=True)
class Code:
    """The migrations of the code at `ref`, or why they are unknown."""

    ref: str = ""
    migrations: CodeMigrations | None = None
    why: str = ""


@dataclass(frozen=True)
class Questions:
    """The questions about the dump."""

    invariants: Sequence[Invariant]
    expected_tables: Sequence[str]
    canaries: Sequence[CanaryColumn]
    key: EncryptionKey
    code: Code
    freshness: Sequence[str] = ()
    """`table.column` whose newest value is read."""

    @contextmanager
    def examined(
        self, dump: Path, decode: Decode, scratch: Scratch, report: Report
    ) -> Iterator[tuple[ProofResult, Copy | None]]:
        """Examine as much as the dump allows. A failure of the dump is in the result, not an exception.

        The restored database stays open until the context ends; it is None if the dump does not restore.
        Raises MachineError, ProviderError, Interrupted: then the result is unknown.
        """
        begun = time.monotonic()
        scratch.prepare()  # its server starts while the dump is read
        with ExitStack() as stack:
            shown = ProofResult(Grade.EXISTS)
            database: Copy | None = None
            try:
                decoded = decode(dump)
                shown = ProofResult(Grade.DECODES, pg_restore=decoded.pg_restore, dumped_from=decoded.dumped_from)
                database = stack.enter_context(scratch.restore(dump, report("restoring on this machine")))
                report("counting rows and computing checksums")(0, None)
                shown = _asked(shown, database, self, decoded)
            except CheckFailed as error:
                shown = replace(shown, why=error.reason, refusal=error)
            yield replace(shown, seconds=round(time.monotonic() - begun, 3)), database


@dataclass(frozen=True)
class ProofResult:
    """The result of a proof, as far as the dump allowed it."""

    grade: Grade
    why: str = ""
    """Why the grade is not higher."""
    refusal: CheckFailed | None = None
    """Why it does not decode or restore; then no question was asked."""
    pg_restore: str = ""
    dumped_from: str = ""
    server: str = ""
    tables: tuple[TableDigest, ...] = ()
    missing: tuple[str, ...] = ()
    """Expected tables that do not exist."""
    keyless: tuple[str, ...] = ()
    """Expected tables without a primary key: rows may be duplicated."""
    left_out: tuple[LeftOut, ...] = ()
    """Parts of the application's data in the dump that this proof did not restore."""
    invariants: tuple[InvariantResult, ...] = ()
    newest: Mapping[str, str | None] = field(default_factory=dict)
    canary: CanaryVerdict = field(default_factory=CanaryVerdict.untried)
    extensions: tuple[Extension, ...] = ()
    applied: tuple[Migration, ...] = ()
    migrations: MigrationsVerdict = field(default_factory=MigrationsVerdict.uncompared)
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    def document(self, subject: ProofSubject, questions: Questions) -> ProofDocument:
        """The proof document for a result: names and numbers, no value of a row."""
        invariants = [ProvenInvariant(name=one.name, holds=one.holds) for one in self.invariants]
        if questions.expected_tables and self.server:
            invariants.append(ProvenInvariant(name=TABLES_THERE, holds=not self.missing))
        return ProofDocument(
            format=FORMAT, sha256=subject.sha256, bytes=subject.size, app=subject.app, addon_id=subject.addon_id,
            identity=subject.identity, backup=subject.backup, transfer_id=subject.transfer_id,
            taken_at=subject.taken_at, source=subject.source,
            copy_id=subject.copy_id, copy_opened=subject.copy_opened, proven_at=datetime.now(UTC),
            seconds=self.seconds, uscdr=__version__,
            grade=self.grade, why=self.why, pg_restore=self.pg_restore, server=self.server,
            dumped_from=self.dumped_from, tables=len(self.tables), rows=self.rows, invariants=tuple(invariants),
            demands=demands_digest(questions.invariants), canary=self.canary,
            extensions=tuple(one.name for one in self.extensions), migrations=self.migrations,
            counts={one.name: one.rows for one in self.tables}, newest=dict(self.newest), left_out=self.left_out,
        )  # fmt: skip


def _asked(shown: ProofResult, database: Copy, questions: Questions, decoded: Decoded) -> ProofResult:
    code, applied = questions.code, database.migrations()
    there = database.tables()
    tables = database.digests([table.name for table in there])
    found = replace(
        shown,
        server=".".join(map(str, database.facts().version)),
        tables=tables,
        missing=tuple(sorted(database.lacking(questions.expected_tables))),
        keyless=tuple(one.name for one in there if not one.keyed and one.name in questions.expected_tables),
        invariants=database.invariants(questions.invariants),
        newest=dict(database.newest(questions.freshness)),
        canary=questions.key.tried(database, questions.canaries),
        left_out=tuple(one for one in database.left_out if not one.of_platform),
        extensions=database.extensions(),
        applied=applied,
        migrations=MigrationsVerdict.compare(
            code.migrations, applied, database.columns(), against=code.ref, why=code.why
        ),
    )
    grade, why = _grade(found, decoded)
    return replace(found, grade=grade, why=why)


def _grade(shown: ProofResult, decoded: Decoded) -> tuple[Grade, str]:
    """The grade, and why it is not higher."""
    said = {one.what.removeprefix("extension ") for one in shown.left_out}
    lacking = sorted(set(decoded.extensions) - {one.name for one in shown.extensions} - said)
    if lacking:
        return Grade.DECODES, f"the restored database lacks the extension {', '.join(lacking)}"
    if not shown.invariants:
        return Grade.RESTORES, "scenarios.yaml has no invariant that applies"
    broken = [one.name for one in shown.invariants if one.holds is not True]
    words = [f"invariants failed: {'; '.join(broken)}"] if broken else []
    words += [f"tables are missing: {', '.join(shown.missing)}"] if shown.missing else []
    words += [f"no primary key in {', '.join(shown.keyless)}"] if shown.keyless else []
    if words:
        return Grade.RESTORES, "; ".join(words)
    if shown.canary.verdict != "pass":
        return Grade.INVARIANTS, shown.canary.why
    return Grade.DECRYPTS, ""


def _judged(results: Sequence[CanaryResult], key: EncryptionKey) -> CanaryVerdict:
    """A value whose plain column is empty counts as decrypted: pgcrypto itself refuses a wrong key."""
    tried = tuple(
        TriedColumn(table=one.table, column=one.column, sampled=one.sampled, wrong=one.wrong)
        for one in results if one.sampled
    )  # fmt: skip
    missing = tuple(one.missing for one in results if one.missing)
    unread = tuple(one.unread.words("read") for one in results if one.unread)
    found = CanaryVerdict(
        verdict="pass", columns=len(results) - len(missing) - len(unread), tried=tried, missing=missing, unread=unread,
        sampled=sum(one.sampled for one in tried), matching=sum(one.sampled - one.wrong for one in tried),
        apart=sum(one.apart for one in results),
        wrong=sum(one.wrong for one in tried), unencrypted=sum(one.unencrypted for one in results),
        fingerprint=key.fingerprint,
    )  # fmt: skip
    verdict, why = _verdict(found, key.name)
    return found.model_copy(update={"verdict": verdict, "why": why})


def _verdict(found: CanaryVerdict, key: str) -> tuple[Literal["pass", "fail", "not checked"], str]:
    problems = [f"there is no {', '.join(dict.fromkeys(found.missing))}"] if found.missing else []
    problems += found.unread
    if found.wrong:
        sampled = plural(found.sampled, "sampled value")
        problems.insert(0, f"{key} does not decrypt {found.wrong:,} of {sampled}: {found.where}")
    if problems:
        return "fail", "; ".join(problems)
    if not found.matching:
        return "not checked", f"the sample has no encrypted value to try {key} on"
    return "pass", ""
