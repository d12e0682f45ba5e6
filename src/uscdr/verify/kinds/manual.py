"""A question that only a person can answer; the answer is recorded."""

from __future__ import annotations

from typing import ClassVar, Literal

from uscdr.verify.check import CheckSpec, Provider


class ManualCheck(CheckSpec):
    """A question put to the operator."""

    kind: Literal["manual"]
    question: str

    provider: ClassVar[Provider] = "person"
