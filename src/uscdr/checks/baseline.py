"""Measurements of the healthy application, with which later runs are compared."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from uscdr import files as reading
from uscdr.errors import BadInput, MachineError
from uscdr.files import private_directory, write_whole
from uscdr.models.base import Count, Fact, Moment, Span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST = 1 << 26
"""Bytes."""
NO_BASELINE = "no baseline to compare with"


class _TableMeasured(BaseModel):
    """One table of `content`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    rows: Count
    digest: str


class _Measured(BaseModel):
    """The measures that checks compare with; another type makes the baseline invalid. Others are not validated."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    tables: dict[str, _TableMeasured] = {}
    unencrypted: dict[str, Count] = {}
    quantities: dict[str, Count] = {}
    rows: dict[str, Count] = {}
    newest: dict[str, str | None] = {}
    marks: dict[str, str] = {}
    keys: list[str] = []
    columns: list[str] = []
    applied: list[str] = []
    files: Count = 0
    seconds: Span = 0.0
    value: float | None = None
    salt: str = ""
    key: str = ""


def _shaped(measures: dict[str, Any]) -> dict[str, Any]:
    _Measured.model_validate(measures)
    return measures


class Baseline(Fact):
    """Measures by check. Contains counts, digests, seconds and names; no secrets and no patients' values."""

    version: int = 1
    key: str
    """The target: the platform's address and the application."""
    taken_at: Moment
    run: str
    checks: dict[str, Annotated[dict[str, Any], AfterValidator(_shaped)]] = Field(default_factory=dict)

    def of(self, check: str) -> Mapping[str, Any]:
        """The measures of `check`; empty if it did not exist or measured nothing."""
        return self.checks.get(check, {})

    @classmethod
    def read(cls, state: Path, key: str) -> Baseline | None:
        """The baseline of a target; None if none was saved. Raises BadInput if the file is not its baseline."""
        path = _path_of(state, key)
        try:
            found = Baseline.model_validate_json(reading.whole(path, LARGEST))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineError(f"uscdr cannot read {path}: {error.strerror}.") from error
        except ValidationError:
            raise _none(path, "is not a baseline, or one of another version") from None
        if found.key != key:
            raise _none(path, f"is the baseline of another target ({found.key})")
        return found

    def save(self, state: Path) -> Path:
        """Write the baseline durably in place of an earlier one (0600). Raises MachineError."""
        path = _path_of(state, self.key)
        private_directory(path.parent)
        write_whole(path, self.model_dump_json().encode())
        return path


def _path_of(state: Path, key: str) -> Path:
    """The file with the baseline of a target."""
    return state / "baselines" / f"{sha256(key.encode()).hexdigest()[:16]}.json"


def _none(path: Path, why: str) -> BadInput:
    return BadInput(
        f"{path} {why}.",
        next_action="Delete it. Save a new one while the application is healthy: uscdr verify all --save-baseline",
    )
