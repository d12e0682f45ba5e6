"""Who is shut out by a recovery although nobody had shut them out, and who may get in again unseen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from uscdr.models.access import AccessBack
from uscdr.scenarios.results import Withdrawn
from uscdr.words import first_of, plural

LOOK, RESTORE, WITHDRAW = "access.look", "backup.restore", "access.withdraw"


def shut_out(done: Withdrawn) -> Iterator[str]:
    """What a person has to see to, in a sentence each."""
    if done.shut:
        whose = f"{plural(len(done.shut), 'account')} ({first_of(done.shut)})"
        yield f"Shut out, as a role or a login could not be set again: {whose}; set it by hand, then let them in"
    if done.reset:
        whose = f"{plural(len(done.reset), 'account')} ({first_of(done.reset)})"
        yield f"Cannot sign in until the password is reset, as the newer one is not known any more: {whose}"


def tasks(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The same, of a run's events; after a restore also what could not be told of access, or looked like damage."""
    done = {event.get("name"): event["result"] for event in events if event["kind"] == "step.succeeded"}
    try:
        found = tuple(shut_out(Withdrawn.model_validate(done[WITHDRAW]))) if WITHDRAW in done else ()
        doubts = AccessBack.model_validate(done[LOOK]).doubts if LOOK in done and RESTORE in done else ()
    except ValidationError:
        return ("See who can sign in now: what the journal says of it is not understood",)
    return (*found, *(f"See who can sign in now: {doubt}" for doubt in doubts))
