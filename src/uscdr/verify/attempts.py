"""What this machine sent to a place that the place counts, so that checks lock nobody out: kept across runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from uscdr.errors import ProviderError
from uscdr.files import PRIVATE_FILE, disk_errors, private_directory, write_whole
from uscdr.models.base import Fact
from uscdr.models.duration import Duration
from uscdr.words import duration

KEPT = timedelta(days=2)
"""What is older is forgotten, once the book has grown to LARGE bytes."""
LARGE = 64 * 1024
REFUSED = "sign-in"
"""Where refused logins of the check account are noted besides."""
T = TypeVar("T")
UNREADABLE = "What was sent to the application before cannot be counted."


class Limit(Fact):
    """After `times` refused attempts `within` a while the application refuses right ones too, to the whole address."""

    times: Annotated[int, Field(ge=2, le=10_000)]
    within: Duration
    of: Annotated[str, Field(min_length=1, max_length=40)] = "attempts"
    """What is counted, in words for people."""


class Attempts:
    """The book of one place: by path, when it was tried. Each machine has its own, as each machine has its address."""

    def __init__(self, state: Path, place: str, now: Callable[[], datetime]) -> None:
        self._path = state / "attempts" / f"{sha256(place.encode()).hexdigest()[:16]}.txt"
        self._now = now

    def spent(self, path: str, limit: Limit) -> str:
        """Why nothing more may be sent to `path` for now; empty when something may. Raises MachineError.

        The last attempt of the limit is left to the people behind this address.
        """
        used = self.used(path, limit)
        if used + 1 < limit.times:
            return ""
        return f"{used} of {limit.times} {limit.of} used in {duration(limit.within)}; one more could lock people out"

    def used(self, path: str, limit: Limit) -> int:
        """How often `path` was tried while the limit looks. Raises MachineError."""
        since = self._now() - timedelta(seconds=limit.within)
        return sum(one == path and when > since for when, one in self._lines())

    def note(self, path: str) -> None:
        """Write down, durably, that `path` is tried now. Raises MachineError: what cannot be counted is not sent."""
        private_directory(self._path.parent)
        self._shorten()
        line = f"{self._now().isoformat()} {path}\n".encode()
        with disk_errors(UNREADABLE):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def login(self, path: str, limit: Limit, sign_in: Callable[[], T]) -> T:
        """What `sign_in` gives, unless one of this machine was refused lately and one more could lock the address out.

        A right login uses nothing up; a refused one counts with what else is sent to `path`. Raises ProviderError.
        """
        if self.used(REFUSED, limit) and (spent := self.spent(path, limit)):
            raise ProviderError(
                f"The check account was not signed in, as its last login was refused: {spent}.",
                provider="the application",
                next_action="Check USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD, and wait.",
            )
        try:
            return sign_in()
        except ProviderError:
            self.note(path)
            self.note(REFUSED)
            raise

    def _lines(self) -> list[tuple[datetime, str]]:
        with disk_errors(UNREADABLE):
            text = self._path.read_text(errors="replace") if self._path.exists() else ""
        return [read for line in text.splitlines() if (read := _read(line))]

    def _shorten(self) -> None:
        """Forget what no limit looks at any more."""
        with disk_errors(UNREADABLE):
            large = self._path.exists() and self._path.stat().st_size > LARGE
        if large:
            since = self._now() - KEPT
            kept = [f"{when.isoformat()} {path}\n" for when, path in self._lines() if when > since]
            write_whole(self._path, "".join(kept).encode())


def _read(line: str) -> tuple[datetime, str] | None:
    """One line; None for one that was cut off."""
    when, _, path = line.partition(" ")
    try:
        at = datetime.fromisoformat(when)
    except ValueError:
        return None
    return (at, path) if at.tzinfo is not None else None
