"""Copies backups off the platform, proves backups, and prunes copies."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from uscdr.backups.catalog import BackupEntry, StoredCopies, find
from uscdr.commands.backup import BackupAccess, BackupTools, desk
from uscdr.commands.housekeeping import observe_target, warn_exposed
from uscdr.commands.option_forms import lasting
from uscdr.errors import BadInput, CheckFailed, ExitCode, UscdrError
from uscdr.report.backups import show_proof
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.backup_copies import copy, copy_for, prunable
from uscdr.scenarios.backup_proof import prove_and_keep
from uscdr.scenarios.backup_questions import questions
from uscdr.ui.console import ConsoleReporter
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table
from uscdr.wiring import stores
from uscdr.words import moment, plural, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.backups.copy import Keyring
    from uscdr.backups.manifest import CopyCard
    from uscdr.backups.proofs import ProofDocument
    from uscdr.backups.proving import Questions
    from uscdr.backups.retention import Pruning
    from uscdr.models.transfers import Transfer
    from uscdr.monitoring.observed import Observed
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class PullOptions:
    """The command-line options of `backup pull`."""

    backup: str
    to: str | None
    recipients: tuple[str, ...]
    passphrase_file: Path | None


def pull(target: Target, output: Output, wanted: PullOptions, seen: Observed) -> None:
    """Copy the backup, unless the store has it; print the copy's id and checksum."""
    observe_target(target, seen)
    keys = stores.keyring_for(wanted.recipients, wanted.passphrase_file, target.config, os.environ)
    warn_exposed(output, wanted.passphrase_file)
    with desk(target, output, BackupAccess(wanted.to, writes=True)) as work:
        known = work.entries()
        work.observe(known, seen)
        transfer, entry = _chosen(known, wanted.backup)
        there = copy_for(entry.copies, keys)
        card, fetched = (there, False) if there else _copy(work, transfer, keys)
        if fetched:
            work.observe(_with(known, replace(entry, copies=(card, *entry.copies))), seen)
        _tell_copied(output, card, work.store.place, fetched=fetched)


def _with(known: Sequence[BackupEntry], changed: BackupEntry) -> tuple[BackupEntry, ...]:
    """The same backups, with what this command did to one of them: the platform is not asked again."""
    return tuple(changed if one.transfer_id == changed.transfer_id else one for one in known)


def _chosen(found: Sequence[BackupEntry], wanted: str) -> tuple[Transfer, BackupEntry]:
    """The backup to pull, which the platform must still have. Raises BadInput."""
    entry = find([one for one in found if one.on_platform] if wanted == "newest" else found, wanted)
    if entry.transfer is None or not entry.on_platform:
        why = entry.transfer.unfit if entry.transfer else "the platform no longer lists it"
        raise BadInput(f"uscdr cannot pull {entry.name}: {why}.", next_action="See: uscdr backup list")
    return entry.transfer, entry


def _copy(work: BackupTools, transfer: Transfer, keys: Keyring) -> tuple[CopyCard, bool]:
    work.output.say(f"Pulling {transfer.name} into {work.store.place}, encrypted on the way")
    return copy(work.deps, work.attachment(), transfer, keys, ConsoleReporter(work.output))


class _CopyObject(TypedDict):
    backup: str
    copy: str
    fetched: bool
    place: str
    bytes: int
    sha256: str


def _tell_copied(output: Output, card: CopyCard, store: str, *, fetched: bool) -> None:
    if output.json_lines:
        made: _CopyObject = {
            "backup": card.origin.name,
            "copy": card.id,
            "fetched": fetched,
            "place": store,
            "bytes": card.dump.plain_size,
            "sha256": card.dump.plain_sha256,
        }
        output.record(Schema.COPY, made)
        return
    dump, more = card.dump, card.dump.plain_size - card.origin.processed_bytes
    if fetched and more:
        output.warn(f"The copy is {more:,} bytes longer than the platform says.")
    words = "copied" if fetched else "already copied"
    output.result(f"{card.origin.name} {words}: {card.id}, {size(dump.plain_size)}, in {store}")
    output.result(f"SHA-256  {dump.plain_sha256}")
    if fetched:
        output.say("The copy is not proven yet. Next: uscdr backup prove")


# Proves backups: from the copy if its key is available, else from the platform.


@dataclass(frozen=True)
class ProveOptions:
    """The command-line options of `backup prove`."""

    backups: tuple[str, ...]
    to: str | None
    identity: Path | None
    passphrase_file: Path | None
    kit: str | None


