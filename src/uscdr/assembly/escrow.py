"""Where escape kits are, and the one that a run works from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from uscdr.assembly.job import Job, Surroundings
from uscdr.errors import BadInput
from uscdr.files import private_directory
from uscdr.place import Place
from uscdr.providers.source.checkouts import published
from uscdr.reading import exposure
from uscdr.vault import location
from uscdr.vault.listing import Of, find
from uscdr.vault.lookonly import LookOnlyStore
from uscdr.vault.reader import KitReader
from uscdr.vault.seal import identities
from uscdr.vault.store import Store
from uscdr.vault.whichkit import Named, parse

IDENTITY = "USCDR_AGE_IDENTITY"


@dataclass(frozen=True)
class KitPlaces:
    """Where kits are: as named, as configured (`kit.to`, asked for only then), or in the state directory."""

    configured: Callable[[], str | None]
    state: Path
    env: Mapping[str, str]

    def store(self, named: str | None) -> Store:
        """Raises BadInput for what is no place."""
        return location.open_store(named or self.configured() or str(self.state / "vault"), self.env)

    def find(self, wanted: str | None, place: str | None = None, of: Of | None = None) -> tuple[Store, str]:
        """The kit of that name, and its store; None means the newest one, `of` whose. Raises BadInput."""
        named = parse(wanted) if wanted is not None else Named(None, None)
        if named.place is not None and place is not None:
            raise BadInput("The place is named twice.", next_action="Name it once: PLACE:ID, or ID and --to PLACE")
        store = self.store(named.place or place)
        return store, find(store, named.kit, of)


def open_kit(job: Job, around: Surroundings, work: Path) -> KitReader | None:
    """The kit that was asked for; None without one. Raises BadInput as `pinned` and `identity_file` do."""
    wanted = job.request.kit
    if wanted is None:
        return None
    store, kit = KitPlaces(lambda: job.place.config.kit.to, around.state, around.env).find(wanted)
    keys = identities(identity_file(job.identity, around.env))
    place = private_directory(work / "kit")
    reader = KitReader(LookOnlyStore(store), kit, keys, place, lambda _: around.stop.check())
    _refuse_unsaid(reader, Of(job.place.target.heroku.app, job.place.identity))
    return reader


def _refuse_unsaid(kit: KitReader, of: Of) -> None:
    """Without a card the newest kit of a place was taken for this application's before anything told whose it is."""
    manifest = kit.manifest
    if not kit.card_read and Of(manifest.app, manifest.identity) != of:
        raise BadInput(
            f"{kit.kit} is the kit of {manifest.app} ({manifest.target}), and its card is not there to say so.",
            next_action="Name the kit that is meant: uscdr kit list, then --kit ID",
        )


def pinned(wanted: str, place: Place, state: Path, env: Mapping[str, str] | None = None) -> str:
    """`newest` of this place, an id, its beginning, or one of these after a directory or bucket, as `PLACE:ID`.

    A resumed run works from the kit it was begun with, whatever was built since and wherever it is resumed from.
    Raises BadInput when there is no such kit.
    """
    places = KitPlaces(lambda: place.config.kit.to, state, os.environ if env is None else env)
    store, kit = places.find(wanted, of=Of(place.target.heroku.app, place.identity))
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


def ill_kept(identity: Path, env: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with where a private key is kept, each with its cure."""
    return tuple(filter(None, (exposure(identity), published(identity, env))))
