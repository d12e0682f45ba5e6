"""An application whose newest release is bad, and the run that recovers it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fake_deploys import add_release, history
from fakes import World
from rehearsal import Rehearsal, configuration
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config import Config

REQUIRED = ("DATABASE_URL", "SECRET_KEY")


@cache
def application() -> Config:
    """The packaged configuration with tables and variables that the fakes have."""
    config = configuration()
    manifest = config.config.model_copy(update={"required": REQUIRED})
    app = config.app.model_copy(update={"expected_tables": ("patients_patient",)})
    return config.model_copy(update={"config": manifest, "app": app})


def broken(state: Path, *, release: str | None = None, ref: str | None = None) -> Rehearsal:
    """v41 cannot be used; v40 and v39 can. Web dynos crash; no migration is pending, no one-off dyno runs."""
    world = World()
    world.vars = frozenset({"SECRET_KEY"})
    world.one_offs, world.deployed = [], list(world.live.applied)
    history(world)
    world.crashing = {"slug-41"}
    return Rehearsal(state, world, config=application(), request=Request("app", release=release, ref=ref))


def lost_variable(state: Path) -> Rehearsal:
    """v42 removed SECRET_KEY; pages still answer."""
    run = broken(state)
    run.world.bad_slugs, run.world.crashing = set(), set()
    run.world.vars = frozenset()
    add_release(run.world, "Remove SECRET_KEY config vars", "slug-41")
    return run


def unmigrated(state: Path) -> Rehearsal:
    """v41 is sound code that needs a migration which nobody applied."""
    run = broken(state)
    run.world.crashing = set()
    run.world.deployed.append("patients.0003_phone")
    return run


def ended(ending: Outcome | None) -> tuple[ExitCode, str]:
    assert ending is not None
    return ending.code, f"{ending.error.message} {ending.error.why}" if ending.error else ""


def advice(ending: Outcome | None) -> str:
    """What the operator is told to do next."""
    assert ending is not None
    assert ending.error is not None
    return ending.error.next_action


def sent(run: Rehearsal, name: str) -> list[str]:
    """The writes of that kind that took effect."""
    return [write for write in run.world.writes if write.startswith(name)]


def running(world: World) -> str:
    """What the release that runs was for."""
    return next(release.description for release in world.releases if release.current)
