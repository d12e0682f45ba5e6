"""The section `kit` of scenarios.yaml: where escape kits go, and who can open them."""

from __future__ import annotations

from typing import Annotated

from pydantic import field_validator

from uscdr.models.base import Fact
from uscdr.models.destination import Destination, is_directory


class KitSettings(Fact):
    """`to`: a bucket (`s3://…`) or a directory, best not on this machine. `recipients`: age or SSH public keys."""

    to: Annotated[str | None, Destination(is_directory)] = None
    recipients: Annotated[tuple[str, ...], Destination()] = ()

    @field_validator("recipients")
    @classmethod
    def _public(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """Only public keys; a private one is refused without being repeated."""
        if not all(one.strip().lower().startswith(("age1", "ssh-")) for one in recipients):
            raise ValueError("a recipient is a public key: age1… or ssh-…")
        return recipients
