"""Prove one backup: its copy if a key is available, else the platform's bytes, compared with the copy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from uscdr.backups.copy import check_intact
from uscdr.backups.proving import Decode, ProofSubject, Questions
from uscdr.errors import BadInput, CheckFailed
from uscdr.files import private_directory
from uscdr.kit.collect.dump import Collected
from uscdr.kit.manifest import DUMP
from uscdr.scenarios.backup_questions import questions_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from uscdr.backups.catalog import BackupEntry
    from uscdr.backups.manifest import CopyCard
    from uscdr.backups.proofs import ProofDocument
    from uscdr.engine.step import Reporter
    from uscdr.kit.content import DumpFacts
    from uscdr.kit.reader import KitReader
    from uscdr.providers.ports.database import Scratch
    from uscdr.providers.ports.progress import Progress
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.config import Config


def prove_and_keep(deps: Adapters, entry: BackupEntry, asked: Questions, tell: Reporter) -> tuple[ProofDocument, str]:
    """Restore it on this machine and keep what that showed, good or bad, in the vault: the proof and its name there.

    Raises CheckFailed when a copy is damaged or not of the platform's bytes; BadInput when there
    is nothing that can be opened; ProviderError, MachineError, Interrupted.
    """
    vault = deps.vault
    vault.scratch().prepare()  # its server starts while the dump is fetched or decrypted
    with _dump(deps, entry, tell) as (path, subject):
        progress = _progress(deps, tell, f"restoring {entry.name} on this machine")
        made = subject.prove(path, asked, vault.decode, vault.scratch(), progress)
    return made, made.keep(vault.store())


@contextmanager
def _dump(deps: Adapters, entry: BackupEntry, tell: Reporter) -> Iterator[tuple[Path, ProofSubject]]:
    """The plain dump as a private file that is gone afterwards, and what it is."""
    vault, place = deps.vault, private_directory(deps.work / "proof")
    keys = vault.reading()
    card = next((one for one in entry.copies if keys.may_open(one)), None)
    if card is not None:
        tell.progress(f"opening the copy {card.id}")
        with keys.opened(vault.store(), card, place, lambda _: deps.stop.check()) as path:
            yield path, _subject(deps, entry, (card.dump.plain_sha256, card.dump.plain_size), card, from_copy=True)
        return
    path = place / f"{entry.name}.dump"
    try:
        yield path, _fetched(deps, entry, path, tell)
    finally:
        path.unlink(missing_ok=True)


def _fetched(deps: Adapters, entry: BackupEntry, path: Path, tell: Reporter) -> ProofSubject:
    if entry.transfer is None or not entry.on_platform:
        raise _no_key(entry)
    card = next(iter(entry.copies), None)
    if card is not None:
        tell.progress(
            f"no key for the copy {card.id}: it is checked while encrypted, and the platform's bytes are proven"
        )
        check_intact(deps.vault.store(), card)
    owner = deps.attachment().owner_app_name
    got = deps.backups.download(owner, entry.transfer.num, path, _progress(deps, tell, f"downloading {entry.name}"))
    if card is not None and got.sha256 != card.dump.plain_sha256:
        raise CheckFailed(
            f"The platform's bytes of {entry.name} differ from the copy {card.id}.",
            next_action=f"Prove the copy itself: uscdr backup prove {card.id} --identity FILE",
        )
    return _subject(deps, entry, (got.sha256, got.size), card, from_copy=False)


def _no_key(entry: BackupEntry) -> BadInput:
    if not entry.copies:
        return BadInput(f"{entry.name} cannot be proven: {entry.lost}.", next_action="See: uscdr backup list")
    return BadInput(
        f"The copy of {entry.name} cannot be opened without its key, and the platform no longer has the backup.",
        next_action="Give --identity FILE (or $USCDR_AGE_IDENTITY), or the file of its passphrase.",
    )


def _subject(
    deps: Adapters, entry: BackupEntry, dump: tuple[str, int], card: CopyCard | None, *, from_copy: bool
) -> ProofSubject:  # fmt: skip
    sha256, size = dump
    return ProofSubject(
        sha256=sha256, size=size, app=deps.app, backup=entry.name, transfer_id=entry.transfer_id,
        taken_at=entry.taken_at, source="vault" if from_copy else "platform", copy_id=card.id if card else "",
        addon_id=card.origin.addon_id if card else deps.attachment().addon_id, copy_opened=from_copy,
        identity=deps.vault.identity,
    )  # fmt: skip


def _progress(deps: Adapters, tell: Reporter, what: str) -> Progress:
    def report(done: int, total: int | None) -> None:
        deps.stop.check()
        tell.progress(what, float(done), float(total) if total else None, "B")

    return report


# Prove a kit's dump: restored on this machine, with the key and the code of the same kit.


def prove_kit(
    reader: KitReader, config: Config, decode: Decode, scratch: Scratch, progress: Progress
) -> ProofDocument:  # fmt: skip
    """The proof of its dump; no provider is asked.

    Raises CheckFailed when the kit holds no dump, or a damaged one; MachineError, Interrupted.
    """
    facts = reader.dump()
    if facts is None or reader.find(DUMP) is None:
        raise CheckFailed(
            f"The kit {reader.kit} holds no dump: there is nothing to restore.",
            next_action="Name another kit (uscdr kit list), or build one: uscdr kit build",
        )
    questions = _questions(reader, config)
    scratch.prepare()  # its server starts while the dump is decrypted
    with reader.open_object(DUMP) as path:
        return _kit_subject(reader, facts).prove(path, questions, decode, scratch, progress)


def _questions(reader: KitReader, config: Config) -> Questions:
    held, app = reader.config(), reader.manifest.app
    kit = Collected(held.values if held else {}, reader.source())
    return questions_of(config, kit.key(config.recovery.encryption_key_variable, app), kit.code)


def _kit_subject(reader: KitReader, facts: DumpFacts) -> ProofSubject:
    return ProofSubject(
        sha256=facts.sha256, size=facts.bytes, app=reader.manifest.app, backup=facts.backup,
        transfer_id=facts.transfer_id, taken_at=facts.taken_at, source="kit", copy_id=reader.kit, copy_opened=True,
        identity=reader.manifest.identity,
    )  # fmt: skip
