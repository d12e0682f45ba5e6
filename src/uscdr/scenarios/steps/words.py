"""The calls that steps name in a plan."""

from __future__ import annotations

from uscdr.models.events import Call


def reads(method: str, path: str) -> Call:
    """A call to the platform that only reads."""
    return Call(provider="heroku", request=f"{method} {path}", writes=False)


def writes(method: str, path: str) -> Call:
    """A call to the platform that changes something."""
    return Call(provider="heroku", request=f"{method} {path}", writes=True)


def sql(what: str, *, changes: bool = False) -> Call:
    """What is asked of the database."""
    return Call(provider="postgres", request=what, writes=changes)


RESTORED_BY_HAND = (
    "createuser --pwprompt proof && createdb --owner proof proof   # no superuser: functions of the dump run",
    "pg_restore --no-owner --no-acl -h 127.0.0.1 -U proof -d proof proof.dump",
)
"""What a person does in place of a proof, by a role that may do nothing outside of its database."""
DOWNLOADS = (reads("POST", "/client/v11/apps/{app}/transfers/…/actions/public-url"), reads("GET", "the signed link"))
"""What fetching a stored backup asks; a step fills in `{app}`."""
