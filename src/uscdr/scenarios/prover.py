"""Prove backups: fetch and restore them on this machine, early and in the background.

This only reads at the provider, so it may run while the application is being stopped.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from uscdr.errors import CheckFailed, MachineError, UscdrError
from uscdr.scenarios.results.db import Proof

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from uscdr.backups.proving import Decode, ProofResult, Questions
    from uscdr.engine.step import Reporter
    from uscdr.engine.wait import Stop
    from uscdr.models.heroku import Download
    from uscdr.models.postgres import TableDigest, TableDigests
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.database import Copy, Database, Scratch
    from uscdr.providers.ports.platform import Backups
    from uscdr.providers.ports.progress import Progress

    Keep: TypeAlias = "Callable[[DumpSource, Download, ProofResult, Questions], None]"
    """Saves the result of a proof, good or bad, for later runs and lists. Raises UscdrError."""


LOOK_EVERY = 0.1


@dataclass(frozen=True)
class DumpSource:
    """The source of a dump: its name and id, and how to fetch it into a file."""

    name: str
    id: str
    fetch: Callable[[Path, Progress], Download]
    taken_at: datetime | None = None
    """For a backup at the platform; None for a kit's dump, whose proof is in the kit."""

    @classmethod
    def stored(cls, backups: Backups, app: str, transfer: Transfer) -> DumpSource:
        """A backup that the platform keeps for the owning app `app`."""

        def fetch(destination: Path, progress: Progress) -> Download:
            return backups.download(app, transfer.num, destination, progress)

        return cls(transfer.name, transfer.id, fetch, transfer.taken_at)


class Prover:
    """Backups under proof, each open in its own scratch database, with its dump, until `close`."""

    def __init__(
        self,
        scratch: Scratch,
        decode: Decode,
        place: Path,
        questions: Callable[[], Questions],
        stop: Stop,
        keep: Keep | None = None,
    ) -> None:
        self._scratch = scratch
        self._decode = decode
        self._place = place
        self._questions = questions
        self._stop = stop
        self._keep = keep
        self._open: dict[str, _Opened] = {}
        self._current = ""
        self._awaited: set[str] = set()

    def prefetch(self, source: DumpSource) -> None:
        """Start with `source` alone, unless that is under way or done."""
        self.keep(source.id)
        self._begin(source)

    def also(self, source: DumpSource) -> None:
        """Start with `source` in addition to those that are open."""
        self._begin(source)

    def proof(self, source: DumpSource, tell: Reporter) -> Proof:
        """Wait for the proof, and make it the current one. Raises CheckFailed when the backup does not restore."""
        opened = self._begin(source)
        self._current = source.id
        proof = opened.wait(tell, self._stop)
        self._awaited.add(source.id)
        return proof

    def is_proven(self, wanted: str) -> bool:
        """Whether the backup with this id is proven and open, so that nobody waits for it again."""
        return wanted in self._awaited and wanted in self._open

    def keep(self, wanted: str) -> None:
        """Remove every database and dump except those of the backup with this id."""
        for one in [one for one in self._open if one != wanted]:
            self._open.pop(one).close()
        self._current = wanted

    def open_database(self) -> Copy:
        """The current backup's scratch database; its proof must be done."""
        database = self._shown().database
        if database is None:
            raise MachineError("The scratch database is not open.", next_action="uscdr runs resume")
        return database

    def dump(self) -> Path:
        """The current backup's dump, as it was proven."""
        shown = self._shown()
        if shown.proof is None or shown.dump is None:
            raise MachineError("The dump is no longer on this machine.", next_action="uscdr runs resume")
        return shown.dump

    def digests(self) -> tuple[TableDigest, ...]:
        """Digests of the current scratch tables, with their buckets, which no journal keeps."""
        return self._shown().digests

    def close(self) -> None:
        """Remove every scratch database and dump."""
        self.keep("")

    def _begin(self, source: DumpSource) -> _Opened:
        if source.id not in self._open:
            self._scratch.prepare()
            place = self._place / f"{source.name}.dump"
            opened = _Opened(source, self._scratch, self._decode, place, self._questions, self._keep)
            self._open[source.id] = opened
            opened.begin(self._stop)
        return self._open[source.id]

    def _shown(self) -> _Opened:
        opened = self._open.get(self._current)
        if opened is None:
            raise MachineError("No backup is open on this machine.", next_action="uscdr runs resume")
        return opened


