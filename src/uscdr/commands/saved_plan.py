"""A plan in a file: what a dry run showed, to be carried out exactly as it is or refused."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from uscdr import __version__, clock
from uscdr.errors import BadInput, CheckFailed
from uscdr.files import disk_errors, new_file, whole
from uscdr.models.events import PlanReady
from uscdr.scenarios.adapters import Request

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.wiring.target import Target

_MOST_BYTES = 8 << 20
_OPEN = frozenset({"scenario", "since", "anew", "incident", "plan"})
"""What may be given beside a saved plan: it changes nothing that the run does."""
_REQUEST = TypeAdapter(Request)


class SavedPlan(BaseModel):
    """The file's content. `sum` is the SHA-256 of everything else: a plan that was edited is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["uscdr.saved-plan.v1"] = Field(default="uscdr.saved-plan.v1", alias="schema")
    version: str
    made_at: AwareDatetime
    target: str
    key: str
    """Of the application that the plan is for."""
    configuration: str
    """The digest of scenarios.yaml."""
    request: dict[str, Any]
    plan: PlanReady
    sum: str = ""

    def digest(self) -> str:
        """Over every field but `sum`."""
        facts = self.model_dump(mode="json", by_alias=True, exclude={"sum"})
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def requested(self, asked: Request) -> Request:
        """The request that the plan is of, with what may differ of `asked`.

        Raises BadInput for another scenario, and for an option that the plan has decided.
        """
        saved: Request = _REQUEST.validate_python(self.request)
        if saved.scenario != asked.scenario:
            raise BadInput(
                f"The plan is of recover {saved.scenario}, not of recover {asked.scenario}.",
                next_action=f"Run: uscdr recover {saved.scenario} --plan FILE",
            )
        plain = asdict(Request(asked.scenario))
        given = [name for name, value in asdict(asked).items() if name not in _OPEN and value != plain[name]]
        if given:
            raise BadInput(
                f"A saved plan has decided the options; leave out what sets {', '.join(given)}.",
                next_action=f"Run: uscdr recover {saved.scenario} --plan FILE",
            )
        return replace(saved, since=asked.since or saved.since, anew=asked.anew, incident="", plan=self.plan.digest)

    def require(self, target: Target) -> None:
        """Raises CheckFailed if the plan was made by another version, of another target or configuration."""
        here = {"target": target.key, "scenarios.yaml": target.digest, "version of uscdr": __version__}
        then = {"target": self.key, "scenarios.yaml": self.configuration, "version of uscdr": self.version}
        differ = [name for name in here if here[name] != then[name]]
        if differ:
            raise CheckFailed(
                f"The saved plan is out of date: another {', another '.join(differ)}.",
                next_action="Nothing was changed. Plan again with --dry-run --save-plan FILE",
            )


def require_free(path: Path) -> None:
    """Before the plan is made: raises BadInput where it cannot be saved."""
    if path.exists() or path.is_symlink():
        raise BadInput(f"{path} exists; uscdr does not overwrite it.", next_action="Pass another name to --save-plan.")
    if not os.access(path.absolute().parent, os.W_OK):
        raise BadInput(
            f"uscdr cannot write into {path.absolute().parent}.", next_action="Pass another FILE to --save-plan."
        )


def save(path: Path, plan: PlanReady, request: Request, target: Target) -> None:
    """Write a new private file. Raises MachineError, and BadInput if the name exists."""
    made = SavedPlan(
        version=__version__, made_at=clock.now(), target=target.name, key=target.key, configuration=target.digest,
        request=asdict(request), plan=plan,
    )  # fmt: skip
    text = made.model_copy(update={"sum": made.digest()}).model_dump_json(by_alias=True, indent=1)
    require_free(path)
    with disk_errors(f"uscdr cannot save the plan to {path}."), new_file(path) as file:
        file.write(text.encode() + b"\n")


def load(path: Path) -> SavedPlan:
    """Raises BadInput for what is no plan of this program, or was edited, and MachineError."""
    with disk_errors(f"uscdr cannot read the plan {path}.", "Pass the file that --save-plan wrote."):
        data = whole(path, _MOST_BYTES)
    try:
        found = SavedPlan.model_validate_json(data)
        _REQUEST.validate_python(found.request)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
        raise BadInput(
            f"{path} is not a plan of this version of uscdr ({'.'.join(map(str, wrong)) or 'no JSON'}).",
            next_action="Plan again with --dry-run --save-plan FILE",
        ) from None
    if found.sum != found.digest():
        raise BadInput(
            f"{path} was changed after uscdr saved it.", next_action="Plan again with --dry-run --save-plan FILE"
        )
    return found
