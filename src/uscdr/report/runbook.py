"""The runbook from scenarios.yaml: phases, budgets, steps, and the commands to type if uscdr is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.engine.step import Effect
from uscdr.errors import BadInput
from uscdr.models.runs import RunKind
from uscdr.scenarios.by_hand import Names, app_of, commands
from uscdr.scenarios.registry import chosen
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.scenarios.config import Config, Scenario
    from uscdr.scenarios.steps.base import AnyStep

BUILDS = "infra.create_app"
"""From this step on a second application exists: the new one."""
OPTIONS = {
    "media": " (restore copies from a kit: `--kit newest`, or from a folder: `--from DIR`)",
    "infra": " (if the old application does not answer: `--kit newest`)",
}
EFFECTS = {"read": "reads", "idempotent": "changes", "findable": "changes", "once": "asks or changes"}


@dataclass(frozen=True)
class Runbook:
    """The runbook of one scenario, or of all of them. Its methods raise BadInput for an unknown scenario."""

    config: Config
    wanted: str | None = None

    def rows(self) -> Iterator[dict[str, object]]:
        """One row per step."""
        for name, scenario in self._scenarios.items():
            for number, row in enumerate(_rows(self.config, scenario), start=1):
                yield {"scenario": name, "number": number, **row}

    def to_markdown(self) -> str:
        """The whole runbook."""
        parts = [f"# Recovery of {self.config.app.name}", _promises(self.config)]
        parts += [_scenario(self.config, name, scenario) for name, scenario in self._scenarios.items()]
        parts += [_contacts(self.config)]
        return "\n\n".join(parts)

    @property
    def _scenarios(self) -> Mapping[str, Scenario]:
        every, wanted = self.config.scenarios, self.wanted
        if wanted is None:
            return every
        if wanted not in every:
            raise BadInput(f"There is no scenario “{wanted}”.", next_action="Choose one: " + ", ".join(every))
        return {wanted: every[wanted]}


def _rows(config: Config, scenario: Scenario) -> Iterator[dict[str, Any]]:
    rebuilt, target, new_app = False, next(iter(config.targets.values())), config.recovery.app
    for entry in scenario.steps:
        step = chosen(entry)
        app = app_of(step.name, target.heroku.app, new_app) if rebuilt else target.heroku.app
        names = Names(app, new_app, target.dns)
        yield {
            "step": entry.use,
            "title": entry.title or step.title,
            "phase": entry.phase or step.phase,
            "effect": _effect(step),
            "manual": list(commands(step.manual, names.facts(config, entry.with_))),
        }
        rebuilt = rebuilt or entry.use == BUILDS


def _effect(step: AnyStep) -> str:
    if not step.destructive:
        return EFFECTS[step.effect.value]
    return "asks you" if step.effect is Effect.IDEMPOTENT else "DESTROYS"


def _promises(config: Config) -> str:
    rpo, rto = duration(config.objectives.rpo), duration(config.objectives.rto)
    return f"Lose at most {rpo} of data. Be down for at most {rto}."


def _scenario(config: Config, name: str, scenario: Scenario) -> str:
    budget = ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in scenario.budget.items())
    lines = [f"## {name}: {scenario.title}", "", f"Budget: {budget}. With uscdr: {_tool(name)}. By hand:", ""]
    for number, row in enumerate(_rows(config, scenario), start=1):
        lines.append(f"{number}. **{row['title']}** ({row['phase']}, {row['effect']})")
        lines += [f"   - `{command}`" for command in row["manual"]]
    for title, tasks in (("Afterwards", scenario.follow_up), ("If it fails", scenario.if_it_fails)):
        lines += ["", f"{title}:", "", *[f"- {task}" for task in tasks]] if tasks else []
    return "\n".join(lines)


def _tool(name: str) -> str:
    return f"`{RunKind(name).command}`{OPTIONS.get(name, '')}, first with `--dry-run`"


def _contacts(config: Config) -> str:
    lines = ["## Contacts", ""]
    for contact in config.contacts:
        known = ", ".join(part for part in (contact.name, contact.how) if part)
        lines.append(f"- {contact.role}: {known or 'MISSING: add it to contacts in scenarios.yaml'}")
    return "\n".join(lines)
