"""The JSON Schema of scenarios.yaml for editors, made from the models and the step registry."""

from __future__ import annotations

import json
from types import GenericAlias
from typing import Annotated, Any, Union

from pydantic import Field, create_model

from uscdr.checks.registry import SPECS
from uscdr.scenarios.config import Config
from uscdr.scenarios.registry import STEPS

DURATION = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[smhd]$", "examples": ["90s", "10m", "4h", "7d"]}


def _schema() -> dict[str, Any]:
    """Each step's parameters are checked by its own model; durations are text."""
    made = _whole().model_json_schema(mode="validation")
    definitions = made["$defs"]
    definitions["Objectives"]["properties"] |= {"rpo": DURATION, "rto": DURATION}
    definitions["Scenario"]["properties"]["budget"]["additionalProperties"] = DURATION
    definitions["StepEntry"] = {"oneOf": [_step(name) for name in sorted(STEPS)]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _whole() -> type[Config]:
    """The model with every kind of check."""
    kind: Any = Annotated[Union[tuple(SPECS.values())], Field(discriminator="kind")]  # noqa: UP007 - made at run time
    checks: Any = (GenericAlias(dict, (str, kind)), Field(default_factory=dict))
    return create_model("Config", __base__=Config, __doc__=Config.__doc__, checks=checks)


def _step(name: str) -> dict[str, Any]:
    step = STEPS[name]
    texts = {key: {"type": "string"} for key in ("id", "title", "phase")}
    parameters = step.params.model_json_schema()
    required = ["use", "with"] if parameters.get("required") else ["use"]
    return {
        "type": "object",
        "title": step.title,
        "properties": {"use": {"const": name}, **texts, "with": parameters},
        "required": required,
        "additionalProperties": False,
    }


def as_text() -> str:
    """The file `docs/scenarios.schema.json`."""
    return json.dumps(_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(as_text())
