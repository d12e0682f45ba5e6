"""Files under way: private directories that die with their process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from uscdr import elsewhere
from uscdr.files import clear_away, disk_errors, own_directory

STAGING = ".staging"


class Staged(Protocol):
    """A store, as far as it is needed here."""

    @property
    def place(self) -> str:
        """For a person; a directory's path."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A private directory for what is under way."""
        ...


@contextmanager
def staging_below(above: Path) -> Iterator[Path]:
    """A private directory in the existing directory `above`; what killed processes left there is removed.

    Raises MachineError.
    """
    with ExitStack() as own:
        with disk_errors(f"{above} cannot be written.", "Make room or fix the permissions."):
            clear_away(above)
            place = own.enter_context(own_directory(above / secrets.token_hex(8)))
        yield place


@contextmanager
def noted(store: Staged, work: Path | None) -> Iterator[None]:
    """What is under way in `store`, if that is a directory, is noted in `work`, our own, in case that we are killed."""
    with ExitStack() as own:
        if work is not None and "://" not in store.place:
            own.callback(elsewhere.note(work, "staging", {"path": str(Path(store.place) / STAGING)}).strike)
        yield


@contextmanager
def noted_staging(store: Staged, work: Path | None) -> Iterator[Path]:
    """A place of `store` for what is under way, noted."""
    with noted(store, work), store.staging() as place:
        yield place
