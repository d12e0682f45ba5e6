"""What `uscdr incident actions` and `review` do: track follow-ups until they are done, and answer the review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.commands.incident_desk import IncidentDesk
from uscdr.errors import BadInput, ExitCode
from uscdr.incident.follow_up import dated_task
from uscdr.models.incidents import ActionAdded, ActionChanged, ReviewAnswered
from uscdr.typed_time import moment_typed
from uscdr.ui.prompts import Prompter
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from uscdr.incident.state import ActionRecord, Incident
    from uscdr.models.incidents import Entry
    from uscdr.scenarios.config_incident import ReviewQuestion
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

SKIP = "later"


@dataclass(frozen=True)
class ActionOptions:
    """The options of `incident actions`; ids are as the list shows them."""

    add: str | None = None
    done: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    assign: tuple[str, ...] = ()
    owner: str | None = None
    due: str | None = None
    evidence: str | None = None


def actions(target: Target, output: Output, wanted: str | None, asked: ActionOptions) -> int:
    """List the follow-ups, after the changes that were asked for."""
    desk = IncidentDesk(target, output)
    found = desk.attach_watches(desk.find(wanted))
    found = desk.append(found, *_changes(desk, found, asked))
    _list(found, desk.now, output)
    return int(ExitCode.DONE)


def _changes(desk: IncidentDesk, incident: Incident, asked: ActionOptions) -> list[Entry]:
    owner = desk.clean("--owner", asked.owner) if asked.owner else None
    due = moment_typed(asked.due, "--due", "2026-12-05") if asked.due else None
    evidence = desk.clean("--evidence", asked.evidence) if asked.evidence else None
    if asked.drop and not evidence:
        raise BadInput("Dropping an action needs a reason.", next_action='Add it: --evidence "why it is not needed"')
    changes: list[Entry] = []
    for names, state in ((asked.done, "done"), (asked.drop, "dropped"), (asked.assign, None)):
        for name in names:
            _known(incident, name)
            changes.append(
                ActionChanged.model_validate(
                    {"action": name, "state": state, "owner": owner, "due": due, "evidence": evidence}
                )
            )
    if asked.add:
        title = desk.clean("--add", asked.add)
        task = dated_task(asked.add)
        at = due or (desk.now + task.within if task else None)
        changes.append(
            ActionAdded(
                action=incident.next_action, title=task.title if task else title, due=at, owner=owner or "",
                origin="a person",
            )
        )  # fmt: skip
    return changes


def _known(incident: Incident, name: str) -> ActionRecord:
    found = incident.actions.get(name)
    if found is None:
        known = ", ".join(incident.actions) or "none yet"
        raise BadInput(
            f"The incident has no action “{name}”. It has: {known}.", next_action="See: uscdr incident actions"
        )
    return found


def _list(incident: Incident, now: datetime, output: Output) -> None:
    if output.json_lines:
        for one in incident.actions.values():
            output.record({"action": one.id, "title": one.title, "state": one.state, "owner": one.owner, "due": one.due,
                           "overdue": one.is_overdue(now), "evidence": one.evidence, "origin": one.origin})  # fmt: skip
        return
    output.result("\n".join(_row(one, now) for one in incident.actions.values()) or "This incident has no actions.")


def _row(action: ActionRecord, now: datetime) -> str:
    state = "OVERDUE" if action.is_overdue(now) else action.state
    due = moment(action.due) if action.due else "no time"
    evidence = f"; {action.evidence}" if action.evidence else ""
    return f"{action.id:<4} {state:<8} {due:<21} {action.owner or 'nobody':<16} {action.title}{evidence}"


@dataclass(frozen=True)
class ReviewOptions:
    """The options of `incident review`: `ID=TEXT` each."""

    answers: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()


def review(target: Target, output: Output, wanted: str | None, asked: ReviewOptions) -> int:
    """Answer or waive the questions of the review; at a terminal, ask those that are open."""
    desk = IncidentDesk(target, output)
    found = desk.find(wanted)
    questions = target.config.incident.review
    entries = [_answer(desk, questions, text, waived=False) for text in asked.answers]
    entries += [_answer(desk, questions, text, waived=True) for text in asked.waived]
    found = desk.append(found, *entries)
    if not entries and Prompter(output).interactive:
        found = _ask(desk, found, questions)
    _show(found, questions, output)
    return int(ExitCode.DONE)


def _answer(desk: IncidentDesk, questions: Sequence[ReviewQuestion], text: str, *, waived: bool) -> ReviewAnswered:
    name, _, words = text.partition("=")
    if name not in {one.id for one in questions}:
        raise BadInput(
            f"The review has no question “{name}”.",
            next_action=f"Pass ID=TEXT with one of: {', '.join(one.id for one in questions)}.",
        )
    return ReviewAnswered(question=name, answer=desk.clean(f"answer to {name}", words), waived=waived)


def _ask(desk: IncidentDesk, incident: Incident, questions: Sequence[ReviewQuestion]) -> Incident:
    prompter = Prompter(desk.output)
    for one in questions:
        if one.id in incident.answers:
            continue
        told = prompter.ask(f"{one.question} (type “{SKIP}” to answer later)")
        if told != SKIP:
            incident = desk.append(incident, _answer(desk, questions, f"{one.id}={told}", waived=False))
    return incident


def _show(incident: Incident, questions: Sequence[ReviewQuestion], output: Output) -> None:
    for one in questions:
        answer = incident.answers.get(one.id)
        if output.json_lines:
            output.record({"question": one.id, "text": one.question, "answer": answer.text if answer else None,
                           "waived": bool(answer and answer.waived), "by": answer.by if answer else ""})  # fmt: skip
            continue
        told = "OPEN" if answer is None else f"{'waived: ' if answer.waived else ''}{answer.text} ({answer.by})"
        output.result(f"{one.id}: {one.question}\n  {told}")