def prove(target: Target, output: Output, wanted: ProveOptions, seen: Observed) -> int:
    """Prove each backup, keep and print the proofs; return 1 when a grade is too low."""
    observe_target(target, seen)
    keys = stores.reading_keys(wanted.identity, wanted.passphrase_file, os.environ)
    sound = True
    how = BackupAccess(wanted.to, kit=wanted.kit, identity=wanted.identity, keys=keys, writes=True)
    with desk(target, output, how) as work:
        warn_exposed(output, wanted.identity, wanted.passphrase_file)
        known, unasked = work.listed()
        chosen = _wanted(known, wanted.backups, unasked)
        asked = questions(work.deps)
        for entry in chosen.values():
            proof = _proven(work, entry, asked)
            sound = sound and proof is not None and proof.sound
            known = _with(known, replace(entry, proof=proof)) if proof else known
            if unasked is None:  # else nobody knows which backup is the newest
                work.observe(known, seen)
    return int(ExitCode.DONE if sound else ExitCode.CHECK_FAILED)


def _wanted(
    known: Sequence[BackupEntry], names: Sequence[str], unasked: UscdrError | None
) -> dict[str, BackupEntry]:  # fmt: skip
    """The backups by id. Raises BadInput for a name that no backup has; `unasked` if nobody knows, and why."""
    try:
        return {entry.transfer_id: entry for entry in (find(known, one) for one in names)}
    except BadInput as error:
        raise unasked or error from None


class _UnprovenObject(TypedDict):
    backup: str
    grade: Literal["none"]
    why: str


def _proven(work: BackupTools, entry: BackupEntry, asked: Questions) -> ProofDocument | None:
    """Prove one backup; warn of a damaged copy and return None, so that the next backup is still proven."""
    try:
        proof, name = prove_and_keep(work.deps, entry, asked, ConsoleReporter(work.output))
    except CheckFailed as error:
        if work.output.json_lines:
            failed: _UnprovenObject = {"backup": entry.name, "grade": "none", "why": error.message}
            work.output.record(Schema.UNPROVEN, failed)
        work.output.warn(f"{entry.name}: {error.message} {error.why} {error.next_action}")
        return None
    show_proof(proof, name, work.output)
    return proof


# Removes copies that retention does not keep: a dry run first, the removal only with the dry run's phrase.


def prune(target: Target, output: Output, to: str | None, confirm: str | None) -> None:
    """The dry run, or with the right phrase the removal. Neither asks or changes the platform."""
    from uscdr.commands.operate import operate  # a run is loaded for the removal, not for a copy or a proof

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
    draw_table(rows, output, empty="Retention removes no copy.")
    for cut_off in planned.leftovers:
        output.result(f"left by an interrupted pull or removal: {cut_off}")
    for name, value in planned.facts.items():
        output.result(f"{name}: {value}")


def _left(planned: Pruning, there: StoredCopies) -> frozenset[str]:
    """What the store's own retention kept."""
    return frozenset(planned.ids) & {*there.unfinished, *(card.id for card in there.copies)}


class _PruneObject(TypedDict):
    removed: bool
    copies: Sequence[str]
    held: Sequence[str]
    stays: str
    leftovers: Sequence[str]
    kept: int
    bytes: int
    newest_proven: str | None
    phrase: str | None


def _tell_pruned(planned: Pruning, output: Output, *, left: frozenset[str] | None) -> None:
    """`left`: what is still in the store after a removal; None: nothing was removed."""
    something, done = bool(planned.ids), left is not None
    gone = [card for card in planned.copies if card.id not in (left or ())]
    if output.json_lines:
        told: _PruneObject = {
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
        output.record(Schema.PRUNE, told)
    elif done:
        freed = size(sum(card.dump.size for card in gone))
        output.result(
            f"Removed {len(gone):,} of {plural(len(planned.copies) + planned.kept, 'copy', 'copies')}, {freed}"
        )
        if left:
            output.result(f"The store's own retention keeps: {', '.join(sorted(left))}")
        if planned.stays and gone:
            output.result(f"Of the removed copies: {planned.stays}")
    elif something:
        output.result(f"phrase {planned.phrase}")
        output.say(f"uscdr removed nothing. To remove these: uscdr backup prune --confirm '{planned.phrase}'")
    elif planned.proven is None:
        output.say("uscdr removes no copy while none is proven. Next: uscdr backup prove")
