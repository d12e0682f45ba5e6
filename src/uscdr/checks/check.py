"""What every check has, and the check as it is run, under its name."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from typing_extensions import override

from uscdr.checks.verdict import Finding
from uscdr.models.base import Duration, Fact

if TYPE_CHECKING:
    from uscdr.checks.attempts import AttemptLimit
    from uscdr.checks.context import CheckContext

Provider = Literal["application", "database", "platform", "media", "dns", "tls", "mail", "queue", "source", "person"]
"""Who must answer. One that hangs is waited for once, not once a check."""
Bound = Annotated[float, Field(allow_inf_nan=False)]
"""A number that a value can be beyond."""
TIMEOUT = 30.0
"""Seconds that a check may take unless scenarios.yaml says otherwise."""


class CheckSpec(Fact):
    """The fields that every kind of check has, and how it is run."""

    why: str = ""
    """For a person: what a failure means, or what to do about it."""
    timeout: Duration = TIMEOUT
    kind: str

    provider: ClassVar[Provider] = "application"
    writes: ClassVar[bool] = False
    """A canary: run only when the operator allows writes."""
    may_be_empty: ClassVar[frozenset[str]] = frozenset({"why"})
    """Fields that say something when they are empty; any other that is written down and empty demands nothing."""

    @property
    def counted(self) -> AttemptLimit | None:
        """The limit of what the check sends; None for what nobody counts."""
        return None

    @abstractmethod
    def run(self, name: str, context: CheckContext) -> Finding:
        """Look, and judge what is seen; the baseline has under `name` what was measured before.

        Raises:
            ProviderError: who must answer did not.
        """

    @field_validator("*")
    @classmethod
    def _says_something(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - of any field
        """A check that cannot fail is worse than none: it is seen to pass."""
        if info.field_name not in cls.may_be_empty and (reason := _says_nothing(value)):
            raise ValueError(f"{reason}, so this demands nothing: write what must be there, or leave it out")
        return value


def _says_nothing(value: object) -> str:
    """Why a text, list or mapping of scenarios.yaml demands nothing, in words; empty when it does."""
    if value in ("", [], (), {}) or _blank(value):
        return "it is empty"
    if isinstance(value, list | tuple) and any(map(_blank, value)):
        return "one of its texts is empty"
    if isinstance(value, dict):
        bare = next((name for name, one in value.items() if one in ([], ())), None)
        return "one of its names is empty" if any(map(_blank, value)) else f"`{bare}` is empty" if bare else ""
    return ""


def _blank(value: object) -> bool:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return isinstance(text, str) and not text.strip()


@dataclass(frozen=True)
class Check:
    """One check to run."""

    name: str
    spec: CheckSpec
    kind: str


# A question that only a person can answer; the answer is recorded.


class ManualCheck(CheckSpec):
    """A question put to the operator."""

    kind: Literal["manual"]
    question: str

    provider: ClassVar[Provider] = "person"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        # Whoever has the terminal asks, and records the answer.
        return Finding("not checked", "only a person can answer this")
