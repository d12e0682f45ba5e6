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
    """A workflow of GitHub Actions. The runner is thrown away: the vault must be an object store.

    It takes nothing from a public index or of anybody's actions: what would run there would hold the token. The
    wheels lie in the repository, each with its digest, and the secrets are in the environment of the last step alone.
    """
    return WORKFLOW.format(fields=every.fields, command=command(target, place), wheels=WHEELS)


WHEELS = ".github/uscdr"
"""Where the workflow looks for the wheels, below the repository's root."""


def wheels(python: str, origin: str) -> str:
    """The commands that put the wheels there, once; `origin` is the checkout or wheel that this came from."""
    source = shlex.quote(f"{origin}[vault,sandbox]")
    return (
        f"{shlex.quote(python)} -m pip wheel --wheel-dir {WHEELS} {source}\n"
        f"(cd {WHEELS} && sha256sum *.whl >SHA256SUMS) && git add -f {WHEELS}"
    )


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
    runs-on: ubuntu-24.04
    timeout-minutes: 120
    steps:
      - name: Fetch this commit
        env: {{TOKEN: "${{{{ github.token }}}}"}}
        run: |
          git init --quiet .
          git -c credential.helper='!f() {{ echo username=x-access-token; echo "password=$TOKEN"; }}; f' \\
            fetch --quiet --depth 1 "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" "$GITHUB_SHA"
          git checkout --quiet FETCH_HEAD
      - name: Install uscdr from the wheels of this commit, from no index
        run: |
          (cd {wheels} && sha256sum --check --strict --quiet SHA256SUMS)
          python3 -m venv "$RUNNER_TEMP/uscdr"
          wheel=$(echo "$PWD"/{wheels}/uscdr-*.whl)
          "$RUNNER_TEMP/uscdr/bin/python" -m pip install --no-index --find-links {wheels} "$wheel[vault,sandbox]"
          echo "$RUNNER_TEMP/uscdr/bin" >>"$GITHUB_PATH"
      - name: Capture, copy and prove
        env:
          HEROKU_API_KEY: ${{{{ secrets.HEROKU_API_KEY }}}}
          USCDR_KIT_RECIPIENTS: ${{{{ vars.USCDR_KIT_RECIPIENTS }}}}
        run: {command}
"""
