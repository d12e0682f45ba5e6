"""Runs of one step that recover nothing: a single command's write, with its intent in a journal like any other."""

from __future__ import annotations

from uscdr.models.checklists import only_looks

OPERATIONS = {
    "capture": "uscdr backup capture",
    "schedule": "uscdr backup schedule --apply",
    "prune": "uscdr backup prune",
}
"""By scenario: the command that begins such a run."""
_COMMANDS = {**OPERATIONS, "dns": "uscdr dns rollback"}


def recovers(scenario: str) -> bool:
    """Whether a run of this scenario is a recovery: it has objectives, a clock, and may leave the application shut."""
    return not only_looks(scenario) and scenario not in OPERATIONS


ANY_RECOVERY = "uscdr recover …"
"""Stands in a message for the command of the run it is told of, where that is not known."""


def command_of(scenario: str) -> str:
    """What begins a run of this scenario."""
    return _COMMANDS.get(scenario, f"uscdr recover {scenario}")


def named(words: str, scenario: str) -> str:
    """What a person is told to do after a run of this scenario, with a command that can be pasted."""
    return words.replace(ANY_RECOVERY, command_of(scenario))
