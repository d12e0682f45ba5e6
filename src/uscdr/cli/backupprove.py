"""Proving backups: from their copy when its key is at hand, else from what the platform has of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uscdr.assembly import vault
from uscdr.cli.backupasked import questions
from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.backupproof import show_proof
from uscdr.cli.context import Globals
from uscdr.cli.kitwords import Narrator
from uscdr.errors import BadInput, CheckFailed, ExitCode
from uscdr.settings import private_directory
from uscdr.vault.backups import proving
from uscdr.vault.backups.catalog import Entry, find
from uscdr.vault.backups.manifest import CopyCard
from uscdr.vault.backups.opening import Keys, check_intact, opened
from uscdr.vault.backups.proofs import ProofDocument, keep
from uscdr.vault.backups.proving import Questions, Subject


@dataclass(frozen=True)
class ProveOptions:
    """What stands on the command line."""

    backups: tuple[str, ...]
    to: str | None
    identity: Path | None
    passphrase_file: Path | None
    kit: str | None


def prove(given: Globals, wanted: ProveOptions, *, as_json: bool) -> int:
    """Prove each, keep the proofs, say what they showed; 1 when one is not good enough."""
    output = given.output(json_lines=as_json)
    keys = vault.reading_keys(wanted.identity, wanted.passphrase_file, os.environ)
    sound = True
    with desk(given, output, Wiring(wanted.to, kit=wanted.kit, identity=wanted.identity)) as work:
        known = work.entries_if_it_answers()
        chosen = {entry.transfer_id: entry for entry in (find(known, one) for one in wanted.backups)}
        asked = questions(work)
        for entry in chosen.values():
            sound = _proven(work, entry, keys, asked) and sound
    return int(ExitCode.DONE if sound else ExitCode.CHECK_FAILED)


def _proven(work: Desk, entry: Entry, keys: Keys, asked: Questions) -> bool:
    """One backup; a copy that turns out to be damaged is said to be so, and the next one's turn comes."""
    try:
        proof = _prove(work, entry, keys, asked)
    except CheckFailed as error:
        if work.output.json_lines:
            work.output.record({"backup": entry.name, "grade": "none", "why": error.message})
        work.output.warn(f"{entry.name}: {error.message} {error.why} {error.next_action}")
        return False
    name = keep(work.store, proof)
    show_proof(proof, name, work.output)
    return proof.sound


def _prove(work: Desk, entry: Entry, keys: Keys, asked: Questions) -> ProofDocument:
    narrator, stop = Narrator(work.output), work.deps.stop

    def progress(done: int, total: int | None) -> None:
        stop.check()
        narrator.progress("restoring on this machine", done, total, "B")

    with _dump(work, entry, keys, narrator) as (path, subject):
        narrator.say(f"restoring {entry.name} on this machine")
        return proving.prove(subject, path, asked, vault.decode, work.ports.scratch, progress)


@contextmanager
def _dump(work: Desk, entry: Entry, keys: Keys, narrator: Narrator) -> Iterator[tuple[Path, Subject]]:
    """The dump as a private file, gone afterwards, and what it is."""
    place = private_directory(work.deps.work / "proof")
    openable = next((card for card in entry.copies if keys.may_open(card)), None)
    if openable is not None:
        narrator.say(f"opening the copy {openable.id}")
        with opened(work.store, openable, keys, place, lambda _: work.deps.stop.check()) as path:
            yield path, _of_copy(entry, openable)
        return
    if not entry.on_platform:
        raise _no_key(entry)
    path = place / f"{entry.name}.dump"
    try:
        yield path, _downloaded(work, entry, path, narrator)
    finally:
        path.unlink(missing_ok=True)


def _of_copy(entry: Entry, card: CopyCard) -> Subject:
    return Subject(
        sha256=card.dump.plain_sha256, size=card.dump.plain_size, app=card.origin.app, backup=card.origin.name,
        transfer_id=entry.transfer_id, taken_at=entry.taken_at, source="vault", copy_id=card.id, copy_opened=True,
    )  # fmt: skip


def _downloaded(work: Desk, entry: Entry, path: Path, narrator: Narrator) -> Subject:
    """From the platform; of a copy that cannot be opened here it is shown that it is intact and of the same bytes."""
    card = entry.copies[0] if entry.copies else None
    if card is not None:
        narrator.say(f"no key for the copy {card.id}: checking it as it is, and proving what the platform sends")
        check_intact(work.store, card)
    else:
        narrator.say(f"{entry.name} was not pulled: proving what the platform sends")
    deps = work.deps
    owner = deps.attachment().owner_app_name

    def progress(done: int, total: int | None) -> None:
        deps.stop.check()
        narrator.progress("downloading", done, total, "B")

    got = deps.backups.download(deps.backups.public_url(owner, _number(entry)), path, progress)
    if card is not None and got.sha256 != card.dump.plain_sha256:
        raise CheckFailed(
            f"What the platform sends for {entry.name} is not what was copied as {card.id}.",
            next_action=f"Prove the copy itself: uscdr backup prove {card.id} --identity FILE",
        )
    return Subject(
        sha256=got.sha256, size=got.size, app=deps.app, backup=entry.name, transfer_id=entry.transfer_id,
        taken_at=entry.taken_at, source="platform", copy_id=card.id if card else "",
    )  # fmt: skip


def _number(entry: Entry) -> int:
    if entry.transfer is None:
        raise BadInput(f"The platform does not know {entry.name}.")
    return entry.transfer.num


def _no_key(entry: Entry) -> BadInput:
    if not entry.copies:
        return BadInput(f"There is nothing of {entry.name} any more.", next_action="See: uscdr backup list")
    return BadInput(
        f"The copy of {entry.name} cannot be opened without its key, and the platform does not have it any more.",
        next_action="Give --identity FILE (or $USCDR_AGE_IDENTITY), or the file of its passphrase.",
    )
