"""Writes `docs/schemas/`, and the tables of `docs/json.md`: `python -m tools.schemas`.

Each kind of object that `--json` prints has a closed JSON Schema. It is derived from the types that the product prints:
a pydantic model, a dataclass or a TypedDict. An object has the fields that these types have together, and `schema`.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Union

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from uscdr.errors import ExitCode
from uscdr.models.base import Fact
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.checks import CheckRequest
from uscdr.scenarios.registry import OPERATIONS, PIPELINES, STEPS
from uscdr.ui.schemas import EVERY, Schema

DIRECTORY = Path(__file__).parent.parent / "docs" / "schemas"
PAGE = DIRECTORY.parent / "json.md"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]

TYPES: Mapping[Schema, tuple[str, ...]] = {
    Schema.ERROR: ("uscdr.ui.console:_ErrorObject",),
    Schema.EVENT: ("uscdr.models.events:Stamped",),
    Schema.PLAN: ("uscdr.models.events:PlanReady",),
    Schema.BACKUP: ("uscdr.report.backups:_BackupObject",),
    Schema.CAPTURE: ("uscdr.scenarios.results.db:BackupLine",),
    Schema.COPY: ("uscdr.commands.backup_copies:_CopyObject",),
    Schema.PROOF: ("uscdr.backups.proofs:ProofDocument", "uscdr.report.backups:_ProofObject"),
    Schema.UNPROVEN: ("uscdr.commands.backup_copies:_UnprovenObject",),
    Schema.PRUNE: ("uscdr.commands.backup_copies:_PruneObject",),
    Schema.RPO: ("uscdr.backups.rpo:RpoState", "uscdr.report.backups:_RpoObject"),
    Schema.SCHEDULE: ("uscdr.commands.backup_schedule:_ScheduleObject",),
    Schema.KIT: ("uscdr.kit.find:KitLine",),
    Schema.KIT_BUILD: ("uscdr.report.kits:_BuildObject",),
    Schema.KIT_CARD: ("uscdr.kit.manifest:Card",),
    Schema.KIT_CHECK: ("uscdr.report.kits:_CheckObject",),
    Schema.KIT_FILES: ("uscdr.commands.kit:_FilesObject",),
    Schema.KIT_KEY: ("uscdr.commands.kit_key:_KeyObject",),
    Schema.KIT_PAGE: ("uscdr.commands.kit_list:_PageObject",),
    Schema.RUN_TIMES: ("uscdr.report.times:RunTimes",),
    Schema.RUN: ("uscdr.journal.runs:RunSummary",),
    Schema.RUN_POSITION: ("uscdr.report.model:RunReport", "uscdr.report.position:PositionFacts"),
    Schema.RUN_REPORT: ("uscdr.report.model:RunReport",),
    Schema.ACTION: ("uscdr.commands.incident_review:_ActionObject",),
    Schema.INCIDENT: ("uscdr.commands.incident:_IncidentObject",),
    Schema.INCIDENT_REPORT: ("uscdr.incident.report:IncidentReport",),
    Schema.INCIDENT_STATUS: ("uscdr.commands.incident:_StatusObject",),
    Schema.NOTICE: ("uscdr.commands.incident_notices:_NoticeObject",),
    Schema.NOTICE_SETTLED: ("uscdr.commands.incident_notices:_SettledObject",),
    Schema.OVERDUE: ("uscdr.commands.incident:_OverdueObject",),
    Schema.QUESTION: ("uscdr.commands.incident_review:_QuestionObject",),
    Schema.TREND: ("uscdr.incident.trend:TrendPoint",),
    Schema.AUDIENCE: ("uscdr.incident.audience:AudienceHeader", "uscdr.commands.audience:_AudienceObject"),
    Schema.AUDIENCE_GROUP: ("uscdr.commands.audience:_GroupObject",),
    Schema.DRILL: ("uscdr.drills.drill:_DrillObject",),
    Schema.EXERCISE: ("uscdr.commands.exercises:_ExerciseObject",),
    Schema.EXERCISE_FINDING: ("uscdr.commands.exercises:_FindingObject",),
    Schema.EXERCISE_RECORD: ("uscdr.exercises.records:ExerciseRecord",),
    Schema.EXERCISE_RECORDED: ("uscdr.exercises.records:AttestedRecord", "uscdr.commands.exercises:_RecordedObject"),
    Schema.EXERCISE_REFUSED: ("uscdr.commands.exercises:_RefusedObject",),
    Schema.CHECK: ("uscdr.cli.verify:_CheckObject",),
    Schema.LINK: ("uscdr.models.probes:LinkAnswer", "uscdr.commands.links:_LinkObject"),
    Schema.RUNBOOK_STEP: ("uscdr.report.runbook:_StepObject",),
    Schema.SANDBOX: ("uscdr.sandbox.describe:_UpObject",),
    Schema.SANDBOX_DAMAGE: ("uscdr.sandbox.describe:DamageDone",),
    Schema.SANDBOX_ENV: ("uscdr.sandbox.describe:_EnvObject",),
    Schema.SANDBOX_FAULT: ("uscdr.sandbox.describe:_FaultObject",),
    Schema.SANDBOX_REQUEST: ("uscdr.sandbox.audit:AuditRecord",),
    Schema.SANDBOX_STATUS: ("uscdr.sandbox.describe:_StatusDocument",),
    Schema.LOOK: ("uscdr.commands.doctor:_LookObject",),
    Schema.CONFIG: ("uscdr.commands.config:_ConfigObject",),
    Schema.CONFIG_FAULT: ("uscdr.commands.config:_FaultObject",),
    Schema.CONFIG_PLACE: ("uscdr.commands.config:_PlaceObject",),
    Schema.CONFIG_SCHEMA: ("uscdr.cli.config:_SchemaObject",),
    Schema.CONFIG_VALID: ("uscdr.commands.config:_ValidObject",),
    Schema.COMPLETION: ("uscdr.cli.completion:_ScriptObject",),
    Schema.EXIT_CODE: ("uscdr.cli.help:_CodeObject",),
    Schema.HELP: ("uscdr.cli.help_pages:HelpPage",),
    Schema.VARIABLE: ("uscdr.cli.help:_VariableObject",),
    Schema.VERSION: ("uscdr.cli.version:_VersionObject",),
    Schema.KEPT: ("uscdr.commands.uninstall:_KeptObject",),
    Schema.REMOVAL: ("uscdr.commands.uninstall:_RemovalObject",),
    Schema.REMOVED: ("uscdr.commands.uninstall:_RemovedObject",),
    Schema.TOPIC: ("uscdr.commands.docs:_TopicObject",),
    Schema.TOPIC_SECTION: ("uscdr.commands.docs:_Mention",),
    Schema.TOPIC_TEXT: ("uscdr.commands.docs:_TextObject",),
    Schema.SANDBOX_FAULT_KIND: ("uscdr.cli.sandbox:_KindObject",),
    Schema.SANDBOX_FAULTS_CLEARED: ("uscdr.cli.sandbox:_ClearedObject",),
    Schema.SANDBOX_REMOVED: ("uscdr.cli.sandbox:_DownObject",),
}
"""The types that have the fields of an object, as `module:Type`."""

OF_JOURNALS = {Schema.RUN_POSITION, Schema.RUN_REPORT, Schema.DRILL}
"""What is made from a journal, which an earlier version with other results may have written."""
_ASKED = Request, CheckRequest
_SCALARS = [{"type": "null"}, {"type": "boolean"}, {"type": "number"}, {"type": "string"}]
_TEXTS: Document = {"type": "array", "items": {"type": "string"}}
_ROW: Document = {"type": "object", "additionalProperties": {"anyOf": [*_SCALARS, _TEXTS]}}
FACTS: Document = {
    "description": "What a step saw or was told: scalars, lists and flat objects, by name.",
    "type": "object",
    "additionalProperties": {"anyOf": [*_SCALARS, {"type": "array", "items": {"anyOf": [*_SCALARS, _ROW]}}, _ROW]},
}
"""For maps whose keys differ with the step: no deeper than a list of flat objects."""


class _Printed(GenerateJsonSchema):
    """Every field is required, also one with a default: it is always printed."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,  # noqa: FBT001 - as pydantic calls it
    ) -> bool:
        if field["type"] == "typed-dict-field":
            return bool(field.get("required", total))
        return True


