"""Files under way: private directories that die with their process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from uscdr.files import clear_away, disk_errors, own_directory

STAGING = ".staging"


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
