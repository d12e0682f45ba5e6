"""The live database once nothing writes any more: digested in the background while the capture runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from uscdr.errors import UscdrError

if TYPE_CHECKING:
    from uscdr.models.postgres import TableDigests
    from uscdr.providers.ports.database import Database


class FrozenLook:
    """At most one look at the frozen database, begun early. Reads only."""

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
        """What was begun, or a look now if that failed or was never begun. Raises ProviderError."""
        if self._thread is not None:
            self._thread.join()
        return self._digests if self._digests is not None else digest_all(live)

    def _work(self) -> None:
        try:
            self._digests = digest_all(self._open_live())
        except UscdrError:
            return  # asked again, and reported, when its turn comes


def digest_all(database: Database) -> TableDigests:
    """Count and digest every table, as far as they can be read."""
    return database.digested([table.name for table in database.tables()])
