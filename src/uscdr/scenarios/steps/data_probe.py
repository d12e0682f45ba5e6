"""A real question to the database: `check --database default` would pass without one."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.scenarios.results_app import DataProbed, Remedy
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import sql
from uscdr.words import plural


class DataProbe(DepsStep[DataProbed, DataProbed]):
    """Counts every table, so that an empty or missing one cannot hide."""

    name = "data.probe"
    title = "Ask the database"
    effect = Effect.READ
    manual = ("heroku pg:psql --app {app}   # SELECT count(*) FROM patients_patient",)
    gives = DataProbed
    needs = (Remedy,)
    waits = "every table of the live database is counted"

    @override
    def probe(self, view: View, tell: Tell) -> DataProbed:
        database = self._deps.database()
        counted = database.counted([table.name for table in database.tables()])
        unread = [one for one in counted.unread if not one.hidden]
        return DataProbed(
            tables=len(counted.rows),
            rows=sum(counted.rows.values()),
            # Not asked for where tables cannot be read: that alone ends it, with all of them named.
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
                f"The database lacks {', '.join(seen.missing)}: this is damage to the data (uscdr recover db).",
            )
        if seen.unread:
            return Action(
                "blocked",
                f"Not every table of the database can be read: {'; '.join(seen.unread)}. If the data are damaged: "
                "uscdr recover db. If a table is locked: see who holds it (heroku pg:locks), then uscdr runs resume.",
            )
        words = f"{plural(seen.tables, 'table')}, {plural(seen.rows, 'row')}, {plural(seen.migrations, 'migration')}"
        words += f"; NOT COUNTED: {'; '.join(seen.hidden)}" if seen.hidden else ""
        return Action("read", f"the database answers: {words}", (sql("count of every table"),))
