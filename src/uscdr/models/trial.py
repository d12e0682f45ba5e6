"""Migrations as SQL: the code's SQL for each, the result of trying it on a copy, and what that proves. Pure."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from pydantic import Field

from uscdr.models.base import Fact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from uscdr.models.migrations import MigrationsVerdict

BEGUN, ENDED = "uscdr-sql-of", "uscdr-sql-end"
"""Markers in a dyno's output: the migration's name before its SQL, the exit status after it."""
_ONE = re.compile(
    rf"^-- {BEGUN} (?P<name>\w+\.\w+)\n(?P<text>.*?)^-- {ENDED} (?P<status>\d+)$", re.MULTILINE | re.DOTALL
)
_PYTHON = re.compile(r"^-- THIS OPERATION CANNOT BE WRITTEN AS SQL[ \t]*$", re.MULTILINE)
_FIRST = re.compile(r"^(?:BEGIN;|--)[ \t]*$", re.MULTILINE)
"""The first line from Django; a program may have printed anything before it."""
_LAST = re.compile(r"^COMMIT;[ \t]*$", re.MULTILINE)
_AT_ONCE = re.compile(r"\b((?:CREATE(?:\s+UNIQUE)?|DROP)\s+INDEX)\s+CONCURRENTLY\b", re.IGNORECASE)


class MigrationScript(Fact):
    """The code's SQL for one migration. `parts` is split where its own Python code runs; it may quote rows."""

    name: str
    parts: tuple[str, ...] = Field(default=(), repr=False)
    failed: bool = False
    """Whether the code could not write it; `output` is then its output."""
    output: str = Field(default="", repr=False)

    @property
    def runs_code(self) -> bool:
        """Whether it runs its own Python code, which the SQL does not include."""
        return len(self.parts) > 1

    @classmethod
    def all_in(cls, output: str) -> tuple[MigrationScript, ...]:
        """Every migration between its markers, in order, except one whose end marker is missing."""
        return tuple(map(_script, _ONE.finditer(output.replace("\r", ""))))

    @classmethod
    def runnable(cls, names: Sequence[str], written: Sequence[MigrationScript]) -> tuple[MigrationScript, ...]:
        """Those that can be tried: up to the first unwritten one, on which the next ones may depend."""
        by_name = {one.name: one for one in written if not one.failed}
        return tuple(by_name[name] for name in takewhile(by_name.__contains__, names))


class ScriptEnd(Fact):
    """The result of a script on the copy. `words` quote no row; `state` is the SQLSTATE, empty after success."""

    name: str
    state: str = ""
    words: str = ""
    after_code: bool = False
    """Whether the failure came after Python code of the same migration, which was not run."""

    @property
    def ran(self) -> bool:
        """Whether every statement succeeded."""
        return not self.state


class Untried(Fact):
    """A migration that was not tried, or not to its end, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


class Trial(Fact):
    """The results of all trials. `refused`: what certainly fails on these rows, and the server's reason."""

    ran: tuple[str, ...] = ()
    untried: tuple[Untried, ...] = ()
    refused: Untried | None = None

    @classmethod
    def judge(cls, ends: Sequence[ScriptEnd], runs_code: Collection[str], beside: Collection[str]) -> Trial:
        """What the results prove.

        `runs_code`: migrations with their own Python code. `beside`: those whose SQL was written for a database that
        has them already, or is damaged.

        Python code that was not run may have changed the rows that a later statement fails on, so after it a failure
        on rows proves nothing. What the copy's server lacks proves nothing either, nor does anything after it.
        """
        ran: list[str] = []
        untried: list[Untried] = []
        behind_code = False
        for end in ends:
            if end.ran:
                ran.append(end.name)
                behind_code = behind_code or end.name in runs_code
                if end.name in runs_code:
                    untried.append(Untried(name=end.name, why=PYTHON))
                continue
            failed = Untried(name=end.name, why=end.words)
            if _proves(end, behind_code=behind_code or end.after_code, beside=end.name in beside):
                return Trial(ran=tuple(ran), untried=tuple(untried), refused=failed)
            untried.append(failed.model_copy(update={"why": f"{_why_open(end)}: {end.words}"}))
            break
        return Trial(ran=tuple(ran), untried=tuple(untried))

    def behind(self, names: Sequence[str]) -> Iterator[Untried]:
        """Those of `names` that come after one that was not tried completely."""
        known = {*self.ran, *(one.name for one in self.untried)}
        yield from (Untried(name=name, why=BEHIND) for name in names if name not in known)

    def without_refusal(self, why: str) -> Trial:
        """The same trial, with its refusal as untried, because of `why`."""
        if self.refused is None:
            return self
        open_still = self.refused.model_copy(update={"why": f"{why}: {self.refused.why}"})
        return self.model_copy(update={"refused": None, "untried": (*self.untried, open_still)})

    def without_applied(self, live: Collection[str]) -> Trial:
        """The same, for the live database: a migration that it has succeeded there, whatever an older copy says."""
        applied = self.refused is not None and self.refused.name in live
        return (
            self.without_refusal("it fails on this older copy, but the live database has it already")
            if applied
            else self
        )


