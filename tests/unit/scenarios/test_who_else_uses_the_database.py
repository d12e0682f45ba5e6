"""Whom a restore hits besides the application, and which databases it leaves alone, is said before the phrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import ADDON, APP, World
from rehearsal import Rehearsal
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.models.heroku import Attachment

PLAN = "heroku-postgresql:essential-0"


def attached(app: str, name: str, addon: str = "addon-1", *, plan: str = PLAN) -> Attachment:
    return Attachment(name=name, app_name=app, addon_id=addon, addon_name=addon, owner_app_name=APP, plan=plan)


def told(run: Rehearsal) -> str:
    """What the plan says of the database."""
    run.phrase()
    return str(next(line["summary"] for line in run.events("plan.ready")[-1]["steps"] if line["id"] == "database"))


def test_another_application_is_named_with_what_it_loses(quick: Path) -> None:
    world = World()
    world.shared = [attached("billing", "CLINIC"), attached("billing", "OLD"), attached(APP, "REPORTS")]
    run = Rehearsal(quick, world=world)
    words = told(run)
    assert (
        "used by others: billing (as CLINIC, OLD): its data are overwritten too, and its dynos are NOT stopped" in words
    )
    assert "the same database under other names: REPORTS" in words
    ending = run.begin()
    assert isinstance(ending, Outcome)
    assert ending.code is ExitCode.DONE
    facts = next(gate["facts"] for gate in run.events("gate.asked") if "database" in gate["facts"])
    assert facts["used by others"].startswith("billing (as CLINIC, OLD)")


def test_a_database_beside_it_is_said_not_to_be_touched(quick: Path) -> None:
    world = World()
    world.beside = [attached(APP, "ANALYTICS", "pg-2"), attached(APP, "REDIS", "redis", plan="heroku-redis:mini")]
    run = Rehearsal(quick, world=world)
    words = told(run)
    assert "NOT touched, whatever is wrong with them: ANALYTICS (pg-2)" in words
    assert "REDIS" not in words


def test_nothing_is_said_of_nobody(quick: Path) -> None:
    words = told(Rehearsal(quick))
    assert "others" not in words
    assert "NOT" not in words


@pytest.mark.parametrize("kind", ["refused", "down"])
def test_a_list_that_cannot_be_read_is_not_known_and_the_owner_is(quick: Path, kind: str) -> None:
    world = World()
    world.owner = "data"
    world.faults = {("attachments_of", number): kind for number in range(1, 20)}
    words = told(Rehearsal(quick, world=world))
    assert "whether other applications use it is NOT known (attachments_of" in words
    assert "data (its owner): its data are overwritten too" in words


def test_the_owner_is_hit_though_it_sees_no_attachment(quick: Path) -> None:
    world = World()
    world.owner = "data"
    words = told(Rehearsal(quick, world=world))
    assert "used by others: data (its owner)" in words
    assert ADDON in words
