"""A run is killed around its records, one at a time, and the next process resumes it: there is one such loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fakes import Killed
from rehearsal import Rehearsal
from uscdr.engine.run import Outcome

Some = Callable[..., Sequence[Any]]
"""The fixture that draws a third."""
Moment = tuple[int, str]
"""A record's number, and whether the process dies before or after it is written."""


R = TypeVar("R", bound=Rehearsal)


def moments(calm: Rehearsal) -> list[Moment]:
    """Before and after each record that the uninterrupted run wrote."""
    return [(record, when) for record in range(1, len(calm.events())) for when in ("before", "after")]


def looks(calls: Mapping[str, int], names: Iterable[str]) -> list[tuple[str, int]]:
    """Each call of these names that the uninterrupted run made, by its number."""
    return [(name, number) for name in names for number in range(1, calls[name] + 1)]


def killer(record: int, moment: str) -> Callable[[int, str], None]:
    """The process dies around one record."""

    def crash(seq: int, when: str) -> None:
        if (seq, when) == (record, moment):
            raise Killed

    return crash


def wrong_ends(
    at: Iterable[Moment], make: Callable[[str], R], begin: Callable[[R], Outcome | None], end: Callable[[R], list[str]]
) -> list[object]:
    """Where the end was wrong. `end` resumes a run and says what is wrong then; `make` takes a directory's name."""
    wrong: list[object] = []
    for record, when in at:
        run = make(f"{record}-{when}")
        run.crash = killer(record, when)
        assert begin(run) is None
        run.crash = lambda seq, when: None
        events = run.events()
        if events and events[-1]["kind"] == "run.finished":
            continue
        if problems := end(run):
            wrong.append((record, when, events[-1:], problems))
    return wrong
