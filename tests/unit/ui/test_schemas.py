"""What `--json` prints is described: a closed schema for each kind of object, made from the types that are printed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaigns import printed
from jsonschema import Draft202012Validator

from tools import schemas
from uscdr.cli.app import program
from uscdr.errors import CheckFailed, ExitCode, UscdrError
from uscdr.models.events import PlanReady
from uscdr.ui.console import json_text
from uscdr.ui.schemas import EVERY, Schema

SOURCE = Path(__file__).parents[3] / "src" / "uscdr"
KINDS = [pytest.param(kind, id=kind.title) for kind in Schema]
STANDS = {"properties", "$defs"}
"""Below these stand names, not keywords."""


BELOW = {"items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties"}
"""Below these stand schemas."""


def nodes(schema: Any, above: str = "", at: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a schema, with its place."""
    if isinstance(schema, list):
        for number, one in enumerate(schema):
            yield from nodes(one, above, f"{at}[{number}]")
    elif isinstance(schema, dict):
        if above not in STANDS:
            yield at, schema
        for key, value in schema.items():
            if above in STANDS or key in STANDS | BELOW:
                yield from nodes(value, key if above not in STANDS else "", f"{at}.{key}")


def is_typed(schema: dict[str, Any]) -> bool:
    return bool(schema.keys() & {"type", "$ref", "anyOf", "oneOf", "const", "enum"})


def open_places(schema: dict[str, Any]) -> list[str]:
    """Where anything may stand."""
    found = []
    for at, one in nodes(schema):
        more = one.get("additionalProperties")
        closed = more is False or (isinstance(more, dict) and is_typed(more))
        if not is_typed(one) or ((one.get("type") == "object" or "properties" in one) and not closed):
            found.append(at)
        if one.get("type") == "array" and not ("items" in one or "prefixItems" in one):
            found.append(at)
    return found


def published(kind: Schema) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((schemas.DIRECTORY / f"{kind.id}.json").read_text())
    return found


def test_every_kind_has_its_file_and_every_file_is_current() -> None:
    assert dict(schemas.files()) == {path.name: path.read_text() for path in schemas.DIRECTORY.iterdir()}


def test_the_page_is_current_and_explains_every_code() -> None:
    assert schemas.PAGE.read_text() == schemas.page()
    assert all(f"| {int(code)} | " in schemas.page() for code in ExitCode)


ONLY_TEXT: set[str] = set()
"""Commands that print no object."""


def test_the_commands_that_print_an_object_exist_and_every_command_prints_one() -> None:
    known = dict(commands(program()))
    for kind in Schema:
        for text in kind.prints.split(", ") if kind.prints != EVERY else ():
            name, _, option = text.partition(" --")
            assert name in known, text
            assert not option or f"--{option}" in known[name], text
    named = {text.partition(" --")[0] for kind in Schema for text in kind.prints.split(", ")}
    assert known.keys() - named == ONLY_TEXT


def commands(found: Any, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command by its name, with its options."""
    for name in found.list_commands(None):
        one = found.get_command(None, name)
        if hasattr(one, "commands"):
            yield from commands(one, f"{above}{name} ")
        else:
            yield f"{above}{name}", {option for parameter in one.params for option in parameter.opts}


def test_names_and_types_are_whole() -> None:
    assert set(schemas.TYPES) == set(Schema)
    assert len({kind.title for kind in Schema}) == len(Schema)


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_valid_closed_and_names_itself(kind: Schema) -> None:
    schema = published(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == kind.id
    assert open_places(schema) == []
    if kind is not Schema.EXERCISE_RECORD:  # one of two objects
        assert schema["properties"]["schema"] == {"const": kind.id}
        assert schema["required"][0] == "schema"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": {}},
        {"type": "array"},
        {"type": "object", "additionalProperties": False, "properties": {"any": {"title": "Any"}}},
        {"type": "array", "items": {}},
        {"anyOf": [{"type": "string"}, {"type": "object"}]},
        {"type": "string", "$defs": {"A": {"type": "object"}}},
    ],
)
def test_an_open_place_is_found(schema: dict[str, Any]) -> None:
    assert open_places(schema)


def test_events_are_a_union_of_closed_variants() -> None:
    schema = published(Schema.EVENT)
    union = schema["properties"]["event"]["oneOf"]
    variants = [schema["$defs"][one["$ref"].rpartition("/")[2]] for one in union]
    kinds = [one["properties"]["kind"]["const"] for one in variants]
    assert len(set(kinds)) == len(kinds) > 15
    assert all(one["additionalProperties"] is False for one in variants)


def test_the_phrase_is_part_of_every_plan() -> None:
    assert "phrase" in published(Schema.PLAN)["required"]
    told = json_text(
        Schema.PLAN, PlanReady(digest="d", dry_run=True, steps=(), budgets={}, phrase="x").model_dump(mode="json")
    )
    assert json.loads(told)["phrase"] == "x"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": 1}', "no schema"),
        ('{"schema": "uscdr.overdue.v1"}', "'overdue' is a required property"),
        ('{"schema": "uscdr.overdue.v1", "overdue": [1]}', "is not of type 'string'"),
        ('{"schema": "uscdr.overdue.v1", "overdue": [], "more": 1}', "Additional properties"),
        ('{"overdue": [], "schema": "uscdr.overdue.v1"}', "overdue"),
    ],
)
def test_a_line_that_does_not_fit_is_refused(line: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        printed.hold(line)


def test_what_is_printed_in_tests_is_held_to_its_schema() -> None:
    with pytest.raises(AssertionError, match="required"):
        json_text(Schema.OVERDUE, {})


def test_every_kind_of_error_fits() -> None:
    from uscdr.ui.console import _error_object

    for error in (UscdrError("x"), CheckFailed("x", why="y", next_action="z")):
        json_text(Schema.ERROR, _error_object(error))


def test_only_the_console_makes_json_for_stdout() -> None:
    """So that nothing is printed without its schema."""
    writes = {"typer.echo", "print", "sys.stdout.write", "output.result", "self.out.write"}
    found = []
    for path in SOURCE.rglob("*.py"):
        if "sandbox/clinic" in str(path):
            continue
        calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        found += [
            f"{path.name}:{call.lineno}"
            for call in calls
            if ast.unparse(call.func) in writes and any("json" in ast.unparse(one) for one in call.args)
        ]
    assert found == []
