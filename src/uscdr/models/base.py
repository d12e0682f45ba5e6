"""The base of every observation, parameter and result: frozen, closed, comparable."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SecretStr, SerializationInfo

REVEAL = {"reveal": True}
"""Serialisation context with which secrets are written out: only into what is encrypted next."""


class Fact(BaseModel):
    """An immutable record. Unknown fields are an error, so that a typo cannot pass as data."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def spelled(value: SecretStr, info: SerializationInfo) -> str:
    """A secret for a field's serializer: its stars, unless the context is REVEAL."""
    reveal = bool(info.context and info.context.get("reveal"))
    return value.get_secret_value() if reveal else str(value)
