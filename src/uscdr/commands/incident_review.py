"""What `uscdr incident actions` and `review` do: track follow-ups until they are done, and answer the review."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.commands.housekeeping import state
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.errors import BadInput, ExitCode, MachineError
from uscdr.files import private_directory, whole, write_whole
from uscdr.incident.follow_up import dated_task
from uscdr.incident.ledger import LARGEST, ROOM
from uscdr.incident.state import folded
from uscdr.models.incidents import ActionAdded, ActionChanged, ReviewAnswered
from uscdr.typed_time import moment_typed
from uscdr.ui.prompts import Prompter
from uscdr.ui.schemas import Schema
from uscdr.words import moment, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from uscdr.incident.state import ActionRecord, Incident
    from uscdr.models.incidents import Entry
    from uscdr.scenarios.config_incident import ReviewQuestion
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

SKIP, MARK = "later", "## "
DEFAULT_EDITOR = "vi"
WITHOUT_EDITOR = "Set EDITOR, or answer here: uscdr incident review --answer ID=TEXT"
EDIT_HEAD = "Answer below each question. One without an answer stays open. No keys, names of patients and diagnoses."


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
    _changes(desk, found, asked)  # refuses a wrong one before anything is written
    desk.ledger(found.id).decide(lambda records: _changes(desk, folded(records), asked))
    found = desk.current(found.id)
    _list(found, desk.now, output)
    return int(ExitCode.DONE)


def _changes(desk: IncidentDesk, incident: Incident, asked: ActionOptions) -> list[Entry]:
    owner = desk.clean("--owner", asked.owner) if asked.owner else None
    due = moment_typed(asked.due, "--due", "2026-12-05") if asked.due else None
    evidence = desk.clean("--evidence", asked.evidence) if asked.evidence else None
    if asked.drop and not evidence:
        raise BadInput("Dropping an action needs a reason.", next_action='Add it: --evidence "why it is not needed"')
    _require_one_change(asked)
    changes: list[Entry] = []
    for names, becomes in ((asked.done, "done"), (asked.drop, "dropped"), (asked.assign, None)):
        for name in names:
            _known(incident, name)
            changes.append(
                ActionChanged.model_validate(
                    {"action": name, "state": becomes, "owner": owner, "due": due, "evidence": evidence}
                )
            )
    if asked.add:
        title = desk.clean("--add", asked.add)
        task = dated_task(title)
        at = due or (desk.now + task.within if task else None)
        changes.append(
            ActionAdded(
                action=incident.next_action, title=task.title if task else title, due=at, owner=owner or "",
                origin="a person",
            )
        )  # fmt: skip
    return changes


def _require_one_change(asked: ActionOptions) -> None:
    """Raises BadInput for an action that is named twice, and for what shall change without an action."""
    named = (*asked.done, *asked.drop, *asked.assign)
    twice = [one for number, one in enumerate(named) if one in named[:number]]
    if twice:
        raise BadInput(f"The action “{twice[0]}” is named twice.", next_action="Name each action once.")
    if (asked.owner or asked.due or asked.evidence) and not named and not asked.add:
        raise BadInput(
            "--owner, --due and --evidence need an action.", next_action="Name it: --assign a1, --done a1 or --drop a1"
        )


def _known(incident: Incident, name: str) -> ActionRecord:
    found = incident.actions.get(name)
    if found is None:
        known = ", ".join(incident.actions) or "none yet"
        raise BadInput(
            f"The incident has no action “{name}”. It has: {known}.", next_action="See: uscdr incident actions"
        )
    return found


class _ActionObject(TypedDict):
    action: str
    title: str
    state: str
    owner: str
    due: datetime | None
    overdue: bool
    evidence: str
    origin: str


def _list(incident: Incident, now: datetime, output: Output) -> None:
    if output.json_lines:
        for one in incident.actions.values():
            listed: _ActionObject = {
                "action": one.id, "title": one.title, "state": one.state, "owner": one.owner, "due": one.due,
                "overdue": one.is_overdue(now), "evidence": one.evidence, "origin": one.origin,
            }  # fmt: skip
            output.record(Schema.ACTION, listed)
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
    editor: bool = False
    """Ask the open questions in the operator's editor ($VISUAL, $EDITOR)."""


def review(target: Target, output: Output, wanted: str | None, asked: ReviewOptions) -> int:
    """Answer or waive the questions of the review; at a terminal, ask those that are open."""
    desk = IncidentDesk(target, output)
    found = desk.find(wanted)
    questions = target.config.incident.review
    _require_once([text.partition("=")[0] for text in (*asked.answers, *asked.waived)])
    entries = [_answer(desk, questions, text, waived=False) for text in asked.answers]
    entries += [_answer(desk, questions, text, waived=True) for text in asked.waived]
    found = desk.append(found, *entries)
    if asked.editor:
        found = _edited(desk, found, questions)
    elif not entries and Prompter(output).interactive:
        found = _ask(desk, found, questions)
    _show(found, questions, output)
    return int(ExitCode.DONE)


