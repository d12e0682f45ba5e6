"""Prove a backup: download it, restore it on this machine, check the invariants, try the key."""

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
    from uscdr.models.postgres import CanaryVerdict
    from uscdr.scenarios.adapters import Adapters

KEY_FITS = "the application's key fits"


class Prove(ScenarioStep[Proof, Proof]):
    """A backup that does not restore, breaks an invariant or needs another key stops the run before any damage."""

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
        return Action("later", "download the backup and restore it on this machine (in progress)", self.calls())

    @override
    def probe(self, view: View, tell: Reporter) -> Proof:
        damaged = view.need(ChosenBackup).damaged
        proof = proven(self._deps, self._source(view), tell, damaged=damaged)
        self._tell_key(proof, tell)
        if proof.left_out:
            tell.warn(f"The proof of {proof.backup} does not cover: {LeftOut.words_of(proof.left_out)}.")
        # the rows that the comparison, the confirmation and the last screen count
        volatile = self._deps.config.app.volatile_tables
        return proof.model_copy(update={"rows": sum(one.rows for one in proof.tables if one.name not in volatile)})

    def _source(self, view: View) -> DumpSource:
        owner = self._deps.attachment().owner_app_name
        transfer = self._deps.backups.transfer(owner, view.need(ChosenBackup).transfer_id)
        return DumpSource.stored(self._deps.backups, owner, transfer)

    def _tell_key(self, proof: Proof, tell: Reporter) -> None:
        """A key that was not tried does not stop the run, and does not count as a key that fits."""
        canary, key = proof.key, self._deps.config.recovery.encryption_key_variable
        tell.check(KEY_FITS, canary.verdict, key_words(canary))
        if canary.wrong and not canary.opens_nothing:
            tell.warn(f"{proof.backup}: {canary.why}. It opens the other values, so these are damaged.")
        elif _not_tried_on_all(proof) and _came_later(proof):
            words = f"{proof.backup}: {canary.why}. {key} opens the encrypted columns that the backup has"
            tell.warn(f"{words}; the pending migrations add the others, and uscdr checks them afterwards.")
        if canary.verdict == "not checked":
            words = f"NOT CHECKED: whether {key} opens the encrypted columns of {proof.backup}: {canary.why}."
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
    """Prove the backup.

    Raises:
        CheckFailed: it does not restore; for a capture of a damaged state the error names another way.
    """
    try:
        proof = deps.candidate.proof(source, tell)
    except CheckFailed as error:
        if damaged:
            error.next_action = (
                f"{source.name} cannot be restored completely. Take single rows from it: "
                f"heroku pg:backups:download {source.name} --app {deps.old_app} --output {source.name}.dump"
            )
        raise
    return _with_key_trouble(deps, proof)


def _with_key_trouble(deps: Adapters, proof: Proof) -> Proof:
    """The proof; if the key opens nothing, with what is known of the earlier key and how to get it back."""
    unset = bool(deps.config.recovery.canaries) and proof.key.verdict == "not checked" and not proof.key.fingerprint
    if not proof.key.opens_nothing and not unset:
        return proof
    try:
        releases = deps.platform.releases(deps.old_app)
    except ProviderError:  # an application that no longer exists has none
        releases = ()
    trouble = way_back(deps.config.recovery.encryption_key_variable, proof.key, deps.earlier(), releases)
    return proof.model_copy(update={"key_trouble": trouble})


def refusal_of(deps: Adapters, proof: Proof, view: View) -> str:
    """Why this backup must not be restored, and what to do instead; empty if it may be restored."""
    key = deps.config.recovery.encryption_key_variable
    name, wants, instead = proof.backup, proof.unfit(key), another(view, proof.backup)
    if wants and proof.key.opens_nothing:
        sample = f"{proof.key.wrong:,} of {plural(proof.key.sampled, 'sampled value')} cannot be decrypted with it"
        where = f" ({proof.key.where})" if proof.key.where else ""
        return f"{key} does not fit the backup {name}: {sample}{where}. {proof.key_trouble}".rstrip()
    if wants:
        return f"{name} restores, but {wants}. {instead}{_taken_off(proof)}"
    if _not_tried_on_all(proof) and not _came_later(proof):
        return (
            f"It is not known whether {key} fits the backup {name}: {proof.key.why}. {instead}; or, if the "
            "column is newer than the backup, remove it from recovery.canaries in scenarios.yaml."
        )
    return ""


def _not_tried_on_all(proof: Proof) -> bool:
    """Whether the key could not be tried on every configured column."""
    key = proof.key
    return key.verdict == "fail" and (not key.wrong or bool(key.missing or key.unread))


def _came_later(proof: Proof) -> bool:
    """Whether pending migrations may add the missing columns after the restore."""
    return proof.key.tried_in_part and bool(proof.code.pending)


def _schema_words(proof: Proof) -> str:
    """How the backup's schema differs from that of the deployed code, as far as is known."""
    code = proof.code
    words = f"; {plural(len(code.pending), 'migration')} will be applied after the restore" if code.pending else ""
    ahead = f"; AHEAD of the deployed code by {first_of(code.ahead)}: deploy newer code" if code.ahead else ""
    return words + ahead


def _as_it_was(proof: Proof, key: str) -> str:
    """A damaged backup that the operator named is restored as it is: its problems are shown, not refused."""
    wrong = proof.unfit(key) or proof.key.why
    words = f"{proof.backup} restores here: {plural(len(proof.tables), 'table')}, {plural(proof.rows, 'row')}"
    return f"{words}, SHA-256 {proof.sha256[:16]}…; it will be restored as it is, DAMAGED: {wrong}"


def _taken_off(proof: Proof) -> str:
    if not proof.missing:
        return "."
    return "; or, if the tables are newer than the backup, remove them from app.expected_tables in scenarios.yaml."


def key_words(canary: CanaryVerdict) -> str:
    """The result of the key on the sample, in words."""
    if canary.verdict != "pass":
        return canary.why or "not tried"
    words = f"{canary.matching} of {plural(canary.sampled, 'sampled value')} decrypted correctly"
    words += f", {plural(canary.unencrypted, 'value')} not encrypted" if canary.unencrypted else ""
    return words + (f", CHECK {plural(canary.apart, 'value')} that differ from the plain copy" if canary.apart else "")
