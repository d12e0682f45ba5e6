"""Small documents in a store, read without repeating what a damaged one holds."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from uscdr.errors import BadInput, CheckFailed
from uscdr.vault.store import Store

M = TypeVar("M", bound=BaseModel)
LARGEST = 1 << 20
"""Bytes; what is longer is none of ours."""


def read(store: Store, name: str) -> bytes:
    """At most a megabyte of `name`. Raises CheckFailed when it is missing."""
    with store.open(name) as file:
        return file.read(LARGEST)


def parse(model: type[M], data: bytes, name: str, known_format: int) -> M:
    """Raises CheckFailed for a damaged document, BadInput for one of another format; neither repeats its text."""
    try:
        document = json.loads(data)
        found = document.get("format") if isinstance(document, dict) else None
        if found not in (None, known_format):
            raise BadInput(
                f"{name} has format {found}; this uscdr reads {known_format}.", next_action="Use a newer uscdr."
            )
        return model.model_validate_json(data)
    except (ValidationError, ValueError, RecursionError):
        raise CheckFailed(
            f"{name} is damaged: it is not what this uscdr understands.",
            next_action="Use another copy: uscdr backup list",
        ) from None
