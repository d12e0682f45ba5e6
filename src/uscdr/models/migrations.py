"""Compares the code's Django migrations with those that a database records. Used by every command. Pure.

As in Django, a squashed migration counts as applied when all that it replaces are. Recorded migrations that a squashed
one of the code replaces do not count as ahead of the code. Names are `app.name`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from uscdr.models import schema
from uscdr.models.base import Fact
from uscdr.models.schema import MigrationFile
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from uscdr.models.postgres import Migration, TableColumn

# The code's migrations in the order in which Django runs them: those behind a database, and those before it. Pure.


class _Chain:
    """The migration files of the code's own applications, in order.

    `done` are all names that count as applied, `pending` those that Django would run. Of a squashed migration and
    those that it replaces only one kind is considered: the replaced ones, if all their files exist.
    """

    def __init__(
        self,
        files: Collection[MigrationFile],
        squashed: Mapping[str, tuple[str, ...]],
        done: Collection[str],
        pending: Collection[str],
    ) -> None:
        names = {one.name for one in files}
        self._squashed = {new: old for new, old in squashed.items() if new in names}
        self._done = _with_replaced(self._squashed, done)
        left_out = set().union(*(self._not_gone_through(new, names, frozenset(pending)) for new in self._squashed))
        self._files = {one.name: one for one in files if one.name not in left_out}
        ordered = list(self._ordered())
        self.behind = tuple(one for one in ordered if one.name in self._done)
        self.to_do = tuple(one for one in ordered if one.name in pending and one.name not in self._done)

    def _not_gone_through(self, new: str, names: Collection[str], pending: frozenset[str]) -> set[str]:
        old = self._squashed[new]
        return set(old) if new in pending or not set(old) <= set(names) else {new}

    def disordered(self) -> tuple[str, ...]:
        """Applied ones whose dependency is not applied, and several leaf migrations of one application."""
        early = [
            f"{one.name} before {ground}"
            for one in self._files.values()
            if one.name in self._done
            for ground in self._grounds(one)
            if ground not in self._done
        ]
        return (*sorted(early), *sorted(self._forks()))

    def _forks(self) -> Iterator[str]:
        unclear = {one.app for one in self._files.values() if not one.understood}
        rested_on = {
            (one.app, ground)
            for one in self._files.values()
            for ground in self._grounds(one)
            if self._files[ground].app == one.app
        }
        for app in {one.app for one in self._files.values()} - unclear:
            mine = sorted(one.name for one in self._files.values() if one.app == app)
            ends = [name for name in mine if (app, name) not in rested_on]
            if len(ends) > 1:
                yield " and ".join(ends)

    def _grounds(self, one: MigrationFile) -> Iterator[str]:
        """The migrations that it depends on, among the files considered."""
        for name in one.dependencies:
            if name in self._files:
                yield name
                continue
            stand_ins = self._squashed.get(name, ()) or [new for new, old in self._squashed.items() if name in old]
            yield from (other for other in stand_ins if other in self._files and other != one.name)

    def _ordered(self) -> Iterable[MigrationFile]:
        """Each after its dependencies, otherwise by name; a circle is left in the order of names."""
        seen: set[str] = set()
        for name in sorted(self._files):
            yield from self._after_grounds(name, seen)

    def _after_grounds(self, name: str, seen: set[str]) -> Iterator[MigrationFile]:
        stack: list[tuple[str, Iterator[str]]] = [(name, iter(()))] if name not in seen else []
        while stack:
            current, grounds = stack.pop()
            if current not in seen:
                seen.add(current)
                grounds = iter(sorted(self._grounds(self._files[current])))
            missing = next((one for one in grounds if one not in seen), None)
            if missing is None:
                yield self._files[current]
            else:
                stack += [(current, grounds), (missing, iter(()))]


def _with_replaced(squashed: Mapping[str, tuple[str, ...]], done: Collection[str]) -> frozenset[str]:
    """An applied squashed migration stands for those that it replaces, which may be squashed ones too."""
    found = frozenset(done)
    while more := {old for new in found for old in squashed.get(new, ())} - found:
        found |= more
    return found


Squashed = Mapping[str, tuple[str, ...]]
_NUMBERED = re.compile(r"[^.]+\.\d{4}_\w+")


class CodeMigrations(Fact):
    """The migrations that a commit holds; empty means unknown."""

    migrations: tuple[str, ...] = ()
    replaces: dict[str, tuple[str, ...]] | None = Field(default_factory=dict)
    """Squashed migration -> those that it replaces. None when only numbered migrations were searched for: the code
    may have others."""
    steps: tuple[MigrationFile, ...] = Field(default=(), repr=False, exclude=True)
    """What each of them does; empty when only the names are known. Never stored."""

    @property
    def covered(self) -> frozenset[str]:
        """Every name that the code covers: its own, and those that it replaces."""
        return frozenset(self.migrations).union(*(self.replaces or {}).values())


class Lack(Fact):
    """A path of a commit whose content is not in its archive: `backend/shared (submodule)`."""

    path: str
    what: Literal["submodule", "Git LFS pointer", "git-annex pointer", "link out of the tree", "locked by git-crypt"]

    def __str__(self) -> str:
        return f"{self.path} ({self.what})"


class SourceArchive(CodeMigrations):
    """A gzipped tarball of one commit, on this machine."""

    path: str
    commit: str
    sha256: str
    size: int
    files: tuple[str, ...]
    """Every path in the tree, to check for files such as `Procfile` or `backend/manage.py`."""
    lacks: tuple[Lack, ...] = ()
    """Paths whose content is elsewhere and so is not in the archive."""
    procfile: dict[str, str] = Field(default_factory=dict)


class MigrationsVerdict(Fact):
    """A database's migrations against the code's. `pending` ones the database lacks; `ahead` the code lacks."""

    verdict: Literal["same", "pending", "ahead", "not checked"]
    against: str = ""
    why: str = ""
    applied: int = 0
    pending: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    """Migrations of the code that are recorded under the names of those that they replace."""
    disordered: tuple[str, ...] = ()
    """`a before b`: a is recorded, and its dependency b is not. Or `a and b`: both are the last of one application.
    Django then refuses to migrate."""
    obstacles: tuple[str, ...] = ()
    """Why the pending ones would fail: what they create exists already, or what they change is missing."""
    lacking: tuple[str, ...] = ()
    """Missing tables and columns that recorded migrations created."""
    unfillable: tuple[str, ...] = ()
    """Required columns that the code does not know: it cannot save rows in their tables."""
    unclear: tuple[str, ...] = ()
    """Applications whose tables were not checked: their migration files could not be interpreted."""
    runs_code: tuple[str, ...] = ()
    """Pending ones with their own Python code, which cannot be tried first."""

    @classmethod
    def uncompared(cls) -> Self:
        """The two were not compared."""
        return cls(verdict="not checked")

    @property
    def known(self) -> bool:
        """Whether the two could be compared."""
        return self.verdict != "not checked"

    @property
    def up_to_date(self) -> bool:
        """Whether certainly nothing is pending."""
        return self.known and not self.pending

    @property
    def fits(self) -> bool:
        """Whether the code and the database certainly match: nothing pending, ahead, incomplete or missing."""
        return self.verdict == "same" and not self.problems

    @property
    def stuck(self) -> tuple[str, ...]:
        """Why `migrate` of this code would fail on this database, in words; empty without a known reason."""
        return tuple(
            f"{words}: {first_of(names, comma='; ')}"
            for words, names in (
                ("the migration history is inconsistent, so Django refuses to migrate", self.disordered),
                ("a migration was applied only in part, or its tables were changed by hand", self.obstacles),
            )
            if names
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Every difference between the two, in words, the worst first."""
        found = (
            ("recorded as applied, but missing in the database", self.lacking),
            ("required column unknown to the deployed code, which cannot save rows in that table", self.unfillable),
            *((words, ("",)) for words in self.stuck),
            (f"{_migrations(self.pending)} pending", self.pending),
            (f"{_migrations(self.ahead)} applied but unknown to the deployed code", self.ahead),
        )
        return tuple(f"{words}: {first_of(names)}".removesuffix(": ") for words, names in found if names)

    @classmethod
    def compare(
        cls,
        code: CodeMigrations | None,
        applied: Collection[Migration] | None,
        columns: Collection[TableColumn] | None = None,
        *,
        against: str = "",
        why: str = "",
    ) -> MigrationsVerdict:
        """Judge the code's own applications: others come with libraries, which the code does not hold.

        A renamed application looks like a new one: its migrations are pending, the old ones are not judged. `columns`
        are the database's; without them only names are compared. `against` names the code, `why` why it is unknown.
        """
        if code is None or not code.migrations or applied is None:
            return MigrationsVerdict(verdict="not checked", why=why, applied=len(applied or ()))
        names, squashed = frozenset(code.migrations), code.replaces or {}
        recorded = {one.full_name for one in applied}
        done = _done(squashed, recorded)
        pending, ahead = _pending(names, squashed, done), _ahead(code, recorded)
        found = MigrationsVerdict(
            verdict="ahead" if ahead else "pending" if pending else "same",
            against=against,
            applied=len(recorded),
            pending=tuple(sorted(pending)),
            ahead=tuple(sorted(ahead)),
            renamed=tuple(sorted(names & done - recorded)),
        )
        return found.model_copy(update=_files_judged(code, done, pending, columns))

    def with_listed(
        self, code: CodeMigrations | None, applied: Collection[Migration], listed: Listed
    ) -> MigrationsVerdict:
        """This verdict on the code's files, together with what the running code lists: also its libraries' migrations.

        Without the files, the list alone counts. Nothing is ahead of an application with a squashed migration. Nothing
        is pending of an application that is not installed, even if the code has its files.
        """
        own = {name.partition(".")[0] for name in code.migrations} if code is not None and self.known else set()
        installed = {name.partition(".")[0] for name in listed.known}
        theirs = installed - own
        pending = {*self.pending, *listed.pending}
        beyond = {one.full_name for one in applied if one.app in theirs - {*listed.squashed}} - {*listed.known}
        judged = {
            "pending": tuple(sorted(name for name in pending if name.partition(".")[0] in installed)),
            "ahead": tuple(sorted({*self.ahead, *beyond})),
            "obstacles": tuple(words for words in self.obstacles if words.partition(".")[0] in installed),
            "disordered": tuple(words for words in self.disordered if words.partition(".")[0] in installed),
        }
        verdict = "ahead" if judged["ahead"] else "pending" if judged["pending"] else "same"
        told = {"verdict": verdict, "against": self.against or "the deployed code", "applied": len(applied), "why": ""}
        return self.model_copy(update={**judged, **told})


