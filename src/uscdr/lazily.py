"""Values that are imported by name on first use: a command loads only what it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from typing_extensions import override

if TYPE_CHECKING:
    from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

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


# Models that are imported when a value of theirs is first validated, made or asked for.


class _LeftOut:
    """The type of `LEFT_OUT`. No file contains such a value."""


LEFT_OUT: Final = _LeftOut()
"""Given for a section that is not validated now: it is accepted as it is, and nothing is imported."""


class Later:
    """Stands in a field's annotation for the model at `place`, which decides all about its values."""

    place: ClassVar[str]

    def __new__(cls, **values: object) -> Any:  # noqa: ANN401 - an instance of the model
        """An instance of the model, as for a default."""
        return cls.model()(**values)

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The model itself."""
        found: type[BaseModel] = imported(cls.place)
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validates as the model does, with the same errors at the same places; `ref` names it in the JSON schema."""
        from pydantic_core.core_schema import no_info_plain_validator_function

        return no_info_plain_validator_function(cls._validated, ref=f"{cls.__name__}:{id(cls)}")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The model's own."""
        cls.model().model_rebuild()
        return handler(cls.model().__pydantic_core_schema__)

    @classmethod
    def _validated(cls, value: object) -> object:
        return value if value is LEFT_OUT else cls.model().model_validate(value)


def later(place: str) -> type[Later]:
    """The stand-in for the model at `package.module:Model`."""
    return type(place.rpartition(":")[2], (Later,), {"place": place})
