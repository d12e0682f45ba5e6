"""The base of every observation, parameter and result: frozen, closed, comparable."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """An immutable record. Unknown fields are an error, so that a typo cannot pass as data."""

    model_config = ConfigDict(frozen=True, extra="forbid")
