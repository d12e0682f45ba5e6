"""Django's own commands in one-off dynos: run to their end, and what their output says of migrations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from uscdr.errors import OutcomeUnknown
from uscdr.models.migrations import Listed
from uscdr.models.trial import BEGUN, ENDED, Script, scripts
from uscdr.words import plural

if TYPE_CHECKING:
    from uscdr.engine.step import Tell
    from uscdr.models.heroku import OneOffResult
    from uscdr.scenarios.deps import Deps

PLAN_LINE = re.compile(r"^\[(?P<done>[ Xx])\]\s+(?P<name>\w+\.\w+)")
PLAN, LIST = "showmigrations --plan", "showmigrations"
_MARKED = re.compile(r"^\s?\[(?P<mark>[ Xx-])\] (?P<name>\w+)(?P<squashed> \(\d+ squashed migrations?\))?")
_APP = re.compile(r"^(?P<app>[A-Za-z_]\w*)\s*$")
LIMIT = 1800.0


def manage(
    deps: Deps, command: str, tell: Tell, *more: str, words: str = "", time_limit: float = LIMIT
) -> OneOffResult:
    """Run `manage.py` with this command, and with `more` one after the other while each ends well (write, once).

    `words` say what runs, for the progress. Raises OutcomeUnknown when the connection ended before the exit status.
    """
    line = " && ".join(f"{deps.config.app.manage} {one}" for one in (command, *more))
    return _run(deps, line, tell, words or command, time_limit)


def sql_of(deps: Deps, names: Sequence[str], tell: Tell, *, time_limit: float = LIMIT) -> tuple[Script, ...]:
    """What the deployed code writes of these migrations, `app.name`, all in one dyno (write, once; changes nothing).

    One that cannot be written does not hinder the next; one whose end did not arrive is not among them. Raises as
    `manage`.
    """
    each = (
        f"echo '-- {BEGUN} {name}' && {deps.config.app.manage} sqlmigrate {name.replace('.', ' ')}; "
        f'echo "-- {ENDED} $?"'
        for name in names
    )
    words = f"sqlmigrate of {plural(len(names), 'migration')}"
    return scripts(_run(deps, "; ".join(each), tell, words, time_limit).output)


def _run(deps: Deps, command: str, tell: Tell, shown: str, time_limit: float) -> OneOffResult:
    ended = deps.platform.run_one_off(
        deps.app, command, time_limit=time_limit, on_started=lambda name: tell.progress(f"{name}: {shown}")
    )
    if ended.exit_status is None:
        raise OutcomeUnknown(
            f"The connection to the one-off dyno {ended.name} ended before “{shown}” reported its exit status.",
            next_action=f"See: heroku logs --app {deps.app} --dyno {ended.name}; then: uscdr runs resume",
        )
    return ended


def listed(deps: Deps, ended: OneOffResult) -> dict[str, bool]:
    """Every migration that the code knows, libraries' too, and whether it is applied, from the output of `PLAN`.

    Raises OutcomeUnknown when there is none in it.
    """
    lines = (PLAN_LINE.match(line.strip()) for line in ended.output.splitlines())
    found = {match["name"]: match["done"] != " " for match in lines if match}
    if not found:
        raise OutcomeUnknown(
            "The list of migrations could not be read from the one-off dyno's output.",
            next_action=f"Look yourself: heroku run --exit-code --app {deps.app} -- {deps.config.app.manage} {PLAN}; "
            "then: uscdr runs resume",
        )
    return found


def own_list(output: str) -> Listed | None:
    """The migrations of each application in the output of `LIST`; None when there are none in it."""
    app = ""
    known: list[str] = []
    pending: list[str] = []
    squashed: set[str] = set()
    for line in output.splitlines():
        if heading := _APP.match(line):
            app = heading["app"]
        elif app and (marked := _MARKED.match(line)):
            name = f"{app}.{marked['name']}"
            known.append(name)
            pending += [name] if marked["mark"] == " " else []
            squashed |= {app} if marked["squashed"] else set()
    return Listed(known=tuple(known), pending=tuple(pending), squashed=tuple(sorted(squashed))) if known else None
