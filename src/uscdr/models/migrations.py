"""Django's migrations: those of the code against those that a database records. One judgement for every command; pure.

A squashed migration counts as applied when all that it replaces are, as Django itself has it; recorded migrations
that a squashed one of the code replaces are not ahead of that code. Names are `app.name`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from pydantic import Field

from uscdr.models.base import Fact
from uscdr.models.postgres import Migration

Squashed = Mapping[str, tuple[str, ...]]
_NUMBERED = re.compile(r"[^.]+\.\d{4}_\w+")


class CodeMigrations(Fact):
    """The migrations that a commit holds; none at all means that they are not known."""

    migrations: tuple[str, ...] = ()
    replaces: dict[str, tuple[str, ...]] | None = Field(default_factory=dict)
    """Squashed migration -> those that it replaces. None when only numbered migrations were looked for, so that
    one of another name may be in the code or not."""


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

    @property
    def known(self) -> bool:
        """Whether the two could be compared."""
        return self.verdict != "not checked"


def compare(
    code: CodeMigrations | None, applied: Collection[Migration] | None, *, against: str = "", why: str = ""
) -> MigrationsVerdict:
    """Judge the code's own applications: others come with libraries, which the code does not hold.

    An application under a new name cannot be told from a new one: its migrations are pending, the old ones are not
    judged. `against` names the code, `why` says why it is not known.
    """
    if code is None or not code.migrations or applied is None:
        return MigrationsVerdict(verdict="not checked", why=why, applied=len(applied or ()))
    names, squashed = frozenset(code.migrations), code.replaces or {}
    recorded = {one.full_name for one in applied}
    done = _done(squashed, recorded)
    pending, ahead = _pending(names, squashed, done), _ahead(code, recorded)
    return MigrationsVerdict(
        verdict="ahead" if ahead else "pending" if pending else "same",
        against=against,
        applied=len(recorded),
        pending=tuple(sorted(pending)),
        ahead=tuple(sorted(ahead)),
        renamed=tuple(sorted(names & done - recorded)),
    )


def covered(code: CodeMigrations) -> frozenset[str]:
    """Every name that the code stands for: its own, and those that it replaces."""
    return frozenset(code.migrations).union(*(code.replaces or {}).values())


def _done(squashed: Squashed, recorded: Iterable[str]) -> frozenset[str]:
    """What is applied, under whichever name; a squashed one may itself be replaced by another."""
    done = frozenset(recorded)
    while more := {name for name, old in squashed.items() if name not in done and old and done.issuperset(old)}:
        done |= more
    return done


def _pending(names: frozenset[str], squashed: Squashed, done: frozenset[str]) -> set[str]:
    """A squashed one runs in the place of those it replaces, unless some of them ran: then the rest of them run."""
    begun = {name for name, old in squashed.items() if not done.isdisjoint(old) and names.issuperset(set(old) - done)}
    instead = {one for name, old in squashed.items() if name in done or name not in begun for one in old}
    return set(names - done - begun - instead)


def _ahead(code: CodeMigrations, recorded: Iterable[str]) -> set[str]:
    own = {name.partition(".")[0] for name in code.migrations}
    unknown = {name for name in recorded if name.partition(".")[0] in own} - covered(code)
    return unknown if code.replaces is not None else {name for name in unknown if _NUMBERED.fullmatch(name)}
