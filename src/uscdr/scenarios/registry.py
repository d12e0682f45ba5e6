"""Every step that scenarios.yaml may use: an explicit dict, searchable and checked."""

from __future__ import annotations

from collections.abc import Mapping

from uscdr.scenarios.specs import application, backups, database, infrastructure, media
from uscdr.scenarios.specs.spec import StepSpec

_ALL = (*database.SPECS, *application.SPECS, *media.SPECS, *infrastructure.SPECS, *backups.SPECS)
STEPS: Mapping[str, StepSpec] = {spec.name: spec for spec in _ALL}
