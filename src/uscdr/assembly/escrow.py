"""The escape kit that a run works from."""

from __future__ import annotations

from pathlib import Path

from uscdr.assembly.job import Job, Surroundings
from uscdr.errors import BadInput
from uscdr.settings import private_directory
from uscdr.vault.listing import find
from uscdr.vault.reader import KitReader
from uscdr.vault.seal import identities
from uscdr.vault.store import LocalStore

IDENTITY = "USCDR_AGE_IDENTITY"


def open_kit(job: Job, around: Surroundings, work: Path) -> KitReader | None:
    """The kit that was asked for: an id, its beginning, `newest`, or `STORE:ID`; None without one.

    Raises BadInput without a kit of that name or without an identity.
    """
    wanted = job.request.kit
    if wanted is None:
        return None
    identity = job.identity or around.env.get(IDENTITY)
    if not identity:
        raise BadInput(
            "A kit cannot be opened without its identity.",
            next_action=f"Name the file with the private key: {IDENTITY}=PATH, or --identity PATH",
        )
    place, _, name = wanted.rpartition(":")
    configured = job.place.config.kit.to
    root = Path(place or configured or around.state / "vault").expanduser()
    store = LocalStore(root)
    kit = find(store, None if name == "newest" else name)
    return KitReader(store, kit, identities(Path(identity)), private_directory(work / "kit"))
