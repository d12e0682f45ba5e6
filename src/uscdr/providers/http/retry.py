"""The retry loop. A read may be sent again; a write only when it certainly had no effect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_exponential, wait_random

from uscdr.errors import Interrupted, ProviderError, RateLimited
from uscdr.providers.http.outages import QUOTA, WAITING, Outages

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of one call: `attempts` in all, `seconds` in all, first and longest wait in seconds.

    `rate_floor` is the least wait after a rate limit without `Retry-After`: the quota refills slowly.
    """

    attempts: int = 6
    seconds: float = 120.0
    first: float = 0.5
    longest: float = 15.0
    rate_floor: float = 4.0


@dataclass(frozen=True)
class Wait:
    """A wait that starts now, for the screen: how long, after which attempt, and why."""

    seconds: float
    attempt: int
    attempts: int
    reason: str


OnWait = Callable[[Wait], None]


class RetryingCaller:
    """How a caller waits between attempts: the policy, the stop token, and the callback.

    `sleep` replaces the waiting itself. Setting `stop` interrupts a wait (`Interrupted`) but blocks no call: an
    interrupted run must still be able to undo its changes.
    """

    def __init__(
        self,
        *,
        policy: RetryPolicy | None = None,
        stop: threading.Event | None = None,
        on_wait: OnWait | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.policy = policy or RetryPolicy()
        self.stop = stop or threading.Event()
        self._on_wait = on_wait
        self._sleep = sleep or self._pause

    def call(self, attempt: Callable[[], T], *, writes: bool, idle: Callable[[], float] | None = None) -> T:
        """Call `attempt` until it returns, fails permanently, or reaches the policy's limit; raises the last error.

        `idle` returns the seconds since the last progress; the policy's seconds then limit those, not the whole call.
        """
        begun = monotonic()
        try:
            return attempt()  # nearly every call: what repeats it is made only when it fails
        except ProviderError as error:
            if not _may_resend(error, writes=writes):
                raise
            failed = _Failed(error, attempt)
        enough = _WaitedEnough(self.policy.seconds, begun, idle)
        loop = Retrying(
            retry=retry_if_exception(lambda error: _may_resend(error, writes=writes)),
            wait=_ProviderWait(self.policy),
            stop=stop_after_attempt(self.policy.attempts) | enough | _LookedEnough(),
            sleep=self._sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        return loop(failed)

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Interrupted("Interrupted while waiting for the provider.")

    def _tell(self, state: RetryCallState) -> None:
        if self._on_wait is not None:
            error = _failure(state)
            reason = error.message if isinstance(error, ProviderError) else ""
            self._on_wait(Wait(state.upcoming_sleep, state.attempt_number, self.policy.attempts, reason))


class _Failed(Generic[T]):
    """An attempt whose first try has failed already."""

    def __init__(self, error: ProviderError, again: Callable[[], T]) -> None:
        self._error: ProviderError | None = error
        self._again = again

    def __call__(self) -> T:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._again()


def _may_resend(error: BaseException, *, writes: bool) -> bool:
    """Whether the request may be sent again: a write only if it never arrived or was rate-limited."""
    if not isinstance(error, ProviderError) or not error.retryable:
        return False
    return not writes or not error.sent or isinstance(error, RateLimited)


class _ProviderWait(wait_base):
    """The provider's `Retry-After`, else exponential with jitter."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._floor = policy.rate_floor
        self._jitter = wait_exponential(multiplier=policy.first, max=policy.longest) + wait_random(0, policy.first)

    def __call__(self, retry_state: RetryCallState) -> float:
        error, wait = _failure(retry_state), self._jitter(retry_state)
        if not isinstance(error, RateLimited):
            return wait
        return max(wait, self._floor if error.retry_after is None else error.retry_after)


class _WaitedEnough(stop_base):
    """Ends the loop before a wait that would exceed the limit, in waited time or in total time, or in `idle` time."""

    def __init__(self, seconds: float, begun: float, idle: Callable[[], float] | None = None) -> None:
        self._seconds = seconds
        self._begun = begun
        self._idle = idle

    def __call__(self, retry_state: RetryCallState) -> bool:
        whole = max(retry_state.idle_for, monotonic() - self._begun)
        spent = whole if self._idle is None else self._idle()
        return spent + retry_state.upcoming_sleep > self._seconds


class _LookedEnough(stop_base):
    """Ends the loop of a read-only command at the provider's total limit; rate limits have a larger one."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        outages, error = Outages.known(), _failure(retry_state)
        if outages is None or not isinstance(error, ProviderError):
            return False
        share = QUOTA if isinstance(error, RateLimited) else WAITING
        return not outages.may_wait(error.provider, retry_state.upcoming_sleep, share)


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