def _require_once(named: Sequence[str]) -> None:
    """Raises BadInput for a question that is answered twice, or answered and waived."""
    twice = next((one for one in named if named.count(one) > 1), None)
    if twice is not None:
        raise BadInput(f"You answer or waive {twice} twice.", next_action="Pass --answer or --waive once for each.")


def _answer(desk: IncidentDesk, questions: Sequence[ReviewQuestion], text: str, *, waived: bool) -> ReviewAnswered:
    name, _, words = text.partition("=")
    if name not in {one.id for one in questions}:
        raise BadInput(
            f"The review has no question “{name}”.",
            next_action=f"Pass ID=TEXT with one of: {', '.join(one.id for one in questions)}.",
        )
    return ReviewAnswered(question=name, answer=desk.clean(f"answer to {name}", words), waived=waived)


def _ask(desk: IncidentDesk, incident: Incident, questions: Sequence[ReviewQuestion]) -> Incident:
    recorded: list[str] = []

    def so() -> str:
        return f"uscdr recorded {plural(len(recorded), 'answer') if recorded else 'no answer'}."

    prompter = Prompter(desk.output, unanswered=so)
    for one in questions:
        if one.id in incident.answers:
            continue
        told = prompter.ask(f"{one.question} (type “{SKIP}” to answer later)")
        if told != SKIP:
            incident = desk.append(incident, _answer(desk, questions, f"{one.id}={told}", waived=False))
            recorded.append(one.id)
    return incident


def _edited(desk: IncidentDesk, incident: Incident, questions: Sequence[ReviewQuestion]) -> Incident:
    """Write the open questions into a file, open it in the editor, and take what stands below each."""
    left = [one for one in questions if one.id not in incident.answers]
    if not left:
        return incident
    text = "\n\n".join(f"{MARK}{one.id}: {one.question}\n" for one in left)
    written = _in_editor(f"{EDIT_HEAD}\n\n{text}", desk.output)
    known = {one.id for one in left}
    parts = (part.partition("\n") for part in written.split(f"\n{MARK}")[1:])
    told = [(head.partition(":")[0], " ".join(body.split())) for head, _, body in parts]
    entries = [_answer(desk, questions, f"{name}={words}", waived=False) for name, words in told
               if words and name in known]  # fmt: skip
    return desk.append(incident, *entries)


def _in_editor(text: str, output: Output) -> str:
    """The text after the operator's editor ended; it is in a private file meanwhile. Raises MachineError, BadInput."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not named and not Prompter(output).interactive:
        raise BadInput(f"There is no terminal for the editor {DEFAULT_EDITOR}.", next_action=WITHOUT_EDITOR)
    editor = _words(named or DEFAULT_EDITOR)
    path = private_directory(state() / ROOM) / f".review-{secrets.token_hex(8)}.md"
    write_whole(path, text.encode())
    try:
        ended = subprocess.run([*editor, str(path)], check=False).returncode
        if ended == 0:
            return whole(path, LARGEST).decode(errors="replace")
        why = f"It ended with exit code {ended}."
    except OSError as error:
        why = error.strerror or type(error).__name__
    finally:
        path.unlink(missing_ok=True)
    raise MachineError(
        f"uscdr could not use the editor {editor[0]}.", why=why,
        next_action=WITHOUT_EDITOR,
    )  # fmt: skip


def _words(command: str) -> list[str]:
    """The editor with its arguments. Raises BadInput for quotes without an end, and for blanks alone."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise BadInput(f"“{command}” is no command of an editor.", next_action=WITHOUT_EDITOR)
    return words


class _QuestionObject(TypedDict):
    question: str
    text: str
    answer: str | None
    waived: bool
    by: str


def _show(incident: Incident, questions: Sequence[ReviewQuestion], output: Output) -> None:
    for one in questions:
        answer = incident.answers.get(one.id)
        if output.json_lines:
            asked: _QuestionObject = {
                "question": one.id, "text": one.question, "answer": answer.text if answer else None,
                "waived": bool(answer and answer.waived), "by": answer.by if answer else "",
            }  # fmt: skip
            output.record(Schema.QUESTION, asked)
            continue
        told = "OPEN" if answer is None else f"{'waived: ' if answer.waived else ''}{answer.text} ({answer.by})"
        output.result(f"{one.id}: {one.question}\n  {told}")