def schema_of(kind: Schema) -> Document:
    """The JSON Schema of one kind of object."""
    parts = [_derived(place) for place in TYPES[kind]]
    definitions: Document = {}
    for part in parts:
        definitions |= part.pop("$defs", {})
    whole = _joined(parts)
    _complete({"": whole, **definitions}, definitions)
    if kind in OF_JOURNALS:
        definitions["StepReport"]["properties"]["result"]["anyOf"].append(FACTS)
    named = {"$schema": DRAFT, "$id": kind.id, "title": kind.title, "description": f"Printed by: {kind.prints}."}
    branches = whole.get("oneOf", [whole])
    for branch in (definitions[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in branches):
        branch["properties"] = {"schema": {"const": kind.id}, **branch.get("properties", {})}
        branch["required"] = ["schema", *branch.get("required", ())]
    made: Document = _closed({**whole, **named} | ({"$defs": definitions} if definitions else {}))
    return made


def files() -> Iterator[tuple[str, str]]:
    """The name and the content of every file in `docs/schemas/`."""
    for kind in Schema:
        yield f"{kind.id}.json", json.dumps(schema_of(kind), indent=1, ensure_ascii=False) + "\n"


def page() -> str:
    """`docs/json.md` with its tables as they must be."""
    codes = [(str(int(ExitCode[name])), words) for name, words in _said_of(ExitCode)]
    rows = [(f"[`{kind.id}`](schemas/{kind.id}.json)", _commands(kind.prints)) for kind in Schema]
    text = _with_table(PAGE.read_text(), "codes", ("code", "meaning"), codes)
    return _with_table(text, "objects", ("object", "printed by"), rows)


def _commands(prints: str) -> str:
    return prints if prints == EVERY else ", ".join(f"`{one}`" for one in prints.split(", "))


def _said_of(kind: type) -> Iterator[tuple[str, str]]:
    """Every member of an enum with the docstring below it, from its source."""
    (top,) = (node for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef))
    for member, below in pairwise(top.body):
        if isinstance(member, ast.Assign) and isinstance(below, ast.Expr):
            yield ast.unparse(member.targets[0]), str(ast.literal_eval(below.value))


