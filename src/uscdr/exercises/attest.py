"""What a person may record by word, and what must be shown instead."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from uscdr import __version__
from uscdr.errors import BadInput
from uscdr.exercises.periods import zone_of
from uscdr.exercises.records import AttestedRecord, Evidence
from uscdr.files import whole
from uscdr.models.placeholders import is_placeholder
from uscdr.scenarios.config_exercises import APPROVAL
from uscdr.settings import user_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from uscdr.exercises.records import AttestedKind
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_exercises import Exercise

MOST = 64 << 20
"""Bytes of a file that is given as evidence."""
LONGEST = 2000
"""Characters of a note or a name."""
_KINDS: Mapping[str, AttestedKind] = {"record": "review", "communication": "communication", "training": "training"}
_PATHS = ("/", "./", "../", "~")


@dataclass(frozen=True)
class Attestation:
    """What the operator typed. `on`: an ISO date; None for today."""

    name: str
    by: str
    on: str | None = None
    note: str = ""
    attendees: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


def attested(config: Config, given: Attestation, operator: str, now: datetime) -> AttestedRecord:
    """The record of an attestation, for `records.keep`. Raises BadInput for anything that cannot be attested so."""
    kind = _kind(config, given.name)
    attendees = tuple(_person(one, "--attendee") for one in given.attendees)
    if kind == "training" and not attendees:
        raise BadInput(
            f"A record of {given.name} needs the names of those who took part.",
            next_action=f"uscdr drill record {given.name} --by WHO --attendee NAME --attendee NAME",
        )
    return AttestedRecord(
        kind=kind,
        name=given.name,
        by=_person(given.by, "--by"),
        on=_day(given.on, now.astimezone(zone_of(config)).date()),
        note=_short(given.note, "--note"),
        attendees=attendees,
        evidence=tuple(map(_evidence, given.evidence)),
        document=config.document.version if config.document else "",
        written_at=now,
        operator=operator,
        uscdr=__version__,
    )


def communicated(config: Config, name: str, operator: str, now: datetime, *, note: str = "") -> AttestedRecord:
    """The record of a communication drill that passed, for `records.keep`: exercises `done_by: communication` are done.

    `name` says which drill it was, such as `comms`; `operator` ran it.
    """
    return AttestedRecord(
        kind="communication", name=name, by=operator, on=now.astimezone(zone_of(config)).date(), note=note,
        document=config.document.version if config.document else "", written_at=now, operator=operator,
        uscdr=__version__,
    )  # fmt: skip


def _names(config: Config) -> tuple[str, ...]:
    """What a person may record, in the order of scenarios.yaml."""
    exercises = (one.name for one in config.exercises if one.done_by in _KINDS)
    approval = (APPROVAL,) if config.document else ()
    return (*exercises, *(one.name for one in config.supplies), *approval)


def _kind(config: Config, name: str) -> AttestedKind:
    if name not in _names(config):
        shown = next((one for one in config.exercises if one.name == name), None)
        raise _must_be_shown(shown) if shown else _unknown(config, name)
    if name == APPROVAL:
        return "approval"
    done_by = next((one.done_by for one in config.exercises if one.name == name), None)
    return "supply" if done_by is None else _KINDS[done_by]


def _unknown(config: Config, name: str) -> BadInput:
    known = ", ".join(_names(config)) or "nothing: scenarios.yaml has no exercises"
    return BadInput(f"There is no exercise “{name}” to record.", next_action=f"Record one of: {known}")


def _must_be_shown(exercise: Exercise) -> BadInput:
    if exercise.done_by == "proof":
        what, command = "a backup that was restored", "uscdr backup prove newest"
    else:
        what, command = "drills that passed", " && ".join(f"uscdr drill {name}" for name in exercise.drills)
    return BadInput(f"{exercise.name} cannot be recorded by word: only {what} can show it.", next_action=command)


def _day(text: str | None, today: date) -> date:
    if text is None:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"“{text}” is not a date.", next_action="Write it as YYYY-MM-DD: --on 2026-11-29") from None
    if day > today:
        raise BadInput(
            f"{day} is in the future: today is {today}.", next_action="Record the exercise on the day it is done."
        )
    return day


def _person(text: str, option: str) -> str:
    if is_placeholder(text):
        raise BadInput(f"{option} needs the name of a person, not “{text}”.", next_action=f'{option} "Ada Reyes"')
    return _short(text, option)


def _short(text: str, option: str) -> str:
    if len(text) > LONGEST:
        raise BadInput(
            f"{option} has {len(text):,} characters; at most {LONGEST:,} are kept.", next_action="Shorten it."
        )
    return text.strip()


def _evidence(text: str) -> Evidence:
    """A file by its digest if there is one of that name, else the text itself."""
    path = user_path(text)
    if path.is_file():
        return _file(path)
    if path.is_dir() and text.startswith(_PATHS):
        raise BadInput(f"{text} is a directory.", next_action="Pass a file of it with --evidence.")
    if text.startswith(_PATHS):
        raise BadInput(f"There is no file {text}.", next_action="Pass an existing file with --evidence, or a text.")
    return Evidence(text=_short(text, "--evidence"))


def _file(path: Path) -> Evidence:
    try:
        data = whole(path, MOST)
    except OSError as error:
        raise BadInput(f"uscdr cannot read {path}: {error.strerror}.", next_action="Pass another file.") from None
    return Evidence(text=path.name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
