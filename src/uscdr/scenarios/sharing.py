"""Who else uses an add-on, and which databases of the application a recovery leaves alone. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from uscdr.errors import ProviderError
from uscdr.models.heroku import POSTGRES, Attachment, service_of
from uscdr.scenarios.results import Sharing

if TYPE_CHECKING:
    from uscdr.providers.ports.platform import Platform


def sharing(platform: Platform, app: str, database: Attachment) -> Sharing:
    """Of a database: the applications that it is attached to, and the application's other databases.

    What cannot be read is not known; the owner is, whatever else is not.
    """
    owner = (database.owner_app_name,) if database.owner_app_name not in ("", app) else ()
    try:
        there = platform.attachments_of(database.addon_id)
        beside = platform.attachments(app)
    except ProviderError as error:
        return Sharing(known=False, why=error.message, apps=tuple(f"{one} (its owner)" for one in owner))
    return Sharing(
        apps=_apps(there, app, owner), names=_names(there, app, database), untouched=_beside(beside, database)
    )


def _apps(there: Sequence[Attachment], app: str, owner: Sequence[str]) -> tuple[str, ...]:
    names: dict[str, list[str]] = {}
    for one in there:
        if one.app_name != app:
            names.setdefault(one.app_name, []).append(one.name)
    found = [f"{other} (as {', '.join(sorted(as_))})" for other, as_ in sorted(names.items())]
    return (*found, *(f"{one} (its owner)" for one in owner if one not in names))


def _names(there: Sequence[Attachment], app: str, database: Attachment) -> tuple[str, ...]:
    return tuple(sorted({one.name for one in there if one.app_name == app} - {database.name}))


def _beside(beside: Sequence[Attachment], database: Attachment) -> tuple[str, ...]:
    others = [one for one in beside if one.addon_id != database.addon_id and service_of(one.plan) == POSTGRES]
    return tuple(sorted(f"{one.name} ({one.addon_name})" for one in others))
