"""Copy the new backup off the platform; a backup that already has a copy is not copied again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from uscdr.backups import catalog, retention
from uscdr.backups.manifest import BACKUPS, CopyCard
from uscdr.backups.proofs import ProofDocument, Proofs, demands_digest
from uscdr.clock import system_time
from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.errors import BadInput, CheckFailed, Outdated
from uscdr.models.base import Call, Fact
from uscdr.models.postgres import LeftOut
from uscdr.scenarios.backup_copies import copies_of, copy, copy_for, prunable
from uscdr.scenarios.backup_inventory import Inventory
from uscdr.scenarios.backup_proof import prove_and_keep
from uscdr.scenarios.backup_questions import questions
from uscdr.scenarios.results.backups import CopyMade, CopyProven, TrialCapture
from uscdr.scenarios.steps.base import DOWNLOADS, RESTORED_BY_HAND, ScenarioStep, reads
from uscdr.scenarios.steps.prove import KEY_FITS, key_words
from uscdr.words import duration, plural, size

if TYPE_CHECKING:
    from uscdr.backups.catalog import BackupEntry
    from uscdr.backups.copy import Keyring

HOW_TO_NAME = "--recipient age1…, $USCDR_KIT_RECIPIENTS, or `vault: recipients` in scenarios.yaml"
NOBODY = f"nobody could open a copy, because no recipient and no passphrase is set ({HOW_TO_NAME})"


class _CopiesRemoved(Fact):
    """Ids of copies that are gone from the vault, and how many are left."""

    ids: tuple[str, ...]
    kept: int
    held: tuple[str, ...] = ()
    """Ids of copies that the store's own retention did not let go."""
    stays: str = ""
    """What the store keeps of those that are gone, in words."""


class _PullSeen(Fact):
    """The backup to copy, and its copy if there is one."""

    transfer_id: str
    name: str
    place: str
    copy_made: CopyMade | None
    reason: str = ""
    """Why it cannot be copied."""


class PullTrial(ScenarioStep[_PullSeen, CopyMade]):
    """Copies the backup; skipped, with the reason, if no recipient could open the copy."""

    name = "backups.pull"
    title = "Copy the backup off the platform"
    effect = Effect.IDEMPOTENT
    counted = False
    sends = DOWNLOADS
    manual = (
        "heroku pg:backups:download $BACKUP --app {app} --output backup.dump",
        "age -r $RECIPIENT -o $VAULT/backup.dump.age backup.dump && rm backup.dump && sha256sum $VAULT/backup.dump.age",
    )
    gives = CopyMade
    needs = (TrialCapture,)
    waits = "the new backup is copied off the platform, encrypted on the way"

    @override
    def plan_later(self, waiting_for: str) -> Action:
        vault = self._deps.vault
        if vault.keyring() is None:
            return Action("skip", f"the new backup is not copied: {NOBODY}")
        place = vault.store().place
        return Action("later", f"{waiting_for}, to {place}", self._calls(place))

    @override
    def probe(self, view: View, tell: Reporter) -> _PullSeen:
        made, vault = view.need(TrialCapture), self._deps.vault
        store, keys = vault.store(), vault.keyring()
        there = copy_for(copies_of(self._deps, made.id), keys) if keys is not None else None
        return _PullSeen(
            transfer_id=made.id, name=made.name, place=store.place, reason="" if keys is not None else NOBODY,
            copy_made=_made(there, store.place, fetched=False) if there is not None else None,
        )  # fmt: skip

    @override
    def plan(self, seen: _PullSeen, view: View) -> Action:
        if seen.reason:
            return Action("skip", f"{seen.name} is not copied: {seen.reason}")
        if seen.copy_made is not None:
            return Action("noop", f"{seen.name} is already copied: {seen.copy_made.copy_id}")
        words = f"copy {seen.name} to {seen.place}, encrypted on the way"
        return Action("change", words, self._calls(seen.place), {"BACKUP": seen.name})

    @override
    def apply(self, seen: _PullSeen, view: View, tell: Reporter) -> CopyMade:
        known, keys = Inventory.take(self._deps), self._keys()
        transfer = next((one for one in known.transfers if one.id == seen.transfer_id), None)
        if transfer is None:
            raise CheckFailed(
                f"Heroku captured {seen.name}, but no longer lists it.",
                next_action="List the backups: uscdr backup list. Then start again: uscdr recover backups --new",
            )
        card, fetched = copy(self._deps, known.attachment, transfer, keys, tell)
        return _made(card, seen.place, fetched=fetched)

    def _keys(self) -> Keyring:
        keys = self._deps.vault.keyring()
        if keys is None:
            raise BadInput("No recipient and no passphrase is set any more.", next_action=f"Set one: {HOW_TO_NAME}")
        return keys

    @override
    def current(self, seen: _PullSeen, view: View) -> CopyMade:
        if seen.copy_made is None:
            raise CheckFailed(f"There is no copy of {seen.name}.", next_action="uscdr runs resume")
        return seen.copy_made

    @override
    def verify(self, result: CopyMade, view: View, tell: Reporter) -> str:
        if result.copy_id not in {one.id for one in copies_of(self._deps, view.need(TrialCapture).id)}:
            raise CheckFailed(
                f"The copy {result.copy_id} was made, but is not complete in {result.place}.",
                next_action=f"Check {result.place} (a full or failing disk?). Then: uscdr runs resume",
            )
        return f"{result.backup} is copied: {result.copy_id}, {size(result.bytes)}"

    def _calls(self, place: str) -> tuple[Call, ...]:
        return (*self.calls(), Call(provider="vault", request=f"create backups/… in {place}", writes=True))


