"""The dump for the new application: chosen, proven on this machine, and loaded in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed, NotFound, ProviderError
from uscdr.models.base import Fact, elapsed
from uscdr.models.transfers import Transfers, Whose
from uscdr.scenarios.infra.material import (
    CAPTURED,
    KIT,
    choose_dump,
    dump_source,
    fault_of_capture,
    lost_since,
    not_captured,
)
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.releases import Releases
from uscdr.scenarios.results.db import (
    ApplicationChecked,
    Captured,
    ChosenBackup,
    Compared,
    Proof,
    Restored,
    VerifiedData,
)
from uscdr.scenarios.results.infra import DatabaseReady, InfraSeen, OldStopped
from uscdr.scenarios.steps.base import ASSESS, RESTORED_BY_HAND, ScenarioStep, sql
from uscdr.scenarios.steps.capture import Capture, CaptureSeen
from uscdr.scenarios.steps.choose import LATER, Choice, summary_of, warn_of
from uscdr.scenarios.steps.prove import Prove
from uscdr.scenarios.steps.transfers import TransfersSeen, said_no
from uscdr.words import first_of, moment, plural, size

if TYPE_CHECKING:
    from uscdr.models.heroku import Attachment
    from uscdr.models.postgres import TableDigest


class _LastCapture(Captured):
    """The old place's last state, when nothing wrote there any more; `why` says why there is none."""

    why: str = ""


class InfraChoose(ScenarioStep[ChosenBackup, ChosenBackup]):
    """Chooses the newest good dump, and starts its proof at once."""

    name = "infra.choose"
    title = "Choose the dump"
    phase = ASSESS
    effect = Effect.READ
    gives = ChosenBackup
    manual = (
        "heroku pg:backups --app {app}",
        "heroku pg:backups:download $BACKUP --app {app} --output proof.dump",
        "heroku pg:backups:url $BACKUP --app {app}   # a secret: it gives access to the patients' data",
        "age -d -i $IDENTITY objects/$OBJECT.age >proof.dump   # or from the kit",
    )

    @override
    def probe(self, view: View, tell: Reporter) -> ChosenBackup:
        found = choose_dump(self._deps, view, lambda owner, choice: choice.settled(self._deps, owner, tell))
        chosen = warn_of(found, tell)
        self._deps.candidate.prefetch(dump_source(self._deps, chosen))
        return chosen

    @override
    def plan(self, seen: ChosenBackup, view: View) -> Action:
        scope, later = view.get(InfraSeen), LATER
        if scope is not None and not not_captured(self._deps, scope):
            later = f"{scope.old_app} answers: {CAPTURED}"
        words = summary_of(seen, self._deps.config.objectives.rpo, later)
        return Action("read", words, (), {} if seen.backup.startswith(KIT) else {"BACKUP": seen.backup})


class InfraProve(Prove):
    """Proves the dump as for a restore in place; the dump may come from a kit."""

    name = "infra.prove"
    title = "Prove the dump"
    phase = ASSESS
    effect = Effect.READ
    manual = RESTORED_BY_HAND
    slow: ClassVar[bool] = True

    @override
    def _source(self, view: View) -> DumpSource:
        return dump_source(self._deps, view.need(ChosenBackup))

    @override
    def plan(self, seen: Proof, view: View) -> Action:
        action, chosen = super().plan(seen, view), view.get(ChosenBackup)
        kept = chosen is not None and chosen.backup.startswith(KIT)
        return replace(action, calls=()) if kept else action


class _LoadSeen(Fact):
    """The new database before the load: tables, rows, and whether they already equal the dump."""

    tables: int
    rows: int
    equal: bool


