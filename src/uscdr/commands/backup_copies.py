"""Copying a backup off the platform."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.backups.catalog import BackupEntry, StoredCopies, find
from uscdr.commands.backup import BackupAccess, BackupTools, desk
from uscdr.commands.housekeeping import warn_exposed
from uscdr.commands.recover import lasting, operate
from uscdr.errors import BadInput, CheckFailed, ExitCode
from uscdr.report.backups import show_proof
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.backup_copies import copy, copy_for, prunable
from uscdr.scenarios.backup_proof import prove_and_keep
from uscdr.scenarios.backup_questions import questions
from uscdr.ui.console import ConsoleReporter
from uscdr.ui.tables import show_table
from uscdr.wiring import stores
from uscdr.words import moment, size

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.backups.copy import Keyring
    from uscdr.backups.manifest import CopyCard
    from uscdr.backups.proving import Questions
    from uscdr.backups.retention import Pruning
    from uscdr.models.transfers import Transfer
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class PullOptions:
    """What stands on the command line."""

    backup: str
    to: str | None
    recipients: tuple[str, ...]
    passphrase_file: Path | None


def pull(target: Target, output: Output, wanted: PullOptions) -> None:
    """Copy it, unless it is there; say what there is."""
    keys = stores.keyring_for(wanted.recipients, wanted.passphrase_file, target.config, os.environ)
    warn_exposed(output, wanted.passphrase_file)
    with desk(target, output, BackupAccess(wanted.to, writes=True)) as work:
        transfer, entry = _chosen(work, wanted.backup)
        there = copy_for(entry.copies, keys)
        card, fetched = (there, False) if there else _copy(work, transfer, keys)
        _tell_copied(output, card, work.store.place, fetched=fetched)


def _chosen(work: BackupTools, wanted: str) -> tuple[Transfer, BackupEntry]:
    """Of what the platform still has. Raises BadInput."""
    found = work.entries()
    entry = find([one for one in found if one.on_platform] if wanted == "newest" else found, wanted)
    if entry.transfer is None or not entry.on_platform:
        why = entry.transfer.unfit if entry.transfer else "not listed at the platform any more"
        raise BadInput(f"{entry.name} cannot be pulled: {why}.", next_action="See: uscdr backup list")
    return entry.transfer, entry


def _copy(work: BackupTools, transfer: Transfer, keys: Keyring) -> tuple[CopyCard, bool]:
    work.output.say(f"pulling {transfer.name} into {work.store.place}, encrypted on the way")
    return copy(work.deps, work.attachment(), transfer, keys, ConsoleReporter(work.output))


def _tell_copied(output: Output, card: CopyCard, place: str, *, fetched: bool) -> None:
    if output.json_lines:
        facts = {"backup": card.origin.name, "copy": card.id, "fetched": fetched, "place": place}
        output.record({**facts, "bytes": card.dump.plain_size, "sha256": card.dump.plain_sha256})
        return
    dump, more = card.dump, card.dump.plain_size - card.origin.processed_bytes
    if fetched and more:
        output.warn(f"It is {more:,} bytes longer than the platform says.")
    words = "is copied" if fetched else "was copied before"
    output.result(f"{card.origin.name} {words}: {card.id}, {size(dump.plain_size)}, in {place}")
    output.result(f"SHA-256  {dump.plain_sha256}")
    if fetched:
        output.say("Not proven yet: uscdr backup prove")


# Proving backups: from their copy when its key is at hand, else from what the platform has of them.


@dataclass(frozen=True)
class ProveOptions:
    """What stands on the command line."""

    backups: tuple[str, ...]
    to: str | None
    identity: Path | None
    passphrase_file: Path | None
    kit: str | None


def prove(target: Target, output: Output, wanted: ProveOptions) -> int:
    """Prove each, keep the proofs, say what they showed; 1 when one is not good enough."""
    keys = stores.reading_keys(wanted.identity, wanted.passphrase_file, os.environ)
    sound = True
    how = BackupAccess(wanted.to, kit=wanted.kit, identity=wanted.identity, keys=keys, writes=True)
    with desk(target, output, how) as work:
        warn_exposed(output, wanted.identity, wanted.passphrase_file)
        known = work.entries_if_it_answers()
        chosen = {entry.transfer_id: entry for entry in (find(known, one) for one in wanted.backups)}
        asked = questions(work.deps)
        for entry in chosen.values():
            sound = _proven(work, entry, asked) and sound
    return int(ExitCode.DONE if sound else ExitCode.CHECK_FAILED)


def _proven(work: BackupTools, entry: BackupEntry, asked: Questions) -> bool:
    """One backup; a copy that turns out to be damaged is said to be so, and the next one's turn comes."""
    try:
        proof, name = prove_and_keep(work.deps, entry, asked, ConsoleReporter(work.output))
    except CheckFailed as error:
        if work.output.json_lines:
            work.output.record({"backup": entry.name, "grade": "none", "why": error.message})
        work.output.warn(f"{entry.name}: {error.message} {error.why} {error.next_action}")
        return False
    show_proof(proof, name, work.output)
    return proof.sound


