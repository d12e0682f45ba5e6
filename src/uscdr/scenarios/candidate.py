"""The backup under proof: fetched and restored on this machine, early and in the background.

Downloading and restoring only read at the provider, so this may run while the application is being frozen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from uscdr.engine.step import Tell
from uscdr.engine.wait import Stop
from uscdr.errors import CheckFailed, MachineError, UscdrError
from uscdr.models.heroku import Download, Transfer
from uscdr.models.postgres import TableDigest
from uscdr.providers.ports.database import Database, Scratch
from uscdr.providers.ports.platform import Backups
from uscdr.providers.ports.progress import Progress
from uscdr.scenarios.results import Proof
from uscdr.vault.backups.grade import Grade
from uscdr.vault.backups.proving import Decode, ProofResult, Questions, examined

LOOK_EVERY = 0.1


@dataclass(frozen=True)
class DumpSource:
    """Where a dump comes from: its name and id, and how it gets into a file here."""

    name: str
    id: str
    fetch: Callable[[Path, Progress], Download]


def stored_dump(backups: Backups, app: str, transfer: Transfer) -> DumpSource:
    """A backup that the platform keeps for the owning app `app`."""

    def fetch(destination: Path, progress: Progress) -> Download:
        return backups.download(backups.public_url(app, transfer.num), destination, progress)

    return DumpSource(transfer.name, transfer.id, fetch)


class Candidate:
    """At most one backup, opened in a scratch database until `close`. Its dump is kept until then, too."""

    def __init__(
        self, scratch: Scratch, decode: Decode, place: Path, questions: Callable[[], Questions], stop: Stop
    ) -> None:
        self._scratch = scratch
        self._decode = decode
        self._place = place
        self._questions = questions
        self._stop = stop
        self._stack = ExitStack()
        self._thread: threading.Thread | None = None
        self._wanted: str | None = None
        self._state: tuple[str, float, float | None] = ("waiting", 0.0, None)
        self._database: Database | None = None
        self._proof: Proof | None = None
        self._error: UscdrError | None = None
        self._digests: tuple[TableDigest, ...] = ()
        self._dump: Path | None = None

    def prefetch(self, source: DumpSource) -> None:
        """Begin with `source`, unless that is under way or done already."""
        if self._wanted == source.id:
            return
        self.close()
        self._wanted = source.id
        self._scratch.prepare()
        work = (source, self._questions())
        self._thread = threading.Thread(target=self._work, args=work, name="proof", daemon=True)
        self._thread.start()

    def proof(self, source: DumpSource, tell: Tell) -> Proof:
        """Wait for the proof. Raises CheckFailed when the backup does not restore."""
        self.prefetch(source)
        while self._thread is not None and self._thread.is_alive():
            self._stop.check()
            tell.progress(*self._state, unit="B")
            self._thread.join(LOOK_EVERY)
        if self._error is not None:
            raise self._error
        if self._proof is None:
            raise MachineError("The proof of the backup ended without a result.", next_action="uscdr runs resume")
        return self._proof

    def open_database(self) -> Database:
        """The scratch database; the proof must stand."""
        if self._database is None:
            raise MachineError("The scratch database is not open.", next_action="uscdr runs resume")
        return self._database

    def dump(self) -> Path:
        """The file that was proven."""
        if self._proof is None or self._dump is None:
            raise MachineError("The dump is not on this machine any more.", next_action="uscdr runs resume")
        return self._dump

    def digests(self) -> tuple[TableDigest, ...]:
        """The scratch tables' digests with their buckets, which no journal keeps."""
        return self._digests

    def close(self) -> None:
        """Remove the scratch database and the dump."""
        if self._thread is not None:
            self._thread.join()
        self._stack.close()
        self._stack = ExitStack()
        self._thread, self._wanted, self._database, self._proof, self._error = None, None, None, None, None
        self._dump = None

    def _work(self, source: DumpSource, questions: Questions) -> None:
        try:
            self._proof = self._prove(source, questions)
        except UscdrError as error:
            self._error = error

    def _prove(self, source: DumpSource, questions: Questions) -> Proof:
        started = time.monotonic()
        dump = self._place / f"{source.name}.dump"
        self._stack.callback(dump.unlink, missing_ok=True)
        dump.unlink(missing_ok=True)
        got = source.fetch(dump, self._report("downloading"))
        self._dump = dump
        looking = examined(dump, questions, self._decode, self._scratch, self._report)
        shown, self._database = self._stack.enter_context(looking)
        _refuse(source, shown)
        self._digests = shown.tables
        return Proof(
            backup=source.name,
            transfer_id=source.id,
            sha256=got.sha256,
            bytes=got.size,
            rows=shown.rows,
            tables=shown.tables,
            invariants=shown.invariants,
            migrations=len(shown.applied),
            extensions=tuple(extension.name for extension in shown.extensions),
            newest=dict(shown.newest),
            seconds=round(time.monotonic() - started, 3),
            grade=shown.grade.value,
            missing=shown.missing,
            key=shown.canary,
        )

    def _report(self, what: str) -> Progress:
        def report(done: int, total: int | None) -> None:
            self._stop.check()
            self._state = (what, float(done), float(total) if total else None)

        return report


def _refuse(source: DumpSource, shown: ProofResult) -> None:
    """Raises CheckFailed for a dump that is not restored as it was taken."""
    if shown.refusal is not None:
        raise shown.refusal
    if not shown.grade.reaches(Grade.RESTORES):
        raise CheckFailed(
            f"{source.name} does not restore as it was taken.", why=f"{shown.why}.",
            next_action="Choose another backup: uscdr backup list",
        )  # fmt: skip
