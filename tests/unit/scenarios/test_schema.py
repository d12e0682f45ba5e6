"""The editors' schema is that of the models, and the packaged file fits it."""

from pathlib import Path

from uscdr.scenarios.registry import STEPS
from uscdr.scenarios.schema import _schema, as_text
from uscdr.scenarios.yaml_tree import parse

ROOT = Path(__file__).parents[3]


def test_the_published_schema_is_current() -> None:
    assert (ROOT / "docs" / "scenarios.schema.json").read_text() == as_text()


def test_every_step_and_top_level_key_of_the_packaged_file_is_known_to_it() -> None:
    made = _schema()
    packaged = parse(ROOT, (ROOT / "scenarios.yaml").read_bytes()).value
    assert set(packaged) <= set(made["properties"])
    offered = {one["properties"]["use"]["const"]: one for one in made["$defs"]["StepEntry"]["oneOf"]}
    assert set(offered) == set(STEPS)
    for entry in packaged["scenarios"]["db"]["steps"]:
        step = offered[entry["use"]]
        assert set(entry) <= set(step["properties"])
        assert set(step["required"]) <= set(entry)
        assert set(entry.get("with", {})) <= set(step["properties"]["with"]["properties"])
