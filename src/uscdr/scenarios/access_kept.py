"""Values that are never written down, kept in memory from before the restore until they are set again after it."""

from __future__ import annotations

from contextlib import suppress

from uscdr.errors import ProviderError
from uscdr.models.access import AccessBack
from uscdr.scenarios.deps import Deps


def keep(deps: Deps, back: AccessBack) -> None:
    """Reads what is not known, as in a process that took the run over; only what is still what it was.

    What cannot be read leaves its account shut out, and that is said where access is withdrawn again.
    """
    tables = deps.config.access
    if tables is None or deps.dry_run or not back.prints_of(tables).keys() - deps.unshown.keys():
        return
    with suppress(ProviderError):
        deps.unshown.update(back.fitting(tables, deps.database().unshown(tables, back)))