class _Opened:
    """One backup: fetched, restored and examined on its own thread."""

    def __init__(
        self,
        source: DumpSource,
        scratch: Scratch,
        decode: Decode,
        place: Path,
        questions: Callable[[], Questions],
        keep: Keep | None,
    ) -> None:
        self._source = source
        self._scratch = scratch
        self._decode = decode
        self._place = place
        self._questions = questions
        self._keep = keep
        self._unkept = ""
        self._stack = ExitStack()
        self._thread: threading.Thread | None = None
        self._state: tuple[str, float, float | None] = ("waiting", 0.0, None)
        self._error: BaseException | None = None
        self.proof: Proof | None = None
        self.database: Copy | None = None
        self.dump: Path | None = None
        self.digests: tuple[TableDigest, ...] = ()

    def begin(self, stop: Stop) -> None:
        """Start."""
        self._thread = threading.Thread(target=self._work, args=(stop,), name="proof", daemon=True)
        self._thread.start()

    def wait(self, tell: Reporter, stop: Stop) -> Proof:
        """Wait until the proof is done. Raises the error that it ended with."""
        while self._thread is not None and self._thread.is_alive():
            stop.check()
            tell.progress(*self._state, unit="B")
            self._thread.join(LOOK_EVERY)
        if self._unkept:
            tell.warn(f"The proof of {self._source.name} could not be saved: {self._unkept}")
            self._unkept = ""
        if self._error is not None:
            raise self._error
        if self.proof is None:
            raise MachineError("The proof of the backup ended without a result.", next_action="uscdr runs resume")
        return self.proof

    def close(self) -> None:
        """Remove the scratch database and the dump."""
        if self._thread is not None:
            self._thread.join()
        self._stack.close()

    def _work(self, stop: Stop) -> None:
        try:
            self.proof = self._prove(stop)
        except BaseException as error:  # noqa: BLE001 - handed over whole to the thread that waits for it
            self._error = error

    def _prove(self, stop: Stop) -> Proof:
        started, source, dump = time.monotonic(), self._source, self._place
        self._stack.callback(dump.unlink, missing_ok=True)
        dump.unlink(missing_ok=True)
        report = self._reporter(stop)
        got = source.fetch(dump, report("downloading"))
        self.dump = dump
        questions = self._questions()
        looking = questions.examined(dump, self._decode, self._scratch, report)
        shown, self.database = self._stack.enter_context(looking)
        self._note(got, shown, questions)
        _refuse(source, shown)
        self.digests = shown.tables
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
            keyless=shown.keyless,
            left_out=shown.left_out,
            code=shown.migrations,
            key=shown.canary,
        )

    def _note(self, got: Download, shown: ProofResult, questions: Questions) -> None:
        """Save the proof; a recovery goes on when that fails."""
        if self._keep is None or self._source.taken_at is None:
            return
        try:
            self._keep(self._source, got, shown, questions)
        except UscdrError as error:
            self._unkept = f"{error.message} {error.why}".strip()

    def _reporter(self, stop: Stop) -> Callable[[str], Progress]:
        def reporting(what: str) -> Progress:
            def report(done: int, total: int | None) -> None:
                stop.check()
                self._state = (what, float(done), float(total) if total else None)

            return report

        return reporting


def _refuse(source: DumpSource, shown: ProofResult) -> None:
    """Raises CheckFailed for a dump that does not restore as it was taken."""
    from uscdr.backups.proofs import Grade

    if shown.refusal is not None:
        raise shown.refusal
    if not shown.grade.reaches(Grade.RESTORES):
        raise CheckFailed(
            f"{source.name} does not restore as it was taken.", why=f"{shown.why}.",
            next_action="Choose another backup: uscdr backup list",
        )  # fmt: skip


# The live database after all writers have stopped: digested in the background while the capture runs.


class BackgroundDigest:
    """At most one digest of the stopped database, started early. Reads only."""

    def __init__(self, open_live: Callable[[], Database]) -> None:
        self._open_live = open_live
        self._thread: threading.Thread | None = None
        self._digests: TableDigests | None = None

    def begin(self) -> None:
        """Start, unless started before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="frozen look", daemon=True)
            self._thread.start()

    def digests(self, live: Database) -> TableDigests:
        """The digests that were started, or new ones if those failed or never started. Raises ProviderError."""
        if self._thread is not None:
            self._thread.join()
        return self._digests if self._digests is not None else digest_all(live)

    def _work(self) -> None:
        try:
            self._digests = digest_all(self._open_live())
        except UscdrError:
            return  # `digests` tries again and reports the error


def digest_all(database: Database) -> TableDigests:
    """Count and digest every table that can be read."""
    return database.digested([table.name for table in database.tables()])
