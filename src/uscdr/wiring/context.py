"""The context of one run: its request, its target, and the process that carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from uscdr.redaction import Redactor
from uscdr.settings import PING, SCRATCH
from uscdr.store.location import STORE_SECRETS
from uscdr.words import duration
from uscdr.write_guard import WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from uscdr.engine.gate import Asker
    from uscdr.engine.wait import Stop
    from uscdr.events import Bus, Viewer
    from uscdr.models.events import PlanReady, Stamped
    from uscdr.providers.http.retry import Wait
    from uscdr.scenarios.adapters import Request
    from uscdr.ui.board import Reminders
    from uscdr.wiring.target import Target


RETRIED = "Attempt "
"""How the note of a failed attempt begins that is followed by another one."""


class WaitReporter:
    """Reports an adapter's waits and the clock difference on the event bus, once there is one."""

    def __init__(self) -> None:
        self.bus: Bus | None = None

    def __call__(self, wait: Wait) -> None:
        """Report one wait."""
        if self.bus is not None:
            from uscdr.models.events import Note

            words = (
                f"{RETRIED}{wait.attempt} of {wait.attempts} failed ({wait.reason}). Retry in {duration(wait.seconds)}."
            )
            self.bus.emit(Note(level="warning", text=words))

    def clock(self, ahead: float) -> None:
        """Warn that the platform's clock and this machine's differ by too much; `ahead` in seconds."""
        if self.bus is not None:
            from uscdr.models.events import Note

            side = "ahead of" if ahead > 0 else "behind"
            words = (
                f"The platform's clock is {duration(abs(ahead))} {side} this machine's clock. uscdr calculates ages "
                "with this machine's clock. Find out which one is wrong: timedatectl status"
            )
            self.bus.emit(Note(level="warning", text=words))


@dataclass(frozen=True)
class Process:
    """This process: its state directory, environment, prompts and viewers, and the guard that can forbid its writes."""

    state: Path
    env: Mapping[str, str]
    asker: Asker
    ask: Callable[[str], str]
    viewers: Sequence[Viewer]
    prime: Callable[[Sequence[Stamped]], None]
    stop: Stop
    guard: WriteGuard = field(default_factory=WriteGuard)
    remind: Callable[[Reminders], None] = field(default=lambda _: None)
    """Gives the screens what to remind the operator of."""
    left: Sequence[str] = ()
    """Sentences about what killed processes left and could not be removed."""

    def followed(
        self, viewer: Viewer, prime: Callable[[Sequence[Stamped]], None], reminders: Reminders
    ) -> Process:  # fmt: skip
        """The same with one more viewer, which also sees a resumed run's earlier events, and its reminders."""
        self.remind(reminders)

        def both(history: Sequence[Stamped]) -> None:
            self.prime(history)
            prime(history)

        return replace(self, viewers=(*self.viewers, viewer), prime=both)

    def on(
        self, target: Target, request: Request, run: str, *, dry_run: bool, confirm: str | None = None,
        identity: Path | None = None, send_again: bool = False, approved: PlanReady | None = None,
    ) -> RunContext:  # fmt: skip
        """The context of one run of a target in this process."""
        own: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(Process)}
        return RunContext(
            **own, target=target, request=request, run=run, dry_run=dry_run, confirm=confirm, identity=identity,
            send_again=send_again, redactor=known_secrets(target, self.env), approved=approved,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunContext(Process):
    """What one run works with in this process."""

    target: Target
    request: Request
    run: str
    """The run's id."""
    dry_run: bool
    confirm: str | None = None
    """The confirmation phrase from the command line."""
    identity: Path | None = None
    """The identity file of an escape kit, when the environment does not name it."""
    send_again: bool = False
    """The operator has checked that the write of an earlier process had no effect."""
    approved: PlanReady | None = None
    """The saved plan that this run carries out exactly, or not at all."""
    redactor: Redactor = field(default_factory=Redactor)
    """Knows every secret of the target and the secrets that adapters find."""
    waits: WaitReporter = field(default_factory=WaitReporter)


def known_secrets(target: Target, env: Mapping[str, str]) -> Redactor:
    """A redactor that knows every secret of the target, and those of stores and of monitoring from the environment."""
    redactor = Redactor()
    redactor.register("HEROKU_API_KEY", target.token.get_secret_value())
    if target.account is not None:
        redactor.register("USCDR_CHECK_PASSWORD", target.account.password.get_secret_value())
        if target.account.token is not None:
            redactor.register("USCDR_CHECK_TOKEN", target.account.token.get_secret_value())
    for account in target.media_accounts.values():
        redactor.register("CLOUDINARY_API_SECRET", account.api_secret.get_secret_value())
    if target.dns_key is not None:
        redactor.register("USCDR_DNS_KEY", target.dns_key.get_secret_value())
    if target.scratch is not None:
        redactor.register(SCRATCH, target.scratch.get_secret_value())
        redactor.register(SCRATCH, urlsplit(target.scratch.get_secret_value()).password or "")
    for name in (STORE_SECRETS | {PING}) & env.keys():
        redactor.register(name, env[name])
    return redactor
