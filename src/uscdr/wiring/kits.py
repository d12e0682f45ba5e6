"""Finds the store of escape kits, opens the kit of a run, and opens the media service for a build or a comparison."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import BadInput, UscdrError
from uscdr.files import exposure, private_directory
from uscdr.kit.find import KitOwner, KitReference, find, names_newest, store_named
from uscdr.store import location
from uscdr.store.store import ReadOnlyStore, Store
from uscdr.wiring.stores import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uscdr.kit.collect.sources import Absent
    from uscdr.kit.reader import KitReader
    from uscdr.providers.ports.media import Media
    from uscdr.scenarios.adapters import Adapters
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target

T = TypeVar("T")
_WORD = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class KitLocations:
    """Where kits are: the named store, the configured one (`kit.to`, read on demand), or the state directory."""

    configured: Callable[[], str | None]
    state: Path
    env: Mapping[str, str]

    def store(self, named: str | None) -> Store:
        """The store, named or configured. Raises BadInput for an invalid one, and for the name of a kit."""
        if named is not None:
            store_named(named)
        return location.open_store(named or self.configured() or str(self.state / "vault"), self.env)

    def find(self, wanted: str | None, to: str | None = None, of: KitOwner | None = None) -> tuple[Store, str]:
        """The store and the id of a kit; None means the newest kit, with `of` that owner's. Raises BadInput."""
        named = KitReference.parse(wanted) if wanted is not None else KitReference(None, None)
        store = self._store_of(named, to)
        return store, find(store, named.kit, of)

    def listed(self, wanted: str | None, to: str | None) -> tuple[Store, str | None]:
        """The store, and the id of a kit if `wanted` names one and not only its store. Raises BadInput."""
        if wanted is None:
            return self.store(to), None
        named = KitReference.parse(wanted)
        if named.kit is None and not names_newest(wanted):
            return self._store_of(named, to), None
        return self.find(wanted, to)

    def _store_of(self, named: KitReference, to: str | None) -> Store:
        if named.place is not None and to is not None:
            raise BadInput("The command names the store twice.", next_action="Pass either STORE:ID or ID --to STORE")
        if named.place is not None and _WORD.fullmatch(named.place) and not Path(named.place).exists():
            raise BadInput(
                f"There is no store “{named.place}” in this directory.",
                why="uscdr took the word for a store: the id of a kit begins with its date.",
                next_action="See: uscdr kit list",
            )
        return self.store(named.place or to)


def open_kit(context: RunContext, work: Path) -> KitReader | None:
    """The kit of the request; None without one. Raises BadInput as `pinned` and `identity_file` do."""
    wanted = context.request.kit
    if wanted is None:
        return None
    from uscdr.kit.reader import KitReader
    from uscdr.store.encryption import Identity

    store, kit = KitLocations(lambda: context.target.config.kit.to, context.state, context.env).find(wanted)
    keys = Identity.read(identity_file(context.identity, context.env))
    scratch = private_directory(work / "kit")
    reader = KitReader(ReadOnlyStore(store), kit, keys, scratch, lambda _: context.stop.check())
    _refuse_other_owner(reader, KitOwner(context.target.services.heroku.app, context.target.identity))
    return reader


def _refuse_other_owner(kit: KitReader, of: KitOwner) -> None:
    """Refuse another application's kit that has no card: `find` selects by cards. Raises BadInput."""
    manifest = kit.manifest
    if not kit.card_read and KitOwner(manifest.app, manifest.identity) != of:
        raise BadInput(
            f"The kit {kit.kit} belongs to another application, {manifest.app} ({manifest.target}). It has no card.",
            next_action="List the kits with uscdr kit list, then pass the right one: --kit ID",
        )


def pinned(wanted: str, target: Target, state: Path, env: Mapping[str, str] | None = None) -> str:
    """A kit reference (`newest`, an id, its beginning, or `STORE:ID`) as a complete `STORE:ID`.

    So a resumed run uses the kit it began with, even after newer builds and from another directory.
    Raises BadInput when there is no such kit.
    """
    locations = KitLocations(lambda: target.config.kit.to, state, os.environ if env is None else env)
    store, kit = locations.find(wanted, of=KitOwner(target.services.heroku.app, target.identity))
    return f"{store.place}:{kit}"


def identity_file(given: Path | None, env: Mapping[str, str]) -> Path:
    """The path of the identity file. Raises BadInput when neither option nor environment names it."""
    named = given or env.get(IDENTITY)
    if not named:
        raise BadInput(
            "uscdr cannot open a kit without the identity file.",
            next_action=f"Pass the file with the private key: --identity FILE, or set {IDENTITY}=FILE",
        )
    return Path(named)


def ill_kept(identity: Path, env: Mapping[str, str]) -> tuple[str, ...]:
    """Warnings about where an identity file is kept, each with its fix."""
    from uscdr.providers.source.git import published

    return tuple(filter(None, (exposure(identity), published(identity, env))))


def media_of(deps: Adapters) -> Media | Absent:
    """The configured media service, or why there is none."""
    from uscdr.kit.collect.sources import Absent

    if deps.media is None:
        return Absent("scenarios.yaml has no `cloudinary` for this target.")
    return _opened(deps.media.open_old)


def _opened(open_port: Callable[[], T]) -> T | Absent:
    """The port, or why it could not be opened."""
    from uscdr.kit.collect.sources import Absent

    try:
        return open_port()
    except UscdrError as error:
        return Absent(f"{error.message} {error.why}".strip())
