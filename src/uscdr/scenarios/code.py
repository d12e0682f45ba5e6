"""The application's code: what is deployed, what a deploy would bring, and whether the database fits. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, MachineError, ProviderError
from uscdr.models.migrations import CodeMigrations, Listed, MigrationsVerdict
from uscdr.models.schema import EXISTS
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.engine.step import Reporter
    from uscdr.models.heroku import Release
    from uscdr.models.migrations import Lack, SourceArchive
    from uscdr.models.postgres import Migration, TableColumn
    from uscdr.scenarios.adapters import Adapters


@dataclass(frozen=True)
class Tables:
    """The live database's recorded migrations and its columns."""

    applied: tuple[Migration, ...]
    columns: tuple[TableColumn, ...]

    def against(self, code: CodeMigrations | None, name: str = "", why: str = "") -> MigrationsVerdict:
        """The one judgement on both, the code being called `name`."""
        return MigrationsVerdict.compare(code, self.applied, self.columns, against=name, why=why)

    @classmethod
    def live(cls, deps: Adapters) -> Tables:
        """Of the live database. Raises ProviderError, BadInput."""
        database = deps.database()
        return cls(database.migrations(), database.columns())


@dataclass(frozen=True)
class CodeSeen:
    """`migrations` are those of the deployed commit, None when its code was not available."""

    commit: str = ""
    migrations: CodeMigrations | None = None
    ref: str = ""
    ref_commit: str = ""
    ref_migrations: CodeMigrations | None = None
    """Those of what a redeploy would deploy."""
    ref_lacks: tuple[Lack, ...] = ()
    """What a build from its archive would lack."""
    words: str = ""

    @classmethod
    def look(cls, deps: Adapters, running: Release | None, tell: Reporter) -> CodeSeen:
        """What runs and what a redeploy would deploy; an unreachable source is reported, not raised."""
        commit = _commit_of(deps, running.slug_id if running else None)
        ref = _wanted_ref(deps)
        if deps.source is None:
            return cls(commit=commit, words="no source repository is configured (app.source)")
        try:
            tell.progress("asking the source repository")
            ref_commit = deps.source.resolve(ref)
            migrations = deps.source.archive(commit, deps.work) if commit else None
            later = migrations if ref_commit == commit else deps.source.archive(ref_commit, deps.work)
        except (ProviderError, MachineError) as error:
            return cls(commit=commit, ref=ref, words=f"the source is not available: {error.message}")
        runs = f"{commit[:12]} is deployed, " if commit else "what is deployed is not known, "
        lacks, words = later.lacks if later else (), f"{runs}{ref} is {ref_commit[:12]}"
        return cls(commit, migrations, ref, ref_commit, later, lacks, f"{words}{without(lacks)}")


def without(lacks: Sequence[Lack]) -> str:
    """What a build from the commit's archive lacks, to append to its name; empty when it lacks nothing."""
    if not lacks:
        return ""
    return f" WITHOUT THE CONTENT OF {first_of(list(map(str, lacks)))}: a build from its archive does not get it"


def _commit_of(deps: Adapters, slug_id: str | None) -> str:
    """The commit that a slug was built from, as the platform's builds tell; empty when none does."""
    from uscdr.models.heroku import Build

    return Build.commit_of(slug_id, deps.deploys.builds(deps.app)) if slug_id else ""


def _wanted_ref(deps: Adapters) -> str:
    """The ref to deploy: the requested one, else the configured one."""
    source = deps.config.app.source
    return deps.request.ref or (source.ref if source else "main")


class DeployedCode:
    """The code of the application that is worked on, against its live database."""

    def __init__(self, deps: Adapters) -> None:
        self._deps = deps

    def judge(self, slug_id: str | None, listed: Listed | None = None) -> MigrationsVerdict:
        """The live database against the code of a slug; `why` says what was not available.

        `listed`: what that code, running, lists itself; then its libraries are judged too, and all without its files.
        """
        try:
            tables = Tables.live(self._deps)
            code, why = self._files(slug_id)
            found = tables.against(code, code.commit[:12] if code else "", why)
            return found.with_listed(code, tables.applied, listed) if listed is not None else found
        except (ProviderError, BadInput) as error:
            return MigrationsVerdict(verdict="not checked", why=error.message)

    def judge_running(self, listed: Listed | None = None) -> MigrationsVerdict:
        """The live database against the running code. Raises ProviderError when that is unknown."""
        running = next((one for one in self._deps.platform.releases(self._deps.app) if one.current), None)
        return self.judge(running.slug_id if running else None, listed)

    def running(self) -> CodeMigrations | None:
        """The files of the running code; None when they are not available. Raises ProviderError."""
        running = next((one for one in self._deps.platform.releases(self._deps.app) if one.current), None)
        return self._files(running.slug_id if running else None)[0]

    def _files(self, slug_id: str | None) -> tuple[SourceArchive | None, str]:
        """A slug's code, or why it is not known."""
        if self._deps.source is None:
            return None, "no source repository is configured (app.source)"
        try:
            commit = _commit_of(self._deps, slug_id)
            return (
                (self._deps.source.archive(commit, self._deps.work), "")
                if commit
                else (None, "the platform does not say its commit")
            )
        except (ProviderError, MachineError) as error:
            return None, error.message

    def way_on(self, found: MigrationsVerdict) -> str:
        """What a person does about the worst problem, with commands to paste; empty when there is none."""
        manage = f"heroku run --exit-code --app {self._deps.app} -- {self._deps.config.app.manage}"
        if found.disordered:
            return _in_order(found.disordered[0], manage)
        if found.obstacles:
            return _unblocked(found.obstacles[0], manage)
        if found.lacking:
            return RESTORE
        if found.ahead or found.unfillable:
            return (
                f"Deploy code that has {first_of(found.ahead) or 'these columns'}: uscdr recover app --ref REF --new. "
                f"Or reverse it with code that has it, which drops what it made: {manage} migrate {_app(found)} NAME"
            )
        return f"Apply the pending migrations: {manage} migrate --noinput" if found.pending else ""


# What a person does about migrations that cannot be applied.


RESTORE = "The database was changed by hand: restore a backup (uscdr recover db), or recreate what is missing."


def _app(found: MigrationsVerdict) -> str:
    return found.ahead[0].partition(".")[0] if found.ahead else "APP"


def _in_order(words: str, manage: str) -> str:
    ground = words.partition(" before ")[2]
    if not ground:
        return "Deploy code in which one migration merges them (manage.py makemigrations --merge)."
    return f"If the database has what {ground} makes, record it: {manage} migrate --fake {ground.replace('.', ' ')}"


def _unblocked(words: str, manage: str) -> str:
    name, _, what = words.partition(": ")
    if not what.endswith(EXISTS):
        return RESTORE
    return (
        f"If the database has all that {name} makes, record it: {manage} migrate --fake {name.replace('.', ' ')}. "
        "If it has only a part, drop that part, so that the migration is applied as a whole."
    )
