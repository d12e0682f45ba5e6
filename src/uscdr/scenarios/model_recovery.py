"""What a new place is made of when the old one is lost: `recovery:` in scenarios.yaml."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from uscdr.models.base import Fact
from uscdr.models.destination import Destination
from uscdr.models.postgres import CanaryColumn
from uscdr.scenarios.model_targets import AppName

PLAN = re.compile(r"[a-z0-9][a-z0-9-]*(?::[a-z0-9][a-z0-9.-]*)?")


def _plan(text: str) -> str:
    """`service:plan`. Raises ValueError."""
    if not PLAN.fullmatch(text):
        raise ValueError(f"{text!r} is no add-on; write service:plan")
    return text


AddonPlan = Annotated[str, AfterValidator(_plan)]


def _are_the_platforms(names: tuple[str, ...]) -> bool:
    """Whether nobody else's code runs, or keeps data, because of them."""
    return all(re.fullmatch(r"heroku[/-][a-z0-9-]+(?::[a-z0-9.-]+)?", name) for name in names)


class Recovery(Fact):
    """How `recover infra` builds the new place. What the old app or the kit knows comes before these defaults."""

    app: AppName = "usc-pis-recovery"
    buildpacks: Annotated[tuple[str, ...], Destination(_are_the_platforms)] = ("heroku/nodejs", "heroku/python")
    """Used when neither the old app nor the kit says."""
    addons: Annotated[tuple[AddonPlan, ...], Destination(_are_the_platforms)] = (
        "heroku-postgresql:essential-0",
        "heroku-redis:mini",
    )
    """Plans to order when the old plan is not sold any more, by service."""
    silenced: tuple[str, ...] = ("GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN")
    """Withheld from the copy until the switch: a copy with live mail values writes to real patients."""
    own_address: tuple[str, ...] = ("SITE_URL", "FRONTEND_URL")
    """Variables that hold the application's own address."""
    hosts: str = "ALLOWED_HOSTS"
    """The variable that lists the names it answers to."""
    key: str = "PGP_ENCRYPTION_KEY"
    """The variable without which encrypted columns cannot be read."""
    canaries: tuple[CanaryColumn, ...] = ()
    """Encrypted columns of which a sample must be readable with the key."""
    single: tuple[str, ...] = ("beat",)
    """Process types of which there must be exactly one."""
    backup_hour: Annotated[int, Field(ge=0, le=23)] = 2
    backup_timezone: str = "Asia/Manila"
