"""Checking a kit: every digest without a key; with one, every object decrypted and every part listed with its age."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from uscdr.errors import CheckFailed
from uscdr.vault.content import MediaEntry
from uscdr.vault.manifest import CARD, KITS, MANIFEST, SUMS, Card, Manifest, PartName
from uscdr.vault.reader import KitReader, SealedName, damaged, read_card, read_sums
from uscdr.vault.seal import Identity
from uscdr.vault.store import Store, digest_of

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
    """What was found. `manifest` is None when no key was given: what is inside was not looked at."""

    card: Card
    checked: int
    bytes: int
    findings: tuple[str, ...]
    manifest: Manifest | None = None
    commit: str | None = None
    """Of the code in the kit; None when that was not looked at, or there is none."""
    media: tuple[int, int] | None = None
    """Files with their original, and files in all."""

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged or missing from the store, as far as was looked."""
        return not self.findings


def examine(store: Store, kit: str, keys: Sequence[Identity], work: Path, step: Step) -> Examination:
    """Look at everything; damage is a finding, not an exception.

    Raises CheckFailed when there is no card or no manifest at all, BadInput for another format or a wrong identity.
    """
    if store.size(f"{KITS}/{kit}/{MANIFEST}") is None:
        raise CheckFailed(
            f"{kit} is no kit: it has no manifest.",
            why="Its build was cut off, or the file was lost.",
            next_action="Use another one (uscdr kit list), or build anew.",
        )
    card = read_card(store, kit)
    listed, findings = _listed(store, card)
    size = 0
    for number, (name, digest) in enumerate(sorted(listed.items()), start=1):
        step(number, len(listed))
        try:
            seen, more = digest_of(store, name)
        except CheckFailed as error:
            findings.append(error.message)
            continue
        size += more
        if seen != digest:
            findings.append(damaged(name, "its SHA-256 is not the one that the kit names").message)
    found = Examination(card, len(listed), size, tuple(findings))
    return _inside(store, found, keys, work, step) if keys else found


def _listed(store: Store, card: Card) -> tuple[dict[str, str], list[str]]:
    """What the kit needs, by the list of sums; a list that the card does not know is a finding."""
    manifest = f"{KITS}/{card.kit}/{MANIFEST}"
    try:
        listed, data = read_sums(store, card.kit)
    except CheckFailed as error:
        return {manifest: card.manifest_sha256}, [error.message]
    findings = []
    if hashlib.sha256(data).hexdigest() != card.sums_sha256:
        findings.append(damaged(f"{KITS}/{card.kit}/{SUMS}", "it is not the one that the card names").message)
    return listed | {manifest: card.manifest_sha256}, findings


def _inside(store: Store, found: Examination, keys: Sequence[Identity], work: Path, step: Step) -> Examination:
    """Decrypt everything."""
    try:
        reader = KitReader(store, found.card.kit, keys, work)
        wanted = list(_wanted(reader))
    except CheckFailed as error:
        return _with(found, [error.message])
    findings = _differences(found.card, reader.manifest)
    for number, open_one in enumerate(wanted, start=1):
        step(number, len(wanted))
        try:
            open_one()
        except CheckFailed as error:
            findings.append(error.message)
    return replace(_with(found, findings), manifest=reader.manifest, **known(reader))


def _differences(card: Card, manifest: Manifest) -> list[str]:
    """The card can be read by anybody, and so be changed; the manifest must say the same."""
    said = (
        card.kit, card.created_at, card.app, card.recipients, card.complete, card.parts, card.dump, card.rpo,
        card.public_keys,
    )  # fmt: skip
    meant = (
        manifest.kit, manifest.created_at, manifest.app, manifest.recipients, manifest.complete,
        manifest.card_parts(), manifest.card_dump(), manifest.rpo, manifest.public_keys,
    )  # fmt: skip
    if said == meant:
        return []
    return [damaged(f"{KITS}/{card.kit}/{CARD}", "it does not say what the manifest says").message]


def known(reader: KitReader) -> dict[str, Any]:
    """What is asked of a kit beyond its manifest: fields of Examination. What is damaged is not known."""
    try:
        source, inventory = reader.source(), reader.media()
    except CheckFailed:
        return {}
    present = [entry for entry in inventory.entries if entry.asset.present] if inventory else []
    stored = sum(entry.stored is not None for entry in present)
    return {"commit": source.commit if source else None, "media": (stored, len(present)) if inventory else None}


def _wanted(reader: KitReader) -> Iterator[Callable[[], object]]:
    for one in reader.manifest.objects:
        yield _opening(reader, SealedName(one.path, one.sha256, one.plain_sha256))
    inventory = reader.media()
    for entry in inventory.entries if inventory else ():
        if entry.stored is not None:
            yield _opening_media(reader, entry)


def _opening(reader: KitReader, wanted: SealedName) -> Callable[[], object]:
    return lambda: reader.verify(wanted)


def _opening_media(reader: KitReader, entry: MediaEntry) -> Callable[[], object]:
    def open_one() -> None:
        if entry.stored is not None:
            note = reader.note(entry)
            reader.verify(SealedName(entry.stored.path, entry.stored.sha256, note.sha256))

    return open_one


def _with(found: Examination, more: Sequence[str]) -> Examination:
    return replace(found, findings=tuple(dict.fromkeys((*found.findings, *more))))
