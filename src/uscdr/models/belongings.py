"""What hangs on an application beside its code, data, config and processes, as far as the platform tells it."""

from __future__ import annotations

from pydantic import Field

from uscdr.models.base import Fact


class Belongings(Fact):
    """Names and hosts only: addresses of webhooks carry secrets."""

    features: tuple[str, ...] = ()
    """Those that are turned on."""
    webhooks: tuple[str, ...] = ()
    """Hosts."""
    pipeline: str = ""
    """Name and stage, `clinic (production)`."""
    certificates: tuple[str, ...] = ()
    """Uploaded ones, by the names that they are for; without those that the platform manages."""
    team: str = ""
    """Whose members' rights come from the team; empty for an application of a person."""
    space: str = ""
    """The private space it runs in."""
    unknown: dict[str, str] = Field(default_factory=dict)
    """What could not be asked, and why: `webhooks` -> the reason."""