def _made(card: CopyCard, place: str, *, fetched: bool) -> CopyMade:
    return CopyMade(
        copy_id=card.id, backup=card.origin.name, place=place, bytes=card.dump.plain_size,
        sha256=card.dump.plain_sha256, fetched=fetched,
    )  # fmt: skip


# Prove the new backup by a real restore: invariants, and the application's key on the encrypted columns.


class _ProveSeen(Fact):
    """The backup to prove, and an earlier good proof of its bytes, if any."""

    transfer_id: str
    name: str
    place: str
    earlier: ProofDocument | None


class ProveTrial(ScenarioStep[_ProveSeen, CopyProven]):
    """Keeps every proof in the vault. A bad one ends the run, and the error names an older proven copy."""

    name = "backups.prove"
    title = "Prove the copy by a restore"
    default_id = "prove_copy"
    effect = Effect.IDEMPOTENT
    counted = False
    sends = (*DOWNLOADS, reads("GET", "/apps/{app}/config-vars"))
    manual = (
        "age -d -i $IDENTITY_FILE -o proof.dump $VAULT/backup.dump.age",
        *RESTORED_BY_HAND,
        "psql -h 127.0.0.1 -U proof proof   # invariants of scenarios.yaml; {canary} must give 0, the key by \\prompt",
    )
    gives = CopyProven
    needs = (TrialCapture,)
    waits = "the new backup is restored on this machine and its invariants are checked"

    @override
    def plan_later(self, waiting_for: str) -> Action:
        return Action("later", waiting_for, self._calls(self._deps.vault.store().place))

    @override
    def probe(self, view: View, tell: Reporter) -> _ProveSeen:
        made, known = view.need(TrialCapture), Inventory.take(self._deps)
        entry = known.entry(made.id)
        earlier = entry.proof if entry is not None else None
        good = earlier is not None and earlier.sound and earlier.demands == demands_digest(self._deps.config.invariants)
        return _ProveSeen(transfer_id=made.id, name=made.name, place=known.place, earlier=earlier if good else None)

    @override
    def plan(self, seen: _ProveSeen, view: View) -> Action:
        if seen.earlier is not None:
            return Action("noop", f"{seen.name} is already proven: {seen.earlier.grade}")
        words = f"restore {seen.name} on this machine, check its invariants, and keep the proof in {seen.place}"
        return Action("change", words, self._calls(seen.place), {"BACKUP": seen.name})

    @override
    def apply(self, seen: _ProveSeen, view: View, tell: Reporter) -> CopyProven:
        known = Inventory.take(self._deps)
        entry = known.entry(seen.transfer_id)
        if entry is None:
            raise self._failed(known, seen.name, "Neither Heroku nor the vault has it any more.")
        try:
            return _proven(prove_and_keep(self._deps, entry, questions(self._deps), tell)[0])
        except CheckFailed as error:
            raise self._failed(known, seen.name, f"{error.message} {error.why}".strip()) from error

    @override
    def current(self, seen: _ProveSeen, view: View) -> CopyProven:
        if seen.earlier is None:
            raise CheckFailed(f"{seen.name} is not proven.", next_action="uscdr runs resume")
        return _proven(seen.earlier)

    @override
    def verify(self, result: CopyProven, view: View, tell: Reporter) -> str:
        kept = Proofs(self._deps.vault.store()).of(result.sha256)
        if kept is None:
            raise CheckFailed(
                f"The proof of {result.backup} was made, but is not in the vault.",
                next_action="Check the vault. Then: uscdr runs resume",
            )
        tell.check("the new backup restores", "pass" if result.sound else "fail", f"{result.grade}; {_content(result)}")
        tell.check(KEY_FITS, result.canary.verdict, key_words(result.canary))
        if result.left_out:
            tell.warn(f"The proof of {result.backup} does not cover: {LeftOut.words_of(result.left_out)}.")
        if not result.sound:
            raise self._failed(Inventory.take(self._deps), result.backup, f"{result.grade}: {result.why}")
        return f"{result.backup}: {result.grade}; {_content(result)}; from {_source(result)}"

    def _failed(self, known: Inventory, name: str, why: str) -> CheckFailed:
        return CheckFailed(f"{name} is NOT proven.", why=why, next_action=_older(known, name))

    def _calls(self, place: str) -> tuple[Call, ...]:
        return (*self.calls(), Call(provider="vault", request=f"create proofs/… in {place}", writes=True))


