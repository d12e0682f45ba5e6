"""Append events durably: one fsync per line. After a failure this writer writes nothing more and the run aborts."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from uscdr.errors import JournalError
from uscdr.files import PRIVATE_FILE, private_directory, sync
from uscdr.journal.chain import FIRST, encode, line_hash
from uscdr.journal.reader import NAME, Journal

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.models.events import Stamped

DRAFT = ".journal.new"
"""The file's name before its first line is written; so an empty file with the final name has lost its line."""


class JournalWriter:
    """The ledger of one run. Not safe for two processes: the caller must hold the target's lock."""

    def __init__(
        self, descriptor: int, path: Path, previous: str, good_bytes: int, draft: Path | None = None
    ) -> None:  # fmt: skip
        self._draft = draft
        self._descriptor = descriptor
        self.path = path
        self._previous = previous
        self._good_bytes = good_bytes
        self._broken = False

    @property
    def last_hash(self) -> str:
        """The hash of the last line written."""
        return self._previous

    def record(self, stamped: Stamped) -> None:
        """Append one event and make it durable. Raises JournalError; then the writer writes nothing more."""
        if self._broken:
            raise _failed(self.path, "an earlier write failed")
        line = encode(stamped.model_dump(mode="json"), self._previous)
        try:
            self._append(line)
            self._name()
        except OSError as error:
            self._broken = True
            self._drop_tail()
            raise _failed(self.path, error.strerror or type(error).__name__) from error
        self._previous = line_hash(line)
        self._good_bytes += len(line)

    def close(self) -> None:
        """Close the file; remove the directory of a run that wrote nothing."""
        os.close(self._descriptor)
        if self._draft is not None:
            with suppress(OSError):
                self._draft.unlink()
                self._draft.parent.rmdir()

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Start the journal of a new run in a new directory (0700, file 0600); it is renamed with its first line."""
        private_directory(directory)
        path, draft = directory / NAME, directory / DRAFT
        try:
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise _failed(path, error.strerror or type(error).__name__) from error
        return cls(descriptor, path, FIRST, 0, draft)

    @classmethod
    def reopen(cls, path: Path) -> tuple[Self, Journal]:
        """Continue an existing journal; cut off a torn last line."""
        journal = Journal.read(path)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            os.ftruncate(descriptor, journal.good_bytes)
            os.fsync(descriptor)
        except OSError as error:
            raise _failed(path, error.strerror or type(error).__name__) from error
        return cls(descriptor, path, journal.last_hash, journal.good_bytes), journal

    def _name(self) -> None:
        """Rename the file, which has its first line, to its final name, durably."""
        if self._draft is not None:
            self._draft.rename(self.path)
            self._draft = None
            sync(self.path.parent)  # the names of the file and of its directory must survive a power failure too
            sync(self.path.parent.parent)

    def _append(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)

    def _drop_tail(self) -> None:
        """Cut off a torn last line if possible; the reader drops it in any case."""
        try:
            os.ftruncate(self._descriptor, self._good_bytes)
        except OSError:
            return


def _failed(path: Path, reason: str) -> JournalError:
    return JournalError(
        f"uscdr cannot write the journal {path}.",
        why=reason,
        next_action="Free disk space or fix the disk, then: uscdr runs resume. Every step that began is recorded.",
    )
