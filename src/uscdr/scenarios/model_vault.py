"""The section `vault` of scenarios.yaml: where copies of backups go, who can open them, how often, for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from uscdr.models.base import Fact
from uscdr.models.destination import Destination, is_directory
from uscdr.models.duration import Duration
from uscdr.vault.backups.retention import Retention

EVERY = 3.5 * 3600


class VaultSettings(Fact):
    """`to`: a directory or object store; without it the kits' place. `recipients`: without them those of the kit."""

    to: Annotated[str | None, Destination(is_directory)] = None
    recipients: Annotated[tuple[str, ...], Destination()] = ()
    every: Annotated[Duration, Field(ge=300, le=86400)] = EVERY
    """How often a backup is captured, copied and proven."""
    retention: Retention = Retention()

    @field_validator("recipients")
    @classmethod
    def _public(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """As of a kit: public keys only; a private one is refused without being repeated."""
        if not all(one.strip().lower().startswith(("age1", "ssh-")) for one in recipients):
            raise ValueError("a recipient is a public key: age1… or ssh-…")
        return recipients
