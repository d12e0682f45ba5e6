"""The new backup, proven by a real restore: grade, invariants, and the application's key on its encrypted columns."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.models.postgres import words_of
from uscdr.scenarios.backups.inventory import Inventory, entry_of, take, vault_of
from uscdr.scenarios.backups.proof import prove_and_keep
from uscdr.scenarios.backups.questions import questions
from uscdr.scenarios.deps import now
from uscdr.scenarios.results_backups import CopyProven, TrialCapture
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.prove import KEY_FITS, key_words
from uscdr.scenarios.steps.words import DOWNLOADS, RESTORED_BY_HAND, reads
from uscdr.vault.backups.catalog import Entry
from uscdr.vault.backups.proofs import ProofDocument, Proofs, demands_digest
from uscdr.words import duration, plural


class ProveSeen(Fact):
    """The backup under proof, and the sound proof of its bytes that there is, if any."""

    transfer_id: str
    name: str
    place: str
    earlier: ProofDocument | None


class ProveTrial(DepsStep[ProveSeen, CopyProven]):
    """What it showed is kept in the vault, good or bad. A bad one ends the run and names the older proven copy."""

    name = "backups.prove"
    title = "Prove by a restore"
    default_id = "prove_copy"
    effect = Effect.IDEMPOTENT
    sends = (*DOWNLOADS, reads("GET", "/apps/{app}/config-vars"))
    manual = (
        "age -d -i $IDENTITY_FILE -o proof.dump $VAULT/backup.dump.age",
        *RESTORED_BY_HAND,
        "psql -h 127.0.0.1 -U proof proof   # invariants of scenarios.yaml; {canary} must give 0, the key by \\prompt",
    )
    gives = CopyProven
    needs = (TrialCapture,)
    waits = "the new backup is restored on this machine and asked what must hold"

    @override
    def foresee(self, waiting_for: str) -> Action:
        return Action("later", waiting_for, self._calls(vault_of(self._deps).store().place))

    @override
    def probe(self, view: View, tell: Tell) -> ProveSeen:
        made, known = view.need(TrialCapture), take(self._deps)
        entry = entry_of(known, made.id)
        earlier = entry.proof if entry is not None else None
        good = earlier is not None and earlier.sound and earlier.demands == demands_digest(self._deps.config.invariants)
        return ProveSeen(transfer_id=made.id, name=made.name, place=known.place, earlier=earlier if good else None)

    @override
    def plan(self, seen: ProveSeen, view: View) -> Action:
        if seen.earlier is not None:
            return Action("noop", f"{seen.name} is proven already: {seen.earlier.grade}")
        words = f"{seen.name} is restored on this machine and asked what must hold; the proof is kept in {seen.place}"
        return Action("change", words, self._calls(seen.place), {"BACKUP": seen.name})

    @override
    def apply(self, seen: ProveSeen, view: View, tell: Tell) -> CopyProven:
        known = take(self._deps)
        entry = entry_of(known, seen.transfer_id)
        if entry is None:
            raise self._failed(known, seen.name, "Neither the platform nor the vault has it any more.")
        try:
            return _proven(prove_and_keep(self._deps, entry, questions(self._deps), tell)[0])
        except CheckFailed as error:
            raise self._failed(known, seen.name, f"{error.message} {error.why}".strip()) from error

    @override
    def unchanged(self, seen: ProveSeen, view: View) -> CopyProven:
        if seen.earlier is None:
            raise CheckFailed(f"{seen.name} is not proven.", next_action="uscdr runs resume")
        return _proven(seen.earlier)

    @override
    def confirm_effect(self, result: CopyProven, view: View, tell: Tell) -> str:
        kept = Proofs(vault_of(self._deps).store()).of(result.sha256)
        if kept is None:
            raise CheckFailed(
                f"The proof of {result.backup} was made, and is not found in the vault.",
                next_action="Look at that place; then: uscdr runs resume",
            )
        tell.check("the new backup restores", "pass" if result.sound else "fail", f"{result.grade}; {_content(result)}")
        tell.check(KEY_FITS, result.canary.verdict, key_words(result.canary))
        if result.left_out:
            tell.warn(f"Not proven of {result.backup}, as a proof does not make it: {words_of(result.left_out)}.")
        if not result.sound:
            raise self._failed(take(self._deps), result.backup, f"{result.grade}: {result.why}")
        return f"{result.backup}: {result.grade}; {_content(result)}; from {_source(result)}"

    def _failed(self, known: Inventory, name: str, why: str) -> CheckFailed:
        return CheckFailed(f"{name} is NOT proven.", why=why, next_action=_older(known, name))

    def _calls(self, place: str) -> tuple[Call, ...]:
        return (*self.calls(), Call(provider="vault", request=f"create proofs/… in {place}", writes=True))


def _older(known: Inventory, name: str) -> str:
    """What to rely on meanwhile, and where to look."""
    look = "The data themselves may be damaged: uscdr verify db. Then begin anew: uscdr recover backups --new"
    older = [one for one in known.proven if one.name != name]
    if not older:
        return f"There is NO older proven backup: keep every one there is. {look}"
    return f"Rely on {_named(older[-1])} meanwhile. {look}"


def _named(entry: Entry) -> str:
    old = duration(entry.age(now()))
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
    return "the platform" + (f", of whose bytes the copy {result.copy_id} was made" if result.copy_id else "")
