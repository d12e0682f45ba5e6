"""What a person does when a backup, or the encryption key, will not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.scenarios.results.db import BackupsSeen, DatabaseSeen, broken_invariants
from uscdr.words import first_of, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.backups.loss import Earlier
    from uscdr.engine.step import View
    from uscdr.models.heroku import Release
    from uscdr.models.postgres import CanaryVerdict


# The next step when a backup will not do: a command that works in this state. Pure.


CAPTURE = "the database itself answers and breaks no invariant: back it up with `uscdr backup capture`"
OFF_PLATFORM = (
    "A kit may hold one: uscdr kit list. To build a new application from it: uscdr recover infra --kit newest. "
    "Otherwise ask Heroku's support: https://help.heroku.com"
)


def another(view: View, name: str = "") -> str:
    """Another backup than `name`, else a capture of an intact database, else what is off the platform."""
    seen = view.get(BackupsSeen)
    if seen is None:
        return "Choose another backup: uscdr backup list, uscdr kit list"
    others = [one.name for one in reversed(seen.backups) if not one.unfit and one.name != name]
    if others:
        return f"Choose another ({first_of(others)}): uscdr recover db --backup {others[0]}"
    return f"There is no other backup, but {CAPTURE}" if _whole(view) else f"There is no other backup. {OFF_PLATFORM}"


def _whole(view: View) -> bool:
    """Whether no look found anything wrong with the live database."""
    live = view.get(DatabaseSeen)
    return live is not None and live.reachable and not live.missing and not broken_invariants(live.invariants)


# A key that decrypts nothing: which key did, which release changed it, how to restore it. Fingerprints only.


KIT = "or take it from the kit: uscdr kit list"


def way_back(key: str, seen: CanaryVerdict, earlier: Earlier, releases: Sequence[Release]) -> str:
    """How to restore the key that fits, in sentences; `releases` newest first."""
    return " ".join(filter(None, (_known(seen, earlier), _advice(key, releases))))


def _known(seen: CanaryVerdict, earlier: Earlier) -> str:
    if not earlier.keys:
        return ""
    name, at, print_ = earlier.keys[-1]
    if print_ == seen.fingerprint:
        return f"The key is the one recorded with {name} ({print_}): these rows are encrypted with another key."
    now = f"; the application has {seen.fingerprint} now" if seen.fingerprint else ""
    return f"The key that opened the records had the fingerprint {print_} ({name}, {moment(at)}){now}."


def _advice(key: str, releases: Sequence[Release]) -> str:
    words = f"Choose a backup that was taken with this key, or find the {key} that was in use when it was taken"
    return changed_by(key, releases) or f"{words} ({KIT}), and set it first."


def changed_by(key: str, releases: Sequence[Release]) -> str:
    """Which release changed the key, and how to restore the earlier one; empty when none of `releases` did."""
    changed = next((one for one in releases if key in one.description.replace(",", " ").split()), None)
    if changed is None:
        return ""
    when = f" of {moment(changed.created_at)}" if changed.created_at else ""
    by = f"Release v{changed.version}{when} changed {key}."
    return f"{by} Restore the earlier one: uscdr recover app --release v{changed.version - 1} ({KIT})."
