"""The base of every observation, parameter and result: frozen, closed, comparable."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, SerializationInfo

REVEAL = {"reveal": True}
"""Serialisation context with which secrets are written out: only into what is encrypted next."""


class Fact(BaseModel):
    """An immutable record. Unknown fields are an error, so that a typo cannot pass as data; so are endless numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


_FIRST_YEAR, _LAST_YEAR = 1970, 9000


def is_ours(value: datetime) -> bool:
    """Whether the time can be one of a document, a provider or a journal: with any zone and any age to be reckoned."""
    return _FIRST_YEAR <= value.year <= _LAST_YEAR


def _in_our_times(value: datetime) -> datetime:
    if not is_ours(value):
        raise ValueError(f"the year {value.year} is none of ours")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_times)]
"""A time in a document that is read again: with its zone, and such that ages can be reckoned from it."""

Span = Annotated[float, Field(ge=0, le=1e11)]
"""Seconds, of a thing that took or may take so long."""

ProcessId = Annotated[int, Field(gt=0, lt=1 << 31)]
Count = Annotated[int, Field(ge=0, le=(1 << 63) - 1)]
"""How many things or bytes, in a document that is read again."""


def spelled(value: SecretStr, info: SerializationInfo) -> str:
    """A secret for a field's serializer: its stars, unless the context is REVEAL."""
    reveal = bool(info.context and info.context.get("reveal"))
    return value.get_secret_value() if reveal else str(value)
