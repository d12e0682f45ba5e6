"""What commands do before their work: find the state directory, clean up, warn of secrets that others can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.files import exposure
from uscdr.settings import Directories

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.monitoring.observed import Observed
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target


def state() -> Path:
    """The state directory, with runs, locks and the sandbox."""
    return Directories(os.environ).state


def look_around(output: Output) -> None:
    """Update the copies of the team's runs; warn and continue if the shared state is unavailable.

    Without a shared state nothing large is imported.
    """
    if not os.environ.get("USCDR_SHARED"):
        return
    from uscdr.shared.team import Team

    try:
        if team := Team.open(os.environ):
            team.refresh(state())
    except MachineError as error:
        output.warn(f"The runs of other machines shown here may be out of date. {error.message}")


def clear_up(output: Output, scratch: SecretStr | None = None) -> None:
    """Remove what killed processes left behind; warn of what could not be removed. For commands that may write."""
    from uscdr.cleanup import sweep

    for words in sweep(state(), scratch):
        output.warn(words)


def observe_target(target: Target, seen: Observed) -> None:
    """Tell monitoring which target the command works on."""
    seen.target, seen.app, seen.key = target.name, target.services.heroku.app, target.key
    seen.objective = target.config.objectives.rpo


def warn_exposed(output: Output, *secrets: Path | None) -> None:
    """Warn once for each secret file that others can read."""
    for words in (exposure(one) for one in secrets if one):
        if words:
            output.warn_once(f"Warning: {words}")
