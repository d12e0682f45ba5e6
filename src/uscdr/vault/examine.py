"""Checking a kit: every digest without a key; with one, every object decrypted and every part listed with its age."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from uscdr.errors import CheckFailed
from uscdr.vault.content import MediaEntry
from uscdr.vault.manifest import KITS, MANIFEST, SUMS, Card, Manifest, PartName
from uscdr.vault.reader import KitReader, SealedName, damaged, read_card, read_sums
from uscdr.vault.seal import Identity
from uscdr.vault.store import ObjectLost, Store, digest_of, is_name

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
