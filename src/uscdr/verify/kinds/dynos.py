"""Whether the processes that are wanted run, each as often as the platform was told, and whether they stay up.

One look cannot see whether a process that began seconds ago stays: the log tells whether it came down before. One that
did not is no finding; that it is young is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from uscdr.errors import ProviderError
from uscdr.models.heroku import Dyno
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.facts import LOG_LINES
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.standing import UP, Fall, Standing, falls, in_force, standings
from uscdr.verify.verdict import Finding
from uscdr.verify.world import Expected, World
from uscdr.words import first_of

COMING = ("starting", "idle")
"""May run in a moment; an idle dyno sleeps until it is asked."""


class DynosCheck(CheckSpec):
    """The formation: what is wanted is scaled up and runs."""

    kind: Literal["dynos"]
    only: tuple[str, ...] = ()
    """Process types; without them all."""

    provider: ClassVar[Provider] = "platform"


@dataclass(frozen=True)
class _Type:
    """One process type: the dynos wanted by scenarios.yaml, the quantity that the platform was told, and those there.

    `single`: there must never be two.
    """

    name: str
    wanted: int
    single: bool
    quantity: int
    stands: tuple[Standing, ...]

    @property
    def dynos(self) -> tuple[Dyno, ...]:
        """Those there."""
        return tuple(one.dyno for one in self.stands)

    @property
    def up(self) -> int:
        """How many run."""
        return sum(one.state == UP for one in self.dynos)


def run(name: str, spec: DynosCheck, world: World) -> Finding:
    """Compare what is wanted, what the platform was told, and what runs."""
    told = {one.type: one.quantity for one in world.facts.formation()}
    names = _names(spec, world.expected, told)
    if not names:
        return Finding("inconclusive", "the application has no process type, and none is named in app.formation")
    stands, unread = standing_now(world, names)
    types = [_type(one, spec, world.expected, told, stands) for one in names]
    problems = [words for one in types if (words := _problem(one))]
    doubts = [words for one in types if not _problem(one) and (words := _doubt(one))]
    measures = {"quantities": {one.name: one.quantity for one in types}}
    remarks = [*(one.remark(world.expected.steady) for one in stands if one.remark(world.expected.steady)), *unread]
    good = _good(types, world.before(name)) + (f" ({first_of(remarks, comma='; ')})" if remarks else "")
    return weighed(problems, doubts, good, measures)


def standing_now(world: World, kinds: Collection[str]) -> tuple[tuple[Standing, ...], tuple[str, ...]]:
    """Each dyno of these process types; and why the log does not tell of them, where it does not."""
    dynos = world.facts.dynos()
    fallen: Mapping[str, tuple[Fall, ...]] = {}
    unread: tuple[str, ...] = ()
    try:
        fallen = falls(world.facts.log_lines(LOG_LINES), in_force(world.facts.releases()))
    except ProviderError as error:
        unread = (f"whether one crashed before is not known: {error.message}",)
    return standings(dynos, fallen, world.now(), kinds), unread


def _names(spec: DynosCheck, expected: Expected, told: Mapping[str, int]) -> tuple[str, ...]:
    return spec.only or tuple(dict.fromkeys((*expected.formation, *sorted(expected.single), *told)))


def _type(name: str, spec: DynosCheck, expected: Expected, told: Mapping[str, int], there: Sequence[Standing]) -> _Type:
    named = name in spec.only or name in expected.single
    mine = tuple(one for one in there if one.dyno.type == name)
    wanted = expected.formation.get(name, 1 if named else 0)
    return _Type(name, wanted, name in expected.single, told.get(name, 0), mine)


def _problem(one: _Type) -> str:
    if crashed := [standing.words for standing in one.stands if standing.unsettled]:
        return "; ".join(crashed)
    if one.wanted and not one.quantity:
        return f"{one.name} is scaled to 0, wanted {one.wanted}"
    if one.single and max(one.quantity, one.up) > 1:
        return f"{max(one.quantity, one.up)} {one.name}, there must be exactly one"
    there = one.up + sum(dyno.state in COMING for dyno in one.dynos)
    return f"{one.name}: {one.up} of {one.quantity} up" if there < one.quantity else ""


def _doubt(one: _Type) -> str:
    if one.up >= one.quantity:
        return ""
    return ", ".join(f"{dyno.name} is {dyno.state}" for dyno in one.dynos if dyno.state in COMING)


def _good(types: Sequence[_Type], before: Mapping[str, object]) -> str:
    then = before.get("quantities")
    then = then if isinstance(then, dict) else {}
    return ", ".join(
        f"{one.name} {one.up}" + _fewer(one, then.get(one.name)) for one in types if one.quantity or one.wanted
    ) + " up"  # fmt: skip


def _fewer(one: _Type, then: object) -> str:
    if isinstance(then, int) and one.quantity < then:
        return f" (baseline {then})"
    return f" (wanted {one.wanted})" if one.quantity < one.wanted else ""
