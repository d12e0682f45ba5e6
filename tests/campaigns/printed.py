"""Holds every JSON line that uscdr prints in a test to its schema in `docs/schemas/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

from uscdr.ui import console
from uscdr.ui.schemas import Schema

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
FORMATS = FormatChecker()
PRINTED: set[Schema] = set()
"""What this process has printed so far."""


def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


FORMATS.checks("date-time", raises=ValueError)(_is_moment)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()), format_checker=FORMATS)


def hold(line: str) -> None:
    """Raises AssertionError for a line that does not fit the schema that it names."""
    value = json.loads(line)
    name = value.get("schema", "")
    assert name in {kind.id for kind in Schema}, f"no schema: {line}"
    assert next(iter(value)) == "schema", line
    error = best_match(_validator(name).iter_errors(value))
    assert error is None, f"{name} at {error.json_path}: {error.message}"


def watch() -> None:
    """From now on every line that this process prints is held to its schema."""
    plain = console.json_text

    def held(schema: Schema, value: Mapping[str, object], *, indent: int | None = None) -> str:
        line = plain(schema, value, indent=indent)
        hold(line)
        PRINTED.add(schema)
        return line

    console.json_text = held
