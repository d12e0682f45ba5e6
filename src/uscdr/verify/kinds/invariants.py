"""The expectations of scenarios.yaml, asked of the live data."""

from __future__ import annotations

from typing import ClassVar, Literal

from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import plural


class InvariantsCheck(CheckSpec):
    """Every invariant of scenarios.yaml holds."""

    kind: Literal["invariants"]

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: InvariantsCheck, world: World) -> Finding:  # noqa: ARG001 - as every kind
    """Ask all of them."""
    wanted = world.expected.invariants
    if not wanted:
        return Finding("inconclusive", "scenarios.yaml names no invariant")
    results = world.database().invariants(wanted)
    broken = [f"{one.name}: {one.seen}, expected {one.expected}" for one in results if one.holds is False]
    unknown = [f"{one.name}: {one.seen}" for one in results if one.holds is None]
    if broken:
        return Finding("fail", "; ".join((*broken, *unknown)))
    if unknown or len(results) < len(wanted):
        return Finding("inconclusive", "; ".join(unknown) or "not every invariant was answered")
    return Finding("pass", f"{plural(len(results), 'invariant')}, all hold")
