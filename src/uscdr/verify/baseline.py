"""What was measured while the application was healthy; later runs are compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from uscdr.errors import BadInput, MachineError
from uscdr.files import private_directory, write_whole
from uscdr.models.base import Fact, Moment

NO_BASELINE = "no baseline to compare with"


class Baseline(Fact):
    """Measures by check. Holds counts, digests, seconds and names; no secret and no patient's value."""

    version: int = 1
    key: str
    """Which place: the platform's address and the application."""
    taken_at: Moment
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
    write_whole(path, baseline.model_dump_json().encode())
    return path
