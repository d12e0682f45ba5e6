"""Check a kit: verify all checksums without a key; with a key, decrypt every object and list each part with its age."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import CheckFailed, Interrupted, ProviderError
from uscdr.kit.card import Checksums
from uscdr.kit.collect.app import current_release
from uscdr.kit.collect.sources import Absent, Unavailable, present
from uscdr.kit.freshness import Now
from uscdr.kit.manifest import KITS, MANIFEST, SUMS, Card, Fingerprints, Manifest, PartName, read_card
from uscdr.kit.reader import KitReader
from uscdr.models.heroku import Build
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.store.store import ObjectLost, Store, digest_of, is_name
from uscdr.threads import run_all

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.platform import Deploys, Platform
    from uscdr.store.encryption import Identity, Sealed

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
        halt = _Halt()
        reader, lost = _opened(store, kit, keys, work, halt)
        card = reader.card if reader else read_card(store, kit)
        found = _looked(store, card, reader, [*(reader.doubts if reader else ()), *lost], step, halt)
        return replace(found, manifest=reader.manifest, **reader.contents) if reader else found


class _Halt(threading.Event):
    """Set when the check is to end early: then the decryption of an object ends, too."""

    def watch(self, _: int) -> None:
        """Raises Interrupted once it is set."""
        if self.is_set():
            raise Interrupted("Interrupted during the check of the kit.", next_action="Run the command again.")


def _opened(
    store: Store, kit: str, keys: Sequence[Identity], work: Path, halt: _Halt
) -> tuple[KitReader | None, list[ObjectLost]]:  # fmt: skip
    """The reader; None without a key or if the kit cannot be opened, with the reasons."""
    try:
        return (KitReader(store, kit, keys, work, halt.watch) if keys else None), []
    except ObjectLost as error:
        return None, [error]


_WORKERS = 4
"""Objects that are looked at at once: a bucket answers each request after a while."""


@dataclass(frozen=True)
class _Look:
    """One object: `digest`, where the list of checksums names it, and `opened`, where its content can be verified."""

    name: str
    digest: str | None = None
    opened: Callable[[], Sealed] | None = None

    def done(self, store: Store, halt: _Halt) -> _Verdict:
        """Reads a sound object once: its decryption also hashes what is stored. Raises WrongIdentity."""
        inside = None
        if self.opened is not None:
            try:
                sealed = self.opened()
                if self.digest in (None, sealed.sha256):
                    return _Verdict(sealed.size)
            except ObjectLost as error:
                inside = error
        return self._by_digest(store, inside, halt)

    def _by_digest(self, store: Store, inside: ObjectLost | None, halt: _Halt) -> _Verdict:
        if self.digest is None:
            return _Verdict(0, None, inside)
        try:
            seen, size = digest_of(store, self.name, halt.watch)
        except ObjectLost as error:
            return _Verdict(0, error, inside)
        lost = ObjectLost.damaged(self.name, "its SHA-256 differs from the kit's list") if seen != self.digest else None
        return _Verdict(size, lost, inside)


@dataclass(frozen=True)
class _Verdict:
    """The size in bytes, and what is wrong with the stored bytes, and inside them."""

    size: int
    stored: ObjectLost | None = None
    inside: ObjectLost | None = None


def _looked(
    store: Store, card: Card, reader: KitReader | None, lost: list[ObjectLost], step: Step, halt: _Halt
) -> Examination:  # fmt: skip
    """Verify every object that the kit needs: its checksum and, with a key, its content."""
    listed, more = _listed(store, card)
    wanted, unread = _wanted(reader) if reader else ([], [])
    looks, turn, number = _looks(listed, wanted), threading.Lock(), count(1)

    def task(look: _Look) -> _Verdict:
        with turn:
            step(next(number), len(looks))
        return look.done(store, halt)

    verdicts = run_all([partial(task, look) for look in looks], workers=_WORKERS, abandon=halt.set)
    stored = [one.stored for one in verdicts if one.stored is not None]
    inside = [one.inside for one in verdicts if one.inside is not None]
    size = sum(one.size for one, look in zip(verdicts, looks, strict=True) if look.digest is not None)
    return Examination(card, len(listed), size, _once([*lost, *more, *stored, *unread, *inside]))


def _looks(listed: Mapping[str, str], wanted: Sequence[_Look]) -> list[_Look]:
    """One look at each object; a name that occurs twice inside the kit is opened twice."""
    left = dict(listed)
    joined = [replace(one, digest=left.pop(one.name, None)) for one in wanted]
    return [*joined, *(_Look(name, digest) for name, digest in sorted(left.items()))]


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


def _once(lost: Sequence[ObjectLost]) -> tuple[ObjectLost, ...]:
    """The first finding for each object."""
    first: dict[str, ObjectLost] = {}
    for one in lost:
        first.setdefault(one.name, one)
    return tuple(first.values())


def _wanted(reader: KitReader) -> tuple[list[_Look], list[ObjectLost]]:
    """How each object is opened; opening a damaged inventory reports the damage."""
    wanted = [_Look(one.path, opened=partial(reader.verify, one)) for one in reader.manifest.objects]
    try:
        inventory = reader.media()
    except ObjectLost as error:
        return wanted, [error]
    originals = [
        (entry, entry.stored) for entry in (inventory.entries if inventory else ()) if entry.stored is not None
    ]
    return wanted + [
        _Look(stored.path, opened=partial(reader.verify_original, entry, stored)) for entry, stored in originals
    ], []


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
