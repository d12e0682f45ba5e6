"""The proof of a kit's dump as it lies there: restored on this machine, with the key and the code of the same kit."""

from __future__ import annotations

from uscdr.errors import CheckFailed
from uscdr.providers.ports.database import Scratch
from uscdr.providers.ports.progress import Progress
from uscdr.scenarios.backups.questions import asked
from uscdr.scenarios.model import Config
from uscdr.vault.backups import proving
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.vault.backups.proving import Decode, Questions, Subject
from uscdr.vault.collect.proof import code_in_kit, key_in_kit
from uscdr.vault.content import DumpFacts
from uscdr.vault.manifest import DUMP
from uscdr.vault.reader import KitReader


def prove_kit(
    reader: KitReader, config: Config, decode: Decode, scratch: Scratch, progress: Progress
) -> ProofDocument:  # fmt: skip
    """What its dump is worth; nothing but this machine is asked.

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
        return proving.prove(_subject(reader, facts), path, questions, decode, scratch, progress)


def _questions(reader: KitReader, config: Config) -> Questions:
    held, app = reader.config(), reader.manifest.app
    key = key_in_kit(config.recovery.key, held.values if held else {}, app)
    return asked(config, key, code_in_kit(reader.source()))


def _subject(reader: KitReader, facts: DumpFacts) -> Subject:
    return Subject(
        sha256=facts.sha256, size=facts.bytes, app=reader.manifest.app, backup=facts.backup,
        transfer_id=facts.transfer_id, taken_at=facts.taken_at, source="kit", copy_id=reader.kit, copy_opened=True,
    )  # fmt: skip