def _older(known: Inventory, name: str) -> str:
    """The backup to rely on until then, and the next commands."""
    look = "The data may be damaged: uscdr verify db. Then start again: uscdr recover backups --new"
    older = [one for one in known.proven if one.name != name]
    if not older:
        return f"There is NO older proven backup. Delete no backup. {look}"
    return f"Until then, rely on {_named(older[-1])}. {look}"


def _named(entry: BackupEntry) -> str:
    old = duration(entry.age(system_time()))
    where = f"copy {entry.copies[0].id}" if entry.copies else "on the platform only"
    return f"{entry.name}, the newest proven backup, {old} old ({where})"


def _proven(proof: ProofDocument) -> CopyProven:
    held = [one.holds is True for one in proof.invariants]
    return CopyProven(
        backup=proof.backup, grade=proof.grade.value, sound=proof.sound, why=proof.why, sha256=proof.sha256,
        source=proof.source, copy_id=proof.copy_id, copy_opened=proof.copy_opened, tables=proof.tables,
        rows=proof.rows, invariants=len(held), invariants_held=sum(held), canary=proof.canary, seconds=proof.seconds,
        left_out=proof.left_out,
    )  # fmt: skip


def _content(result: CopyProven) -> str:
    found = f"{plural(result.tables, 'table')}, {plural(result.rows, 'row')}"
    return f"{found}, {result.invariants_held} of {plural(result.invariants, 'invariant')} hold"


def _source(result: CopyProven) -> str:
    if result.copy_opened:
        return f"the copy {result.copy_id} itself"
    return "the platform" + (f", with the same bytes as the copy {result.copy_id}" if result.copy_id else "")


# Remove copies outside the retention. A resumed run removes the rest of the approved copies.


LOOK_AGAIN = "Start again: uscdr backup prune"


