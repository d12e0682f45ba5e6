"""Whether the schema is the one that the deployed code was written for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Literal

from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural

NUMBERED = re.compile(r"[^.]+\.\d{4}_\w+")
"""The migrations that can be told from the code's file names; one of another name may be there or not."""


class MigrationsCheck(CheckSpec):
    """The applied migrations are those of the deployed code."""

    kind: Literal["migrations"]

    provider: ClassVar[Provider] = "source"


def run(name: str, spec: MigrationsCheck, world: World) -> Finding:  # noqa: ARG001 - as every kind
    """Compare what is applied with the code, or with the baseline when the code is not to be had."""
    applied = {f"{one.app}.{one.name}" for one in world.database().migrations()}
    code = frozenset(world.code_migrations() or ())
    known = frozenset(world.before(name).get("applied", ()))
    gone = _listed("of the baseline not applied any more", known - applied - code)
    measured = {"applied": sorted(applied)}
    if code:
        problems = [*_against_code(applied, code), *gone]
        words = f"{plural(len(code), 'migration')} of the code, all applied; none ahead of it"
        return judged(problems, words, measured)
    if gone:
        return Finding("fail", gone[0], measured)
    if not known:
        return Finding("inconclusive", f"{len(applied)} applied; neither the deployed code nor a baseline is to be had")
    new = _listed("applied since the baseline", applied - known)
    if new:
        return Finding("inconclusive", f"{new[0]}; the deployed code is not to be had")
    return Finding("pass", f"{len(applied)} applied, as in the baseline; the deployed code is not to be had", measured)


def _against_code(applied: set[str], code: frozenset[str]) -> list[str]:
    """Of the code's own applications: others come with libraries, which its archive does not hold."""
    own = {one.partition(".")[0] for one in code}
    ahead = {one for one in applied if one.partition(".")[0] in own and NUMBERED.fullmatch(one)} - code
    return [*_listed("pending", code - applied), *_listed("applied but unknown to the deployed code", ahead)]


def _listed(what: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    return [f"{plural(len(found), 'migration')} {what}: {first_of(found)}"] if found else []
