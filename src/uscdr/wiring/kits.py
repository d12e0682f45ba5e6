"""Where escape kits are, the one that a run works from, and what is open for building and comparing one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import BadInput, UscdrError
from uscdr.files import exposure, private_directory
from uscdr.kit.collect.sources import Absent
from uscdr.kit.find import KitOwner, KitReference, find
from uscdr.kit.reader import KitReader
from uscdr.store import location
from uscdr.store.encryption import Identity
from uscdr.store.store import ReadOnlyStore, Store
from uscdr.wiring.stores import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uscdr.providers.ports.media import Media
    from uscdr.scenarios.adapters import Adapters
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target

T = TypeVar("T")


@dataclass(frozen=True)
class KitLocations:
    """Where kits are: as named, as configured (`kit.to`, asked for only then), or in the state directory."""

    configured: Callable[[], str | None]
    state: Path
    env: Mapping[str, str]

    def store(self, named: str | None) -> Store:
        """Raises BadInput for what is no place."""
        return location.open_store(named or self.configured() or str(self.state / "vault"), self.env)

    def find(self, wanted: str | None, place: str | None = None, of: KitOwner | None = None) -> tuple[Store, str]:
        """The kit of that name, and its store; None means the newest one, `of` whose. Raises BadInput."""
        named = KitReference.parse(wanted) if wanted is not None else KitReference(None, None)
        if named.place is not None and place is not None:
            raise BadInput("The place is named twice.", next_action="Name it once: PLACE:ID, or ID and --to PLACE")
        store = self.store(named.place or place)
        return store, find(store, named.kit, of)


def open_kit(context: RunContext, work: Path) -> KitReader | None:
    """The kit that was asked for; None without one. Raises BadInput as `pinned` and `identity_file` do."""
    wanted = context.request.kit
    if wanted is None:
        return None
    store, kit = KitLocations(lambda: context.target.config.kit.to, context.state, context.env).find(wanted)
    keys = Identity.read(identity_file(context.identity, context.env))
    place = private_directory(work / "kit")
    reader = KitReader(ReadOnlyStore(store), kit, keys, place, lambda _: context.stop.check())
    _refuse_unsaid(reader, KitOwner(context.target.services.heroku.app, context.target.identity))
    return reader


def _refuse_unsaid(kit: KitReader, of: KitOwner) -> None:
    """Without a card the newest kit of a place was taken for this application's before anything told whose it is."""
    manifest = kit.manifest
    if not kit.card_read and KitOwner(manifest.app, manifest.identity) != of:
        raise BadInput(
            f"{kit.kit} is the kit of {manifest.app} ({manifest.target}), and its card is not there to say so.",
            next_action="Name the kit that is meant: uscdr kit list, then --kit ID",
        )


def pinned(wanted: str, target: Target, state: Path, env: Mapping[str, str] | None = None) -> str:
    """`newest` of this place, an id, its beginning, or one of these after a directory or bucket, as `PLACE:ID`.

    A resumed run works from the kit it was begun with, whatever was built since and wherever it is resumed from.
    Raises BadInput when there is no such kit.
    """
    places = KitLocations(lambda: target.config.kit.to, state, os.environ if env is None else env)
    store, kit = places.find(wanted, of=KitOwner(target.services.heroku.app, target.identity))
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
    from uscdr.providers.source.git import published

    return tuple(filter(None, (exposure(identity), published(identity, env))))


def media_of(deps: Adapters) -> Media | Absent:
    """The configured cloud."""
    if deps.media is None:
        return Absent("scenarios.yaml has no `cloudinary` for this target.")
    return _opened(deps.media.open_old)


def _opened(open_port: Callable[[], T]) -> T | Absent:
    """The port; without credentials the reason why not."""
    try:
        return open_port()
    except UscdrError as error:
        return Absent(f"{error.message} {error.why}".strip())
