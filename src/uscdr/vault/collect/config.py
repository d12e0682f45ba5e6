"""All configuration variables: values encrypted, fingerprints for a later comparison."""

from __future__ import annotations

from datetime import UTC, datetime

from uscdr.vault.collect.sources import Gaps, Gathering, counted, part_of
from uscdr.vault.content import REVEAL, ConfigVars
from uscdr.vault.manifest import Fingerprints, Part
from uscdr.vault.writer import fingerprints


def collect(gathering: Gathering) -> tuple[Part, Fingerprints]:
    """Raises ProviderError when they cannot be read."""
    values = dict(gathering.sources.platform.config_vars(gathering.wishes.app))
    document = ConfigVars(values=values).model_dump_json(context=REVEAL)
    gathering.writer.add_bytes("config", "config.json", document.encode())
    gaps = Gaps()
    for name in gathering.wishes.required:
        if name not in values:
            gaps.note(name, "The application has no such variable, and scenarios.yaml requires it.")
    if not values:
        gaps.note("configuration variables", "The platform listed none.")
    part = part_of("config", gaps, counted(len(values), "variable"))
    return part.model_copy(update={"taken_at": datetime.now(UTC)}), fingerprints(values)
