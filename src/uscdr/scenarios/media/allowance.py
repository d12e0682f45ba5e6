"""Calls within the hourly allowance: when it is used up, wait for the next hour in sight of the operator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from uscdr.engine.step import Tell
from uscdr.engine.wait import Stop
from uscdr.errors import RateLimited
from uscdr.words import duration

T = TypeVar("T")
LONGEST = 3 * 3600.0
"""Seconds one call may wait in all."""
UNKNOWN_WAIT = 60.0
"""When the service does not say for how long, it is asked again after this."""
LOOK = 3.0
_USED_UP = "the allowance is used up; it is renewed"
_NOT_SAID = "the service takes no more calls for now, and does not say for how long; it is asked again"
SLACK = 1.0
"""Added to what the service says: clocks differ."""


def within(call: Callable[[], T], stop: Stop, tell: Tell) -> T:
    """Make the call, as often as the allowance refuses it. Raises the last refusal after LONGEST, or Interrupted."""
    begun = time.monotonic()
    while True:
        stop.check()
        try:
            return call()
        except RateLimited as error:
            wait = UNKNOWN_WAIT if error.retry_after is None else error.retry_after + SLACK
            if time.monotonic() - begun + wait > LONGEST:
                raise
            what = _NOT_SAID if error.retry_after is None else _USED_UP
            _sit_out(wait, what, stop, tell)


def _sit_out(seconds: float, what: str, stop: Stop, tell: Tell) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tell.progress(f"{what} in {duration(left)}", seconds - left, seconds)
        stop.pause(min(LOOK, left))