class _CopiesSeen(Fact):
    """The ids of copies to remove, and the facts for the confirmation."""

    place: str
    ids: tuple[str, ...]
    kept: int
    phrase: str
    facts: dict[str, str]
    stays: str = ""
    approved: tuple[str, ...] | None = None
    """Ids that an earlier process started to remove; None without one."""


class PruneCopies(ScenarioStep[_CopiesSeen, _CopiesRemoved]):
    """Never removes the newest proven copy. A change of the store since the approval stops it."""

    name = "backup.prune"
    title = "Remove copies outside the retention"
    effect = Effect.IDEMPOTENT
    counted = False
    destructive = True
    manual = ("rm -r $VAULT/backups/$COPY   # the manifest first; never the newest proven copy",)
    gives = _CopiesRemoved

    @override
    def probe(self, view: View, tell: Reporter) -> _CopiesSeen:
        begun = view.intents.get(self.id)
        if begun is None:
            return self._look(None)
        seen = self._look(begun.texts("ids"))
        return seen.model_copy(update={"phrase": begun.text("phrase")})

    def _look(self, approved: tuple[str, ...] | None) -> _CopiesSeen:
        store = self._deps.vault.store()
        there = catalog.StoredCopies.of(store)
        planned = prunable(self._deps, there)
        ids = planned.ids
        if approved is not None:
            whole = {card.id for card in there.copies}
            approved = tuple(one for one in approved if one in planned.ids or one not in whole)
            ids = tuple(one for one in approved if one in {*whole, *there.unfinished})
        return _CopiesSeen(
            place=store.place, ids=ids, kept=planned.kept, phrase=planned.phrase, facts=planned.facts,
            stays=planned.stays, approved=approved,
        )  # fmt: skip

    @override
    def plan(self, seen: _CopiesSeen, view: View) -> Action:
        if not seen.ids:
            return Action("noop", f"nothing to remove from {seen.place}")
        calls = (Call(provider="vault", request=f"delete the parts of {' '.join(seen.ids)}", writes=True),)
        return Action("change", seen.phrase, calls, approved={"copies": seen.phrase})

    @override
    def blast(self, seen: _CopiesSeen, view: View) -> BlastRadius:
        return BlastRadius(facts=seen.facts, phrase=seen.phrase)

    @override
    def before(self, seen: _CopiesSeen) -> dict[str, Any]:
        return {"ids": list(seen.approved or seen.ids), "phrase": seen.phrase}

    @override
    def apply(self, seen: _CopiesSeen, view: View, tell: Reporter) -> _CopiesRemoved:
        vault = self._deps.vault
        with vault.turn("removing copies", tell.progress):
            now = self._look(seen.approved)
            if now.ids != seen.ids or (seen.approved is None and now.phrase != seen.phrase):
                raise Outdated(
                    "The store has changed since the plan was shown. Nothing was removed.", next_action=LOOK_AGAIN
                )
            held = retention.carry_out(vault.store(), seen.ids)
        gone = tuple(one for one in seen.approved or seen.ids if one not in held)
        return _CopiesRemoved(ids=gone, kept=seen.kept + len(held), held=held, stays=seen.stays)

    @override
    def current(self, seen: _CopiesSeen, view: View) -> _CopiesRemoved:
        return _CopiesRemoved(ids=seen.approved or seen.ids, kept=seen.kept, stays=seen.stays)

    @override
    def verify(self, result: _CopiesRemoved, view: View, tell: Reporter) -> str:
        store = self._deps.vault.store()
        left = [one for one in result.ids if store.names(f"{BACKUPS}/{one}")]
        if left:
            raise CheckFailed(f"These copies still exist: {', '.join(left)}.", next_action=LOOK_AGAIN)
        held = f", {len(result.held)} of them by the store's own retention" if result.held else ""
        stays = f"; {result.stays}" if result.stays and result.ids else ""
        return f"copies removed: {len(result.ids):,}, kept: {result.kept:,}{held}{stays}"
