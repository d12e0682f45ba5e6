"""Which copies retention would remove now: what `backup prune` shows, and what its step removes."""

from __future__ import annotations

from dataclasses import replace

from uscdr.scenarios.backups.inventory import copies_alone, vault_of
from uscdr.scenarios.deps import Deps, now
from uscdr.vault.backups import pruning
from uscdr.vault.backups.catalog import Shelf
from uscdr.vault.backups.pruning import Pruning


def prunable(deps: Deps, there: Shelf) -> Pruning:
    """Of the copies in `there`. The platform is not asked."""
    planned = pruning.plan(copies_alone(deps, there), there, deps.config.vault.retention, now())
    return replace(planned, stays=pruning.what_stays(vault_of(deps).store(), planned.ids))
