"""Whether the schema is the one that the deployed code was written for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from uscdr.models.migrations import CodeMigrations, MigrationsVerdict, compare, covered
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural


class MigrationsCheck(CheckSpec):
    """The applied migrations are those of the deployed code."""

    kind: Literal["migrations"]

    provider: ClassVar[Provider] = "source"


def run(name: str, spec: MigrationsCheck, world: World) -> Finding:  # noqa: ARG001 - as every kind
    """Compare what is applied with the code, or with the baseline when the code is not to be had."""
    database, code = world.database(), world.code_migrations() or CodeMigrations()
    there = database.migrations()
    found = compare(code, there, database.columns() if code.steps else None)
    applied = {one.full_name for one in there}
    known = frozenset(world.before(name).get("applied", ()))
    gone = _listed("of the baseline not applied any more", known - applied - covered(code))
    measured = {"applied": sorted(applied)}
    if found.known:
        return judged([*found.problems, *gone], _all_applied(code, found), measured)
    if gone:
        return Finding("fail", gone[0], measured)
    if not known:
        return Finding("inconclusive", f"{len(applied)} applied; neither the deployed code nor a baseline is to be had")
    new = _listed("applied since the baseline", applied - known)
    if new:
        return Finding("inconclusive", f"{new[0]}; the deployed code is not to be had")
    return Finding("pass", f"{len(applied)} applied, as in the baseline; the deployed code is not to be had", measured)


def _all_applied(code: CodeMigrations, found: MigrationsVerdict) -> str:
    words = f"{plural(len(code.migrations), 'migration')} of the code, all applied; none ahead of it"
    words += f"; under the names of those replaced: {first_of(found.renamed)}" if found.renamed else ""
    return words + (f"; tables of {first_of(found.unclear)} not judged" if found.unclear else "")


def _listed(what: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    return [f"{plural(len(found), 'migration')} {what}: {first_of(found)}"] if found else []
