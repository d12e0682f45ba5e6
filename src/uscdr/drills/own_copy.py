"""The copy of the operator's own database that a drill uses: of the store of copies, or of an escape kit."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from uscdr.backups.catalog import Scope, StoredCopies, find
from uscdr.backups.proofs import Proofs, demands_digest
from uscdr.errors import BadInput
from uscdr.files import private_directory
from uscdr.sandbox.boot.request import APP
from uscdr.scenarios.config import SANDBOX
from uscdr.wiring import stores
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from uscdr.backups.catalog import BackupEntry
    from uscdr.scenarios.config import Config
    from uscdr.store.encryption import Identity
    from uscdr.store.store import Store

VAULT, KIT = "vault", "kit"
COMMAND = "uscdr drill db --from vault:newest --identity FILE --python PATH"


@dataclass(frozen=True)
class OwnCopy:
    """A proven copy. `opened` decrypts it into a private directory, for the length of the context."""

    id: str
    backup: str
    taken_at: datetime
    opened: Callable[[Path], AbstractContextManager[Path]] = field(repr=False)


@dataclass(frozen=True)
class CopyRequest:
    """Which copy (`vault:newest`, `kit:newest`), of which target, and what decrypts it."""

    name: str
    target: str | None
    identity: Path | None
    passphrase_file: Path | None


def own_copy(wanted: CopyRequest, config: Config, state: Path) -> OwnCopy:
    """The copy; nothing is decrypted yet, of a kit its lists only.

    Raises BadInput: no such copy, none that is proven, or no key. CheckFailed: the kit is damaged.
    """
    place, _, name = wanted.name.partition(":")
    if place not in (VAULT, KIT) or not name:
        raise BadInput(
            f"--from {wanted.name} does not name a copy.",
            next_action=f"Write vault:newest, vault: and a backup of `uscdr backup list`, or kit:newest: {COMMAND}",
        )
    app = _app(wanted.target or os.environ.get("USCDR_TARGET"), config)
    return (_of_vault if place == VAULT else _of_kit)(name, app, wanted, config, state)


def _app(name: str | None, config: Config) -> str:
    """The application whose database was copied. Raises BadInput."""
    targets = config.targets
    if name == SANDBOX:
        return APP
    if name is None and len(targets) == 1:
        return next(iter(targets.values())).heroku.app
    if name is None or name not in targets:
        raise BadInput(
            "The drill does not know whose database it is to use.",
            next_action="Name a target of scenarios.yaml: "
            f"uscdr --target {next(iter(targets))} drill db --from vault:newest",
        )
    return targets[name].heroku.app


def _of_vault(name: str, app: str, wanted: CopyRequest, config: Config, state: Path) -> OwnCopy:
    store = stores.open_store(None, config, state, os.environ)
    entry = _entry(name, app, config, store)
    card = entry.copies[0]
    keys = stores.reading_keys(wanted.identity, wanted.passphrase_file, os.environ)
    if not keys.may_open(card):
        raise BadInput(f"uscdr needs a key to decrypt the copy {card.id}.", next_action=f"Pass it: {COMMAND}")
    return OwnCopy(card.id, entry.name, entry.taken_at, partial(keys.opened, store, card))


def _entry(name: str, app: str, config: Config, store: Store) -> BackupEntry:
    """The copy of this name, or the newest proven one. Raises BadInput."""
    scope = Scope(app, demands=demands_digest(config.invariants))
    entries = scope.entries((), StoredCopies.of(store).copies, Proofs(store))
    if name == "newest":
        proven = [one for one in entries if one.proven]
        if not proven:
            what = plural(len(entries), "copy", "copies")
            raise BadInput(
                f"{store.place} has no proven copy of the database of {app} ({what}, none proven).",
                next_action="Copy a backup and prove it: uscdr backup pull && uscdr backup prove --identity FILE",
            )
        return proven[-1]
    found = find(entries, name)
    if not found.proven:
        raise BadInput(
            f"The copy of {found.name} is not proven.",
            next_action=f"Prove it: uscdr backup prove {found.name} --identity FILE",
        )
    return found


def _of_kit(name: str, app: str, wanted: CopyRequest, config: Config, state: Path) -> OwnCopy:
    """The dump of a kit, which was restored when the kit was built."""
    from uscdr.kit.find import KitOwner
    from uscdr.kit.reader import KitReader
    from uscdr.store.encryption import Identity
    from uscdr.wiring.kits import KitLocations, identity_file

    owner = KitOwner(app) if wanted.target != SANDBOX else None
    store, kit = KitLocations(lambda: config.kit.to, state, os.environ).find(name, of=owner)
    keys = Identity.read(identity_file(wanted.identity, os.environ))
    reader = KitReader(store, kit, keys, state)  # its lists are decrypted in memory
    facts = reader.dump()
    if reader.manifest.app != app or facts is None or not facts.restored:
        what = f"is of {reader.manifest.app}" if reader.manifest.app != app else "has no dump that was restored"
        raise BadInput(f"The kit {kit} {what}.", next_action="Name another kit of: uscdr kit list")
    return OwnCopy(kit, facts.backup, facts.taken_at, partial(_dump_of_kit, store, kit, keys))


@contextmanager
def _dump_of_kit(store: Store, kit: str, keys: tuple[Identity, ...], work: Path) -> Iterator[Path]:
    from uscdr.kit.manifest import DUMP
    from uscdr.kit.reader import KitReader

    with KitReader(store, kit, keys, private_directory(work / "kit")).open_object(DUMP) as path:
        yield path
