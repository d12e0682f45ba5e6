"""Whether the services that the application needs are there."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

READY, COMING = "provisioned", "provisioning"


class AddonsCheck(CheckSpec):
    """Add-on services, whatever their plan."""

    kind: Literal["addons"]
    services: Annotated[tuple[str, ...], Field(min_length=1)]
    """As the platform calls them: `heroku-postgresql`."""

    provider: ClassVar[Provider] = "platform"


def run(name: str, spec: AddonsCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Each service has an add-on that is provisioned."""
    addons = world.facts.addons()
    states = {service: {one.state for one in addons if one.service == service} for service in spec.services}
    problems = [
        f"{service} is {_shown(found)}" for service, found in states.items() if not found & {READY, COMING}
    ]  # fmt: skip
    doubts = [f"{service} is {COMING}" for service, found in states.items() if COMING in found and READY not in found]
    return weighed(problems, doubts, f"{READY}: {', '.join(spec.services)}")


def _shown(states: set[str]) -> str:
    return " and ".join(sorted(states)) or "not there"
