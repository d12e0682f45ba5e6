"""Kinds of runs: recoveries, single writes, read-only runs; and the words for rounds of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKING = ("verify", "watch")
"""First words of the scenarios of read-only runs."""
VERDICTS = ("pass", "fail", "inconclusive", "not checked")
"""In counting order."""
LIST_TITLES = {"db": "Database recovery", "app": "Application recovery", "integration": "System integration"}
"""The titles of the runbook's three lists, in its order. A list of another version has no title: show its key."""
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
_RESUME = "resume the run (uscdr runs resume)"


@dataclass(frozen=True)
class RunKind:
    """What a run is, by its scenario."""

    scenario: str

    @property
    def only_looks(self) -> bool:
        """Whether it is a run of `uscdr verify` or `uscdr watch`."""
        return self.scenario.partition(" ")[0] in LOOKING

    @property
    def recovers(self) -> bool:
        """Whether it is a recovery: it has objectives, and may leave maintenance mode on."""
        return not self.only_looks and self.scenario not in OPERATIONS

    @property
    def command(self) -> str:
        """The command that starts such a run."""
        return _COMMANDS.get(self.scenario, f"uscdr recover {self.scenario}")

    def named(self, words: str) -> str:
        """The next action after such a run, with a command to paste."""
        return words.replace(ANY_RECOVERY, self.command)

    @staticmethod
    def resumed(words: str) -> str:
        """The next action after a run that changed something: uscdr refuses the command again, and resumes the run."""
        return words.replace("Run the command again", _RESUME.capitalize()).replace("run the command again", _RESUME)


@dataclass(frozen=True)
class Tally:
    """Counts verdicts."""

    verdicts: Sequence[str]

    @property
    def words(self) -> str:
        """For example `43 pass, 2 fail`; without any verdict `none`."""
        return ", ".join(self._counted(self.verdicts)) or "none"

    def of_lines(self, *, skipped_manual: bool) -> str:
        """The same of the checklists' lines: `19 of 22 lines pass, 2 fail, 1 not checked`."""
        manual = " (manual checks were skipped: --skip-manual)" if skipped_manual else ""
        lines = self.verdicts
        if not lines:
            return f"no line of the checklists was checked{manual}"
        passed = lines.count("pass")
        words = [f"{passed} of {len(lines)} {'line passes' if len(lines) == 1 else 'lines pass'}"]
        words += self._counted([line for line in lines if line != "pass"])
        return ", ".join(words) + manual

    @staticmethod
    def _counted(verdicts: Sequence[str]) -> list[str]:
        """Counts unknown verdicts (of another version) too, after the known ones."""
        return [f"{verdicts.count(one)} {one}" for one in dict.fromkeys((*VERDICTS, *verdicts)) if one in verdicts]
