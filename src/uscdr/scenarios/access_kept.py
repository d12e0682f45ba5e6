"""Who may get in, looked at with a secret; and values that are never written down, in memory until they are set again.

The journal holds digests. They are keyed with the live database's password: the process that goes on with a run has it,
whoever has only the journal has not.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import CheckFailed, ProviderError
from uscdr.models.access import AccessBack, KeyedAccess
from uscdr.scenarios.deps import Deps

_FOR = "uscdr: digests of access\n"


def keyed(deps: Deps) -> KeyedAccess | None:
    """Where access is kept; None when scenarios.yaml does not say. Raises BadInput when there is no live database."""
    tables = deps.config.access
    if tables is None:
        return None
    url = deps.database_url(deps.app).get_secret_value()
    secret = sha256((_FOR + (urlsplit(url).password or url)).encode()).hexdigest()
    return KeyedAccess(**tables.model_dump(), secret=SecretStr(secret))


def noted(deps: Deps, back: AccessBack) -> KeyedAccess | None:
    """The same, to read `back` with. Raises CheckFailed when the secret is another one now."""
    tables = keyed(deps)
    if tables is None:
        return None
    tables = tables.as_noted(back)
    if back.amount and tables.mark != back.mark:
        raise CheckFailed(
            f"Access cannot be withdrawn again from here. This comes back: {back.words}.",
            why="it is noted under the password that the database had then, and that was changed since",
            next_action="Withdraw it by hand, then restore anew: what you withdrew is withdrawn again. "
            "uscdr recover db --new",
        )
    return tables


def keep(deps: Deps, back: AccessBack) -> None:
    """Reads what is not known, as in a process that took the run over; only what is still what it was.

    What cannot be read leaves its account shut out, and that is said where access is withdrawn again.
    """
    if deps.config.access is None or deps.dry_run:
        return
    if not back.prints_of(deps.config.access).keys() - deps.unshown.keys():
        return
    with suppress(ProviderError):
        tables = noted(deps, back)
        if tables is not None:
            deps.unshown.update(back.fitting(tables, deps.database().unshown(tables, back)))
