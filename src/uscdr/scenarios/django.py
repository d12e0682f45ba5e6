"""Django's own commands in one-off dynos, and what their output says about migrations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.errors import OutcomeUnknown
from uscdr.models.migrations import Listed
from uscdr.models.postgres import of_names
from uscdr.models.trial import BEGUN, ENDED, MigrationScript
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.engine.step import Reporter
    from uscdr.models.heroku import OneOffResult
    from uscdr.scenarios.adapters import Adapters


PLAN_LINE = re.compile(r"^\[(?P<done>[ Xx])\]\s+(?P<name>\w+\.\w+)")
PLAN, LIST = "showmigrations --plan", "showmigrations"
_MARKED = re.compile(r"^\s?\[(?P<mark>[ Xx-])\] (?P<name>\w+)(?P<squashed> \(\d+ squashed migrations?\))?")
_APP = re.compile(r"^(?P<app>[A-Za-z_]\w*)\s*$")
LIMIT = 1800.0


class Django:
    """Django's own commands, run in one-off dynos of the application of this run."""

    def __init__(self, deps: Adapters) -> None:
        self._deps = deps

    def manage(
        self, command: str, tell: Reporter, *more: str, words: str = "", time_limit: float = LIMIT
    ) -> OneOffResult:
        """Run `manage.py` with this command, then with each of `more` while all succeed (write, once).

        `words` name the command in the progress. Raises OutcomeUnknown when the connection ends before the exit status.
        """
        line = " && ".join(f"{self._deps.config.app.manage} {one}" for one in (command, *more))
        return self._run(line, tell, words or command, time_limit)

    def sql_of(self, names: Sequence[str], tell: Reporter, *, time_limit: float = LIMIT) -> tuple[MigrationScript, ...]:
        """The deployed code's SQL for these migrations, `app.name`, from one dyno (write, once; changes nothing).

        One that cannot be written does not stop the next; one whose end did not arrive is left out. Raises as
        `manage`.
        """
        each = (
            f"echo '-- {BEGUN} {name}' && {self._deps.config.app.manage} sqlmigrate {name.replace('.', ' ')}; "
            f'echo "-- {ENDED} $?"'
            for name in names
        )
        words = f"sqlmigrate of {plural(len(names), 'migration')}"
        return MigrationScript.all_in(self._run("; ".join(each), tell, words, time_limit).output)

    def listed(self, ended: OneOffResult) -> dict[str, bool]:
        """Every migration of the code and its libraries, and whether it is applied, from the output of `PLAN`.

        Raises OutcomeUnknown when the output lists none.
        """
        lines = (PLAN_LINE.match(line.strip()) for line in ended.output.splitlines())
        found = {match["name"]: match["done"] != " " for match in lines if match}
        if not found:
            raise OutcomeUnknown(
                "The list of migrations could not be read from the one-off dyno's output.",
                next_action=f"See it: heroku run --exit-code --app {self._deps.app} -- "
                f"{self._deps.config.app.manage} {PLAN}; then: uscdr runs resume",
            )
        return found

    def _run(self, command: str, tell: Reporter, shown: str, time_limit: float) -> OneOffResult:
        ended = self._deps.platform.run_one_off(
            self._deps.app, command, time_limit=time_limit, on_started=lambda name: tell.progress(f"{name}: {shown}")
        )
        if ended.exit_status is None:
            raise OutcomeUnknown(
                f"The connection to the one-off dyno {ended.name} ended before “{shown}” reported its exit status.",
                next_action=f"See: heroku logs --app {self._deps.app} --dyno {ended.name}; then: uscdr runs resume",
            )
        return ended


@dataclass(frozen=True)
class DjangoOutput:
    """The output of a one-off dyno; it may quote rows, and is never shown whole."""

    text: str = field(repr=False)

    def listed(self) -> Listed | None:
        """The migrations of each application in the output of `LIST`; None when it lists none."""
        app = ""
        known: list[str] = []
        pending: list[str] = []
        squashed: set[str] = set()
        for line in self.text.splitlines():
            if heading := _APP.match(line):
                app = heading["app"]
            elif app and (marked := _MARKED.match(line)):
                name = f"{app}.{marked['name']}"
                known.append(name)
                pending += [name] if marked["mark"] == " " else []
                squashed |= {app} if marked["squashed"] else set()
        return Listed(known=tuple(known), pending=tuple(pending), squashed=tuple(sorted(squashed))) if known else None

    @property
    def reason(self) -> str:
        """Why a command of Django failed: its last error, `Type: words`; empty when the output has none."""
        found = [line for line in map(_of_line, _lines(self.text)) if line]
        return found[-1][:LONGEST] if found else ""

    @property
    def failed_migration(self) -> str:
        """`app.name` of the migration that started and failed; empty when there is none."""
        begun = [match for line in _lines(self.text) if (match := APPLYING.search(line))]
        return begun[-1]["name"] if begun and "OK" not in begun[-1]["rest"] else ""

    @property
    def applied(self) -> tuple[str, ...]:
        """Migrations that succeeded before it."""
        begun = (APPLYING.search(line) for line in _lines(self.text))
        return tuple(match["name"] for match in begun if match and "OK" in match["rest"])

    def lacks_command(self, command: str) -> bool:
        """Whether Django does not know the command."""
        match = UNKNOWN_COMMAND.search(self.text.replace("\r", ""))
        return match is not None and match["name"] == command


# What may be quoted of a one-off dyno's output: the reason of a failure, without a value of any row. Pure.


APPLYING = re.compile(r"Applying (?P<name>\w+\.\w+)\.\.\.(?P<rest>.*)")
UNKNOWN_COMMAND = re.compile(r"^Unknown command: '(?P<name>\w+)'", re.MULTILINE)
_ERROR = re.compile(
    r"^(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|History|Failure|Warning|Exit|Configured|NotReady)):?\s*"
    r"(?P<words>.*)$"
)
_OWN_WORDS = frozenset({"CommandError", "ImproperlyConfigured", "ModuleNotFoundError", "ImportError",
                        "InconsistentMigrationHistory", "SystemCheckError", "NodeNotFoundError",
                        "CircularDependencyError", "AppRegistryNotReady"})  # fmt: skip
"""Errors whose words name parts of the code, never the content of a table."""
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|“[^”]*”|\([^)]*\)=\([^)]*\)")
_IDENTIFIER = re.compile(r"[\"'][A-Za-z_][A-Za-z0-9_.]{0,62}[\"']")
LONGEST = 300


def quotable(line: str) -> str:
    """A line of the application, with all quoted text hidden except plain names."""
    shown = _QUOTED.sub(lambda found: found[0] if _IDENTIFIER.fullmatch(found[0]) else "…", line)
    return shown[:LONGEST]


def _lines(output: str) -> Iterator[str]:
    return (line.strip() for line in re.split(r"[\r\n]+", output))


def _of_line(line: str) -> str:
    match = _ERROR.match(line)
    if match is None:
        return ""
    whole, words = match["type"], match["words"].strip()
    short = whole.rpartition(".")[2]
    if short in _OWN_WORDS or of_names(words):
        return f"{short}: {words}".removesuffix(": ")
    return f"{short} (its words may quote a row and are not shown)" if words else short
