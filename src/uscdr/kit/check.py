"""Checking a kit: every digest without a key; with one, every object decrypted and every part listed with its age."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from uscdr.errors import CheckFailed, ProviderError
from uscdr.kit.collect.app import current_release
from uscdr.kit.collect.sources import Absent, Unavailable, in_words, present
from uscdr.kit.freshness import Now
from uscdr.kit.manifest import KITS, MANIFEST, SUMS, Card, Fingerprints, Manifest, PartName
from uscdr.kit.reader import KitReader, SealedName, damaged, read_card, read_sums
from uscdr.models.heroku import commit_of
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.store.store import ObjectLost, Store, digest_of, is_name

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.kit.content import MediaEntry
    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.platform import Deploys, Platform
    from uscdr.store.encryption import Identity

LOST: dict[PartName, str] = {
    "app": "What the application is made of (add-ons, dynos, domains) would have to be remembered.",
    "config": "No secret could be set on a new application; without PGP_ENCRYPTION_KEY encrypted columns stay closed.",
    "dns": "The records to put back or to point elsewhere would have to be found out.",
    "dump": "There would be no patient data.",
    "source": "The code would have to come from the repository, if that can be reached.",
    "media": "Uploaded files could come back from the media service only.",
}
"""What could not be rebuilt without a part."""

Step = Callable[[int, int], None]
"""Called with objects done and objects in all; may raise to stop."""


@dataclass(frozen=True)
class Examination:
    """What was found. `manifest` is None when no key was given: what is inside was not looked at, and `card` is a hint.

    With a key `card` says what the manifest says. `lost`: what is damaged, missing or another kit's, once each.
    """

    card: Card
    checked: int
    bytes: int
    lost: tuple[ObjectLost, ...]
    manifest: Manifest | None = None
    commit: str | None = None
    """Of the code in the kit; None when that was not looked at, or there is none."""
    media: tuple[int, int] | None = None
    """Files with their original, and files in all."""

    @property
    def findings(self) -> tuple[str, ...]:
        """In words."""
        return tuple(one.message for one in self.lost)

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged or missing from the store, as far as was looked."""
        return not self.lost


def examine(store: Store, kit: str, keys: Sequence[Identity], work: Path, step: Step) -> Examination:
    """Look at everything; damage is a finding, not an exception.

    Raises CheckFailed when there is no manifest at all, or nothing that tells of the kit (no card without a key, no
    manifest that can be opened without a card), BadInput for another format or a wrong identity.
    """
    if store.size(f"{KITS}/{kit}/{MANIFEST}") is None:
        raise CheckFailed(
            f"{kit} is no kit: it has no manifest.",
            why="Its build was cut off, or the file was lost.",
            next_action="Use another one (uscdr kit list), or build anew.",
        )
    reader, lost = _opened(store, kit, keys, work)
    card = reader.card if reader else read_card(store, kit)
    found = _digests(store, card, [*(reader.doubts if reader else ()), *lost], step)
    return _inside(reader, found, step) if reader else found


def _opened(
    store: Store, kit: str, keys: Sequence[Identity], work: Path
) -> tuple[KitReader | None, list[ObjectLost]]:  # fmt: skip
    """None without a key, and when it cannot be opened: why."""
    try:
        return (KitReader(store, kit, keys, work) if keys else None), []
    except ObjectLost as error:
        return None, [error]


def _digests(store: Store, card: Card, lost: list[ObjectLost], step: Step) -> Examination:
    """Every object that the kit needs, as it lies there."""
    listed, more = _listed(store, card)
    lost, size = [*lost, *more], 0
    for number, (name, digest) in enumerate(sorted(listed.items()), start=1):
        step(number, len(listed))
        try:
            seen, length = digest_of(store, name)
        except ObjectLost as error:
            lost.append(error)
            continue
        size += length
        if seen != digest:
            lost.append(damaged(name, "its SHA-256 is not the one that the kit names"))
    return Examination(card, len(listed), size, _once(lost))


def _listed(store: Store, card: Card) -> tuple[dict[str, str], list[ObjectLost]]:
    """What the kit needs, by the list of sums; a list that the card does not know is a finding."""
    manifest = {f"{KITS}/{card.kit}/{MANIFEST}": card.manifest_sha256}
    try:
        listed, data = read_sums(store, card.kit)
    except ObjectLost as error:
        return manifest, [error]
    if card.sums_sha256 and hashlib.sha256(data).hexdigest() != card.sums_sha256:
        name = f"{KITS}/{card.kit}/{SUMS}"
        return _names(listed) | manifest, [damaged(name, "it is not the one that the card names")]
    return _names(listed) | manifest, []