def _script(found: re.Match[str]) -> MigrationScript:
    name, text = found["name"], found["text"]
    if found["status"] != "0":
        return MigrationScript(name=name, failed=True, output=text)
    first, lasts = _FIRST.search(text), list(_LAST.finditer(text))
    body = text[first.start() : lasts[-1].start() if lasts else None] if first else ""
    body = body.removeprefix("BEGIN;")
    return MigrationScript(name=name, parts=tuple(_AT_ONCE.sub(r"\1", part) for part in _PYTHON.split(body)))


_BY_ROWS = re.compile(r"22(?!023)|23")
"""SQLSTATE classes for rows: invalid values (not invalid settings) and constraints."""
_BY_SHAPE = frozenset({"42P01", "42P06", "42P07", "42P16", "42701", "42703", "42710", "42804", "2BP01", "55006"})
"""SQLSTATEs for tables, columns and the like: missing, existing already, of another type, in use."""
_BY_ABSENCE = "42704"
_OURS = re.compile(r"^(?:constraint|index|trigger|rule|policy|sequence) ")
"""SQLSTATEs for missing objects; types, roles and collations may be missing only on this machine's server."""
_AS_WRITTEN = frozenset({"42P07", "42P16", "42704", "42710", "42804"})
"""SQLSTATEs that also occur when the SQL was written for a migrated or damaged database."""


PYTHON = "it runs its own Python code"


def _proves(end: ScriptEnd, *, behind_code: bool, beside: bool) -> bool:
    if _BY_ROWS.match(end.state):
        return not behind_code
    if beside and end.state in _AS_WRITTEN:
        return False
    return end.state in _BY_SHAPE or (end.state == _BY_ABSENCE and _OURS.match(end.words) is not None)


def _why_open(end: ScriptEnd) -> str:
    if _BY_ROWS.match(end.state):
        return "Python code before it was not run, so this proves nothing"
    if end.state in _AS_WRITTEN:
        return "its SQL was written for a database that differs from this copy, so this proves nothing"
    return "it did not complete here, which proves nothing"


def pending_on(
    plan: Mapping[str, bool], squashed: Collection[str], copy: MigrationsVerdict, applied: Collection[str]
) -> tuple[tuple[str, ...], tuple[Untried, ...]]:
    """What Django would apply to a copy, in the order of its plan, and what is unknown.

    `plan`: every installed migration, and whether the live database has it. `squashed`: applications with a squashed
    migration. `copy`: the copy against the code's files. `applied`: what the copy records. Libraries have no files
    here, so it is unknown whether the migrations that a squashed one replaces are applied.
    """
    missing = [name for name in plan if name not in applied and name not in copy.renamed]
    aliases = [name for name in missing if _app(name) in squashed and name not in copy.pending]
    installed = {_app(name) for name in plan}
    elsewhere = [name for name in copy.pending if name not in plan and _app(name) in installed]
    unknown = [
        *(Untried(name=name, why="it may be applied under other names") for name in aliases),
        *(Untried(name=name, why="it is not in Django's plan for the live database")
          for name in elsewhere),
    ]  # fmt: skip
    return tuple(name for name in missing if name not in aliases), tuple(unknown)


def _app(name: str) -> str:
    return name.partition(".")[0]


BEHIND = "an earlier migration was not tried completely"
