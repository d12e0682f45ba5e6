"""How often captures must run, as a cron line and as a GitHub workflow. Pure text."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from uscdr.words import HOUR, MINUTE

LEAST = 5 * MINUTE
AT = 17
"""Minutes past the hour: at the full hour everybody's jobs run, and hosted ones are late or left out."""
STEPS = (
    *((minutes * MINUTE, f"*/{minutes} * * * *") for minutes in (5, 10, 15, 20, 30)),
    (HOUR, f"{AT} * * * *"),
    *((hours * HOUR, f"{AT} */{hours} * * *") for hours in (2, 3, 4, 6, 8, 12)),
    (24 * HOUR, f"{AT} 2 * * *"),
)
"""What cron can repeat evenly over midnight: seconds, and the five fields."""


@dataclass(frozen=True)
class Rhythm:
    """Every so many seconds, as cron writes it."""

    seconds: int
    fields: str


def rhythm(every: float, most: float) -> Rhythm:
    """The longest even interval of cron that is not above `every` nor above `most` (seconds)."""
    limit = max(LEAST, min(every, most))
    return Rhythm(*[step for step in STEPS if step[0] <= limit][-1])


def command(target: str, place: str | None) -> str:
    """The three commands, one after the other; each stops the rest when it fails."""
    to = f" --to {shlex.quote(place)}" if place else ""
    program = f"uscdr --quiet --target {shlex.quote(target)} backup"
    return f"{program} capture && {program} pull{to} && {program} prove{to}"


def cron_line(every: Rhythm, target: str, place: str | None) -> str:
    """One line for `crontab -e`; the file holds HEROKU_API_KEY and what else is needed, mode 0600."""
    return f"{every.fields}  . $HOME/.config/uscdr/environment && {command(target, place)}"


def workflow(every: Rhythm, target: str, place: str | None) -> str:
    """A workflow of GitHub Actions. The runner is thrown away: the vault must be an object store."""
    return WORKFLOW.format(fields=every.fields, command=command(target, place))


WORKFLOW = """\
name: backups
on:
  schedule:
    - cron: "{fields}"
  workflow_dispatch:
concurrency: {{group: backups, cancel-in-progress: false}}
permissions: {{contents: read}}
jobs:
  backup:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    env:
      HEROKU_API_KEY: ${{{{ secrets.HEROKU_API_KEY }}}}
      USCDR_KIT_RECIPIENTS: ${{{{ vars.USCDR_KIT_RECIPIENTS }}}}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install 'uscdr[vault,sandbox]'
      - run: {command}
"""