def _migrations(names: Collection[str]) -> str:
    return plural(len(names), "migration")


def _files_judged(
    code: CodeMigrations, done: frozenset[str], pending: Collection[str], columns: Collection[TableColumn] | None
) -> dict[str, tuple[str, ...]]:
    """What the files tell beyond the names."""
    if not code.steps:
        return {}
    chain = _Chain(code.steps, code.replaces or {}, done, pending)
    found = {"disordered": chain.disordered(), "runs_code": tuple(one.name for one in chain.to_do if one.runs_code)}
    if columns is None:
        return found
    before, whole = schema.SchemaState.after(chain.behind), schema.SchemaState.after((*chain.behind, *chain.to_do))
    return {
        **found,
        "obstacles": before.obstacles(chain.to_do, columns) if not found["disordered"] else (),
        "lacking": before.lacking(columns),
        "unfillable": whole.unfillable(before, columns),
        "unclear": tuple(sorted(whole.unclear)),
    }


class Listed(Fact):
    """What the deployed code itself lists: the migrations `known` to it, also its libraries', and the `pending` ones.

    `squashed`: applications with a squashed migration; the list does not say which migrations it replaces.
    """

    known: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    squashed: tuple[str, ...] = ()


def _done(squashed: Squashed, recorded: Iterable[str]) -> frozenset[str]:
    """What is applied, under any name; another squashed migration may replace a squashed one."""
    done = frozenset(recorded)
    while more := {name for name, old in squashed.items() if name not in done and old and done.issuperset(old)}:
        done |= more
    return done


def _pending(names: frozenset[str], squashed: Squashed, done: frozenset[str]) -> set[str]:
    """A squashed migration runs instead of those that it replaces, unless some of them ran: then the others run."""
    begun = {name for name, old in squashed.items() if not done.isdisjoint(old) and names.issuperset(set(old) - done)}
    instead = {one for name, old in squashed.items() if name in done or name not in begun for one in old}
    return set(names - done - begun - instead)


def _ahead(code: CodeMigrations, recorded: Iterable[str]) -> set[str]:
    own = {name.partition(".")[0] for name in code.migrations}
    unknown = {name for name in recorded if name.partition(".")[0] in own} - code.covered
    return unknown if code.replaces is not None else {name for name in unknown if _NUMBERED.fullmatch(name)}
