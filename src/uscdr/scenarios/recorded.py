"""What a journal says of a run that is taken up again: asked and found in the shapes that the steps rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from uscdr.engine.history import History
from uscdr.engine.step import BoundStep
from uscdr.journal import runs
from uscdr.journal.reader import foreign
from uscdr.scenarios.deps import Request

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_BESIDE = ("key", "confirm", "dry_run")
"""What the first line holds beside the request itself."""


@dataclass(frozen=True)
class Asked:
    """What a run was begun with: the request, the key of its target, and the phrase that was given."""

    request: Request
    key: str
    confirm: str | None


def asked(first: Mapping[str, Any], journal: Path) -> Asked:
    """Of a journal's first event. Raises ForeignJournal for a wish that this uscdr does not know."""
    if runs.begun_at(journal.parent.name) is None:
        raise foreign(journal, "its directory's name is no run's id")
    said = dict(first["request"])
    key, confirm, _ = (said.pop(name, None) for name in _BESIDE)
    known = {field.name for field in fields(Request)}
    unknown = sorted(name for name, value in said.items() if name not in known and value)
    try:
        request = _REQUEST.validate_python({name: value for name, value in said.items() if name in known})
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
        raise foreign(journal, f"line 1: request.{'.'.join(map(str, wrong))}") from None
    if unknown:
        raise foreign(journal, f"line 1: request.{unknown[0]}")
    if not isinstance(key, str) or not isinstance(confirm, str | None) or request.scenario != first["scenario"]:
        raise foreign(journal, "line 1: request.key, request.confirm or request.scenario")
    return Asked(request, key, confirm)


def require_ours(steps: Sequence[BoundStep], history: History, journal: Path) -> None:
    """Every recorded result is of the kind that its step gives. Raises ForeignJournal naming the step."""
    for bound in steps:
        recorded = history.results.get(bound.step.id)
        if not recorded:
            continue
        try:
            bound.step.gives.model_validate(recorded)
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
            where = ".".join(("result", *map(str, wrong)))
            raise foreign(journal, f"step {bound.step.id}: {where}") from None
