"""`uscdr drill comms`: rehearses the notices of an incident, and records who acknowledged them, and when."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import state
from uscdr.commands.incident_desk import IncidentDesk, OpeningFacts
from uscdr.commands.incident_notices import READ_BY, NoticeDesk, NotifyOptions
from uscdr.errors import BadInput, CheckFailed, ExitCode
from uscdr.exercises import attest, records
from uscdr.incident.notice_clock import STAGE_WORDS
from uscdr.models.incidents import IncidentClosed, IncidentResolved, NoteWritten
from uscdr.models.placeholders import reaches_nobody
from uscdr.settings import Operator
from uscdr.ui.prompts import Prompter
from uscdr.ui.schemas import Schema
from uscdr.words import duration, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from uscdr.scenarios.config import Contact
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

_MINUTES = re.compile(r"(?P<who>.+?)(?:=(?P<minutes>\d{1,4}))?")
NOBODY = "nobody"


@dataclass(frozen=True)
class CommsOptions:
    """The options of `drill comms`."""

    acknowledged: tuple[str, ...] = ()
    """`NAME` or `NAME=MINUTES` of everybody who acknowledged."""
    send: bool = False
    """Send the messages, marked as a drill, over the real channels of the target."""
    identity: Path | None = None


def rehearse(target: Target, output: Output, asked: CommsOptions) -> int:
    """Compose and send every notice of a made-up incident, ask who acknowledged, record the drill if it passed."""
    people = [one for one in target.config.contacts
              if not reaches_nobody(one.name, one.how) and not one.how.startswith("http")]  # fmt: skip
    if not people:
        raise BadInput(
            "scenarios.yaml has no contact with a name and a way to reach them.",
            next_action="Fill in `contacts` in scenarios.yaml, then: uscdr drill comms",
        )
    desk = replace(IncidentDesk(target, output), marked="DRILL", stays_here=not asked.send)
    trouble = _notices(desk, asked) and asked.send  # else no message was to leave this machine
    heard = _acknowledgements(output, people, asked.acknowledged)
    return _judged(desk, people, heard, trouble=trouble)


def _notices(desk: IncidentDesk, asked: CommsOptions) -> bool:
    """Send every notice to everybody; whether one did not arrive where it can be known."""
    now = desk.now
    what = "a rehearsal of the notices: nothing is wrong"
    found = desk.open(OpeningFacts(what, "minor", now, now, Operator.of(desk.env).user))
    post, trouble = NoticeDesk(desk, asked.identity), False
    for stage in STAGE_WORDS:
        if stage == "completion":
            desk.append(found, IncidentResolved(restored_at=desk.now))
        for readers in READ_BY:
            wish = NotifyOptions(readers, stage, send=True)
            present = desk.current(found.id)
            trouble = post.offer(present, stage, readers, post.draft(present, stage, readers, wish), wish) or trouble
    desk.append(desk.current(found.id), NoteWritten(text="End of the drill"), IncidentClosed())
    return trouble


def _acknowledgements(output: Output, people: Sequence[Contact], given: Sequence[str]) -> dict[str, float | None]:
    """Who acknowledged, after how many seconds (None: not said): as the command line says, or as a person answers."""
    names = {one.name: one for one in people}
    found: dict[str, float | None] = {}
    for text in given:
        match = _MINUTES.fullmatch(text)
        who = match["who"].strip() if match else ""
        if who not in names:
            raise BadInput(f"“{who}” is not a contact.", next_action=f"Pass one of: {', '.join(names)}.")
        found[who] = 60.0 * int(match["minutes"]) if match and match["minutes"] else None
    prompter = Prompter(output, unanswered=lambda: "uscdr recorded no drill.")
    if not given and prompter.interactive:
        for name, one in names.items():
            answer = prompter.choose(f"Did {name} ({one.role}) acknowledge the notice?", ("yes", "no"))
            found |= {name: None} if answer == "yes" else {}
    return found


def _judged(
    desk: IncidentDesk, people: Sequence[Contact], heard: Mapping[str, float | None], *, trouble: bool
) -> int:  # fmt: skip
    config = desk.target.config
    limit = config.communication.first
    late = [name for name, seconds in heard.items() if seconds is not None and seconds > limit]
    silent = [one.name for one in people if one.name not in heard]
    words = f"{len(heard)} of {plural(len(people), 'contact')} acknowledged"
    told = ", ".join(f"{name}{f' after {duration(seconds)}' if seconds is not None else ''}"
                     for name, seconds in heard.items()) or NOBODY  # fmt: skip
    if not desk.output.json_lines:
        desk.output.result(f"{words}: {told}.")
    if silent or late or trouble:
        wrong = [f"{name} did not acknowledge" for name in silent]
        wrong += [f"{name} acknowledged after more than {duration(limit)}" for name in late]
        wrong += ["a message did not arrive"] if trouble else []
        raise CheckFailed(
            "The communication drill did not pass.",
            why="; ".join(wrong) + ".",
            next_action="Reach them another way, correct the contacts, then: uscdr drill comms --ack NAME=MINUTES",
        )
    record = attest.communicated(config, "comms", Operator.of(desk.env).user, desk.now, note=f"{words}: {told}")
    path = records.TeamRecords(state(), desk.env, desk.output.warn_once).keep(record)
    if desk.output.json_lines:
        desk.output.record(Schema.EXERCISE_RECORDED, {"path": path, **record.model_dump(mode="json")})
    desk.output.say(f"Recorded: {path}. What is due: uscdr drill due")
    return int(ExitCode.DONE)
