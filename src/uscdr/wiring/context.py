"""One process's work on one run, and what surrounds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.models.events import Note, Stamped
from uscdr.words import duration
from uscdr.write_guard import WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from uscdr.engine.gate import Asker
    from uscdr.engine.wait import Stop
    from uscdr.events import Bus, Viewer
    from uscdr.providers.http.retry import Wait
    from uscdr.scenarios.adapters import Request
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class RunContext:
    """This process: where it keeps state, its environment, how it asks and shows, and whose leave its changes need."""

    state: Path
    env: Mapping[str, str]
    asker: Asker
    ask: Callable[[str], str]
    viewers: Sequence[Viewer]
    prime: Callable[[Sequence[Stamped]], None]
    stop: Stop
    leave: WriteGuard = field(default_factory=WriteGuard)
    left: Sequence[str] = ()
    """What killed processes left and could not be removed, in words."""


@dataclass(frozen=True)
class Job:
    """One process's work on one run."""

    place: Target
    request: Request
    run: str
    confirm: str | None
    dry_run: bool
    identity: Path | None = None
    """The private key of an escape kit, when the environment does not name it."""
    send_again: bool = False
    """The operator has seen that the write which an earlier process sent did not happen."""


class WaitReporter:
    """Says that an adapter waits before it asks again, once there is a stream of events to say it on."""

    def __init__(self) -> None:
        self.bus: Bus | None = None

    def __call__(self, wait: Wait) -> None:
        """Tell of one wait."""
        if self.bus is not None:
            words = (
                f"attempt {wait.attempt} of {wait.attempts} failed ({wait.reason}); again in {duration(wait.seconds)}"
            )
            self.bus.emit(Note(level="warning", text=words))

    def clock(self, ahead: float) -> None:
        """Tell that the platform's clock and this machine's differ by more than goes without a word."""
        if self.bus is not None:
            side = "ahead of" if ahead > 0 else "behind"
            words = (
                f"The platform's clock is {duration(abs(ahead))} {side} this machine's. Ages are reckoned by this "
                "machine's clock: look which of them is wrong."
            )
            self.bus.emit(Note(level="warning", text=words))
