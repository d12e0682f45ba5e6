"""The runbook from scenarios.yaml: phases, budgets, steps, and the commands to type if uscdr is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.engine.step import Effect
from uscdr.errors import BadInput
from uscdr.models.placeholders import is_placeholder
from uscdr.models.runs import RunKind
from uscdr.scenarios.by_hand import Names, app_of, commands
from uscdr.scenarios.registry import chosen
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.scenarios.config import Config, ReferenceLink, Scenario
    from uscdr.scenarios.config_document import DocumentControl
    from uscdr.scenarios.steps.base import AnyStep

BUILDS = "infra.create_app"
"""From this step on a second application exists: the new one."""
OPTIONS = {
    "media": " (restore copies from a kit: `--kit newest`, or from a folder: `--from DIR`)",
    "infra": " (if the old application does not answer: `--kit newest`)",
}
MISSING = "MISSING: add it to contacts in scenarios.yaml"
EFFECTS = {"read": "reads", "idempotent": "changes", "findable": "changes", "once": "asks or changes"}


@dataclass(frozen=True)
class Runbook:
    """The runbook of one scenario, or of all of them. Its methods raise BadInput for an unknown scenario."""

    config: Config
    wanted: str | None = None

    def rows(self) -> Iterator[_StepObject]:
        """One row per step."""
        for name, scenario in self._scenarios.items():
            for number, row in enumerate(_rows(self.config, scenario), start=1):
                yield {**row, "scenario": name, "number": number}

    def to_markdown(self) -> str:
        """The whole runbook."""
        parts = [f"# Recovery of {self.config.app.name}", *_head(self.config)]
        parts += [_scenario(self.config, name, scenario) for name, scenario in self._scenarios.items()]
        parts += [_contacts(self.config), *_supplies(self.config), *_links(self.config)]
        return "\n\n".join(parts)

    @property
    def _scenarios(self) -> Mapping[str, Scenario]:
        every, wanted = self.config.scenarios, self.wanted
        if wanted is None:
            return every
        if wanted not in every:
            raise BadInput(f"There is no scenario “{wanted}”.", next_action="Choose one: " + ", ".join(every))
        return {wanted: every[wanted]}


class _StepLine(TypedDict):
    step: str
    title: str
    phase: str
    effect: str
    manual: list[str]


class _StepObject(_StepLine):
    scenario: str
    number: int


def _rows(config: Config, scenario: Scenario) -> Iterator[_StepLine]:
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


def _head(config: Config) -> Iterator[str]:
    """What an outage concerns, the objectives, and which document this is."""
    if config.impact:
        yield f"Criticality: {config.impact.words}."
    rpo, rto = duration(config.objectives.rpo), duration(config.objectives.rto)
    yield f"Lose at most {rpo} of data. Be down for at most {rto}."
    if config.document:
        yield _document(config.document)


def _document(document: DocumentControl) -> str:
    """As scenarios.yaml has it; what was recorded since, `uscdr drill due` knows."""
    approved = not is_placeholder(document.approved_by)
    parts = [
        f"Document version {document.version}",
        *([document.classification] if document.classification else []),
        f"last review {document.last_review}, next review {document.next_review}",
        f"approved by {document.approved_by}" if approved else "approved by nobody",
        *([f"for {', '.join(document.distribution)}"] if document.distribution else []),
    ]
    return "; ".join(parts) + ". Reviews that are due: `uscdr drill due`."


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
        lack = " (INCOMPLETE: complete it under contacts in scenarios.yaml)" if contact.is_placeholder else ""
        lines.append(f"- {contact.role}: {known}{lack}" if known else f"- {contact.role}: {MISSING}")
    return "\n".join(lines)


def _supplies(config: Config) -> Iterator[str]:
    if config.supplies:
        unknown = "UNKNOWN: add `where` to supplies in scenarios.yaml"
        lines = (f"- {one.title}: {one.where or unknown}" for one in config.supplies)
        yield "\n".join(("## Emergency supplies", "", *lines))


def _links(config: Config) -> Iterator[str]:
    for kind, title in (("documentation", "Documentation"), ("monitoring", "Monitoring tools")):
        if found := [one for one in config.links if one.kind == kind]:
            yield "\n".join((f"## {title}", "", *map(_link, found)))


def _link(link: ReferenceLink) -> str:
    places = [part for part in (link.url or "", f"`{link.command}`" if link.command else "") if part]
    note = f" ({link.note})" if link.note else ""
    return f"- {link.title}: {', '.join(places) or 'UNKNOWN: add its address to links in scenarios.yaml'}{note}"