def _names(listed: Mapping[str, str]) -> dict[str, str]:
    """A line about what can be no object's name is damage of the list, which its own digest tells."""
    return {name: digest for name, digest in listed.items() if is_name(name)}


def _inside(reader: KitReader, found: Examination, step: Step) -> Examination:
    """Decrypt everything."""
    wanted, lost = _wanted(reader)
    for number, open_one in enumerate(wanted, start=1):
        step(number, len(wanted))
        try:
            open_one()
        except ObjectLost as error:
            lost.append(error)
    return replace(found, lost=_once([*found.lost, *lost]), manifest=reader.manifest, **known(reader))


def _once(lost: Sequence[ObjectLost]) -> tuple[ObjectLost, ...]:
    """One finding for each thing, the first."""
    first: dict[str, ObjectLost] = {}
    for one in lost:
        first.setdefault(one.name, one)
    return tuple(first.values())


def known(reader: KitReader) -> dict[str, Any]:
    """What is asked of a kit beyond its manifest: fields of Examination. What is damaged is not known."""
    try:
        source, inventory = reader.source(), reader.media()
    except CheckFailed:
        return {}
    present = [entry for entry in inventory.entries if entry.asset.present] if inventory else []
    stored = sum(entry.stored is not None for entry in present)
    return {"commit": source.commit if source else None, "media": (stored, len(present)) if inventory else None}


def _wanted(reader: KitReader) -> tuple[list[Callable[[], object]], list[ObjectLost]]:
    """How each object is opened; an inventory that cannot be read is told of when it is opened itself."""
    wanted = [_opening(reader, SealedName(one.path, one.sha256, one.plain_sha256)) for one in reader.manifest.objects]
    try:
        inventory = reader.media()
    except ObjectLost as error:
        return wanted, [error]
    return wanted + [_opening_media(reader, one) for one in (inventory.entries if inventory else ())], []


def _opening(reader: KitReader, wanted: SealedName) -> Callable[[], object]:
    return lambda: reader.verify(wanted)


def _opening_media(reader: KitReader, entry: MediaEntry) -> Callable[[], object]:
    def open_one() -> None:
        if entry.stored is not None:
            note = reader.note(entry)
            reader.verify(SealedName(entry.stored.path, entry.stored.sha256, note.sha256))

    return open_one


# What is deployed now, to compare a kit with. Reads only; what cannot be had is not known, with the reason.


T = TypeVar("T")


@dataclass(frozen=True)
class Deployed:
    """The ports that are asked about `app`."""

    app: str
    platform: Platform
    deploys: Deploys | Absent
    media: Media | Absent
    _why: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def look(self, manifest: Manifest | None) -> Now:
        """Ask everything that the freshness of a kit depends on. Raises Interrupted."""
        return Now(
            config_changed=self._ask("config", lambda: self._changed(manifest)),
            commit=self._ask("source", self._commit),
            media_backup=self._ask("media backup", self._media_backup),
            why=self._why,
        )

    def _ask(self, question: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except (ProviderError, Unavailable) as error:
            self._why[question] = in_words(error)
            return None

    def _changed(self, manifest: Manifest | None) -> tuple[str, ...]:
        """Names of variables that are new, gone, or of another value."""
        if manifest is None:
            raise Unavailable("the kit was not opened (--identity FILE)")
        before = manifest.fingerprints
        if not before.salt:
            raise Unavailable("the kit holds nothing to compare with")
        current = Fingerprints.of(self.platform.config_vars(self.app), before.salt).values
        names = before.values.keys() | current.keys()
        return tuple(sorted(name for name in names if before.values.get(name) != current.get(name)))

    def _commit(self) -> str:
        release = current_release(self.platform, self.app)
        commit = commit_of(release.slug_id, present(self.deploys).builds(self.app)) if release else ""
        if not commit:
            raise Unavailable("no build that the platform remembers made what runs")
        return commit

    def _media_backup(self) -> bool:
        """Whether the newest file has a version in the service's own backup: older ones tell of other days."""
        media = present(self.media)
        newest = max(_first_pages(media), key=lambda asset: asset.version, default=None)
        if newest is None:
            raise Unavailable("there is no file by which it could be told")
        return bool(media.details(newest.key).versions)


def _first_pages(media: Media) -> list[Asset]:
    """The newest of each kind come first; one call a kind."""
    pages = (next(iter(media.list_assets(kind, access=False)), ()) for kind in RESOURCE_TYPES)
    return [asset for page in pages for asset in page if asset.present]
