"""Check the restored data: compare every table with the proven backup, then check the invariants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import OutcomeUnknown
from uscdr.scenarios.results.app import DataProbed, Remedy
from uscdr.scenarios.results.db import (
    ChosenBackup,
    Compared,
    Migrated,
    Proof,
    Restored,
    VerifiedData,
    broken_invariants,
)
from uscdr.scenarios.steps.base import ScenarioStep, sql
from uscdr.scenarios.steps.transfers import restores_since
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from uscdr.models.postgres import InvariantResult, TableDigest, TableDigests

MOST_RESTORES = 3
LOOK_YOURSELF = "The restore includes these rows. Check some of them in the application."


class Compare(ScenarioStep[Compared, Compared]):
    """Compares row count and content digest of every table with the proof, before anything may write again."""

    name = "data.compare"
    title = "Compare every table with the backup"
    effect = Effect.READ
    manual = ("heroku pg:psql --app {app}   # the same counts again",)
    gives = Compared
    needs = (Restored, Proof)
    plans_with = (Restored,)
    waits = "every table is compared with the proven backup after the restore"

    @override
    def probe(self, view: View, tell: Reporter) -> Compared:
        proof = view.need(Proof)
        found, others = self._settled(view.need(Restored), tell)
        live = {digest.name: digest for digest in found.tables}
        unread = {one.table for one in found.unread}
        hidden = tuple(one.words("compared") for one in found.unread if one.hidden)
        if hidden:
            tell.warn(f"NOT COMPARED with the backup: {'; '.join(hidden)}. {LOOK_YOURSELF}")
        then = {digest.name: digest for digest in proof.tables}
        volatile = self._deps.config.app.volatile_tables
        names = sorted((live.keys() | then.keys()) - unread)
        differing = [name for name in names if not _equal(live.get(name), then.get(name))]
        return Compared(
            matching=len(then.keys() - unread) - len([name for name in differing if name in then]),
            tables=len(then),
            rows=sum(digest.rows for digest in live.values() if digest.name not in volatile),
            differing=tuple(differing),
            unread=tuple(one.words("compared") for one in found.unread if not one.hidden),
            hidden=hidden,
            beside=others,
        )

    def _settled(self, restored: Restored, tell: Reporter) -> tuple[TableDigests, tuple[str, ...]]:
        """The tables, and the names of other restores; repeated until no restore started or ended meanwhile."""
        known = restores_since(self._deps, restored, tell)
        for _ in range(MOST_RESTORES):
            database = self._deps.database()
            tell.progress("reading row counts and digests of the restored tables")
            found = database.digested([t.name for t in database.tables()])
            before, known = known, restores_since(self._deps, restored, tell)
            if known == before:
                break
        else:
            raise OutcomeUnknown(
                f"Restores of this database keep starting ({first_of(known)}).",
                next_action=(
                    f"Find out who starts them: heroku pg:backups --app {self._deps.app}. Then: uscdr runs resume"
                ),
            )
        if known:
            tell.warn(
                f"Heroku ran more than one restore: {restored.name} and {', '.join(known)}. "
                "It may have received the request "
                "twice, or somebody else restored too. The comparison uses the data after all of them."
            )
        return found, known

    @override
    def plan(self, seen: Compared, view: View) -> Action:
        if seen.unread:
            return Action(
                "blocked",
                f"After the restore, uscdr cannot read every table: {'; '.join(seen.unread)}. "
                "Maintenance mode stays on. "
                "Fix the cause, then: uscdr runs resume",
            )
        if seen.differing:
            return Action(
                "blocked",
                f"After the restore, {plural(len(seen.differing), 'table')} differ from the proven backup: "
                + ", ".join(seen.differing) + ". Maintenance mode stays on. Another process may be writing: "
                f"heroku ps --app {self._deps.app}. Then: uscdr runs resume",
            )  # fmt: skip
        words = f"{seen.matching} of {seen.tables} tables equal the proven backup, {plural(seen.rows, 'row')}"
        words += f"; NOT COMPARED: {'; '.join(seen.hidden)}" if seen.hidden else ""
        words += f"; MORE THAN ONE restore ran (also {', '.join(seen.beside)})" if seen.beside else ""
        return Action("read", words, (sql("count and digest of every table"),))


def _equal(live: TableDigest | None, then: TableDigest | None) -> bool:
    return live is not None and live.same(then)


def _extent(view: View) -> tuple[int, int, int]:
    """The number of matching tables, of all tables, and of rows: compared with the backup, or as counted."""
    probed = view.get(DataProbed)
    if probed is not None:
        return probed.tables, probed.tables, probed.rows
    compared = view.need(Compared)
    return compared.matching, compared.tables, compared.rows


def _as_captured(seen: VerifiedData, view: View) -> bool:
    """Whether a damaged backup was restored on request, and only its own broken invariants fail."""
    chosen, proof = view.get(ChosenBackup), view.get(Proof)
    if chosen is None or not chosen.damaged or proof is None:
        return False
    return {one.name for one in seen.results if one.holds is not True} <= {
        one.name for one in proof.invariants if one.holds is not True
    }


def _unasked(results: tuple[InvariantResult, ...], view: View) -> tuple[str, ...]:
    """Invariants of tables that row-level security hides; after a restore, only those that hold in the backup."""
    seen, proof = view.get(DataProbed) or view.get(Compared), view.get(Proof)
    if seen is None or not seen.hidden:
        return ()
    broken = {one.name for one in proof.invariants if one.holds is not True} if proof is not None else set()
    return tuple(one.name for one in results if one.forbidden and one.name not in broken)


class VerifyData(ScenarioStep[VerifiedData, VerifiedData]):
    """Checks the invariants on the live data. Maintenance mode goes off only if all hold."""

    name = "data.verify"
    title = "Verify the data"
    default_id = "verify_data"
    effect = Effect.READ
    manual = ("heroku pg:psql --app {app}   # the invariants of scenarios.yaml",)
    gives = VerifiedData
    needs = (Migrated, (Compared, DataProbed))
    waits = "the invariants are checked after the restore"

    @override
    def probe(self, view: View, tell: Reporter) -> VerifiedData:
        matching, tables, rows = _extent(view)
        database = self._deps.database()
        results = database.invariants(self._deps.config.invariants)
        unasked = _unasked(results, view)
        for result in results:
            verdict = {True: "pass", False: "fail", None: "inconclusive"}[result.holds]
            tell.check(result.name, verdict, f"{result.seen}; expected {result.expected}")  # type: ignore[arg-type]
        return VerifiedData(
            tables_matching=matching,
            tables=tables,
            rows=rows,
            invariants_held=len(results) - len(broken_invariants(results)),
            invariants=len(results),
            results=results,
            unasked=unasked,
            late=self._late(view, tell),
        )

    def _late(self, view: View, tell: Reporter) -> tuple[str, ...]:
        """Further restores since the comparison: a request that uscdr gave up may have arrived late."""
        restored, compared = view.get(Restored), view.get(Compared)
        if restored is None or compared is None:
            return ()
        return tuple(name for name in restores_since(self._deps, restored, tell) if name not in compared.beside)

    @override
    def plan(self, seen: VerifiedData, view: View) -> Action:
        if seen.late:
            return Action(
                "blocked",
                f"The database was restored again ({', '.join(seen.late)}) after the comparison, "
                "which undid later changes "
                "of this run. Maintenance mode stays on. Start a new recovery: uscdr recover db --new",
            )
        broken = broken_invariants(tuple(one for one in seen.results if one.name not in seen.unasked))
        if broken and _as_captured(seen, view):
            words = (
                f"the damaged backup is restored as it is; it fails these invariants, as before: {'; '.join(broken)}"
            )
            return Action("read", words, (sql("every invariant"),))
        if broken:
            return Action(
                "blocked", f"The data fails these invariants: {'; '.join(broken)}. Maintenance mode stays on."
            )
        words = f"{seen.invariants_held} of {seen.invariants} invariants hold, {plural(seen.rows, 'row')}"
        words += (
            f"; NOT CHECKED, because row-level security hides the rows: {first_of(seen.unasked)}"
            if seen.unasked
            else ""
        )
        return Action("read", words, (sql("every invariant"),))


# A real query: `check --database default` would pass without one.


class DataProbe(ScenarioStep[DataProbed, DataProbed]):
    """Counts every table, to find empty and missing ones."""

    name = "data.probe"
    title = "Count every table"
    effect = Effect.READ
    manual = ("heroku pg:psql --app {app}   # SELECT count(*) FROM patients_patient",)
    gives = DataProbed
    needs = (Remedy,)
    waits = "every table of the live database is counted"

    @override
    def probe(self, view: View, tell: Reporter) -> DataProbed:
        database = self._deps.database()
        counted = database.counted([table.name for table in database.tables()])
        unread = [one for one in counted.unread if not one.hidden]
        return DataProbed(
            tables=len(counted.rows),
            rows=sum(counted.rows.values()),
            # Not read if tables cannot be read: that alone stops the step, and the error names all of them.
            migrations=0 if unread else len(database.migrations()),
            missing=database.lacking(self._deps.config.app.expected_tables),
            unread=tuple(one.words("counted") for one in unread),
            hidden=tuple(one.words("counted") for one in counted.unread if one.hidden),
        )

    @override
    def plan(self, seen: DataProbed, view: View) -> Action:
        if seen.missing:
            return Action(
                "blocked",
                f"The database lacks {', '.join(seen.missing)}, so the data is damaged. Recover it: uscdr recover db",
            )
        if seen.unread:
            return Action(
                "blocked",
                f"uscdr cannot read every table: {'; '.join(seen.unread)}. If the data is damaged: "
                "uscdr recover db. If a table is locked, find the holder (heroku pg:locks), then: uscdr runs resume",
            )
        words = f"{plural(seen.tables, 'table')}, {plural(seen.rows, 'row')}, {plural(seen.migrations, 'migration')}"
        words += f"; NOT COUNTED: {'; '.join(seen.hidden)}" if seen.hidden else ""
        return Action("read", f"the database answers: {words}", (sql("count of every table"),))