# Removing copies that retention does not keep: shown first, and done only with the phrase that was shown.


def prune(target: Target, output: Output, to: str | None, confirm: str | None) -> None:
    """The dry run; with the right phrase, the removal. The platform is not asked, and nothing of it removed."""
    with desk(target, output, BackupAccess(to)) as work:
        planned = prunable(work.deps, work.shelf())
        _show(planned, output)
        done = confirm is not None and bool(planned.ids)
        if done:
            operate(target, output, Request("prune", to=lasting(to)[0]), phrase=confirm)
        _tell_pruned(planned, output, left=_left(planned, work.shelf()) if done else None)


def _show(planned: Pruning, output: Output) -> None:
    if output.json_lines:
        return
    rows = [
        {
            "copy": card.id,
            "backup": card.origin.name,
            "taken": moment(card.origin.taken_at),
            "size": size(card.dump.size),
        }
        for card in planned.copies
    ]
    show_table(rows, output, empty="No copy would be removed.")
    for cut_off in planned.leftovers:
        output.result(f"left of a pull or removal that was cut off: {cut_off}")
    for name, value in planned.facts.items():
        output.result(f"{name}: {value}")


def _left(planned: Pruning, there: StoredCopies) -> frozenset[str]:
    """What the store's own retention did not let go."""
    return frozenset(planned.ids) & {*there.unfinished, *(card.id for card in there.copies)}


def _tell_pruned(planned: Pruning, output: Output, *, left: frozenset[str] | None) -> None:
    """`left`: what is still there after a removal; None: nothing was removed."""
    something, done = bool(planned.ids), left is not None
    gone = [card for card in planned.copies if card.id not in (left or ())]
    if output.json_lines:
        output.record(
            {
                "removed": done,
                "copies": [card.id for card in gone],
                "held": sorted(left or ()),
                "stays": planned.stays,
                "leftovers": planned.leftovers,
                "kept": planned.kept,
                "bytes": planned.bytes,
                "newest_proven": planned.proven.id if planned.proven else None,
                "phrase": planned.phrase if something and not done else None,
            }
        )
    elif done:
        freed = size(sum(card.dump.size for card in gone))
        output.result(f"removed: {len(gone)} of {len(planned.copies) + planned.kept} copies, {freed}")
        if left:
            output.result(f"still there, held by the store's own retention: {', '.join(sorted(left))}")
        if planned.stays and gone:
            output.result(f"of what was removed: {planned.stays}")
    elif something:
        output.result(f"phrase {planned.phrase}")
        output.say("Nothing was removed. To do it: uscdr backup prune --confirm '…' with that phrase.")
    elif planned.proven is None:
        output.say("Without a proven copy nothing is removed: uscdr backup prove")
