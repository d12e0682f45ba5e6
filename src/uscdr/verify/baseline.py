"""What was measured while the application was healthy; later runs are compared with it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from uscdr.errors import BadInput, MachineError
from uscdr.models.base import Fact
from uscdr.settings import PRIVATE_FILE, private_directory

NO_BASELINE = "no baseline to compare with"


class Baseline(Fact):
    """Measures by check. Holds counts, digests, seconds and names; no secret and no patient's value."""

    version: int = 1
    key: str
    """Which place: the platform's address and the application."""
    taken_at: datetime
    run: str
    checks: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def of(self, check: str) -> Mapping[str, Any]:
        """What `check` measured then; empty when it did not exist or measured nothing."""
        return self.checks.get(check, {})


def path_of(state: Path, key: str) -> Path:
    """Where the baseline of a place is kept."""
    return state / "baselines" / f"{sha256(key.encode()).hexdigest()[:16]}.json"


def read(state: Path, key: str) -> Baseline | None:
    """The baseline of a place; None when none was saved. Raises BadInput when the file is no baseline."""
    path = path_of(state, key)
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError:
        raise BadInput(
            f"{path} is no baseline, or one of another version.",
            next_action="Remove it, and save a new one while the application is healthy: "
            "uscdr verify all --save-baseline",
        ) from None


def save(state: Path, baseline: Baseline) -> Path:
    """Write it durably in place of an earlier one (0600). Raises MachineError."""
    path = path_of(state, baseline.key)
    private_directory(path.parent)
    draft = path.with_suffix(".new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            json.dump(baseline.model_dump(mode="json"), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise MachineError(
            f"The baseline could not be written to {path}.",
            why=error.strerror or type(error).__name__,
            next_action="Make room, then save it again; an earlier baseline is still as it was.",
        ) from error
    return path
