"""Files under way: private directories that die with their process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.journal import lock

STAGING = ".staging"


@contextmanager
def staging_below(above: Path) -> Iterator[Path]:
    """A private directory in the existing directory `above`; what killed processes left there is removed.

    Raises MachineError.
    """
    with ExitStack() as own:
        try:
            lock.clear_away(above)
            place = own.enter_context(lock.own_directory(above / secrets.token_hex(8)))
        except OSError as error:
            raise MachineError(
                f"{above} cannot be written.",
                why=error.strerror or type(error).__name__,
                next_action="Make room, or mend the permissions.",
            ) from error
        yield place
