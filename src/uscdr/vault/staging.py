"""Files under way: private directories that die with their process."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.journal import lock
from uscdr.settings import PRIVATE_DIRECTORY

STAGING = ".staging"


@contextmanager
def staging_below(above: Path) -> Iterator[Path]:
    """A private directory in the existing directory `above`; what killed processes left there is removed.

    Raises MachineError.
    """
    with ExitStack() as own:
        try:
            with _locked(above):  # or another process takes a new directory away before it is marked as in use
                for left in above.iterdir():
                    if not lock.occupied(left):
                        shutil.rmtree(left, ignore_errors=True)
                place = above / secrets.token_hex(8)
                place.mkdir(mode=PRIVATE_DIRECTORY)
                own.callback(shutil.rmtree, place, ignore_errors=True)
                own.enter_context(lock.occupy(place))
        except OSError as error:
            raise MachineError(
                f"{above} cannot be written.",
                why=error.strerror or type(error).__name__,
                next_action="Make room, or mend the permissions.",
            ) from error
        yield place


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
