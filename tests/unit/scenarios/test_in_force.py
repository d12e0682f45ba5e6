"""A change is in force when its release succeeded and every scaled dyno runs it, not when the platform accepted it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from fake_deploys import FakeDeploys
from fakes import FakePlatform, World
from uscdr.engine import wait
from uscdr.engine.wait import Stop
from uscdr.errors import CheckFailed, EffectFailed, OutcomeUnknown
from uscdr.models.heroku import Dyno, ProcessType, Release
from uscdr.scenarios import releases
from uscdr.scenarios.releases import InForce, Releases


class Listener:
    """Somebody who listens to progress."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def progress(self, note: str, *_: object, **__: object) -> None:
        self.notes.append(note)


def nobody() -> Any:
    return Listener()


def release(version: int, status: str = "succeeded", *, current: bool = False) -> Release:
    return Release(id=f"r{version}", version=version, status=status, current=current)


def place(world: World) -> Any:
    return SimpleNamespace(app="usc-pis", platform=FakePlatform(world), deploys=FakeDeploys(world), stop=Stop())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(wait, "FIRST_INTERVAL", 0.0)
    made = World()
    made.one_offs = []
    made.releases = [release(11, current=True)]
    return made


def dyno(kind: str, version: int | None, state: str = "up", **more: Any) -> Dyno:
    return Dyno(id=kind, name=f"{kind}.1", type=kind, state=state, release_version=version, **more)


def shown(world: World, *dynos: Dyno) -> mock._patch[Any]:
    world.formation = dict.fromkeys((one.type for one in dynos), 1)
    return mock.patch.object(world, "dynos", return_value=dynos)


def test_a_pending_release_is_waited_for_and_then_its_dynos(world: World) -> None:
    world.releases.insert(0, release(12, "pending"))
    tell = nobody()
    world.lingering = 3
    found = Releases(place(world)).await_in_force(tell, since=11)
    assert (found.version, found.running) == (12, {"web": 2, "worker": 3, "beat": 1, "cron": 0})
    assert found.words == "v12 runs on beat=1, web=2, worker=3"
    assert any("waiting for the release phase of v12" in note for note in tell.notes)
    assert any("web.1 starting (v12)" in note for note in tell.notes)


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (dyno("worker", 11), "worker.1 up (v11)"),
        (dyno("worker", None), "worker.1 up (v?)"),
        (dyno("worker", 12, "starting"), "worker.1 starting (v12)"),
        (dyno("worker", 11, "crashed"), "worker.1 crashed (v11)"),
    ],
)
def test_a_dyno_that_is_not_seen_to_run_it_is_waited_for(world: World, late: Dyno, words: str) -> None:
    world.releases = [release(12, current=True), release(11)]
    with shown(world, dyno("web", 12), late):
        found = InForce.look(place(world), 11)
    assert not found.reached
    assert words in found.words
    assert "worker 0 of 1" in found.words


def test_a_dyno_of_another_size_than_its_process_type_has_not_restarted_yet(world: World) -> None:
    world.releases = [release(12, current=True)]
    sized = (ProcessType(type="web", quantity=1, size="Standard-2X"),)
    for size, reached in (("Basic", False), ("standard-2x", True), ("", True)):
        with shown(world, dyno("web", 12, size=size)), mock.patch.object(FakePlatform, "formation", return_value=sized):
            assert InForce.look(place(world)).reached is reached


def test_a_wait_that_sees_no_end_ends_as_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "DYNO_LIMIT", 0.0)
    with shown(world, dyno("web", 10)), pytest.raises(OutcomeUnknown, match="the restart of the dynos"):
        Releases(place(world)).await_in_force(nobody())


def test_a_release_that_fails_is_no_success_and_the_way_on_is_named(world: World) -> None:
    world.releases.insert(0, release(12, "pending"))
    world.release_doom = ["failed"]
    with pytest.raises(EffectFailed, match="The release v12 failed: its change is not in force, v11") as caught:
        Releases(place(world)).await_in_force(nobody(), since=11)
    assert "heroku releases:retry --app usc-pis" in caught.value.next_action


def test_a_failed_release_from_before_is_not_held_against_what_runs(world: World) -> None:
    world.releases.insert(0, release(12, "failed"))
    deps = place(world)
    assert Releases(deps).await_in_force(nobody(), since=Releases(deps).newest_version()).version == 11
    assert Releases(deps).await_in_force(nobody()).version == 11


def test_a_dyno_that_crashes_under_it_is_told_at_once(world: World) -> None:
    world.never_up = {"worker"}
    with pytest.raises(CheckFailed, match=r"worker\.1, worker\.2, worker\.3 crashed at the start under v11"):
        Releases(place(world)).await_in_force(nobody())
    assert Releases(place(world)).await_in_force(nobody(), kinds={"web"}).running == {"web": 2}


def test_a_place_without_dynos_or_releases_has_nothing_to_wait_for(world: World) -> None:
    world.releases, world.formation = [], {"web": 0}
    found = Releases(place(world)).await_in_force(nobody(), since=Releases(place(world)).newest_version())
    assert (found.reached, found.words) == (True, "no dyno is scaled")


def test_a_dyno_that_should_not_run_any_more_is_waited_for(world: World) -> None:
    world.releases = [release(12, current=True)]
    with shown(world, dyno("web", 12), dyno("worker", 11)):
        world.formation["worker"] = 0
        assert InForce.look(place(world)).waiting == ("worker.1 up (v11)",)