def _with_table(text: str, name: str, head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    begin = f"<!-- {name} -->\n"
    before, _, rest = text.partition(begin)
    lines = "".join(f"| {left} | {right} |\n" for left, right in (head, ("---", "---"), *rows))
    return f"{before}{begin}{lines}{rest[rest.index('<!-- end -->') :]}"


def _derived(place: str) -> Document:
    module, _, name = place.partition(":")
    kind = _named(import_module(module), name)
    return TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_Printed)


def _named(module: ModuleType, name: str) -> Any:
    """The type; what its module imports for annotations only is imported first, and so for the types of its fields."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            exec(compile(ast.Module(node.body, []), module.__name__, "exec"), vars(module))
    found = getattr(module, name)
    for text in getattr(found, "__annotations__", {}).values():
        for part in re.findall(r"\w+", getattr(text, "__forward_arg__", str(text))):
            field = vars(module).get(part)
            if is_dataclass(field) and isinstance(field, type):
                _named(sys.modules[field.__module__], field.__name__)
    return found


def _joined(parts: Iterable[Document]) -> Document:
    """One object with the fields of all; a union stays as it is."""
    first, *rest = parts
    for part in rest:
        first["properties"] |= part["properties"]
        first["required"] = [*first.get("required", ()), *part.get("required", ())]
    return first


# What the models leave open, because journals of every version must be readable: here it is said what is printed.


def _complete(objects: Mapping[str, Document], definitions: Document) -> None:
    for one in list(objects.values()):
        for name, field in one.get("properties", {}).items():
            if field.get("type") != "object" or field.get("additionalProperties") is not True:
                continue
            one["properties"][name] = _known(name, definitions)


def _known(field: str, definitions: Document) -> Document:
    match field:
        case "request":
            return _request()
        case "result":
            return _results(definitions)
    return FACTS


def _request() -> Document:
    """The options of a run or of a verification; a journal of an earlier version has fewer."""
    run, checks = (
        TypeAdapter(kind).json_schema(mode="serialization")["properties"] for kind in (Request, CheckRequest)
    )
    number: Document = {"type": "number"}
    more: Document = {
        "key": {"type": "string"},
        "confirm": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "dry_run": {"type": "boolean"},
        "answers": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "every": number,
        "lasting": number,
    }
    return {"type": "object", "properties": {**run, **checks, **more}}


def _results(definitions: Document) -> Document:
    """Any step's result, or none; a journal of an earlier version has fewer fields of it."""
    union: Any = Union[tuple(_results_of_steps())]  # noqa: UP007 - made at run time
    found = TypeAdapter(union).json_schema(mode="serialization")
    for name, one in found["$defs"].items():
        definitions.setdefault(name, one)
    empty: Document = {"type": "object", "additionalProperties": False}
    return {"anyOf": [empty, *found["anyOf"]]}


def _results_of_steps() -> list[type[Fact]]:
    steps = [*STEPS.values(), *OPERATIONS.values(), *(step for pipeline in PIPELINES.values() for step in pipeline)]
    family = [each for step in steps for each in (step, *step.__subclasses__())]
    kinds = {kind for step in family if (kind := getattr(step, "gives", None)) and kind.__module__.startswith("uscdr.")}
    return sorted(kinds, key=lambda kind: f"{kind.__module__}.{kind.__name__}")


def _closed(node: Any) -> Any:
    """The same with `additionalProperties: false` in each object that has fields or none."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(value) for key, value in node.items()}
    if made.get("type") == "object" and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def main() -> int:
    """Write all files, and remove those of kinds that are gone."""
    DIRECTORY.mkdir(exist_ok=True)
    wanted = dict(files())
    for path in DIRECTORY.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (DIRECTORY / name).write_text(text)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
