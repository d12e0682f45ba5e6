"""The common fields of all checks, and a check with its name."""

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

Provider = Literal[
    "application", "database", "platform", "media", "dns", "tls", "mail", "queue", "page", "source", "person"
]  # fmt: skip
"""The provider that must answer. If it hangs, only one check waits for it."""
Bound = Annotated[float, Field(allow_inf_nan=False)]
"""A bound for a value."""
TIMEOUT = 30.0
"""Seconds that a check may take unless scenarios.yaml says otherwise."""


class CheckSpec(Fact):
    """The fields of every kind of check, and the method that runs it."""

    why: str = ""
    """For people: the meaning of a failure, or the next step."""
    why_if: tuple[str, ...] = ()
    """Texts of the evidence, such as `status 503`: `why` is told only if the failure's evidence has one of them.
    Empty: it is told of every failure, except a status or a silence that says nothing about this check alone."""
    timeout: Duration = TIMEOUT
    kind: str

    provider: ClassVar[Provider] = "application"
    writes: ClassVar[bool] = False
    """A canary: runs only if the operator allows writes."""
    may_be_empty: ClassVar[frozenset[str]] = frozenset({"why", "why_if"})
    """Fields that have a meaning when empty; any other empty field requires nothing and is an error."""

    @property
    def counted(self) -> AttemptLimit | None:
        """The rate limit of the check's requests; None if they are not limited."""
        return None

    def explained(self, finding: Finding) -> str:
        """`why`, if it speaks of what was found; else empty."""
        if finding.verdict != "fail":
            return ""
        fits = any(text in finding.evidence for text in self.why_if) if self.why_if else not finding.cause
        return self.why if fits else ""

    @abstractmethod
    def run(self, name: str, context: CheckContext) -> Finding:
        """Run the check. The baseline has the check's earlier measures under `name`.

        Raises:
            ProviderError: the provider did not answer, or refused.
        """

    @field_validator("*")
    @classmethod
    def _says_something(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - of any field
        """Refuse a check that cannot fail: it would always pass."""
        if info.field_name not in cls.may_be_empty and (reason := _says_nothing(value)):
            raise ValueError(f"{reason}, so the check requires nothing: add the required value, or remove the field")
        return value


def _says_nothing(value: object) -> str:
    """Why a text, list or mapping of scenarios.yaml requires nothing, in words; empty if it requires something."""
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
        # The command at the terminal asks the question and records the answer.
        return Finding("not checked", "only a person can answer this")
