"""Kinds of runs: recoveries, single writes, read-only runs; and the words for rounds of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKING = ("verify", "watch")
"""First words of the scenarios of read-only runs."""
VERDICTS = ("pass", "fail", "inconclusive", "not checked")
"""In counting order."""
LIST_TITLES = {"db": "Database recovery", "app": "Application recovery", "integration": "System integration"}
"""The runbook's three lists, in its order."""
NO_BASELINE = "no baseline: counts are not compared"


OPERATIONS = {
    "capture": "uscdr backup capture",
    "schedule": "uscdr backup schedule --apply",
    "prune": "uscdr backup prune",
}
"""Runs of one step that recover nothing: the scenario, and its command."""
_COMMANDS = {**OPERATIONS, "dns": "uscdr dns rollback"}
ANY_RECOVERY = "uscdr recover …"
"""The placeholder in a message for an unknown command."""


def only_looks(scenario: str) -> bool:
    """Whether a run of this scenario is one of `uscdr verify` or `uscdr watch`."""
    return scenario.partition(" ")[0] in LOOKING


def recovers(scenario: str) -> bool:
    """Whether a run of this scenario is a recovery: it has objectives, and may leave maintenance mode on."""
    return not only_looks(scenario) and scenario not in OPERATIONS


def command_of(scenario: str) -> str:
    """The command that starts a run of this scenario."""
    return _COMMANDS.get(scenario, f"uscdr recover {scenario}")


def named(words: str, scenario: str) -> str:
    """The next action after a run of this scenario, with a command to paste."""
    return words.replace(ANY_RECOVERY, command_of(scenario))


def list_title(key: str) -> str:
    """A list by its title; a list of another version by its key."""
    return LIST_TITLES.get(key, key)


def sum_words(lines: Sequence[str], *, skipped_manual: bool) -> str:
    """The verdicts of the checklists' lines as `19 of 22 lines pass, 2 fail, 1 not checked`."""
    manual = " (manual checks were skipped: --skip-manual)" if skipped_manual else ""
    if not lines:
        return f"no line of the checklists was checked{manual}"
    passed = lines.count("pass")
    words = [f"{passed} of {len(lines)} {'line passes' if len(lines) == 1 else 'lines pass'}"]
    words += _counted([line for line in lines if line != "pass"])
    return ", ".join(words) + manual


def count_words(verdicts: Sequence[str]) -> str:
    """Verdicts counted, as `43 pass, 2 fail`; nothing is `none`."""
    return ", ".join(_counted(verdicts)) or "none"


def _counted(verdicts: Sequence[str]) -> list[str]:
    """An unknown verdict (of another version) is counted too, after the known ones."""
    return [f"{verdicts.count(one)} {one}" for one in dict.fromkeys((*VERDICTS, *verdicts)) if one in verdicts]
