"""A row of faults of one room."""

from __future__ import annotations

from typing import Protocol

from tools.mutate.mutant import Mutant


class Maker(Protocol):
    """Makes one fault; `tests` are asked before those of the whole room."""

    def __call__(self, name: str, old: str, new: str, means: str, *tests: str, survives: str = "") -> Mutant:
        """One fault."""
        ...


def of(room: str, *usual: str) -> Maker:
    """Faults that are called `<room>.<name>`, and found by the `usual` tests."""

    def made(name: str, old: str, new: str, means: str, *tests: str, survives: str = "") -> Mutant:
        return Mutant(f"{room}.{name}", old, new, means, (*tests, *usual), survives)

    return made
