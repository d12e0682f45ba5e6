"""What leads on when a backup will not do: a next step that exists. Pure."""

from __future__ import annotations

from uscdr.engine.step import View
from uscdr.scenarios.results import BackupsSeen, DatabaseSeen
from uscdr.scenarios.wanting import failing
from uscdr.words import first_of

CAPTURE = "the database itself answers and breaks nothing: a backup of it is made by `uscdr backup capture`"
OFF_PLATFORM = (
    "A kit may hold one: uscdr kit list, then uscdr recover infra --kit newest builds a new place from it. "
    "Else ask the platform's support: https://help.heroku.com"
)


def another(view: View, name: str = "") -> str:
    """Another backup than `name`, else a capture of a database that is whole, else what is off the platform."""
    seen = view.get(BackupsSeen)
    if seen is None:
        return "Choose another backup: uscdr backup list, uscdr kit list"
    others = [one.name for one in reversed(seen.backups) if not one.unfit and one.name != name]
    if others:
        return f"Choose another ({first_of(others)}): uscdr recover db --backup {others[0]}"
    return f"There is no other backup, but {CAPTURE}" if _whole(view) else f"There is no other backup. {OFF_PLATFORM}"


def _whole(view: View) -> bool:
    """Whether nothing that was looked at speaks against the live database."""
    live = view.get(DatabaseSeen)
    return live is not None and live.reachable and not live.missing and not failing(live.invariants)
