"""The command line of a request: what the operator types to carry a plan out."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from uscdr.models.runs import RunKind
from uscdr.scenarios.config import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.scenarios.adapters import Request
    from uscdr.wiring.target import Target

_VALUES = ("backup", "release", "ref", "app", "cloud", "kit", "replaced_since", "to", "since")
_FLAGS = ("give_access_back", "accept_replaced", "evict")


def as_typed(request: Request, target: Target) -> str:
    """`uscdr --target sandbox recover db --backup b001`: every option of the request, and no secret.

    The options that a run does not record (identity file, scratch server) come from the environment or are added.
    """
    return command_of(request.scenario, target, *_options(request))


def command_of(scenario: str, target: Target, *options: str) -> str:
    """The command of a scenario on this target with these options, to paste."""
    program, _, command = RunKind(scenario).command.partition(" ")
    named = target.name == SANDBOX or len(target.config.targets) > 1
    return shlex.join([program, *(("--target", target.name) if named else ()), *command.split(), *options])


def _options(request: Request) -> Iterator[str]:
    if request.scenario == "infra" and request.app is None:
        yield "--in-place-if-possible"
    for name in _VALUES:
        if value := getattr(request, name):
            yield from (f"--{name.replace('_', '-')}", value)
    if request.files:
        yield from ("--from", request.files)
    for recipient in request.recipients:
        yield from ("--recipient", recipient)
    for name in _FLAGS:
        if getattr(request, name):
            yield f"--{name.replace('_', '-')}"
    if not request.safety_capture:
        yield "--without-safety-capture"
    if request.anew:
        yield "--new"
