"""Whether rows still have the rows they belong to, by the keys that say so and by looking."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from uscdr.models.postgres import ForeignKey
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, as_far_as_read, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural


class ForeignKeysCheck(CheckSpec):
    """The foreign keys are there, the server holds them valid, and no row breaks one."""

    kind: Literal["foreign_keys"]
    minimum: Annotated[int, Field(ge=1)] = 1
    """So many keys there must be."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: ForeignKeysCheck, world: World) -> Finding:
    """List the keys and count the rows that break them."""
    found = world.database().foreign_keys()
    names = [f"{key.table}: {key.name}" for key in found]
    known: list[str] = world.before(name).get("keys", [])
    gone = [one for one in known if one not in set(names)]
    few = len(found) < spec.minimum
    problems = [
        *([f"{plural(len(found), 'foreign key')}, expected at least {spec.minimum}"] if few else []),
        *([f"{plural(len(gone), 'foreign key')} of the baseline gone: {first_of(gone)}"] if gone else []),
        *_invalid(found),
        *_orphaned(found),
    ]
    finding = judged(problems, f"{plural(len(found), 'foreign key')}, all valid, no orphaned row", {"keys": names})
    return as_far_as_read(finding, (key.unread for key in found), "compared")


def _invalid(found: tuple[ForeignKey, ...]) -> list[str]:
    names = [f"{key.table}: {key.name}" for key in found if not key.validated]
    return [f"{plural(len(names), 'foreign key')} not validated: {first_of(names)}"] if names else []


def _orphaned(found: tuple[ForeignKey, ...]) -> list[str]:
    """By table: the names of keys are long. A row that breaks two keys counts twice."""
    rows: Counter[str] = Counter()
    for key in found:
        rows[key.table] += key.orphans
    broken = [f"{table} ({number:,})" for table, number in rows.most_common() if number]
    return [f"{plural(rows.total(), 'orphaned row')}: {first_of(broken)}"] if broken else []
