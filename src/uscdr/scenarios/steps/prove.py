"""Prove: download the backup, restore it on this machine, ask what must hold, try the key; stamped with its SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Need, Reporter, View
from uscdr.errors import CheckFailed, ProviderError
from uscdr.models.postgres import LeftOut
from uscdr.scenarios.fitness import another, way_back
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.results.db import ChosenBackup, Proof
from uscdr.scenarios.steps.base import DOWNLOADS, RESTORED_BY_HAND, ScenarioStep, reads
from uscdr.words import first_of, plural, size

if TYPE_CHECKING:
    from uscdr.backups.proofs import CanaryVerdict
    from uscdr.scenarios.adapters import Adapters

KEY_FITS = "the application's key fits"


class Prove(ScenarioStep[Proof, Proof]):
    """A backup that does not restore, breaks what must hold or needs another key ends the run: nothing is destroyed."""

    name = "backup.prove"
    title = "Prove the backup"
    effect = Effect.READ
    manual: ClassVar[tuple[str, ...]] = (
        "heroku pg:backups:download $BACKUP --app {app} --output proof.dump",
        *RESTORED_BY_HAND,
    )
    sends = (*DOWNLOADS, reads("GET", "/apps/{app}/config-vars"))
    gives = Proof
    needs: ClassVar[tuple[Need, ...]] = (ChosenBackup,)
    waits = "known after the backup is chosen"
    slow: ClassVar[bool] = True

    @override
    def plan_later(self, waiting_for: str) -> Action:
        return Action("later", "the backup is downloaded and restored on this machine (under way)", self.calls())

    @override
    def probe(self, view: View, tell: Reporter) -> Proof:
        damaged = view.need(ChosenBackup).damaged
        proof = with_key_trouble(self._deps, proven(self._deps, self._source(view), tell, damaged=damaged))
        self._tell_key(proof, tell)
        if proof.left_out:
            tell.warn(f"Not proven of {proof.backup}, as a proof does not make it: {LeftOut.words_of(proof.left_out)}.")
        return proof

    def _source(self, view: View) -> DumpSource:
        owner = self._deps.attachment().owner_app_name
        transfer = self._deps.backups.transfer(owner, view.need(ChosenBackup).transfer_id)
        return DumpSource.stored(self._deps.backups, owner, transfer)

    def _tell_key(self, proof: Proof, tell: Reporter) -> None:
        """A key that was not tried stops nothing, and is no key that fits."""
        canary, key = proof.key, self._deps.config.recovery.encryption_key_variable
        tell.check(KEY_FITS, canary.verdict, key_words(canary))
        if canary.wrong and not canary.opens_nothing:
            tell.warn(f"{proof.backup}: {canary.why}. The others it does open: these values are damaged.")
        elif _not_tried_on_all(proof) and _came_later(proof):
            words = f"{proof.backup}: {canary.why}. {key} opens the encrypted columns that it has"
            tell.warn(f"{words}; the others come with the pending migrations, and are looked at after them.")
        if canary.verdict == "not checked":
            words = f"Whether {key} opens the encrypted columns of {proof.backup} is NOT CHECKED: {canary.why}."
            tell.warn(f"{words} {proof.key_trouble}".rstrip())

    @override
    def plan(self, seen: Proof, view: View) -> Action:
        refusal, chosen = refusal_of(self._deps, seen, view), view.get(ChosenBackup)
        if refusal and chosen is not None and chosen.damaged:
            words = _as_it_was(seen, self._deps.config.recovery.encryption_key_variable)
            return Action("read", words, self.calls(), {"BACKUP": seen.backup})
        if refusal:
            return Action("blocked", refusal)
        words = f"{seen.backup} restores here: {plural(len(seen.tables), 'table')}, {plural(seen.rows, 'row')}, "
        words += f"{size(seen.bytes)}, {len(seen.invariants)} of {len(seen.invariants)} invariants hold, "
        words += f"key: {key_words(seen.key)}, SHA-256 {seen.sha256[:16]}…"
        return Action("read", words + _schema_words(seen), self.calls(), {"BACKUP": seen.backup})


def proven(deps: Adapters, source: DumpSource, tell: Reporter, *, damaged: bool) -> Proof:
    """The proof; of a damaged state that does not restore, what can still be done. Raises CheckFailed."""
    try:
        return deps.candidate.proof(source, tell)
    except CheckFailed as error:
        if damaged:
            error.next_action = (
                f"{source.name} breaks its own rules, so it cannot be put back whole. Take single rows from it: "
                f"heroku pg:backups:download {source.name} --app {deps.old_app} --output {source.name}.dump"
            )
        raise


def with_key_trouble(deps: Adapters, proof: Proof) -> Proof:
    """The same; for a key that opens nothing with what is known of the one that did, and the way back to it."""
    unset = bool(deps.config.recovery.canaries) and proof.key.verdict == "not checked" and not proof.key.fingerprint
    if not proof.key.opens_nothing and not unset:
        return proof
    try:
        releases = deps.platform.releases(deps.old_app)
    except ProviderError:  # an application that is gone has none
        releases = ()
    trouble = way_back(deps.config.recovery.encryption_key_variable, proof.key, deps.earlier(), releases)
    return proof.model_copy(update={"key_trouble": trouble})


def refusal_of(deps: Adapters, proof: Proof, view: View) -> str:
    """Why nothing may be replaced by this backup, and what to do; empty when nothing speaks against it."""
    key = deps.config.recovery.encryption_key_variable
    name, wants, instead = proof.backup, proof.unfit(key), another(view, proof.backup)
    if wants and proof.key.opens_nothing:
        sample = f"{proof.key.wrong:,} of {plural(proof.key.sampled, 'sampled value')} cannot be read with it"
        where = f" ({proof.key.where})" if proof.key.where else ""
        return f"{key} does not fit the backup {name}: {sample}{where}. {proof.key_trouble}".rstrip()
    if wants:
        return f"{name} restores, but {wants}. {instead}{_taken_off(proof)}"
    if _not_tried_on_all(proof) and not _came_later(proof):
        return (
            f"Whether {key} fits the backup {name} is not known: {proof.key.why}. {instead}; or, if that "
            "came later than it, take it off recovery.canaries in scenarios.yaml."
        )
    return ""


def _not_tried_on_all(proof: Proof) -> bool:
    """Whether the key could not be tried on every encrypted column that is named."""
    key = proof.key
    return key.verdict == "fail" and (not key.wrong or bool(key.missing or key.unread))


def _came_later(proof: Proof) -> bool:
    """Whether the columns that it lacks may be those of migrations that are applied after the restore."""
    return proof.key.tried_in_part and bool(proof.code.pending)


def _schema_words(proof: Proof) -> str:
    """What the deployed code makes of its schema, as far as that is known."""
    code = proof.code
    words = f"; {plural(len(code.pending), 'migration')} will be applied after it" if code.pending else ""
    ahead = f"; AHEAD of the deployed code by {first_of(code.ahead)}: the code has to follow" if code.ahead else ""
    return words + ahead


def _as_it_was(proof: Proof, key: str) -> str:
    """A damaged state that was named is put back as it was captured; what is wrong with it is told, not refused."""
    wrong = proof.unfit(key) or proof.key.why
    words = f"{proof.backup} restores here: {plural(len(proof.tables), 'table')}, {plural(proof.rows, 'row')}"
    return f"{words}, SHA-256 {proof.sha256[:16]}…; it is put back as it was captured, DAMAGED: {wrong}"


def _taken_off(proof: Proof) -> str:
    if not proof.missing:
        return "."
    return "; or, if they came later than it, take them off app.expected_tables in scenarios.yaml."


def key_words(canary: CanaryVerdict) -> str:
    """What the application's key made of the sample."""
    if canary.verdict != "pass":
        return canary.why or "not tried"
    words = f"{canary.matching} of {plural(canary.sampled, 'sampled value')} read as they should"
    words += f", {plural(canary.unencrypted, 'value')} were never encrypted" if canary.unencrypted else ""
    return words + (f", LOOK AT {plural(canary.apart, 'value')}: other than beside them" if canary.apart else "")
