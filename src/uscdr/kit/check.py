"""Check a kit: verify all checksums without a key; with a key, decrypt every object and list each part with its age."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import CheckFailed, ProviderError
from uscdr.kit.card import Checksums
from uscdr.kit.collect.app import current_release
from uscdr.kit.collect.sources import Absent, Unavailable, present
from uscdr.kit.freshness import Now
from uscdr.kit.manifest import KITS, MANIFEST, SUMS, Card, Fingerprints, Manifest, PartName
from uscdr.kit.reader import KitReader, read_card
from uscdr.models.heroku import Build
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.store.store import ObjectLost, Store, digest_of, is_name

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.platform import Deploys, Platform
    from uscdr.store.encryption import Identity

LOST: dict[PartName, str] = {
    "app": "The kit does not say which add-ons, dynos and domains the application has.",
    "config": "The kit has no secrets. Without PGP_ENCRYPTION_KEY nobody can decrypt the encrypted columns.",
    "dns": "The kit does not say which DNS records to restore or change.",
    "dump": "The kit has no patient data.",
    "source": "The code must come from the repository, which may be unreachable.",
    "media": "Uploaded files can come from the media service only.",
}
"""The consequence of a missing part."""

Step = Callable[[int, int], None]
"""Receives the number of checked objects and of all objects; may raise to stop."""


@dataclass(frozen=True)
class Examination:
    """The findings. Without a key `manifest` is None, the contents were not checked, and `card` is a hint.

    With a key, `card` matches the manifest. `lost`: damaged, missing and foreign objects, once each.
    """

    card: Card
    checked: int
    bytes: int
    lost: tuple[ObjectLost, ...]
    manifest: Manifest | None = None
    commit: str | None = None
    """The commit of the code in the kit; None if it was not read, or there is none."""
    media: tuple[int, int] | None = None
    """The number of files with their original, and of all files."""

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings in words."""
        return tuple(one.message for one in self.lost)

    @property
    def sound(self) -> bool:
        """Whether the check found no damaged or missing object."""
        return not self.lost

    @classmethod
    def of(cls, store: Store, kit: str, keys: Sequence[Identity], work: Path, step: Step) -> Examination:
        """Check a kit completely; damage is a finding, not an exception.

        Raises CheckFailed if there is no manifest, or no readable description of the kit (no card without a key;
        neither a readable manifest nor a card with one), BadInput for another format or a wrong identity.
        """
        if store.size(f"{KITS}/{kit}/{MANIFEST}") is None:
            raise CheckFailed(
                f"{kit} is not a complete kit: it has no manifest.",
                why="Its build stopped early, or somebody removed the file.",
                next_action="Use another kit (uscdr kit list), or build a new one: uscdr kit build",
            )
        reader, lost = _opened(store, kit, keys, work)
        card = reader.card if reader else read_card(store, kit)
        found = _digests(store, card, [*(reader.doubts if reader else ()), *lost], step)
        return _inside(reader, found, step) if reader else found


def _opened(
    store: Store, kit: str, keys: Sequence[Identity], work: Path
) -> tuple[KitReader | None, list[ObjectLost]]:  # fmt: skip
    """The reader; None without a key or if the kit cannot be opened, with the reasons."""
    try:
        return (KitReader(store, kit, keys, work) if keys else None), []
    except ObjectLost as error:
        return None, [error]


def _digests(store: Store, card: Card, lost: list[ObjectLost], step: Step) -> Examination:
    """Verify the checksum of every object that the kit needs."""
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
            lost.append(ObjectLost.damaged(name, "its SHA-256 differs from the kit's list"))
    return Examination(card, len(listed), size, _once(lost))


def _listed(store: Store, card: Card) -> tuple[dict[str, str], list[ObjectLost]]:
    """The objects that the kit needs, from the list of checksums; a list that differs from the card is a finding."""
    manifest = {f"{KITS}/{card.kit}/{MANIFEST}": card.manifest_sha256}
    try:
        sums = Checksums.read(store, card.kit)
    except ObjectLost as error:
        return manifest, [error]
    if card.sums_sha256 and sums.sha256 != card.sums_sha256:
        name = f"{KITS}/{card.kit}/{SUMS}"
        return _names(sums.listed) | manifest, [ObjectLost.damaged(name, "its SHA-256 differs from the card")]
    return _names(sums.listed) | manifest, []


def _names(listed: Mapping[str, str]) -> dict[str, str]:
    """The valid object names of the list; an invalid one is damage, which the list's own checksum shows."""
    return {name: digest for name, digest in listed.items() if is_name(name)}


def _inside(reader: KitReader, found: Examination, step: Step) -> Examination:
    """Decrypt every object."""
    wanted, lost = _wanted(reader)
    for number, open_one in enumerate(wanted, start=1):
        step(number, len(wanted))
        try:
            open_one()
        except ObjectLost as error:
            lost.append(error)
    return replace(found, lost=_once([*found.lost, *lost]), manifest=reader.manifest, **reader.contents)


def _once(lost: Sequence[ObjectLost]) -> tuple[ObjectLost, ...]:
    """The first finding for each object."""
    first: dict[str, ObjectLost] = {}
    for one in lost:
        first.setdefault(one.name, one)
    return tuple(first.values())


def _wanted(reader: KitReader) -> tuple[list[partial[None]], list[ObjectLost]]:
    """Functions that open each object; opening a damaged inventory reports the damage."""
    wanted = [partial(reader.verify, one) for one in reader.manifest.objects]
    try:
        inventory = reader.media()
    except ObjectLost as error:
        return wanted, [error]
    return wanted + [partial(reader.verify_original, one) for one in (inventory.entries if inventory else ())], []


# The deployed state, to compare a kit with. Reads only; unknown facts come with their reason.


T = TypeVar("T")


@dataclass(frozen=True)
class Deployed:
    """The ports for questions about `app`."""

    app: str
    platform: Platform
    deploys: Deploys | Absent
    media: Media | Absent
    _why: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def look(self, manifest: Manifest | None) -> Now:
        """Collect everything that the freshness of a kit depends on. Raises Interrupted."""
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
            self._why[question] = error.reason
            return None

    def _changed(self, manifest: Manifest | None) -> tuple[str, ...]:
        """Names of variables that are new, removed, or changed."""
        if manifest is None:
            raise Unavailable("the kit was not decrypted (--identity FILE)")
        before = manifest.fingerprints
        if not before.salt:
            raise Unavailable("the kit has no fingerprints to compare with")
        current = Fingerprints.of(self.platform.config_vars(self.app), before.salt).values
        names = before.values.keys() | current.keys()
        return tuple(sorted(name for name in names if before.values.get(name) != current.get(name)))

    def _commit(self) -> str:
        release = current_release(self.platform, self.app)
        commit = Build.commit_of(release.slug_id, present(self.deploys).builds(self.app)) if release else ""
        if not commit:
            raise Unavailable("the platform has no build of the running release")
        return commit

    def _media_backup(self) -> bool:
        """Whether the service's own backup has the newest file: older files show only the past."""
        media = present(self.media)
        newest = max(_first_pages(media), key=lambda asset: asset.version, default=None)
        if newest is None:
            raise Unavailable("the media service has no file to check")
        return bool(media.details(newest.key).versions)


def _first_pages(media: Media) -> list[Asset]:
    """The newest files of each kind first; one call per kind."""
    pages = (next(iter(media.list_assets(kind, access=False)), ()) for kind in RESOURCE_TYPES)
    return [asset for page in pages for asset in page if asset.present]
