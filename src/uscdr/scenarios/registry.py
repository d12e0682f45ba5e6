"""Every step that scenarios.yaml may use: an explicit dict, searchable and checked."""

from __future__ import annotations

from collections.abc import Mapping

from uscdr.scenarios.specs import application, database
from uscdr.scenarios.specs.spec import StepSpec

STEPS: Mapping[str, StepSpec] = {spec.name: spec for spec in (*database.SPECS, *application.SPECS)}
