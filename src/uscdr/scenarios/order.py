"""Whether a scenario's steps can do what it promises: every need met, what destroys surrounded, none left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from uscdr.engine.step import Effect, Need, alternatives
from uscdr.models.base import Fact
from uscdr.scenarios.registry import PIPELINES, STEPS
from uscdr.scenarios.steps.base import AnyStep


@dataclass(frozen=True)
class Fault:
    """What is wrong with the step at `index`."""

    index: int
    words: str


def faults(scenario: str, steps: Sequence[AnyStep]) -> Iterator[Fault]:
    """Everything that is wrong with these steps, the gravest kind first."""
    yield from _unmet(steps)
    yield from _unchecked(steps)
    yield from _out_of_order(PIPELINES[scenario], steps)


def _unmet(steps: Sequence[AnyStep]) -> Iterator[Fault]:
    given: set[type[Fact]] = set()
    for index, step in enumerate(steps):
        for need in step.needs:
            if not given.intersection(alternatives(need)):
                yield Fault(index, f"`{step.name}` needs what no earlier step gives; put {_givers(need)} before it")
        given.add(step.gives)


def _unchecked(steps: Sequence[AnyStep]) -> Iterator[Fault]:
    for index, step in enumerate(steps):
        later = {one.gives for one in steps[index + 1 :]}
        for need in step.checked_by:
            if not later.intersection(alternatives(need)):
                yield Fault(index, f"nothing checks what `{step.name}` does; put {_givers(need)} after it")


def _givers(need: Need) -> str:
    """The steps that would meet the need."""
    kinds = alternatives(need)
    return " or ".join(f"`{name}`" for name in dict.fromkeys(_names(kinds)))


def _names(kinds: Iterable[type[Fact]]) -> Iterator[str]:
    every = (*STEPS.values(), *(step for pipeline in PIPELINES.values() for step in pipeline))
    return (step.name for kind in kinds for step in every if getattr(step, "gives", None) is kind)


def _out_of_order(expected: Sequence[AnyStep], steps: Sequence[AnyStep]) -> Iterator[Fault]:
    """None may be missing or displaced; between them may stand what only reads, and what may be added."""
    due = 0
    for index, step in enumerate(steps):
        if due < len(expected) and step is expected[due]:
            due += 1
        elif step.effect is not Effect.READ and not step.may_be_added:
            yield Fault(index, _displaced(step, expected[due:]))
            return
    if due < len(expected):
        yield Fault(len(steps) - 1, f"{_shown(expected[due])} is missing, or does not stand in its place")


def _displaced(step: AnyStep, due: Sequence[AnyStep]) -> str:
    if step not in due:
        return f"{_shown(step)} has no place here; only steps that read, `manual` and other add-ons may be added"
    return f"before {_shown(step)} comes {_shown(due[0])}, which is missing or does not stand in its place"


def _shown(step: AnyStep) -> str:
    return f"`{step.name}` ({step.title})"
