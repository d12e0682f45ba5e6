"""The escape kit that a run works from."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The kit that was asked for; None without one. Raises BadInput as `pinned` and `identity_file` do."""
    wanted = job.request.kit
    if wanted is None:
        return None
    store, kit = _located(wanted, job.place.config.kit.to, around.state)
    keys = identities(identity_file(job.identity, around.env))
    return KitReader(store, kit, keys, private_directory(work / "kit"))


def pinned(wanted: str, configured: str | None, state: Path) -> str:
    """`newest`, an id, its beginning, or one of these after `DIRECTORY:` as `DIRECTORY:ID`.

    A resumed run works from the kit it was begun with, whatever was built since and wherever it is resumed from.
    Raises BadInput when there is no such kit.
    """
    store, kit = _located(wanted, configured, state)
    return f"{store.place}:{kit}"


def identity_file(given: Path | None, env: Mapping[str, str]) -> Path:
    """Where the private key is. Raises BadInput when nobody says."""
    named = given or env.get(IDENTITY)
    if not named:
        raise BadInput(
            "A kit cannot be opened without its identity.",
            next_action=f"Name the file with the private key: {IDENTITY}=PATH, or --identity PATH",
        )
    return Path(named)


def _located(wanted: str, configured: str | None, state: Path) -> tuple[LocalStore, str]:
    directory, _, name = wanted.rpartition(":")
    store = LocalStore(Path(directory or configured or state / "vault").expanduser())
    return store, find(store, None if name == "newest" else name)
