"""All expected errors: what happened, why, the next action, and the exit code.

The codes are a contract with scripts and never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes, as documented in `uscdr --help`."""

    DONE = 0
    """Done and verified."""
    CHECK_FAILED = 1
    """A check failed, an objective (RTO, RPO) is missed, the plan cannot be carried out, or the application is gone."""
    BAD_INPUT = 2
    """Usage, configuration or other bad input, an unknown name, or no token at all. Nothing was changed."""
    FAILED = 3
    """A provider or this machine failed, or a provider refused the token. Nothing is in doubt."""
    DECLINED = 4
    """Declined, or nobody could confirm."""
    UNKNOWN = 5
    """A write was sent and its outcome is unknown. The message says what to check."""
    LOCKED = 6
    """Another operator's run holds the lock."""
    INTERRUPTED = 130
    """Interrupted. The journal says where."""


class UscdrError(Exception):
    """Base of all expected errors. `cli.main` alone turns it into a message and an exit code.

    `message` says what happened, `why` the cause if known, `next_action` what to do now.
    None of the three may hold a secret or patient data.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, why: str = "", next_action: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.why = why
        self.next_action = next_action

    @property
    def reason(self) -> str:
        """Message and cause, as the reason of something else."""
        return f"{self.message} {self.why}".strip()


class BadInput(UscdrError):
    """Usage, configuration or other input is wrong; nothing was called."""

    exit_code = ExitCode.BAD_INPUT


@dataclass(frozen=True)
class ConfigFault:
    """One thing that is wrong with a configuration file. Line and column count from one; `words` is a sentence."""

    file: str
    line: int
    column: int
    words: str
    advice: str = ""
    """How to fix it, if that is more than the words say."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.words}"


class ConfigError(BadInput):
    """scenarios.yaml is wrong; the message carries file, line and column of each of the `faults`, one a line."""

    def __init__(
        self, message: str, *, why: str = "", next_action: str = "", faults: tuple[ConfigFault, ...] = ()
    ) -> None:
        super().__init__(message, why=why, next_action=next_action)
        self.faults = faults


class CheckFailed(UscdrError):
    """A check failed or an objective is missed."""

    exit_code = ExitCode.CHECK_FAILED


class Declined(UscdrError):
    """The operator declined, or could not confirm."""

    exit_code = ExitCode.DECLINED


class Outdated(Declined):
    """A step would now do something other than what the operator approved; it did nothing."""


class OutcomeUnknown(UscdrError):
    """A write was sent, but its outcome is unknown."""

    exit_code = ExitCode.UNKNOWN


class LockHeld(UscdrError):
    """Another operator's recovery holds the lock of this target."""

    exit_code = ExitCode.LOCKED


class Interrupted(UscdrError):
    """The operator interrupted; the journal says where."""

    exit_code = ExitCode.INTERRUPTED


class MachineError(UscdrError):
    """This machine failed: disk full, tool missing, no permission."""


class MissingExtra(MachineError):
    """A library from one of this package's extras is missing."""

    def __init__(self, message: str, *, extra: str, module: str) -> None:
        from uscdr.installation import PURPOSES, install

        super().__init__(
            message,
            why=f"uscdr was installed without its extra “{extra}”, which it needs to {PURPOSES[extra]}. "
            f"Missing: {module}.",
            next_action=f"Install the extra: {install(extra)}",
        )
        self.extra = extra

    @classmethod
    def refuse(cls, message: str, extra: str, modules: tuple[str, ...]) -> None:
        """Raise the error if one of `modules` is missing: before a command changes anything."""
        from uscdr.installation import lacks

        if missing := lacks(modules):
            raise cls(message, extra=extra, module=", ".join(missing))


class JournalError(MachineError):
    """The journal could not be written or is damaged."""


class ProviderError(UscdrError):
    """A provider refused or failed, and the outcome is known.

    `sent` tells whether the request may have reached the provider; a write may be resent only
    when it is False. `retryable` tells whether the same call may succeed later unchanged.
    """

    no_answer: bool = False
    """Whether the provider could not be reached, or did not answer at all."""

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        why: str = "",
        next_action: str = "",
        status: int | None = None,
        error_id: str = "",
        request_id: str = "",
        retryable: bool = False,
        sent: bool = True,
    ) -> None:
        super().__init__(message, why=why, next_action=next_action)
        self.provider = provider
        self.status = status
        self.error_id = error_id
        self.request_id = request_id
        self.retryable = retryable
        self.sent = sent


class CredentialsRefused(ProviderError):
    """The provider does not accept the credentials, or they lack a permission or a second factor."""

    exit_code = ExitCode.FAILED


class NoCredentials(CredentialsRefused):
    """The operator gave none: nothing was called."""

    exit_code = ExitCode.BAD_INPUT


class NotFound(ProviderError):
    """The named thing does not exist at the provider."""


class ApplicationGone(NotFound):
    """The application itself does not exist, or this account cannot see it: no command that needs it can go on."""

    exit_code = ExitCode.CHECK_FAILED

    @staticmethod
    def way(*, kit: bool) -> str:
        """What a person does then; `kit`: whether kits are built somewhere."""
        newest = " --kit newest" if kit else ""
        return (
            f"If somebody deleted it: uscdr recover infra{newest} --dry-run. Otherwise check targets.…heroku.app in "
            "scenarios.yaml, and whose token is in use: heroku whoami"
        )

    @classmethod
    def of(cls, app: str, refused: ProviderError, next_action: str) -> ApplicationGone:
        """The one sentence for it, whatever was asked of the application; `refused` is the provider's answer."""
        return cls(
            f"There is no application “{app}” for this account.",
            provider=refused.provider,
            why=f"{refused.message.removesuffix('.')} ({refused.why.removesuffix('.')})."
            if refused.why
            else refused.message,
            next_action=next_action,
            status=refused.status,
            error_id=refused.error_id,
            request_id=refused.request_id,
        )


class WrongContent(ProviderError):
    """The provider's answer is complete but of the wrong kind; a retry would give the same."""


class Conflict(ProviderError):
    """The provider's current state does not allow the call."""


class RateLimited(ProviderError):
    """The provider's quota is used up for now. `retry_after` is in seconds when it is known."""

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        retry_after: float | None = None,
        why: str = "",
        next_action: str = "",
        status: int | None = None,
        error_id: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(
            message,
            provider=provider,
            why=why,
            next_action=next_action,
            status=status,
            error_id=error_id,
            request_id=request_id,
            retryable=True,
        )
        self.retry_after = retry_after


class AnswerLost(ProviderError):
    """The request may have arrived, but its answer did not: check before anything else."""


class EffectFailed(ProviderError):
    """An accepted write certainly failed at the provider, and nothing of it is still running."""


class WriteRefused(ProviderError):
    """A read-only client refused a write: nothing was sent."""

    def __init__(self, message: str, *, provider: str) -> None:
        super().__init__(message, provider=provider, sent=False)
