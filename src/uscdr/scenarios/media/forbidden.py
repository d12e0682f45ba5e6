"""Management commands that would make a loss of media worse, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping

FORBIDDEN: Mapping[str, str] = {
    "restore_campaign_images": (
        "It does the opposite of its name: it clears every image reference whose file cannot be reached just then. "
        "Run while media are missing, it erases the references that say what has to come back."
    ),
    "deleteorphanedmedia": (
        "It deletes every file that no row refers to: after the restore of an older dump those are all files newer "
        "than the dump. Not before database and media are reconciled."
    ),
    "deleteredundantstatic": (
        "It deletes at the media service by what this machine's static files say. Nothing is deleted during a recovery."
    ),
    "migrate_to_cloudinary": (
        "It reads local files, which a dyno has not, deletes each one that it uploaded, gives other public ids and "
        "leaves the rows as they are, so that every link stays broken. Use: uscdr recover media --from DIR"
    ),
}
ORPHANS_STAY = "Files without a reference are never deleted: they may belong to rows that are still to come back."


def refusal(command: str) -> str | None:
    """Why a one-off command must not be run now, or None."""
    words = set(re.findall(r"[a-z_]+", command.lower()))
    return next((f"`{name}` is refused. {why}" for name, why in FORBIDDEN.items() if name in words), None)