class InfraLoad(ScenarioStep[_LoadSeen, Restored]):
    """Loads the proven file before the first deploy, so that no migration runs on an empty database."""

    name = "infra.load"
    title = "Load the dump"
    effect = Effect.IDEMPOTENT
    sends = (sql("pg_restore --single-transaction", changes=True),)
    manual = (
        "heroku pg:backups:restore $BACKUP_URL DATABASE_URL --app {new_app} --confirm {new_app}",
        "pg_restore --no-owner --no-acl --single-transaction -d $DATABASE_URL proof.dump   # or the proven file",
    )
    gives = Restored
    needs = (DatabaseReady, ChosenBackup, Proof)
    plans_with = (DatabaseReady, Proof)
    checked_by = (Compared, VerifiedData, ApplicationChecked)
    waits = "the proven dump is loaded into the new database, in one transaction, before the first deploy"

    @override
    def probe(self, view: View, tell: Reporter) -> _LoadSeen:
        Releases(self._deps).await_quiet(tell)
        database = self._deps.database()
        tables = [table.name for table in database.tables()]
        digests = database.digests(tables)
        return _LoadSeen(
            tables=len(tables),
            rows=sum(one.rows for one in digests),
            equal=bool(tables) and _same(digests, view.need(Proof).tables),
        )

    @override
    def plan(self, seen: _LoadSeen, view: View) -> Action:
        proof = view.need(Proof)
        if seen.equal:
            return Action("noop", f"the new database already has {proof.backup}")
        if seen.rows and not view.need(DatabaseReady).ordered:
            return Action(
                "blocked",
                f"The database of {self._deps.app} has {plural(seen.rows, 'row')} that are not from the backup, "
                "so uscdr "
                "does not overwrite it. Find out who wrote them. If only the content is wrong: uscdr recover db",
            )
        words = (
            f"load {plural(proof.rows, 'row')} of {proof.backup} (SHA-256 {proof.sha256[:16]}…) into the new database"
        )
        if seen.rows:
            words += f", over {plural(seen.rows, 'row')} that the release phase wrote there"
        return Action("change", words, self.calls())

    @override
    def before(self, seen: _LoadSeen) -> dict[str, Any]:
        return {"tables": seen.tables, "rows": seen.rows}

    @override
    def apply(self, seen: _LoadSeen, view: View, tell: Reporter) -> Restored:
        proof = self._deps.candidate.proof(dump_source(self._deps, view.need(ChosenBackup)), tell)
        if proof.sha256 != view.need(Proof).sha256:
            raise CheckFailed(
                "The dump differs from the proven one.", next_action="Start again: uscdr recover infra --new"
            )
        url = self._deps.platform.config_vars(self._deps.app)[self._deps.services.heroku.database]

        def report(done: int, total: int | None) -> None:
            self._deps.stop.check()
            tell.progress("loading", float(done), float(total) if total else None, "B")

        left = self._deps.loader.load(url, self._deps.candidate.dump(), report)
        for one in left:
            if not one.of_platform:
                tell.warn(f"Not in the new database: {one.what}. {one.why[:1].upper()}{one.why[1:]}.")
        return self._restored(proof).model_copy(update={"left_out": left})

    @override
    def current(self, seen: _LoadSeen, view: View) -> Restored:
        return self._restored(view.need(Proof))

    def _restored(self, proof: Proof) -> Restored:
        return Restored(id=proof.transfer_id, name="load", backup=proof.backup, sha256=proof.sha256)

    @override
    def verify(self, result: Restored, view: View, tell: Reporter) -> str:
        try:
            size_now = self._deps.database().facts().size
        except ProviderError as error:
            raise CheckFailed(
                "The loaded database does not answer.", why=error.message, next_action="uscdr runs resume"
            ) from error
        return f"{result.backup} is loaded, {size(size_now)} at {moment(system_time())}{_without(result)}"


def _same(live: tuple[TableDigest, ...], proven: tuple[TableDigest, ...]) -> bool:
    there = {digest.name: digest for digest in live}
    return all(digest.same(there.get(digest.name)) for digest in proven)


def _without(result: Restored) -> str:
    """The parts of the dump that were left out, in words."""
    platform = [one.what for one in result.left_out if one.of_platform]
    others = [one.what for one in result.left_out if not one.of_platform]
    words = f"; left out, because it belongs to Heroku: {first_of(platform)}" if platform else ""
    return words + (f"; NOT in the new database: {first_of(others)}" if others else "")


# The last writes of an old application that still ran: captured, proven, and used unless damaged.


