"""One command under monitoring: its pings and its file of metrics. No failure of either changes the exit code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.clock import system_time
from uscdr.errors import BadInput, UscdrError
from uscdr.files import SHARED_FILE, publish
from uscdr.settings import Directories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uscdr.monitoring.metrics import CommandEnd
    from uscdr.monitoring.observed import Observed
    from uscdr.monitoring.past import LastEnds
    from uscdr.monitoring.ping import Pinger


@dataclass
class Monitor:
    """Reports one command. `pinger` and `file` are None where the operator wants no report of that kind."""

    seen: Observed
    warn: Callable[[str], None]
    pinger: Pinger | None = None
    file: Path | None = None

    def measure(self, file: Path | None) -> None:
        """Write the metrics into `file`. Raises BadInput for one that cannot be replaced."""
        if file is not None:
            self.file = _replaceable(file)
            self.seen.save = self._save

    def ended(self, exit_code: int) -> None:
        """Report the end."""
        from uscdr.monitoring.metrics import CommandEnd

        try:
            self._save(CommandEnd(exit_code, system_time()))
        finally:
            if self.pinger is not None:
                self.pinger.ended(exit_code)

    def _save(self, end: CommandEnd | None = None) -> None:
        if self.file is None:
            return
        from uscdr.monitoring.metrics import exposition

        text = exposition(self.seen, self._past(), end, system_time())
        try:
            publish(self.file, text, "Fix that, or pass another file with --metrics.", mode=SHARED_FILE)
        except UscdrError as error:
            self.warn(f"Warning: the metrics are those of an earlier run. {error.reason} {error.next_action}")

    def _past(self) -> LastEnds:
        from uscdr.monitoring.past import LastEnds

        try:
            return LastEnds.of(Directories(os.environ).state, self.seen.key)
        except UscdrError as error:
            self.warn(f"Warning: the metrics lack the last recovery and drill. {error.reason}")
            return LastEnds()


def _replaceable(file: Path) -> Path:
    """The file. Raises BadInput for one without a directory, and for anything but a regular file."""
    if not file.absolute().parent.is_dir():
        raise BadInput(
            f"The directory of {file} does not exist.",
            next_action=f"Create it: mkdir -p {file.parent}. Or pass another file with --metrics.",
        )
    if file.exists() and not file.is_file():
        raise BadInput(
            f"{file} is not a regular file.",
            next_action="Pass a file in the collector's directory, for example: --metrics /var/lib/metrics/uscdr.prom",
        )
    return file
