"""Whether a scenario's steps are complete and in order: needs met, changes checked, no required step missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.engine.step import Effect, Need, alternatives
from uscdr.scenarios.registry import PIPELINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.models.base import Fact
    from uscdr.scenarios.steps.base import AnyStep


@dataclass(frozen=True)
class _Fault:
    """The fault of the step at `index`."""

    index: int
    words: str


def faults(scenario: str, steps: Sequence[AnyStep]) -> Iterator[_Fault]:
    """All faults of these steps, the gravest kind first."""
    expected = PIPELINES[scenario]
    yield from _unmet(expected, steps)
    yield from _unchecked(expected, steps)
    yield from _out_of_order(expected, steps)


def _unmet(expected: Sequence[AnyStep], steps: Sequence[AnyStep]) -> Iterator[_Fault]:
    given: set[type[Fact]] = set()
    for index, step in enumerate(steps):
        for need in step.needs:
            if not given.intersection(alternatives(need)):
                yield _Fault(
                    index,
                    f"`{step.name}` needs a result that no earlier step gives; put {_givers(expected, need)} before it",
                )
        given.add(step.gives)


def _unchecked(expected: Sequence[AnyStep], steps: Sequence[AnyStep]) -> Iterator[_Fault]:
    for index, step in enumerate(steps):
        later = {one.gives for one in steps[index + 1 :]}
        for need in step.checked_by:
            if not later.intersection(alternatives(need)):
                yield _Fault(index, f"nothing checks what `{step.name}` does; put {_givers(expected, need)} after it")


def _givers(expected: Sequence[AnyStep], need: Need) -> str:
    """The scenario's steps that meet the need; if it has none, those of any scenario."""
    every = tuple(step for pipeline in PIPELINES.values() for step in pipeline)
    found = [step for step in expected if step.gives in alternatives(need)]
    found = found or [step for step in every if step.gives in alternatives(need)]
    return " or ".join(f"`{name}`" for name in dict.fromkeys(step.name for step in found))


def _out_of_order(expected: Sequence[AnyStep], steps: Sequence[AnyStep]) -> Iterator[_Fault]:
    """Required steps in their order; between them only looks that need nothing, and steps that may be added."""
    due = 0
    for index, step in enumerate(steps):
        if due < len(expected) and step is expected[due]:
            due += 1
        elif not (step.may_be_added or (step.effect is Effect.READ and not step.needs)):
            yield _Fault(index, _displaced(step, expected[due:]))
            return
    if due < len(expected):
        yield _Fault(len(steps) - 1, f"{_shown(expected[due])} is missing or in the wrong place")


def _displaced(step: AnyStep, due: Sequence[AnyStep]) -> str:
    if step not in due:
        may = "looks that need no other step, `manual` and other add-ons"
        return f"{_shown(step)} does not belong here; only {may} can be added"
    return f"{_shown(step)} comes after {_shown(due[0])}, which is missing or in the wrong place"


def _shown(step: AnyStep) -> str:
    return f"`{step.name}` ({step.title})"