class CaptureLast(Capture[_LastCapture]):
    """Captures the stopped old application. A failed capture does not stop the recovery, but reports the loss."""

    name = "infra.capture_last"
    title = "Capture the last writes"
    gives = _LastCapture
    needs = (InfraSeen, OldStopped, ChosenBackup)
    plans_with = (InfraSeen,)
    kind = _LastCapture

    @override
    def attachment(self) -> Attachment:
        return self._deps.old_attachment()

    @override
    def probe(self, view: View, tell: Reporter) -> CaptureSeen:
        why = not_captured(self._deps, view.need(InfraSeen), view.get(OldStopped))
        if why:
            return CaptureSeen(addon_id="", owner_app="", reachable=False, why=why)
        try:
            attachment = self.attachment()
        except NotFound as error:
            return CaptureSeen(addon_id="", owner_app="", reachable=False, why=error.message)
        transfers, chosen = self._deps.backups.transfers(attachment), view.get(ChosenBackup)
        return CaptureSeen(
            addon_id=attachment.addon_id,
            owner_app=attachment.owner_app_name,
            **TransfersSeen.listed(self._deps, transfers),
            reachable=True,
            pushes_out=self.pushed_out(transfers),
            wanted=chosen.backup if chosen else "",
            running=Transfers(transfers).under_way(attachment.owner_app_name),
        )

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        if not seen.reachable:
            return Action("skip", f"no last capture: {seen.why}")
        if seen.running:
            return Action("blocked", seen.running)
        if seen.pushes_out and seen.pushes_out == seen.wanted:
            return Action(
                "blocked",
                f"For a last capture of {self._deps.old_app} Heroku would drop {seen.wanted}, the chosen backup: "
                "it keeps a "
                "fixed number of manual backups. Delete another one first: "
                f"heroku pg:backups:delete bNNN --app {self._deps.old_app}",
            )
        return self._change(seen, f"capture the database of {self._deps.old_app} after its last write")

    @override
    def apply(self, seen: CaptureSeen, view: View, tell: Reporter) -> _LastCapture:
        try:
            return super().apply(seen, view, tell)
        except ProviderError as error:
            if not said_no(error):
                raise
            return _LastCapture(id="", num=0, name="", bytes=0, why=f"{error.message} {error.why}".strip())

    @override
    def verify(self, result: _LastCapture, view: View, tell: Reporter) -> str:
        if result.why:
            tell.warn(f"uscdr could not capture the last writes of {self._deps.old_app}. {result.why}")
            return f"not captured: {result.why}"
        words, owner = super().verify(result, view, tell), self.attachment().owner_app_name
        transfer = self._deps.backups.transfer(owner, result.id)
        self._deps.candidate.also(
            DumpSource.stored(self._deps.backups, owner, transfer)
        )  # while Heroku provisions add-ons
        return words


class ChooseLast(ScenarioStep[ChosenBackup, ChosenBackup]):
    """Chooses the last capture; if it is missing or damaged, the first choice."""

    name = "infra.choose_last"
    title = "Choose the dump to load"
    effect = Effect.READ
    manual = ("heroku pg:backups --app {app}",)
    gives = ChosenBackup
    needs = (InfraSeen, OldStopped, ChosenBackup, Proof)
    waits = "the last capture is used if it restores, its invariants hold, and it lost no rows since the first choice"

    @override
    def probe(self, view: View, tell: Reporter) -> ChosenBackup:
        chosen, taken = view.need(ChosenBackup), view.get(_LastCapture)
        if taken is None or taken.why:
            return self._as_before(chosen, view, tell)
        transfer = self._deps.backups.transfer(self._owner(), taken.id)
        transfer = transfer.model_copy(update={"whose": Whose.OURS})  # this run captured that add-on
        wrong, doubts = fault_of_capture(self._deps, transfer, chosen, view.need(Proof), tell)
        if wrong:
            tell.warn(f"The last capture of {self._deps.old_app}, {transfer.name}, is not used: {wrong}.")
            passed_over = (*chosen.passed_over, f"{transfer.name} ({wrong})")
            return self._as_before(chosen.model_copy(update={"passed_over": passed_over}), view, tell)
        return warn_of(Choice((transfer,), looked_for=True, remarks=doubts).recorded(self._deps), tell)

    def _owner(self) -> str:
        return self._deps.old_attachment().owner_app_name

    def _as_before(self, chosen: ChosenBackup, view: View, tell: Reporter) -> ChosenBackup:
        """The first choice, with its present age if the old application wrote since."""
        if not view.need(OldStopped).answers or view.need(InfraSeen).in_place:
            return chosen
        tell.warn(lost_since(self._deps, chosen))
        age = elapsed(chosen.taken_at, system_time())
        met = age <= self._deps.config.objectives.rpo
        return chosen.model_copy(update={"age_seconds": age, "rpo_met": met})

    @override
    def plan(self, seen: ChosenBackup, view: View) -> Action:
        return Action("read", summary_of(seen, self._deps.config.objectives.rpo))


class ProveLast(InfraProve):
    """Proves the dump to load; the earlier proof counts if it is the first choice."""

    name = "infra.prove_last"
    title = "Prove the dump to load"
    needs = (OldStopped, ChosenBackup, Proof)
    waits = "proven when it is chosen"
    phase = ScenarioStep.phase
    slow: ClassVar[bool] = False

    @override
    def probe(self, view: View, tell: Reporter) -> Proof:
        proof = view.need(Proof)
        return proof if proof.transfer_id == view.need(ChosenBackup).transfer_id else super().probe(view, tell)
