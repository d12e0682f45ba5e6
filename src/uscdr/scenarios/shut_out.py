"""Who is shut out by a recovery, although nobody had shut them out: what could not be set again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from uscdr.scenarios.results import Withdrawn
from uscdr.words import first_of, plural

WITHDRAW = "access.withdraw"


def shut_out(done: Withdrawn) -> Iterator[str]:
    """What a person has to see to, in a sentence each."""
    if done.shut:
        whose = f"{plural(len(done.shut), 'account')} ({first_of(done.shut)})"
        yield f"Shut out, as a role or a login could not be set again: {whose}; set it by hand, then let them in"
    if done.reset:
        whose = f"{plural(len(done.reset), 'account')} ({first_of(done.reset)})"
        yield f"Cannot sign in until the password is reset, as the newer one is not known any more: {whose}"


def tasks(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The same, of a run's events."""
    return tuple(
        task
        for event in events
        if event["kind"] == "step.succeeded" and event.get("name") == WITHDRAW
        for task in shut_out(Withdrawn.model_validate(event["result"]))
    )
