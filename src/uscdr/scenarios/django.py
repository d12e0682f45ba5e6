"""Django's own commands in one-off dynos: run to their end, and what their output says of migrations."""

from __future__ import annotations

import re

from uscdr.engine.step import Tell
from uscdr.errors import OutcomeUnknown
from uscdr.models.heroku import OneOffResult
from uscdr.models.migrations import Listed
from uscdr.scenarios.deps import Deps

PLAN_LINE = re.compile(r"^\[(?P<done>[ Xx])\]\s+(?P<name>\w+\.\w+)")
PLAN, LIST = "showmigrations --plan", "showmigrations"
_MARKED = re.compile(r"^\s?\[(?P<mark>[ Xx-])\] (?P<name>\w+)(?P<squashed> \(\d+ squashed migrations?\))?")
_APP = re.compile(r"^(?P<app>[A-Za-z_]\w*)\s*$")
LIMIT = 1800.0


def manage(deps: Deps, command: str, tell: Tell, *more: str, words: str = "") -> OneOffResult:
    """Run `manage.py` with this command, and with `more` one after the other while each ends well (write, once).

    `words` say what runs, for the progress. Raises OutcomeUnknown when the connection ended before the exit status.
    """
    shown = words or command
    ended = deps.platform.run_one_off(
        deps.app,
        " && ".join(f"{deps.config.app.manage} {one}" for one in (command, *more)),
        time_limit=LIMIT,
        on_started=lambda name: tell.progress(f"{name}: {shown}"),
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
