"""Which uploads are under way, in a file beside the journal: a resumed run looks for those first.

The journal has no entry for each file: its durable writes would take longer than the uploads. This file need not
survive a loss of power, only the end of the process: what it does not name is found by the listing all the same.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from uscdr.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from uscdr.models.media import AssetKey

NAME = "uploads.log"
_BEGUN, _ENDED = "+", "-"


class UploadLog:
    """One line when an upload begins, one when its outcome is known. Thread-safe; does nothing without a path.

    Files are named by a digest: their names are personal data. Raises MachineError when the disk refuses.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file = -1

    @contextmanager
    def sending(self, key: AssetKey) -> Iterator[None]:
        """Around one upload. An error leaves it under way: what became of it is not known."""
        name = _name(key)
        self._note(_BEGUN + name)
        yield
        self._note(_ENDED + name)

    def left(self, keys: Iterable[AssetKey]) -> list[AssetKey]:
        """Those of `keys` that were under way when the last process of this run ended."""
        names = self._left()
        return [key for key in keys if _name(key) in names] if names else []

    def _left(self) -> set[str]:
        if self._path is None:
            return set()
        try:
            lines = self._path.read_text(encoding="ascii", errors="replace").split("\n")[:-1]
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise _refused(error) from None
        names: set[str] = set()
        for line in lines:
            (names.add if line.startswith(_BEGUN) else names.discard)(line[1:])
        return names

    def clear(self) -> None:
        """Forget all: each one was looked for."""
        if self._path is None:
            return
        try:
            self._close()
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(error) from None

    def open(self) -> None:
        """Make ready for the first upload."""
        if self._path is not None and self._file < 0:
            try:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise _refused(error) from None

    def _note(self, line: str) -> None:
        if self._file >= 0:
            try:
                os.write(self._file, f"{line}\n".encode())
            except OSError as error:
                raise _refused(error) from None

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _name(key: AssetKey) -> str:
    return hashlib.sha256(str(key).encode()).hexdigest()[:16]


def _refused(error: OSError) -> MachineError:
    return MachineError(
        "uscdr cannot keep the list of uploads under way.",
        why=f"{error.strerror or type(error).__name__}.",
        next_action="Make room in the state directory, then: uscdr runs resume",
    )
