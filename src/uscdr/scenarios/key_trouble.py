"""A key that opens nothing: which one did, who changed it, and the way back to it. Fingerprints only."""

from __future__ import annotations

from collections.abc import Sequence

from uscdr.models.heroku import Release
from uscdr.vault.backups.loss import Earlier
from uscdr.vault.backups.proofs import CanaryVerdict
from uscdr.words import moment

KIT = "or take it from the kit: uscdr kit list"


def way_back(key: str, seen: CanaryVerdict, earlier: Earlier, releases: Sequence[Release]) -> str:
    """Sentences for a person; `releases` newest first."""
    return " ".join(filter(None, (_known(seen, earlier), _advice(key, releases))))


def _known(seen: CanaryVerdict, earlier: Earlier) -> str:
    if not earlier.keys:
        return ""
    name, at, print_ = earlier.keys[-1]
    if print_ == seen.fingerprint:
        return f"The key is the one that {name} knew ({print_}): these rows lie under another one."
    now = f"; the application has {seen.fingerprint} now" if seen.fingerprint else ""
    return f"The key that opened the records had the fingerprint {print_} ({name}, {moment(at)}){now}."


def _advice(key: str, releases: Sequence[Release]) -> str:
    words = f"Choose a backup that was taken with this key, or find the {key} that was in use when it was taken"
    return changed_by(key, releases) or f"{words} ({KIT}), and set it first."


def changed_by(key: str, releases: Sequence[Release]) -> str:
    """Which release changed the key and how the earlier one comes back; empty when none of `releases` did."""
    changed = next((one for one in releases if key in one.description.replace(",", " ").split()), None)
    if changed is None:
        return ""
    when = f" of {moment(changed.created_at)}" if changed.created_at else ""
    by = f"Release v{changed.version}{when} changed {key}."
    return f"{by} Bring the earlier one back: uscdr recover app --release v{changed.version - 1} ({KIT})."
