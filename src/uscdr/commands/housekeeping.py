"""What commands do before their work: find the state directory, clear up, warn of secrets that others can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from uscdr.files import exposure
from uscdr.settings import Directories

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.ui.console import Output


def state() -> Path:
    """Where runs, locks and the sandbox live."""
    return Directories(os.environ).state


def clear_up(output: Output, scratch: SecretStr | None = None) -> None:
    """Remove what killed processes left: for commands that may write. What is still there is said."""
    from uscdr.cleanup import sweep

    for words in sweep(state(), scratch):
        output.warn(words)


def warn_exposed(output: Output, *secrets: Path | None) -> None:
    """Say once of each file with a secret that others can read it."""
    for words in (exposure(one) for one in secrets if one):
        if words:
            output.warn_once(f"Warning: {words}")
