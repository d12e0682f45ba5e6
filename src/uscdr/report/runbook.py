"""The runbook as scenarios.yaml has it: phases, budgets, steps, and what a person types when uscdr is broken."""

from __future__ import annotations

from collections.abc import Iterator

from uscdr.engine.step import Effect
from uscdr.errors import BadInput
from uscdr.scenarios.model import Config, Scenario, StepEntry
from uscdr.scenarios.registry import STEPS
from uscdr.scenarios.specs.spec import StepSpec
from uscdr.scenarios.steps.words import age

EFFECTS = {"read": "reads", "idempotent": "changes", "findable": "changes", "once": "asks or changes"}


def rows(config: Config, wanted: str | None) -> Iterator[dict[str, object]]:
    """One row a step."""
    for name, scenario in _chosen(config, wanted).items():
        for number, entry in enumerate(scenario.steps, start=1):
            yield {"scenario": name, "number": number, **_row(config, entry)}


def _chosen(config: Config, wanted: str | None) -> dict[str, Scenario]:
    if wanted is None:
        return config.scenarios
    if wanted not in config.scenarios:
        raise BadInput(f"There is no scenario “{wanted}”.", next_action="There are: " + ", ".join(config.scenarios))
    return {wanted: config.scenarios[wanted]}


def _row(config: Config, entry: StepEntry) -> dict[str, object]:
    spec = STEPS[entry.use]
    app = next(iter(config.targets.values())).heroku.app
    facts = {"app": app, "manage": config.app.manage, **{key: str(value) for key, value in entry.with_.items()}}
    facts["switch"] = "on" if entry.with_.get("enabled") else "off"
    return {
        "step": entry.use,
        "title": entry.title or spec.title,
        "phase": entry.phase or spec.phase,
        "effect": _effect(spec),
        "manual": [command.format(**facts) for command in spec.manual],
    }


def _effect(spec: StepSpec) -> str:
    if not spec.destructive:
        return EFFECTS[spec.effect.value]
    return "asks you" if spec.effect is Effect.IDEMPOTENT else "DESTROYS"


def render(config: Config, wanted: str | None) -> str:
    """The runbook as Markdown."""
    parts = [f"# Recovery of {config.app.name}", _promises(config)]
    parts += [_scenario(config, name, scenario) for name, scenario in _chosen(config, wanted).items()]
    parts += [_contacts(config)]
    return "\n\n".join(parts)


def _promises(config: Config) -> str:
    return f"At most {age(config.objectives.rpo)} of data lost, at most {age(config.objectives.rto)} down."


def _scenario(config: Config, name: str, scenario: Scenario) -> str:
    budget = ", ".join(f"{phase} {age(seconds)}" for phase, seconds in scenario.budget.items())
    lines = [
        f"## {name}: {scenario.title}",
        "",
        f"Budget: {budget}. With the tool: `uscdr recover {name}`. By hand:",
        "",
    ]
    for number, entry in enumerate(scenario.steps, start=1):
        row = _row(config, entry)
        lines.append(f"{number}. **{row['title']}** ({row['phase']}, {row['effect']})")
        manual = row["manual"]
        lines += [f"   - `{command}`" for command in manual] if isinstance(manual, list) else []
    lines += ["", "Afterwards:", "", *[f"- {item}" for item in scenario.follow_up]]
    return "\n".join(lines)


def _contacts(config: Config) -> str:
    lines = ["## Contacts", ""]
    for contact in config.contacts:
        known = ", ".join(part for part in (contact.name, contact.how) if part)
        lines.append(f"- {contact.role}: {known or 'NOT FILLED IN: add it to contacts in scenarios.yaml'}")
    return "\n".join(lines)
