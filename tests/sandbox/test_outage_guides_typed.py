"""The guides for an outage, typed line by line on a sandbox that is broken and recovered, with an empty HOME."""

from __future__ import annotations

from guides import Course, Guide
from newcomer import Newcomer, typed
from uscdr.errors import ExitCode

OUTAGE = tuple(Guide(name) for name in ("recovery", "incident", "exercises", "symptoms"))
COMMS = 'incident: uscdr drill comms --ack "Ada Reyes=4" --ack "Ben Cruz=9"'
FILLED_IN = (
    "uscdr config init",
    "sed -i 's/role: System Administrator/&, name: Ada Reyes, how: ada@clinic.example/' ~/.config/uscdr/scenarios.yaml",
    "sed -i 's/role: Project Lead/&, name: Ben Cruz, how: ben@clinic.example/' ~/.config/uscdr/scenarios.yaml",
)
GIVEN = {
    "recovery: What to type": ("uscdr sandbox break db --how drop-table",),
    "recovery: Save a plan and carry it out": ("uscdr sandbox break db --how delete-rows",),
    "incident: uscdr recover db --send-notices": ("uscdr sandbox break db --how truncate",),
    "incident: uscdr incident audience import --from team.txt --group team": ("echo ben@clinic.example >team.txt",),
    "incident: uscdr incident audience import --kit newest --identity ~/.config/uscdr/identity.txt": (
        "uscdr kit build --without media --without dump",
    ),
    "incident: uscdr incident review --editor": ("export EDITOR=true",),
    COMMS: FILLED_IN,
    "exercises: Record what a person did": ("touch report.pdf",),
    "exercises: Every morning": (
        "mkdir calendar bin",
        "printf '#!/bin/sh\\n' >bin/mail; chmod +x bin/mail",
        'export PATH="$HOME/bin:$PATH"',
    ),
}
"""Damage, and files that a reader has."""
OVERDUE, SPARED = "overdue", "the others are reserved for users"
ENDINGS = {
    "recovery: uscdr runs resume": (ExitCode.BAD_INPUT, "no unfinished run"),
    "recovery: uscdr recover app --dry-run": (ExitCode.CHECK_FAILED, "There is nothing to recover"),
    "recovery: uscdr dns rollback --dry-run": (ExitCode.CHECK_FAILED, "so there is nothing to roll back"),
    "incident: uscdr incident notify": (ExitCode.DECLINED, "no terminal to ask"),
    "incident: uscdr incident settle n1 chat sent": (ExitCode.CHECK_FAILED, "Nothing is in doubt"),
    "incident: uscdr incident check": (ExitCode.CHECK_FAILED, OVERDUE),
    "incident: uscdr incident close": (ExitCode.CHECK_FAILED, "the review has no answer"),
    "symptoms: uscdr recover infra --in-place-if-possible --dry-run": (
        ExitCode.CHECK_FAILED,
        "uscdr does not overwrite it",
    ),
    "symptoms: uscdr verify db --skip-manual": (ExitCode.CHECK_FAILED, SPARED),
    "symptoms: uscdr verify db signed-in": (ExitCode.CHECK_FAILED, SPARED),
    "symptoms: uscdr backup status": (ExitCode.CHECK_FAILED, "RPO MISSED"),
    "symptoms: uscdr runs resume --take-over": (ExitCode.BAD_INPUT, "no unfinished run"),
    "exercises: uscdr drill due": (ExitCode.CHECK_FAILED, OVERDUE),
    "exercises: uscdr drill due --ics exercises.ics": (ExitCode.CHECK_FAILED, OVERDUE),
}
"""Nobody is at a terminal, the exercises were never done, no run is unfinished, and the data are whole again."""
MAY_PASS = {
    "incident: uscdr incident check", "symptoms: uscdr verify db --skip-manual", "symptoms: uscdr verify db signed-in"
}  # fmt: skip
"""By the quarter of an hour before: a notice is overdue after it, and checks use two logins in it."""
KEY = Guide("kit").commands()[0].text
BEFORE = (
    "uscdr sandbox up --backup-age 3h --plain",
    "export USCDR_TARGET=sandbox",
    KEY,
    'export USCDR_KIT_RECIPIENTS="$(uscdr kit key)"',
    "export USCDR_AGE_IDENTITY=~/.config/uscdr/identity.txt",
    "uscdr kit build",
)
"""What is there before an outage: the target, a key and a kit."""


def test_every_line_works_as_it_stands(newcomer: Newcomer) -> None:
    typed(newcomer, *BEFORE)
    course = Course(newcomer, GIVEN, ENDINGS, MAY_PASS)
    printed = {guide: course.follow(guide) for guide in OUTAGE}
    assert [text for guide in OUTAGE for text in guide.unseen(printed[guide], newcomer.home)] == []
    typed(newcomer, "uscdr sandbox down")
