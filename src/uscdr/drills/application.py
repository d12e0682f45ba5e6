"""An application disaster: its code or config is bad, its data are not."""

from __future__ import annotations

from uscdr.drills.beyond import of
from uscdr.drills.disaster import Aftermath, Disaster
from uscdr.drills.stage import Stage
from uscdr.drills.truth import Content, Finding, same_rows
from uscdr.errors import ProviderError
from uscdr.scenarios.deps import Request

OK = 200
MIGRATED = frozenset({"django_migrations"})
"""A migration adds its own row here, and may add columns elsewhere."""


class ApplicationDisaster(Disaster):
    """Pages must answer again, with the data untouched."""

    scenario, path = "app", "break/app"

    def prepare(self, stage: Stage) -> None:
        """Releases and source are there from the beginning."""

    def request(self) -> Request:
        """Whatever is judged right."""
        return Request("app")

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Finding, ...]:
        """Answers, rows, and no second rollback or build."""
        rollbacks, builds = (len(of(seen.writes, "POST", f"/apps/*/{kind}")) for kind in ("releases", "builds"))
        return (
            answers(stage, self.request()),
            _data(seen.before, seen.after, migrated=self.how == "missing-migration"),
            Finding("at most one rollback and one build", max(rollbacks, builds) <= 1, f"{rollbacks} and {builds}"),
        )


def answers(stage: Stage, request: Request) -> Finding:
    """The first page, asked once more after the recovery."""
    try:
        with stage.look(request) as deps, deps.world() as world:
            status = world.website().ask("GET", "/").status
    except ProviderError as error:
        return Finding("the first page answers", holds=False, evidence=error.message)
    return Finding("the first page answers", status == OK, f"status {status}")


def _data(before: Content, after: Content, *, migrated: bool) -> Finding:
    """Where a migration was due, columns may be new: then rows are counted, else compared by content."""
    if not migrated:
        return same_rows(before, after)
    now = after.counts
    fewer = [table for table, rows in before.counts.items() if now.get(table, 0) < rows]
    grown = {table for table, rows in before.counts.items() if now.get(table, 0) > rows} - MIGRATED
    changed = [*fewer, *sorted(grown)]
    return Finding(
        "no row is lost or added", bool(now) and not changed, f"{after.rows} rows" + "".join(f"; {n}" for n in changed)
    )
