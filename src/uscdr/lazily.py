"""Values that are imported by name on first use: a command loads only what it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

from typing_extensions import override

T = TypeVar("T")


def imported(place: str) -> Any:  # noqa: ANN401 - a value of any type
    """The value at `package.module:name`. Raises ImportError or AttributeError: a defect."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class Lazy(Mapping[str, T]):
    """Values by key, each at a place such as `package.module:name`; keys alone import nothing."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = places

    @override
    def __getitem__(self, key: str) -> T:
        found: T = imported(self.places[key])
        return found

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    @override
    def __len__(self) -> int:
        return len(self.places)

    @override
    def __contains__(self, key: object) -> bool:
        return key in self.places


class LazyTuples(Mapping[str, tuple[T, ...]]):
    """Tuples of values by key, each value at such a place."""

    def __init__(self, places: Mapping[str, tuple[str, ...]]) -> None:
        self.places = places

    @override
    def __getitem__(self, key: str) -> tuple[T, ...]:
        return tuple(map(imported, self.places[key]))

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    @override
    def __len__(self) -> int:
        return len(self.places)
