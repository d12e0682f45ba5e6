"""The section `kit` of scenarios.yaml: where escape kits go, and who can open them."""

from __future__ import annotations

from pydantic import field_validator

from uscdr.models.base import Fact


class KitSettings(Fact):
    """`to`: a bucket (`s3://…`) or a directory, best not on this machine. `recipients`: age or SSH public keys."""

    to: str | None = None
    recipients: tuple[str, ...] = ()

    @field_validator("recipients")
    @classmethod
    def _public(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """Only public keys; a private one is refused without being repeated."""
        if not all(one.strip().lower().startswith(("age1", "ssh-")) for one in recipients):
            raise ValueError("a recipient is a public key: age1… or ssh-…")
        return recipients
