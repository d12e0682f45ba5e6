"""Whether the newest release is the one that runs, and users are let in."""

from __future__ import annotations

from typing import ClassVar, Literal

from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World


class ReleaseCheck(CheckSpec):
    """The newest release, and maintenance mode."""

    kind: Literal["release"]

    provider: ClassVar[Provider] = "platform"


def run(name: str, spec: ReleaseCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Newest release succeeded and current; maintenance mode off."""
    problems, doubts = [], []
    if world.facts.app().maintenance:
        problems.append("maintenance mode is on: users are shut out")
    releases = world.facts.releases()
    if not releases:
        return weighed([*problems, "nothing was ever released"], [], "")
    newest = releases[0]
    running = next((f"v{one.version}" for one in releases if one.current), "none")
    if newest.status == "pending":
        doubts.append(f"v{newest.version} is being released")
    elif newest.status != "succeeded":
        problems.append(f"the newest release, v{newest.version}, {_ended(newest.status)}; {running} is current")
    elif not newest.current:
        problems.append(f"the newest release is v{newest.version}, but {running} is current")
    return weighed(problems, doubts, f"v{newest.version} succeeded and is current", {"version": newest.version})


def _ended(status: str) -> str:
    return status if status in ("failed", "expired") else "did not succeed"
