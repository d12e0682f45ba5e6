"""Whether somebody outside is told when the application fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.addons import READY
from uscdr.verify.kinds.config import value_of
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World


class MonitoringCheck(CheckSpec):
    """A log drain, an add-on or a config variable that stands for monitoring: one will do."""

    kind: Literal["monitoring"]
    services: tuple[str, ...] = ()
    """Add-on services, such as `papertrail`."""
    variables: tuple[str, ...] = ()
    """Config variables, such as `SENTRY_DSN`."""

    provider: ClassVar[Provider] = "platform"


def run(name: str, spec: MonitoringCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Name what there is, or what would count."""
    found = ", ".join(_found(spec, world))
    if found:
        return Finding("pass", found)
    return Finding("fail", f"nobody outside is told of a failure: there is {', and '.join(_wanted(spec))}")


def _found(spec: MonitoringCheck, world: World) -> Iterator[str]:
    drains = sorted({one.host for one in world.facts.log_drains()})
    if drains:
        yield f"log drain to {', '.join(drains)}"
    there = {one.service for one in world.facts.addons() if one.state == READY} if spec.services else set()
    yield from (f"add-on {service}" for service in spec.services if service in there)
    values = world.facts.config() if spec.variables else {}
    yield from (f"variable {one}" for one in spec.variables if value_of(values, one))


def _wanted(spec: MonitoringCheck) -> Iterator[str]:
    yield "no log drain"
    if spec.services:
        yield f"no add-on of {' or '.join(spec.services)}"
    if spec.variables:
        yield f"no variable {' or '.join(spec.variables)}"
