"""Every kind of check, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from uscdr.verify.check import Check
from uscdr.verify.kinds import http
from uscdr.verify.kinds.http import HttpCheck
from uscdr.verify.kinds.manual import ManualCheck
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

AnyCheck = Annotated[HttpCheck | ManualCheck, Field(discriminator="kind")]

RUN: Mapping[str, Callable[[str, Any, World], Finding]] = {
    "http": http.run,
}
"""By kind. `manual` is asked by whoever has the terminal."""


def run(check: Check, world: World) -> Finding:
    """Run one check."""
    return RUN[check.kind](check.name, check.spec, world)
