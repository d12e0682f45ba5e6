"""Whether the application is connected to this database: a number that it shows is the database's own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from uscdr.models.postgres import Invariant
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.body import values_at
from uscdr.verify.kinds.http import OK, SET_ACCOUNT, Path
from uscdr.verify.kinds.sql import number
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

Number = int | float


class AgreeCheck(CheckSpec):
    """The application's number and the database's are one."""

    kind: Literal["agree"]
    path: Path
    auth: bool = False
    """Send the check account's token."""
    json_: Annotated[str, Field(alias="json", min_length=1)]
    """Where the number stands in the answer, such as `totals.patients`."""
    query: Annotated[str, Field(min_length=1)]
    """Returns the same number."""

    provider: ClassVar[Provider] = "application"


def run(name: str, spec: AgreeCheck, world: World) -> Finding:
    """Ask both; once more when they differ, as somebody may have written in between."""
    if spec.auth and world.token() is None:
        return Finding("not checked", f"there is no check account: {SET_ACCOUNT}")
    first = _compared(name, spec, world)
    return _compared(name, spec, world) if first.verdict == "fail" else first


def _compared(name: str, spec: AgreeCheck, world: World) -> Finding:
    shown = _application(spec, world)
    if isinstance(shown, Finding):
        return shown
    (result,) = world.database().invariants([Invariant(name=name, sql=spec.query)])
    own = number(result.seen) if result.holds is not None else None
    if own is None:
        why = result.seen if result.holds is None else f"it gave {result.seen}, not a number"
        return Finding("inconclusive", f"the database was not asked well: {why}")
    if shown != own:
        words = f"{spec.path} says {shown:,}, the database {own:,}"
        return Finding("fail", f"{words}: the application may be connected to another one")
    if not own:
        return Finding("inconclusive", f"{spec.path} and the database both say 0, which any empty database would")
    return Finding("pass", f"{spec.path} and the database both say {own:,}", {"value": own})


def _application(spec: AgreeCheck, world: World) -> Number | Finding:
    """The number that the application shows, or why there is none."""
    answer = world.website().ask("GET", spec.path, token=world.token() if spec.auth else None)
    if answer.status != OK:
        return Finding("fail", f"{spec.path}: status {answer.status}, expected {OK}")
    found = list(values_at(answer, spec.json_))
    numbers = [one for one in found if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(found) != 1 or len(numbers) != 1:
        return Finding("fail", f"{spec.path}: {len(numbers)} numbers at JSON “{spec.json_}”, expected one")
    return numbers[0]
