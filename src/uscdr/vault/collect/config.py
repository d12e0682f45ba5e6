"""All configuration variables: their values go into the kit, encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import SecretStr

from uscdr.models.base import REVEAL
from uscdr.vault.collect.sources import Gaps, Gathering, part_of
from uscdr.vault.content import ConfigVars
from uscdr.vault.manifest import Part
from uscdr.words import plural


def collect(gathering: Gathering) -> tuple[Part, Mapping[str, SecretStr]]:
    """The values, too, for what else the kit must know of them. Raises ProviderError when they cannot be read."""
    values = dict(gathering.sources.platform.config_vars(gathering.wishes.app))
    document = ConfigVars(values=values).model_dump_json(context=REVEAL)
    gathering.writer.add_bytes("config", "config.json", document.encode())
    gaps = Gaps()
    for name in gathering.wishes.required:
        if name not in values:
            gaps.note(name, "The application has no such variable, and scenarios.yaml requires it.")
    if not values:
        gaps.note("configuration variables", "The platform listed none.")
    part = part_of("config", gaps, plural(len(values), "variable"))
    return part.model_copy(update={"taken_at": datetime.now(UTC)}), values
