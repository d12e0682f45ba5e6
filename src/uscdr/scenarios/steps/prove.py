"""Prove: download the backup, restore it on this machine, ask the invariants; stamped with its SHA-256."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.models.events import Call
from uscdr.scenarios.candidate import stored_dump
from uscdr.scenarios.deps import now
from uscdr.scenarios.results import ChosenBackup, Proof
from uscdr.scenarios.steps.assess import failing
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import reads
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.words import duration, plural, size


class Prove(DepsStep[Proof, Proof]):
    """A backup that does not restore, or breaks an invariant, ends the run before anything is destroyed."""

    name = "backup.prove"
    title = "Prove the backup"
    default_id = "prove"
    effect = Effect.READ
    manual: ClassVar[tuple[str, ...]] = (
        "heroku pg:backups:download $BACKUP --app {app} --output proof.dump",
        "createdb proof && pg_restore --no-owner --no-acl -d proof proof.dump",
    )
    gives = Proof
    needs = (ChosenBackup,)
    waits = "known after the backup is chosen"
    slow: ClassVar[bool] = True

    @override
    def foresee(self, waiting_for: str) -> Action:
        return Action("later", "the backup is downloaded and restored on this machine (under way)", self._calls())

    @override
    def probe(self, view: View, tell: Tell) -> Proof:
        chosen = view.need(ChosenBackup)
        owner = self._deps.attachment().owner_app_name
        transfer = self._deps.backups.transfer(owner, chosen.transfer_id)
        proof = self._deps.candidate.proof(stored_dump(self._deps.backups, owner, transfer), tell)
        beside_earlier(proof, self._deps.candidate.earlier(), tell)
        return proof

    @override
    def plan(self, seen: Proof, view: View) -> Action:
        broken = failing(seen.invariants)
        if broken:
            return Action(
                "blocked", f"{seen.backup} restores, but breaks: {'; '.join(broken)}. Choose an older backup."
            )
        words = f"{seen.backup} restores here: {plural(len(seen.tables), 'table')}, {plural(seen.rows, 'row')}, "
        words += f"{size(seen.bytes)}, {len(seen.invariants)} of {len(seen.invariants)} invariants hold, "
        words += f"SHA-256 {seen.sha256[:16]}…"
        return Action("read", words, self._calls(), self._manual(seen.backup))

    def _app(self) -> str:
        return self._deps.app

    def _calls(self) -> tuple[Call, ...]:
        app = self._app()
        return (
            reads("POST", f"/client/v11/apps/{app}/transfers/…/actions/public-url"),
            reads("GET", "the signed link"),
        )

    def _manual(self, backup: str) -> tuple[str, ...]:
        return (
            f"heroku pg:backups:download {backup} --app {self._app()} --output {backup}.dump",
            f"createdb proof && pg_restore --no-owner --no-acl -d proof {backup}.dump",
        )


def beside_earlier(proof: Proof, earlier: ProofDocument | None, tell: Tell) -> None:
    """Say what the vault's proof of the same bytes adds: whether the key opens them, which a restore alone leaves open.

    A contradiction is a warning. What was seen here counts.
    """
    if earlier is None:
        return
    seen = (len(proof.tables), proof.rows)
    if seen != (earlier.tables, earlier.rows):
        tell.warn(
            f"The vault's proof of these bytes speaks of {plural(earlier.tables, 'table')} and "
            f"{plural(earlier.rows, 'row')}; here there are {seen[0]:,} and {seen[1]:,}. What was seen here counts."
        )
        return
    made = f"proven before, {duration((now() - earlier.proven_at).total_seconds())} ago"
    if earlier.canary.verdict == "fail":
        tell.warn(f"{proof.backup} was {made}: it restores, but {earlier.canary.why}.")
        return
    tell.check("proof in the vault", "pass", f"{made}, same SHA-256: {earlier.grade}")
